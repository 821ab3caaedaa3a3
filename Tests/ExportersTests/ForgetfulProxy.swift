import Foundation
import Synchronization
import TestSupport

/// Stands between a client and a server on the loopback, and ends the connection instead of handing on an
/// answer that has a certain text in it: the server has done what it was asked to, and the client never hears.
final class ForgetfulProxy: Sendable {
    let port: UInt16
    private let listener: Int32
    private let server: UInt16
    private let text: [UInt8]
    /// How many answers are still to be lost.
    private let left: Mutex<Int>

    /// Loses the first `count` answers with the text.
    init(to server: UInt16, losing text: String, count: Int) throws {
        (listener, port) = try Loopback.listen()
        self.server = server
        self.text = Array(text.utf8)
        left = Mutex(count)
        let listener = listener
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                guard let self, let upstream = Self.connect(self.server) else {
                    close(client)
                    continue
                }
                Thread.detachNewThread { self.carry(client, upstream) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// How many answers are still to be lost.
    var remaining: Int { left.withLock { $0 } }

    private static func connect(_ port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code == 0 { return descriptor }
        close(descriptor)
        return nil
    }

    private func carry(_ client: Int32, _ upstream: Int32) {
        defer {
            close(client)
            close(upstream)
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var ends = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: upstream, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&ends, 2, -1) > 0 else { return }
            let isAnswer = ends[1].revents != 0
            let count = recv(isAnswer ? upstream : client, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            if isAnswer, buffer[..<count].contains(text), loses() { return }
            guard send(isAnswer ? client : upstream, buffer, count, Int32(MSG_NOSIGNAL)) == count
            else { return }
        }
    }

    private func loses() -> Bool {
        left.withLock { left in
            guard left > 0 else { return false }
            left -= 1
            return true
        }
    }
}
