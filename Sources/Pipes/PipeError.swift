internal import CLinux
internal import Glibc

/// A system call on a descriptor, thread or process that failed.
package struct PipeError: Error, Equatable, Sendable {
    /// What was being done, as it reads after "cannot".
    package enum Operation: String, Sendable {
        case makePipe = "make a pipe"
        case duplicate = "duplicate a descriptor"
        case close = "close a descriptor"
        case configure = "set a descriptor's mode"
        case open = "open a file"
        case read = "read from a pipe"
        case write = "write to a pipe"
        case wait = "wait for descriptors"
        case watch = "watch a descriptor"
        case makeEvent = "make an event flag"
        case startThread = "start a thread"
        case signal = "send a signal to a process"
        case reap = "learn how a process ended"
        case armParentDeath = "tie this process to its parent"
    }

    /// What was being done.
    package var operation: Operation
    /// The error number of the system (man 3 errno).
    package var errorNumber: Int32

    /// An error of `operation` with the system's `errorNumber`.
    package init(_ operation: Operation, errorNumber: Int32) {
        self.operation = operation
        self.errorNumber = errorNumber
    }

    /// An error of `operation` with the current errno.
    static func last(_ operation: Operation) -> PipeError {
        PipeError(operation, errorNumber: errno)
    }
}

extension PipeError: CustomStringConvertible {
    /// One sentence: what, why, what to do.
    package var description: String {
        "cannot \(operation.rawValue): \(SystemText.ofError(errorNumber))\(remedy)"
    }

    private var remedy: String {
        switch errorNumber {
        case EMFILE: "; raise the limit of open files of this process (ulimit -n)"
        case ENFILE: "; the machine has no descriptors left: end something or raise fs.file-max"
        case ENOMEM: "; free memory or use fewer workers"
        case EAGAIN where operation == .startThread:
            "; raise the limit of threads of this user (ulimit -u)"
        case EPIPE: "; the other side is gone"
        case ECHILD: "; something else has collected it: do not ignore SIGCHLD"
        case ESRCH: "; it has ended already"
        default: ""
        }
    }
}

/// Texts of the system's numbers.
package enum SystemText {
    /// The system's text for an error number, with the number.
    package static func ofError(_ number: Int32) -> String {
        guard let text = cl_error_text(number) else { return "error \(number)" }
        return "\(String(cString: text)) (errno \(number))"
    }

    /// "SIGKILL, Killed" for 9.
    package static func ofSignal(_ number: Int32) -> String {
        guard let name = cl_signal_name(number), let text = cl_signal_text(number) else {
            return "number \(number)"
        }
        return "SIG\(String(cString: name)), \(String(cString: text))"
    }
}
