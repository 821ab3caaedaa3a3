internal import CLinux
internal import Glibc

/// How a process ended.
package enum ExitStatus: Equatable, Sendable, CustomStringConvertible {
    /// By itself, with a code from 0 to 255.
    case exited(code: Int32)
    /// By a signal, with or without a core dump.
    case signalled(signal: Int32, coreDumped: Bool)

    /// Whether it ended by itself with code 0.
    package var isSuccess: Bool { self == .exited(code: 0) }

    /// "exited with code 3", "was ended by signal 9 (SIGKILL, Killed)".
    package var description: String {
        switch self {
        case .exited(let code): "exited with code \(code)"
        case .signalled(let signal, let coreDumped):
            "was ended by signal \(signal) (\(SystemText.ofSignal(signal)))"
                + (coreDumped ? " and left a core dump" : "")
        }
    }
}

/// A child that was started and must be collected. When the value ends before that, the process is
/// killed and collected, so that neither it nor its remains stay.
package struct ChildProcess: ~Copyable, Sendable {
    /// Its number; means this process only until it was collected.
    package let pid: Int32
    /// Its descriptor (man 2 pidfd_open): readable when the process has ended.
    package var pollableDescriptor: Int32 { handle.rawValue }
    /// How it ended, when it was collected.
    package private(set) var exitStatus: ExitStatus?

    private let handle: OwnedDescriptor

    /// Milliseconds that the end of this value waits for a killed process: it is gone at once, but
    /// for one that hangs in the kernel, which is then left to the system.
    private static let maximumWaitForKilledMilliseconds: Int32 = 1000

    init(pid: Int32, handle: consuming OwnedDescriptor) {
        self.pid = pid
        self.handle = handle
    }

    deinit {
        if exitStatus != nil { return }
        _ = cl_pidfd_send_signal(handle.rawValue, SIGKILL)
        var request = pollfd(fd: handle.rawValue, events: Int16(POLLIN), revents: 0)
        _ = poll(&request, 1, Self.maximumWaitForKilledMilliseconds)
        var result = cl_wait_result()
        _ = cl_wait_pidfd(handle.rawValue, 1, &result)
    }

    /// Collects the process if it has ended; nil while it runs. Afterwards the same answer again.
    package mutating func reap() throws(PipeError) -> ExitStatus? {
        try collect(waiting: false)
    }

    /// Waits for the end of the process, without a limit, and collects it.
    package mutating func wait() throws(PipeError) -> ExitStatus {
        while true {
            if let status = try collect(waiting: true) { return status }
        }
    }

    private mutating func collect(waiting: Bool) throws(PipeError) -> ExitStatus? {
        if let exitStatus { return exitStatus }
        var result = cl_wait_result()
        while cl_wait_pidfd(handle.rawValue, waiting ? 0 : 1, &result) != 0 {
            if errno != EINTR { throw .last(.reap) }
        }
        if result.pid == 0 { return nil }
        // Codes of man 2 sigaction: 1 CLD_EXITED, 2 CLD_KILLED, 3 CLD_DUMPED.
        let status: ExitStatus =
            result.code == 1
            ? .exited(code: result.status)
            : .signalled(signal: result.status, coreDumped: result.code == 3)
        exitStatus = status
        return status
    }

    /// Sends a signal to this process, never to another that got its number; false when it has
    /// ended.
    @discardableResult
    package borrowing func signal(_ signal: Int32) throws(PipeError) -> Bool {
        if exitStatus != nil { return false }
        if cl_pidfd_send_signal(handle.rawValue, signal) == 0 { return true }
        if errno == ESRCH { return false }
        throw .last(.signal)
    }

    /// Sends a signal to the process and all that it started in its group; false when it was
    /// collected, for then the group's number may mean others.
    @discardableResult
    package borrowing func signalGroup(_ signal: Int32) throws(PipeError) -> Bool {
        if exitStatus != nil { return false }
        if kill(-pid, signal) == 0 { return true }
        if errno == ESRCH { return false }
        throw .last(.signal)
    }
}
