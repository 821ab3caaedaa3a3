import Journal
import Telemetry
import TestSupport
import Testing

@testable import Exporters

/// Against a scripted server: neither Elasticsearch nor OpenSearch is in Debian, so what their real servers
/// do beyond the documented answers of the bulk API is not shown here.
@Suite(.timeLimit(.minutes(1))) struct ElasticsearchExporterTests {
    private func exporter(
        _ hosts: [String], operation: ElasticsearchExporter.Operation = .index,
        settings: HTTPSettings = HTTPSettings()
    ) throws -> ElasticsearchExporter {
        try ElasticsearchExporter(
            .init(hosts: hosts, index: "frames", operation: operation, settings: settings))
    }

    private func exporter(_ server: StubServer) throws -> ElasticsearchExporter {
        try exporter([server.url])
    }

    @Test func `a document is two lines, with an id that its repetition has, too`() throws {
        let server = try StubServer { _, _ in .answer(200, body: "{\"errors\":false}") }
        let outcomes = try exporter(server).deliver(
            [
                record(1, ["n": 1]), record(2, "text", [JournalField("index", "other")]),
                record(3, ["@timestamp": "mine"]),
            ], within: .seconds(20))
        #expect(outcomes == [.delivered("run-1"), .delivered("run-2"), .delivered("run-3")])
        let request = try #require(server.requests.first)
        #expect(request.target.hasPrefix("/_bulk?filter_path=errors,"))
        #expect(request.headers["content-type"] == "application/x-ndjson")
        #expect(
            request.text == """
                {"index":{"_index":"frames","_id":"run-1"}}
                {"@timestamp":"2026-11-21T16:00:00.250000Z","n":1}
                {"index":{"_index":"other","_id":"run-2"}}
                {"@timestamp":"2026-11-21T16:00:00.250000Z","message":"text"}
                {"index":{"_index":"frames","_id":"run-3"}}
                {"@timestamp":"mine"}

                """)
    }

    @Test func `each document has an outcome of its own`() throws {
        let server = try StubServer { _, _ in
            .answer(
                200,
                body: """
                    {"errors":true,"items":[{"index":{"status":201}},
                    {"index":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"bad n"}}},
                    {"index":{"status":429,"error":{"type":"es_rejected","reason":"busy"}}},
                    {"index":{"status":200}},
                    {"index":{"status":400,"error":{"type":"x","reason":"y"}}}]}
                    """)
        }
        let outcomes = try exporter(server).deliver(
            (1...5).map { record($0, ["n": 1]) }, within: .seconds(20))
        #expect(outcomes[0] == .delivered("run-1"))
        #expect(outcomes[1].isPermanent)
        #expect(outcomes[1].reason.contains("400 (mapper_parsing_exception: bad n)"))
        #expect(outcomes[2].isRetryable)
        #expect(outcomes[2].reason.contains("429 (es_rejected: busy)"))
        // It is there already, and is not sent again.
        #expect(outcomes[3] == .delivered("run-4"))
        // It comes again after the third, so that the order stays; then it is refused.
        #expect(outcomes[4].isRetryable)
    }

    @Test func `with create a document that is there already is delivered`() throws {
        let server = try StubServer { _, _ in
            .answer(200, body: "{\"errors\":true,\"items\":[{\"create\":{\"status\":409}}]}")
        }
        let exporter = try exporter([server.url], operation: .create)
        #expect(exporter.deliver(record(1, ["n": 1])) == .delivered("run-1"))
        #expect(server.requests[0].text.hasPrefix("{\"create\":"))
    }

    @Test(arguments: [401, 403, 404]) func `a wrong key keeps the documents`(_ status: Int) throws {
        let server = try StubServer { _, _ in .answer(status, body: "security_exception") }
        let outcome = try exporter(server).deliver(record(1, ["n": 1]))
        #expect(outcome.isRetryable)
        #expect(outcome.pause == .seconds(30))
        #expect(outcome.reason.contains("check user, password, API key and URL"))
    }

    @Test(arguments: [
        "", "<html>a proxy</html>", "{}", "[]", "{\"errors\":\"no\"}", "{\"errors\":true}",
        "{\"errors\":true,\"items\":[]}", "{\"errors\":true,\"items\":[{},{}]}",
        "{\"errors\":true,\"items\":[{\"index\":{}}]}",
    ]) func `an answer that is not of the bulk API acknowledges nothing`(_ body: String) throws {
        let server = try StubServer { _, _ in .answer(200, body: body) }
        #expect(try exporter(server).deliver(record(1, ["n": 1])).isRetryable)
    }

    @Test func `an answer that is longer than the limit acknowledges nothing`() throws {
        let body = "{\"errors\":false}" + String(repeating: " ", count: 200)
        let server = try StubServer { _, _ in .answer(200, body: body) }
        let small = try exporter(
            [server.url], settings: HTTPSettings(maximumAnswerByteCount: 100))
        #expect(small.deliver(record(1, ["n": 1])).isRetryable)
        #expect(try exporter(server).deliver(record(1, ["n": 1])).isDelivered)
    }

    @Test func `a host that does not answer is followed by the next`() throws {
        let dead = try Loopback.freePort()
        let busy = try StubServer { _, _ in .answer(503) }
        let server = try StubServer { _, _ in .answer(200, body: "{\"errors\":false}") }
        let exporter = try exporter(["127.0.0.1:\(dead)", busy.url, server.url + "/"])
        #expect(exporter.deliver(record(1, ["n": 1])).isRetryable)
        #expect(exporter.deliver(record(1, ["n": 1])).isRetryable)
        for seq in 1...3 { #expect(exporter.deliver(record(UInt64(seq), ["n": 1])).isDelivered) }
        #expect(busy.requests.count == 1)
        #expect(server.requests.count == 3)
    }

    @Test func `an API key is sent in its scheme`() throws {
        let server = try StubServer { _, _ in .answer(200, body: "{\"errors\":false}") }
        let exporter = try exporter(
            [server.url], settings: HTTPSettings(authentication: .scheme("ApiKey", "a2V5")))
        #expect(exporter.deliver(record(1, ["n": 1])).isDelivered)
        #expect(server.requests[0].headers["authorization"] == "ApiKey a2V5")
    }

    @Test(arguments: [
        ("node", "http://node:9200/_bulk?"), ("node:80", "http://node:80/_bulk?"),
        ("https://node", "https://node:9200/_bulk?"),
        ("https://user:pw@node/es/", "https://user:pw@node:9200/es/_bulk?"),
        ("http://[::1]", "http://[::1]:9200/_bulk?"),
        ("http://[::1]:9201/", "http://[::1]:9201/_bulk?"),
    ]) func `the port is 9200 where none is named`(_ host: String, _ url: String) {
        #expect(ElasticsearchExporter.bulkURL(ofHost: host).hasPrefix(url))
    }

    @Test func `what is no document is refused`() throws {
        let server = try StubServer { _, _ in .answer(200, body: "{\"errors\":false}") }
        let long = record(1, ["n": 1], source: String(repeating: "s", count: 600))
        let outcomes = try exporter(server).deliver(
            [
                record(1, bytes: "x"), record(2, 5),
                record(3, ["n": 1], [JournalField("index", 5)]),
                long, record(4, ["n": 1]),
            ], within: .seconds(20))
        #expect(outcomes.map(\.isPermanent) == [true, true, true, true, false])
        #expect(server.requests.count == 1)
        #expect(throws: ExporterConfigurationError.self) { try exporter([]) }
    }
}
