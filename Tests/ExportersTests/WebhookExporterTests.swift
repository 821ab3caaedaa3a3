import Journal
import Telemetry
import Testing

@testable import Exporters

@Suite(.timeLimit(.minutes(1))) struct WebhookExporterTests {
    private func exporter(
        _ server: StubServer, batch: Int = 1, settings: HTTPSettings = HTTPSettings()
    ) throws -> WebhookExporter {
        try WebhookExporter(
            .init(url: server.url + "/hook", maximumBatchCount: batch, settings: settings))
    }

    @Test func `a record is a JSON object that says whose it is`() throws {
        let server = try StubServer { _, _ in .answer(202, body: "queued") }
        #expect(try exporter(server).deliver(record(7, ["n": 1])) == .delivered(.null))
        let request = try #require(server.requests.first)
        #expect(
            request.text
                == "{\"source\":\"run\",\"seq\":7,\"timestamp\":1795276800.25,\"data\":{\"n\":1}}")
        #expect(request.headers["content-type"] == "application/json")
        #expect(request.headers["idempotency-key"] == "run-7")
    }

    @Test func `a batch is a list`() throws {
        let server = try StubServer { _, _ in .answer(200) }
        let outcomes = try exporter(server, batch: 10).deliver(
            [record(1, 1), record(2, bytes: "x"), record(3, 3)], within: .seconds(20))
        #expect(outcomes.map(\.isDelivered) == [true, false, true])
        #expect(outcomes[1].isPermanent)
        guard case .array(let items)? = JournalValue(json: server.requests[0].text) else {
            Issue.record("no list")
            return
        }
        #expect(items.map { $0["seq"] } == [1, 3])
    }

    @Test func `a source with a line feed makes no header`() throws {
        let server = try StubServer { _, _ in .answer(200) }
        let record = record(1, 1, source: "a\r\nX-Forged: 1")
        #expect(try exporter(server).deliver(record).isDelivered)
        #expect(server.requests[0].headers["x-forged"] == nil)
        #expect(server.requests[0].headers["idempotency-key"] == nil)
    }

    @Test(arguments: [408, 425, 429, 500, 502, 503, 504, 599])
    func `what may pass is tried again`(_ status: Int) throws {
        let server = try StubServer { _, _ in .answer(status) }
        let outcome = try exporter(server).deliver(record(1, 1))
        #expect(outcome.isRetryable)
        #expect(outcome.pause == nil)
        #expect(outcome.reason == "webhook: \(server.url)/hook answered \(status)")
    }

    @Test(arguments: [301, 302, 307, 400, 401, 403, 404, 405, 410, 413, 422])
    func `what never passes is refused for good`(_ status: Int) throws {
        let server = try StubServer { _, _ in .answer(status, headers: ["Location: /other"]) }
        let outcome = try exporter(server).deliver(record(1, 1))
        #expect(outcome.isPermanent)
        #expect(server.requests.count == 1)
        #expect(outcome.reason.hasPrefix("webhook: \(server.url)/hook answered \(status)"))
    }

    @Test(arguments: [
        ("7", Duration.seconds(7)), ("999999", .seconds(3600)), ("soon", nil), ("-5", nil),
        ("Thu, 01 Jan 1970 00:00:10 GMT", nil),
    ]) func `Retry-After is honoured, at most an hour`(_ text: String, _ pause: Duration?) throws {
        let server = try StubServer { _, _ in .answer(503, headers: ["Retry-After: \(text)"]) }
        #expect(try exporter(server).deliver(record(1, 1)).pause == pause)
    }

    @Test func `redirects are followed as far as asked, with the body, and not for ever`() throws {
        let server = try StubServer { request, _ in
            switch request.target {
            case "/hook": .answer(302, headers: ["Location: /next"])
            case "/next": .answer(200)
            default: .answer(404)
            }
        }
        let settings = HTTPSettings(maximumRedirects: 1)
        #expect(try exporter(server, settings: settings).deliver(record(1, 1)).isDelivered)
        #expect(server.requests.map(\.method) == ["POST", "POST"])
        #expect(server.requests[0].body == server.requests[1].body)

        let circle = try StubServer { _, _ in .answer(302, headers: ["Location: /hook"]) }
        #expect(try !exporter(circle, settings: settings).deliver(record(1, 1)).isDelivered)
        #expect(circle.requests.count == 2)
    }

    @Test func `a redirect to another host does not carry the credentials`() throws {
        let other = try StubServer { _, _ in .answer(200) }
        let server = try StubServer { _, _ in
            .answer(307, headers: ["Location: http://localhost:\(other.port)/x"])
        }
        for authentication in [
            HTTPAuthentication.basic(user: "me", password: "s"), .bearer("t"),
            .scheme("Token", "t"),
        ] {
            let settings = HTTPSettings(authentication: authentication, maximumRedirects: 3)
            #expect(try exporter(server, settings: settings).deliver(record(1, 1)).isDelivered)
        }
        #expect(server.requests.allSatisfy { $0.headers["authorization"] != nil })
        #expect(other.requests.count == 3)
        #expect(other.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test func `what gets no answer is tried again, and is known by its key`() throws {
        let server = try StubServer { _, number in number == 0 ? .bytes([]) : .answer(200) }
        let exporter = try exporter(server)
        #expect(exporter.deliver(record(3, 1)).isRetryable)
        #expect(exporter.deliver(record(3, 1)).isDelivered)
        #expect(server.requests.map { $0.headers["idempotency-key"] } == ["run-3", "run-3"])
    }
}
