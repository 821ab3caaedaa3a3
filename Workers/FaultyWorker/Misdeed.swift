import Glibc

/// What a faulty processor does.
enum Misdeed: String, CaseIterable {
    case none
    /// Dereferences nothing: SIGSEGV.
    case segfault
    /// abort(3): SIGABRT.
    case abort
    /// Leaves the process with code 0, as if all were well.
    case exit0
    /// Leaves the process with code 1.
    case exit1
    /// Sends itself the signal of the setting `signal`.
    case kill
    /// Never comes back, and burns a core.
    case spin
    /// Never comes back, and sleeps.
    case hang
    /// Sleeps for the setting `seconds`.
    case sleep
    /// Throws.
    case fail = "throw"
    /// Prints to standard output.
    case print
    /// Writes text on every pipe that it finds, the protocol's among them.
    case garbage
    /// Closes every descriptor from 3 up.
    case closeDescriptors
    /// Closes the pipes on which it could write.
    case closeOutput
    /// Takes and touches memory of the setting `bytes`, for good.
    case allocate

    /// What a misdeed needs to know.
    struct Details {
        var signal: Int32
        var seconds: Double
        var byteCount: Int
    }

    /// Does it; most do not return.
    func commit(_ details: Details, in place: String) throws {
        switch self {
        case .none: break
        case .segfault: Self.touchNothing()
        case .abort: Glibc.abort()
        case .exit0: Glibc.exit(0)
        case .exit1: Glibc.exit(1)
        case .kill: Glibc.kill(getpid(), details.signal)
        case .spin: while details.signal != .min {}
        case .hang: while true { pause() }
        case .sleep: Self.sleep(seconds: details.seconds)
        case .fail: throw Failure(place: place)
        case .print: Swift.print("a faulty processor prints in \(place)")
        case .garbage:
            Self.forEachWritablePipe { pipe in
                _ = "this is no message\n".withCString { write(pipe, $0, strlen($0)) }
            }
        case .closeDescriptors: for descriptor in Int32(3)..<1024 { close(descriptor) }
        case .closeOutput: Self.forEachWritablePipe { close($0) }
        case .allocate: Self.allocate(details.byteCount)
        }
    }

    /// What a faulty processor throws.
    struct Failure: Error, CustomStringConvertible {
        var place: String
        var description: String { "this processor was told to throw in \(place)" }
    }

    /// Sleeps in one go, whatever signals come.
    static func sleep(seconds: Double) {
        var asked = timespec(
            tv_sec: Int(seconds), tv_nsec: Int((seconds - seconds.rounded(.down)) * 1e9))
        var rest = timespec()
        while nanosleep(&asked, &rest) != 0 && errno == EINTR { asked = rest }
    }

    /// A real fault: a signal sent with raise(3) is survived where Swift's backtraces are on.
    static func touchNothing() {
        UnsafeMutablePointer<Int>(bitPattern: 8)?.pointee = 1
    }

    private static func forEachWritablePipe(_ body: (Int32) -> Void) {
        for descriptor in Int32(3)..<256 {
            var facts = stat()
            guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFIFO,
                fcntl(descriptor, F_GETFL) & O_ACCMODE == O_WRONLY
            else { continue }
            body(descriptor)
        }
    }

    private static func allocate(_ byteCount: Int) {
        guard byteCount > 0, let memory = malloc(byteCount) else { return }
        memset(memory, 1, byteCount)
    }
}
