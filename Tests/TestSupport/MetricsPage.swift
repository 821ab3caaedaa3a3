import Foundation
internal import Synchronization

/// A page that Prometheus reads: an HTTP server as small as can be, one connection after the other.
public final class MetricsPage: Sendable {
    /// Where it listens, on the loopback.
    public let port: UInt16
    private let descriptor: Int32
    private let lastAccept = Mutex("")

    /// Listens, and answers every request with the content type and the body that `answer` gives for its
    /// `Accept` header field.
    public init(_ answer: @escaping @Sendable (String) -> (type: String, body: String)) throws {
        (descriptor, port) = try Loopback.listen()
        let listening = descriptor
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(listening, nil, nil)
                // Shut down by the end of the page.
                if connection < 0 { return }
                defer { close(connection) }
                let field = Self.acceptField(of: connection)
                self?.lastAccept.withLock { $0 = field }
                let (type, body) = answer(field)
                let reply = Array(
                    "HTTP/1.0 200 OK\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                        .utf8)
                var rest = reply[...]
                while !rest.isEmpty {
                    let count = rest.withUnsafeBytes {
                        send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                    }
                    if count <= 0 { break }
                    rest = rest.dropFirst(count)
                }
            }
        }
    }

    deinit {
        // Ends the wait of the thread; only then is the number free for others.
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    /// The `Accept` header field of the last request.
    public var accepted: String { lastAccept.withLock { $0 } }

    private static func acceptField(of connection: Int32) -> String {
        var head = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !head.contains("\r\n\r\n") {
            let count = read(connection, &buffer, buffer.count)
            if count <= 0 { break }
            head += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("accept:") }
        return line.map { String($0.dropFirst(7)) } ?? ""
    }
}
