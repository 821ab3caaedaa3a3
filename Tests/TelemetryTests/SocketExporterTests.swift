import Glibc
import Journal
import TestSupport
import Testing

@testable import Telemetry

/// A listener on loopback that a test starts, kills and starts again on the same port.
private final class Listener {
    let descriptor: Int32
    let port: UInt16

    init(port: UInt16 = 0, kind: __socket_type = SOCK_STREAM) throws {
        descriptor = socket(AF_INET, Int32(kind.rawValue), 0)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(4))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let result = bind(descriptor, address, size)
                getsockname(descriptor, address, &size)
                return result
            }
        }
        try #require(bound == 0)
        if kind == SOCK_STREAM { try #require(listen(descriptor, 8) == 0) }
        self.port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }

    func accept() -> Int32 { Glibc.accept(descriptor, nil, nil) }
}

/// Reads until so many bytes are there.
private func receive(_ descriptor: Int32, _ count: Int) -> String {
    var bytes = [UInt8](repeating: 0, count: count)
    var have = 0
    while have < count {
        let got = bytes.withUnsafeMutableBytes {
            recv(descriptor, $0.baseAddress?.advanced(by: have), count - have, 0)
        }
        if got <= 0 { break }
        have += got
    }
    return String(decoding: bytes[..<have], as: UTF8.self)
}

@Suite(.timeLimit(.minutes(1))) struct SocketExporterTests {
    private func records(_ texts: String...) -> [ExportRecord] {
        texts.enumerated().map { place, text in
            ExportRecord(
                source: "s", seq: UInt64(place), timestampNanoseconds: 0,
                data: .bytes(Array(text.utf8)))
        }
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func `Bytes come as they are, text with a newline`(_ host: String) throws {
        let listener = try Listener()
        let exporter = try TCPTextExporter(host: host, port: listener.port)
        let sender = try ResilientExporter(exporter)
        #expect(try sender.send(.bytes(Array("a 1 2\nb 1 2\n".utf8))).allSuccessful)
        #expect(try sender.send("c").allSuccessful)
        let connection = listener.accept()
        #expect(receive(connection, 14) == "a 1 2\nb 1 2\nc\n")
        close(connection)
    }

    @Test func `A receiver that dies and comes back gets what came meanwhile, in order`() throws {
        var listener: Listener? = try Listener()
        let port = try #require(listener?.port)
        let clock = ManualExportClock()
        let exporter = try TCPTextExporter(host: "127.0.0.1", port: port)
        let pool = try ExporterPool(
            [exporter], waitForResult: false, retry: RetryPolicy(jitter: 0), clock: clock)
        try pool.send("1")
        let first = try #require(listener?.accept())
        #expect(receive(first, 2) == "1\n")
        close(first)
        listener = nil
        try pool.send("2")
        try pool.send("3")
        let deadline = clock.awaitDeadline()
        #expect(pool.statuses[0].lastError?.contains("Connection refused") == true)
        listener = try Listener(port: port)
        clock.advance(by: deadline - clock.now)
        let second = try #require(listener?.accept())
        #expect(receive(second, 4) == "2\n3\n")
        close(second)
        try pool.stop()
    }

    @Test func `Nobody there is a failure that may pass`() throws {
        let port = try Listener().port
        let outcome = try TCPTextExporter(host: "127.0.0.1", port: port)
            .deliver(records("x\n"), within: .seconds(5))[0]
        #expect(
            outcome
                == .retryable(reason: "127.0.0.1 port \(port): Connection refused", after: nil))
    }

    @Test func `A host that does not exist is a failure within the time limit`() throws {
        let exporter = try TCPTextExporter(host: "no-such-host.invalid", port: 1)
        guard
            case .retryable(let reason, _) = exporter.deliver(records("x"), within: .seconds(1))[0]
        else {
            Issue.record("delivered to nowhere")
            return
        }
        #expect(reason.contains("no-such-host.invalid"))
    }

    @Test func `A receiver that does not read is waited for until the limit, and told apart`()
        throws
    {
        let listener = try Listener()
        let exporter = try TCPTextExporter(host: "127.0.0.1", port: listener.port)
        let large = String(repeating: "x", count: 8 << 20)
        let outcomes = exporter.deliver(
            records("first\n", large, "third"), within: .milliseconds(50))
        #expect(outcomes[0] == .delivered(.null))
        for outcome in outcomes.dropFirst() {
            guard case .retryable(let reason, _) = outcome else {
                Issue.record("delivered without a reader")
                continue
            }
            #expect(reason.contains("no answer in time"))
        }
    }

    @Test func `A delivery that waits is interrupted`() throws {
        let listener = try Listener()
        let exporter = try TCPTextExporter(host: "127.0.0.1", port: listener.port)
        let pool = try ExporterPool([exporter], waitForResult: false)
        try pool.send(.bytes([UInt8](repeating: 1, count: 8 << 20)))
        let connection = listener.accept()
        #expect(receive(connection, 1) == "\u{1}")
        let status = try pool.stop(within: .milliseconds(1))[0]
        #expect(status.lastError?.hasSuffix("interrupted") == true)
        close(connection)
    }

    @Test func `Datagrams hold a record each; one that is too large can never go`() throws {
        let listener = try Listener(kind: SOCK_DGRAM)
        let exporter = try UDPTextExporter(host: "127.0.0.1", port: listener.port)
        let large = String(repeating: "x", count: 65_508)
        let outcomes = exporter.deliver(records("a 1\n", large, "b 2\n"), within: .seconds(5))
        #expect(outcomes[0] == .delivered(.null) && outcomes[2] == .delivered(.null))
        #expect(outcomes[1] == .permanent(reason: "65508 bytes, a datagram has 65507"))
        #expect(receive(listener.descriptor, 4) == "a 1\n")
        #expect(receive(listener.descriptor, 4) == "b 2\n")
    }

    @Test func `Addresses that can't be are refused`() {
        #expect(throws: ExportError.self) { try TCPTextExporter(host: "", port: 1) }
        #expect(throws: ExportError.self) { try UDPTextExporter(host: "a", port: 0) }
    }
}
