internal import CLinux
internal import Glibc
internal import Synchronization

/// What can end a wait from another thread.
final class Interruption: Sendable {
    let descriptor: Int32

    init() { descriptor = cl_eventfd() }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func raise() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Forgets what was raised before.
    func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }

    /// Waits until a descriptor has one of the events; why that did not come, nil where it did.
    func wait(_ descriptor: Int32, _ events: Int32, until deadline: Duration) -> String? {
        while true {
            let left = deadline - SystemExportClock().now
            guard left > .zero else { return "no answer in time" }
            var polled = [
                pollfd(fd: descriptor, events: Int16(events), revents: 0),
                pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let milliseconds = min(left / .milliseconds(1) + 1, 1e9)
            let got = poll(&polled, 2, Int32(milliseconds))
            if got < 0, errno != EINTR { return systemText(errno) }
            if polled[1].revents != 0 { return "interrupted" }
            if got > 0, polled[0].revents != 0 { return nil }
        }
    }
}

/// What an errno means.
func systemText(_ number: Int32) -> String {
    cl_error_text(number).map { String(cString: $0) } ?? "errno \(number)"
}

/// An address of a host.
struct SocketAddress: Sendable, Equatable {
    var family: Int32
    var bytes: [UInt8]
}

/// Finds the addresses of a host in bounded time. The system's own call has no limit, so it runs on a thread of
/// its own, at most one for each resolver: one that hangs is waited for again by the next call.
final class HostResolver: Sendable {
    private struct State: Sendable {
        var isRunning = false
        var answer: Result<[SocketAddress], Failure>?
    }

    struct Failure: Error { var reason: String }

    private let host: String
    private let port: UInt16
    private let kind: Int32
    private let state = Mutex(State())
    private let interruption: Interruption

    init(host: String, port: UInt16, kind: Int32, _ interruption: Interruption) {
        self.host = host
        self.port = port
        self.kind = kind
        self.interruption = interruption
    }

    /// The addresses, the system's favourite first.
    func addresses(until deadline: Duration) throws(Failure) -> [SocketAddress] {
        if let numeric = Self.look(host, port, kind, AI_NUMERICHOST) { return numeric }
        let answered = Answered()
        state.withLock { state in
            guard !state.isRunning else { return }
            state.isRunning = startDetachedThread("resolve") { [self] in run(answered) } == 0
        }
        _ = interruption.wait(answered.descriptor, Int32(POLLIN), until: deadline)
        let answer = state.withLock { state in
            defer { state.answer = nil }
            return state.answer
        }
        guard let answer else {
            throw Failure(reason: "the name '\(host)' was not resolved in time")
        }
        return try answer.get()
    }

    private func run(_ answered: Answered) {
        let found = Self.look(host, port, kind, 0)
        state.withLock { state in
            state.isRunning = false
            state.answer =
                found.map { .success($0) }
                ?? .failure(Failure(reason: "no address for the host '\(host)'"))
        }
        answered.raise()
    }

    private typealias Answered = Interruption

    private static func look(
        _ host: String, _ port: UInt16, _ kind: Int32, _ flags: Int32
    ) -> [SocketAddress]? {
        var hints = addrinfo()
        hints.ai_socktype = kind
        hints.ai_flags = flags
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let info = next?.pointee {
            if let address = info.ai_addr {
                let bytes = UnsafeRawBufferPointer(start: address, count: Int(info.ai_addrlen))
                found.append(SocketAddress(family: info.ai_family, bytes: Array(bytes)))
            }
            next = info.ai_next
        }
        return found.isEmpty ? nil : found
    }
}

/// A connected socket; closes its descriptor once.
final class ConnectedSocket: Sendable {
    let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Connects to the first address that answers; throws why the last one did not.
    static func connected(
        _ addresses: [SocketAddress], kind: Int32, _ interruption: Interruption,
        until deadline: Duration
    ) throws(HostResolver.Failure) -> ConnectedSocket {
        var reason = "no address"
        for address in addresses {
            let flags = kind | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            let descriptor = socket(address.family, flags, 0)
            guard descriptor >= 0 else {
                reason = systemText(errno)
                continue
            }
            let made = ConnectedSocket(descriptor)
            guard let problem = made.connect(address, interruption, deadline) else { return made }
            reason = problem
        }
        throw HostResolver.Failure(reason: reason)
    }

    private func connect(
        _ address: SocketAddress, _ interruption: Interruption, _ deadline: Duration
    ) -> String? {
        let result = address.bytes.withUnsafeBytes { bytes in
            Glibc.connect(
                descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count))
        }
        if result == 0 { return nil }
        guard errno == EINPROGRESS || errno == EINTR else { return systemText(errno) }
        if let problem = interruption.wait(descriptor, Int32(POLLOUT), until: deadline) {
            return problem
        }
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
        return error == 0 ? nil : systemText(error)
    }

    /// Whether the other side has closed, or sent a reset. What it says otherwise is read and forgotten: text
    /// receivers answer nothing.
    var isClosedByPeer: Bool {
        while true {
            let (got, error) = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) {
                (recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)), errno)
            }
            if got == 0 { return true }
            if got < 0 { return error != EAGAIN && error != EINTR }
        }
    }

    /// Sends bytes; how many the system took, and why not all.
    func send(
        _ bytes: [UInt8], _ interruption: Interruption, until deadline: Duration
    ) -> (count: Int, problem: String?) {
        var sent = 0
        while sent < bytes.count || bytes.isEmpty {
            let got = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if got >= 0 {
                sent += got
                if bytes.isEmpty { break }
                continue
            }
            if errno == EINTR { continue }
            guard errno == EAGAIN else { return (sent, systemText(errno)) }
            if let problem = interruption.wait(descriptor, Int32(POLLOUT), until: deadline) {
                return (sent, problem)
            }
        }
        return (sent, nil)
    }
}
