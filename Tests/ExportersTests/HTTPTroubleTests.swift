import Foundation
import Journal
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Exporters

/// What a server, a network or a certificate can do to the HTTP client.
@Suite(.timeLimit(.minutes(1))) struct HTTPTroubleTests {
    private func exporter(
        _ url: String, settings: HTTPSettings = HTTPSettings()
    ) throws -> HTTPExporter {
        try HTTPExporter(.init(url: url, settings: settings))
    }

    private func outcome(
        _ reply: StubServer.Reply, settings: HTTPSettings = HTTPSettings(),
        within limit: Duration = .seconds(20)
    ) throws -> ExportOutcome {
        let server = try StubServer { _, _ in reply }
        return try exporter(server.url, settings: settings).deliver(record(1, "x"), within: limit)
    }

    @Test func `nobody listens`() throws {
        let port = try Loopback.freePort()
        let outcome = try exporter("http://127.0.0.1:\(port)/").deliver(record(1, "x"))
        #expect(outcome.isRetryable)
        #expect(outcome.pause == nil)
        #expect(outcome.reason.hasPrefix("http: http://127.0.0.1:\(port)/: Failed to connect"))
    }

    @Test func `a host name that nobody knows`() throws {
        // RFC 6761 §6.4: `invalid` is never the name of a host.
        let outcome = try exporter("http://nobody.invalid/").deliver(record(1, "x"))
        #expect(outcome.isRetryable)
        #expect(outcome.reason.contains("nobody.invalid"))
    }

    @Test func `a server that says nothing holds a delivery no longer than its time limit`() throws
    {
        let outcome = try outcome(.pause([]), within: .milliseconds(300))
        #expect(outcome.isRetryable)
        #expect(outcome.reason.contains("no answer within the time limit"))
    }

    @Test func `a server that answers byte by byte holds a delivery no longer than its time limit`()
        throws
    {
        let slow = try outcome(
            .drip(Array("HTTP/1.1 200 OK\r\nX: y\r\n".utf8)), within: .milliseconds(400))
        #expect(slow.isRetryable)
        #expect(slow.reason.contains("no answer within the time limit"))
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2\r\n", "\u{0}\u{1}\u{2}\u{3}\r\n\r\n", "HTTP/9.9 yes\r\n\r\n", "{}", "",
    ]) func `an answer that is no HTTP is told from one that is`(_ garbage: String) throws {
        let outcome = try outcome(.bytes(Array(garbage.utf8)))
        #expect(outcome.isRetryable)
        #expect(outcome.reason.hasPrefix("http: http://127.0.0.1"))
    }

    @Test func `seeded garbage is never taken for an acknowledgement`() throws {
        var numbers = SeededNumbers(seed: 4)
        let answers = (0..<50).map { _ in
            (0..<Int.random(in: 0..<200, using: &numbers)).map { _ in
                UInt8.random(in: 0...255, using: &numbers)
            }
        }
        let server = try StubServer { _, number in .bytes(answers[number % answers.count]) }
        let exporter = try exporter(server.url)
        for seq in 0..<50 { #expect(!exporter.deliver(record(UInt64(seq), "x")).isDelivered) }
    }

    @Test
    func `the status counts where the body is longer than the limit, which ends the connection`()
        throws
    {
        let settings = HTTPSettings(maximumAnswerByteCount: 1000)
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
        let endless = StubServer.Reply.endless(
            Array("HTTP/1.1 200 OK\r\n\r\n".utf8), then: body)
        #expect(try outcome(endless, settings: settings).isDelivered)
        let refused = StubServer.Reply.endless(
            Array("HTTP/1.1 500 No\r\n\r\n".utf8), then: body)
        let outcome = try outcome(refused, settings: settings)
        #expect(outcome.isRetryable)
        #expect(outcome.reason.utf8.count < 500)
    }

    @Test func `headers without end are cut off`() throws {
        let line = Array("X-More: \(String(repeating: "y", count: 1000))\r\n".utf8)
        let outcome = try outcome(.endless(Array("HTTP/1.1 200 OK\r\n".utf8), then: line))
        #expect(outcome.isRetryable)
        #expect(outcome.reason.contains("headers are longer than 65536 bytes"))
    }

    @Test func `a body of exactly the limit is whole`() throws {
        let client = try HTTPClient(
            exporter: "http", settings: HTTPSettings(maximumAnswerByteCount: 5))
        let server = try StubServer { _, number in
            .answer(200, body: number == 0 ? "12345" : "123456")
        }
        let endpoint = try HTTPEndpoint.read(server.url, exporter: "http")
        let request = HTTPRequest(endpoint: endpoint, contentType: "text/plain", body: [])
        let whole = try client.send(request, until: .now + .seconds(20))
        #expect(whole.body == Array("12345".utf8))
        #expect(!whole.isCut)
        let cut = try client.send(request, until: .now + .seconds(20))
        #expect(cut.body == Array("12345".utf8))
        #expect(cut.isCut)
    }

    @Test func `an interruption ends a delivery that waits for an answer`() throws {
        let server = try StubServer { _, number in number == 0 ? .pause([]) : .answer(200) }
        let exporter = try exporter(server.url)
        let outcome = Later { exporter.deliver(record(1, "x"), within: .seconds(3600)) }
        #expect(server.waitForRequests(1))
        exporter.interrupt()
        #expect(outcome.wait()?.reason == "http: \(server.url)/: interrupted")
        #expect(exporter.deliver(record(1, "x")).isDelivered)
    }

    @Test func `an interruption a moment before a delivery ends that one, and no other`() throws {
        let server = try StubServer { _, _ in .answer(200) }
        let exporter = try exporter(server.url)
        exporter.interrupt()
        #expect(exporter.deliver(record(1, "x"), within: .seconds(3600)).isRetryable)
        #expect(exporter.deliver(record(1, "x")).isDelivered)
    }

    @Test func `a server that ends the connection between requests is connected to again at once`()
        throws
    {
        let server = try StubServer { _, _ in
            .bytes(Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8))
        }
        let exporter = try exporter(server.url)
        for seq in 1...3 { #expect(exporter.deliver(record(UInt64(seq), "x")).isDelivered) }
        #expect(server.connectionCount == 3)
    }

    @Test func `a proxy of the environment is not used, one of the settings is`() throws {
        let server = try StubServer { _, _ in .answer(200) }
        let proxy = try StubServer { _, _ in .answer(204) }
        setenv("http_proxy", proxy.url, 1)
        defer { unsetenv("http_proxy") }
        #expect(try exporter(server.url + "/a").deliver(record(1, "x")).isDelivered)
        #expect(server.requests.count == 1)
        let asked = try exporter(server.url + "/b", settings: HTTPSettings(proxy: proxy.url))
        #expect(asked.deliver(record(2, "x")).isDelivered)
        #expect(proxy.requests.map(\.target) == ["\(server.url)/b"])
    }
}

/// TLS, with a certificate that the test makes.
@Suite(
    .timeLimit(.minutes(1)),
    .enabled(if: TestServer.areThere("/usr/bin/openssl", Python.path), Python.hint))
struct HTTPSTests {
    @Test
    func
        `a certificate of an unknown authority is refused, with its file or unchecked it is taken`()
        throws
    {
        let folder = try TemporaryFolder()
        let certificate = folder.file("certificate.pem")
        let made = try TestServer.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                "-keyout", folder.file("key.pem"), "-out", certificate,
            ])
        try #require(made.status == 0, "\(made.output)")
        let port = try Loopback.freePort()
        try folder.write(Self.script, to: "server.py")
        let server = try TestServer(
            [
                Python.path, folder.file("server.py"), "\(port)", certificate,
                folder.file("key.pem"),
            ],
            listeningOn: [port], folder: folder)
        func outcome(_ settings: HTTPSettings, host: String = "127.0.0.1") throws -> ExportOutcome {
            try HTTPExporter(.init(url: "https://\(host):\(port)/", settings: settings)).deliver(
                record(1, "x"))
        }
        let refused = try outcome(HTTPSettings())
        #expect(refused.reason.contains("the certificate is not accepted"))
        #expect(refused.pause == .seconds(30))
        #expect(
            try outcome(HTTPSettings(certificateAuthorityFile: certificate)) == .delivered(.null))
        #expect(try outcome(HTTPSettings(verifiesCertificate: false)).isDelivered)
        // The same certificate is not that of another name.
        let other = try outcome(
            HTTPSettings(certificateAuthorityFile: certificate), host: "localhost")
        #expect(other.reason.contains("the certificate is not accepted"))
        let missing = try outcome(HTTPSettings(certificateAuthorityFile: folder.file("none.pem")))
        #expect(missing.reason.contains("the certificate is not accepted"))
        #expect(server.isRunning)
    }

    private static let script = """
        import http.server, ssl, sys

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()

        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False)
        server.serve_forever()

        """
}
