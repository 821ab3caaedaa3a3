import Foundation
internal import Synchronization

/// Ports and connections on 127.0.0.1.
public enum Loopback {
    /// Ports below those that the system gives to outgoing connections (man 7 ip, ip_local_port_range), so
    /// that none of these takes one between its choice and the start of its server.
    private static let ports: ClosedRange<UInt16> = 15_000...31_999

    /// Where to look next: each process begins elsewhere and takes no port twice before all were had.
    private static let nextPort = Mutex(
        ports.lowerBound + UInt16(Int(getpid()) &* 97 % ports.count))

    /// A port that nobody has now, for TCP and for UDP, and that this process does not give again soon.
    public static func freePort() throws -> UInt16 {
        for _ in ports {
            let wanted = nextPort.withLock { next in
                defer { next = next == ports.upperBound ? ports.lowerBound : next + 1 }
                return next
            }
            guard let (tcp, port) = bound(.tcp, port: wanted) else { continue }
            defer { close(tcp) }
            guard let (udp, _) = bound(.udp, port: port) else { continue }
            close(udp)
            return port
        }
        throw TestServer.Failure("no port is free")
    }

    /// Whether somebody listens on a TCP port.
    public static func isListening(_ port: UInt16) -> Bool {
        guard let descriptor = connect(port) else { return false }
        close(descriptor)
        return true
    }

    /// Sends bytes over one TCP connection, which is closed after.
    public static func send(_ bytes: [UInt8], to port: UInt16) throws {
        let descriptor = try connected(port)
        defer { close(descriptor) }
        try writeAll(bytes, to: descriptor)
    }

    /// Sends bytes as one UDP datagram.
    public static func sendDatagram(_ bytes: [UInt8], to port: UInt16) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        var address = address(port)
        let sent = withBytes(of: &address) { place, count in
            sendto(descriptor, bytes, bytes.count, 0, place, count)
        }
        guard sent == bytes.count else { throw TestServer.Failure("no datagram: errno \(errno)") }
    }

    /// The answer to an HTTP request.
    public struct Answer: Sendable {
        /// The status, such as 204.
        public let status: Int
        /// Status line and header fields.
        public let head: String
        /// The body as text.
        public let body: String
    }

    /// One HTTP request on a connection of its own (HTTP/1.0, so that no answer comes in parts).
    public static func http(
        _ path: String, method: String = "GET", port: UInt16, fields: [String] = [],
        body: [UInt8] = []
    ) throws -> Answer {
        let descriptor = try connected(port)
        defer { close(descriptor) }
        let head =
            ([
                "\(method) \(path) HTTP/1.0", "Host: 127.0.0.1:\(port)",
                "Content-Length: \(body.count)",
            ] + fields).joined(separator: "\r\n") + "\r\n\r\n"
        try writeAll(Array(head.utf8) + body, to: descriptor)
        let text = String(decoding: try readAll(descriptor), as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n"),
            let status = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw TestServer.Failure("no HTTP answer to \(method) \(path): \(text)") }
        return Answer(
            status: status, head: String(text[..<end.lowerBound]),
            body: String(text[end.upperBound...]))
    }

    /// A text as it stands in the query of an HTTP request.
    public static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }

    /// A TCP socket that listens on a free port, for a test that is the server itself: its descriptor, which
    /// is the caller's to close, and the port.
    public static func listen() throws -> (descriptor: Int32, port: UInt16) {
        guard let (descriptor, port) = bound(.tcp, port: 0), Glibc.listen(descriptor, 16) == 0
        else { throw TestServer.Failure("no socket listens: errno \(errno)") }
        return (descriptor, port)
    }

    private enum Transport {
        case tcp
        case udp
    }

    private static func bound(
        _ transport: Transport, port: UInt16
    ) -> (descriptor: Int32, port: UInt16)? {
        let type = transport == .tcp ? SOCK_STREAM : SOCK_DGRAM
        let descriptor = socket(AF_INET, Int32(type.rawValue) | O_CLOEXEC, 0)
        var place = address(port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withBytes(of: &place) { bind(descriptor, $0, $1) == 0 }
        let isNamed = withUnsafeMutablePointer(to: &place) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound, isNamed else {
            close(descriptor)
            return nil
        }
        return (descriptor, UInt16(bigEndian: place.sin_port))
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func withBytes<Result>(
        of address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func connect(_ port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var address = address(port)
        if withBytes(of: &address, { Glibc.connect(descriptor, $0, $1) }) == 0 {
            return descriptor
        }
        close(descriptor)
        return nil
    }

    private static func connected(_ port: UInt16) throws -> Int32 {
        guard let descriptor = connect(port) else {
            throw TestServer.Failure("nobody listens on \(port)")
        }
        return descriptor
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw TestServer.Failure("nothing is sent: errno \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    private static func readAll(_ descriptor: Int32) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { throw TestServer.Failure("nothing is read: errno \(errno)") }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}
