import Journal
import Telemetry
import TestSupport
import Testing

@testable import Exporters

/// The HTTP exporter against a scripted server.
@Suite(.timeLimit(.minutes(1))) struct HTTPExporterTests {
    private func exporter(
        _ server: StubServer, path: String = "/in", format: HTTPExporter.BodyFormat = .lines,
        settings: HTTPSettings = HTTPSettings()
    ) throws -> HTTPExporter {
        try HTTPExporter(
            .init(url: server.url + path, bodyFormat: format, settings: settings))
    }

    @Test func `a batch is one request, bytes and text as they are, values as JSON, a line each`()
        throws
    {
        let server = try StubServer { _, _ in .answer(200) }
        let exporter = try exporter(server, path: "/in?x=1")
        let outcomes = exporter.deliver(
            [record(1, bytes: "a 1\nb 2\n"), record(2, "text"), record(3, ["n": 5, "x": [true]])],
            within: .seconds(20))
        #expect(outcomes == Array(repeating: .delivered(.null), count: 3))
        let request = try #require(server.requests.first)
        #expect(server.requests.count == 1)
        #expect(request.method == "POST")
        #expect(request.target == "/in?x=1")
        #expect(request.headers["content-type"] == "text/plain; charset=utf-8")
        #expect(request.headers["expect"] == nil)
        #expect(request.text == "a 1\nb 2\ntext\n{\"n\":5,\"x\":[true]}\n")
    }

    @Test func `a list is one JSON text, and bytes can't stand in it`() throws {
        let server = try StubServer { _, _ in .answer(200) }
        let outcomes = try exporter(server, format: .list).deliver(
            [record(1, 1), record(2, bytes: "x"), record(3, "y")], within: .seconds(20))
        #expect(server.requests.first?.text == "[1,\"y\"]")
        #expect(server.requests.first?.headers["content-type"] == "application/json")
        #expect(outcomes.map(\.isDelivered) == [true, false, true])
        #expect(outcomes[1].reason.hasPrefix("http: bytes can't stand in a JSON list"))
    }

    @Test func `method, headers, user and password are sent as configured`() throws {
        let server = try StubServer { _, _ in .answer(201) }
        let exporter = try HTTPExporter(
            .init(
                url: server.url, method: "PUT", contentType: "application/x-thing",
                settings: HTTPSettings(
                    authentication: .basic(user: "me", password: "pass:word"),
                    headers: [HTTPHeader("X-Beamline", "13-IDD"), HTTPHeader("X-Empty", "")])))
        #expect(exporter.deliver(record(1, "x")).isDelivered)
        let request = try #require(server.requests.first)
        #expect(request.method == "PUT")
        #expect(request.headers["content-type"] == "application/x-thing")
        #expect(request.headers["x-beamline"] == "13-IDD")
        #expect(request.headers["x-empty"] == "")
        // printf me:pass:word | base64
        #expect(request.headers["authorization"] == "Basic bWU6cGFzczp3b3Jk")
    }

    @Test(arguments: [
        (HTTPAuthentication.bearer("abc"), "Bearer abc"), (.scheme("Token", "t0"), "Token t0"),
    ]) func `a token is sent in its scheme`(_ authentication: HTTPAuthentication, _ text: String)
        throws
    {
        let server = try StubServer { _, _ in .answer(200) }
        let exporter = try exporter(server, settings: HTTPSettings(authentication: authentication))
        #expect(exporter.deliver(record(1, "x")).isDelivered)
        #expect(server.requests.first?.headers["authorization"] == text)
    }

    @Test func `user and password of a URL are used, and are in no message`() throws {
        let server = try StubServer { _, _ in .answer(403, body: "no") }
        let exporter = try HTTPExporter(
            .init(url: "http://me:s3cret@127.0.0.1:\(server.port)/in?token=hidden#part"))
        let outcome = exporter.deliver(record(1, "x"))
        #expect(server.requests.first?.headers["authorization"] == "Basic bWU6czNjcmV0")
        #expect(server.requests.first?.target == "/in?token=hidden")
        #expect(
            outcome
                == .permanent(
                    reason: "http: http://127.0.0.1:\(server.port)/in answered 403 (no)"))
    }

    @Test func `one connection carries all requests`() throws {
        let server = try StubServer { _, _ in .answer(200) }
        let exporter = try exporter(server)
        for seq in 1...5 { #expect(exporter.deliver(record(UInt64(seq), "x")).isDelivered) }
        #expect(server.requests.count == 5)
        #expect(server.connectionCount == 1)
        exporter.close()
        #expect(exporter.deliver(record(6, "x")).isDelivered)
        #expect(server.connectionCount == 2)
    }

    @Test
    func
        `a refused request of several is sent again one by one, so that one bad record goes alone`()
        throws
    {
        let server = try StubServer { request, _ in
            .answer(request.text.contains("bad") ? 400 : 200, body: "what is bad")
        }
        let outcomes = try exporter(server).deliver(
            ["a", "bad", "c"].enumerated().map { record(UInt64($0.offset), .string($0.element)) },
            within: .seconds(20))
        #expect(outcomes.map(\.isDelivered) == [true, false, true])
        #expect(outcomes[1].isPermanent)
        #expect(server.requests.map(\.text) == ["a\nbad\nc\n", "a\n", "bad\n", "c\n"])
    }

    @Test func `after a record that is to be sent again the others wait, so that the order stays`()
        throws
    {
        let server = try StubServer { request, number in
            number == 0 ? .answer(413) : .answer(request.text == "b\n" ? 503 : 200)
        }
        let outcomes = try exporter(server).deliver(
            ["a", "b", "c"].enumerated().map { record(UInt64($0.offset), .string($0.element)) },
            within: .seconds(20))
        #expect(outcomes.map(\.isDelivered) == [true, false, false])
        #expect(outcomes.map(\.isRetryable) == [false, true, true])
        #expect(server.requests.count == 3)
    }

    @Test func `a body has at most as many bytes as configured, a longer record goes alone`() throws
    {
        let server = try StubServer { _, _ in .answer(200) }
        let exporter = try HTTPExporter(.init(url: server.url, maximumBodyByteCount: 6))
        let outcomes = exporter.deliver(
            ["aa", "bb", "cc", "a long one", "d"].enumerated().map {
                record(UInt64($0.offset), .string($0.element))
            }, within: .seconds(20))
        #expect(outcomes.allSatisfy { $0.isDelivered })
        #expect(server.requests.map(\.text) == ["aa\nbb\n", "cc\n", "a long one\n", "d\n"])
    }

    @Test func `no records are no request`() throws {
        let server = try StubServer { _, _ in .answer(200) }
        #expect(try exporter(server).deliver([], within: .seconds(20)).isEmpty)
        #expect(server.requests.isEmpty)
    }

    @Test(arguments: [
        "", "nowhere", "ftp://host/", "http://", "http://host:99999/", "file:///etc/passwd",
        "http://user:pass word@host/",
    ]) func `a URL that can't be used is refused without being quoted`(_ url: String) {
        let error = #expect(throws: ExporterConfigurationError.self) {
            try HTTPExporter(.init(url: url))
        }
        #expect(error?.description.contains("its URL can't be read") == true)
        #expect(error?.description.contains("pass word") == false)
    }

    @Test func `settings that make no sense are refused`() {
        func isRefused(_ configuration: HTTPExporter.Configuration) -> Bool {
            do {
                _ = try HTTPExporter(configuration)
                return false
            } catch {
                return error is ExporterConfigurationError
            }
        }
        let url = "http://127.0.0.1:1/"
        #expect(!isRefused(.init(url: url)))
        #expect(isRefused(.init(name: "", url: url)))
        #expect(isRefused(.init(url: url, maximumBatchCount: 0)))
        #expect(isRefused(.init(url: url, method: "PO ST")))
        #expect(isRefused(.init(url: url, contentType: "a\r\nX: y")))
        for settings in [
            HTTPSettings(headers: [HTTPHeader("X", "a\nb")]),
            HTTPSettings(headers: [HTTPHeader("X y", "a")]),
            HTTPSettings(authentication: .scheme("Token", "a\r\nX: y")),
            HTTPSettings(authentication: .basic(user: "a:b", password: "c")),
            HTTPSettings(connectTimeLimit: .zero), HTTPSettings(maximumRedirects: -1),
        ] {
            #expect(isRefused(.init(url: url, settings: settings)))
        }
    }

    @Test func `a secret shows three stars, wherever it is printed`() {
        let settings = HTTPSettings(
            authentication: .bearer("hidden"), headers: [HTTPHeader("X", "hidden")])
        var text = "\(settings) \(String(reflecting: settings))"
        dump(settings, to: &text)
        #expect(!text.contains("hidden"))
        #expect(text.contains("***"))
    }
}
