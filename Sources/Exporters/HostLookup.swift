internal import Foundation
internal import Glibc
internal import Synchronization

/// Looks up the addresses of host names on a thread of its own, because the system's call can't be
/// interrupted and may take as long as a name server that does not answer.
final class HostLookup: Sendable {
    /// How a lookup ended.
    enum Answer: Sendable, Equatable {
        case addresses([String])
        /// There are none, with the reason of the system.
        case none(String)
    }

    private struct State {
        /// The name that is being looked up; at most one, so that threads don't gather behind a dead server.
        var pending: String?
        var answers: [String: Answer] = [:]
    }

    private let state = Mutex(State())
    private let done: Interruption

    init(exporter: String) throws(ExporterConfigurationError) {
        done = try Interruption(exporter: exporter)
    }

    /// The addresses of a name, numeric; nil when they are not known before `deadline` or the interruption.
    func addresses(
        of host: String, until deadline: ContinuousClock.Instant, interruption: Interruption
    ) -> Answer? {
        while true {
            let mayStart = state.withLock { state in
                if state.answers[host] != nil || state.pending != nil { return false }
                state.pending = host
                done.clear()
                return true
            }
            if let answer = state.withLock({ $0.answers.removeValue(forKey: host) }) {
                return answer
            }
            if mayStart { start(host) }
            switch interruption.wait(for: POLLIN, on: done.descriptor, until: deadline) {
            case .ready: continue
            case .timeUp, .interrupted: return nil
            }
        }
    }

    private func start(_ host: String) {
        Thread.detachNewThread { [self] in
            let answer = Self.look(up: host)
            state.withLock { state in
                state.pending = nil
                state.answers = [host: answer]
                done.request()
            }
        }
    }

    private static func look(up host: String) -> Answer {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { return .none(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let code = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil,
                0, NI_NUMERICHOST)
            let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            let address = String(decoding: bytes, as: UTF8.self)
            if code == 0, !addresses.contains(address) { addresses.append(address) }
            next = entry.pointee.ai_next
        }
        return addresses.isEmpty ? .none("no address") : .addresses(addresses)
    }

    /// Whether a host is an address or the folder of a socket, for which there is nothing to look up.
    static func isAddress(_ host: String) -> Bool {
        var address = in6_addr()
        return host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@")
            || inet_pton(AF_INET, host, &address) == 1
            || inet_pton(AF_INET6, host.split(separator: "%").first.map(String.init), &address) == 1
    }
}
