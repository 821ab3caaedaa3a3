import Foundation
import Synchronization
import TestSupport

/// An HTTP server that answers as a test says, on a port of its own on the loopback.
final class StubServer: Sendable {
    /// What a client asked for.
    struct Request: Sendable {
        let method: String
        /// Path and query.
        let target: String
        /// Names in lower case.
        let headers: [String: String]
        let body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// What the server does about it.
    enum Reply: Sendable {
        case answer(Int, headers: [String] = [], body: String = "")
        /// These bytes, then the connection ends.
        case bytes([UInt8])
        /// These bytes, then nothing for as long as the client waits.
        case pause([UInt8])
        /// The first bytes, then the others again and again for as long as the client takes them.
        case endless([UInt8], then: [UInt8])
        /// The bytes one by one with 20 ms between them, again and again.
        case drip([UInt8])
    }

    let port: UInt16
    private let listener: Int32
    private let state = Mutex<(requests: [Request], connectionCount: Int)>(([], 0))
    private let reply: @Sendable (Request, Int) -> Reply

    /// Starts a server; `reply` gets each request with its number from 0.
    init(_ reply: @escaping @Sendable (Request, Int) -> Reply) throws {
        (listener, port) = try Loopback.listen()
        self.reply = reply
        let listener = listener
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                guard let self else {
                    close(connection)
                    return
                }
                self.state.withLock { $0.connectionCount += 1 }
                Thread.detachNewThread { [weak self] in
                    while let self, let request = Self.read(connection),
                        self.serve(request, connection)
                    {}
                    close(connection)
                }
            }
        }
    }

    deinit {
        // `accept` returns when its socket is shut down; closing alone would leave it waiting.
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var requests: [Request] { state.withLock { $0.requests } }
    var connectionCount: Int { state.withLock { $0.connectionCount } }

    /// Waits until so many requests have come.
    func waitForRequests(_ count: Int) -> Bool {
        Deadline(milliseconds: 30_000).wait { requests.count >= count }
    }

    /// Answers; false when the connection is to end.
    private func serve(_ request: Request, _ connection: Int32) -> Bool {
        let number = state.withLock { state in
            state.requests.append(request)
            return state.requests.count - 1
        }
        switch reply(request, number) {
        case .answer(let status, let headers, let body):
            let lines =
                ["HTTP/1.1 \(status) \(status)", "Content-Length: \(body.utf8.count)"] + headers
            let head = status == 204 ? [lines[0]] + headers : lines
            return Self.send(
                Array((head.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8), connection)
        case .bytes(let bytes):
            _ = Self.send(bytes, connection)
            return false
        case .pause(let bytes):
            guard Self.send(bytes, connection) else { return false }
            var byte: UInt8 = 0
            // Until the client gives up.
            while recv(connection, &byte, 1, 0) > 0 {}
            return false
        case .endless(let first, let others):
            guard Self.send(first, connection) else { return false }
            while Self.send(others, connection) {}
            return false
        case .drip(let bytes):
            while true {
                for byte in bytes {
                    guard Self.send([byte], connection) else { return false }
                    poll(nil, 0, 20)
                }
            }
        }
    }

    private static func send(_ bytes: [UInt8], _ connection: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// The next request; nil at the end of the connection.
    private static func read(_ connection: Int32) -> Request? {
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            var byte: UInt8 = 0
            guard recv(connection, &byte, 1, 0) == 1 else { return nil }
            head.append(byte)
        }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        let words = lines[0].split(separator: " ").map(String.init)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] =
                parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        var body: [UInt8] = []
        let count = headers["content-length"].flatMap { Int($0) } ?? 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while body.count < count {
            let got = recv(connection, &buffer, min(buffer.count, count - body.count), 0)
            guard got > 0 else { return nil }
            body += buffer[..<got]
        }
        return Request(method: words[0], target: words[1], headers: headers, body: body)
    }
}
