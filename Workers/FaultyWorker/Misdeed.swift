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
    /// Prints to standard error without end, as fast as it can, and works on.
    case chatter
    /// Writes text on every pipe that it finds, the protocol's among them.
    case garbage
    /// Writes half a message on the protocol's pipe and leaves with code 0.
    case halfMessage
    /// Writes a valid message that does not belong there: the setting `message` says which.
    case outOfPlace
    /// Closes every descriptor from 3 up.
    case closeDescriptors
    /// Closes the pipes on which it could write.
    case closeOutput
    /// Closes the pipes from which it could read, and lives on without them.
    case closeInput
    /// Reads nothing any more, and lives on.
    case stopReading
    /// Stops itself by SIGSTOP: it neither runs nor ends.
    case freeze
    /// Takes and touches memory of the setting `bytes`, for good.
    case allocate
    /// The same in small steps, 4 MiB every 5 ms.
    case grow

    /// What a misdeed needs to know.
    struct Details {
        var signal: Int32
        var seconds: Double
        var byteCount: Int
        var message: Forgery
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
        case .spin: Self.spin()
        case .hang: while true { pause() }
        case .sleep: Self.sleep(seconds: details.seconds)
        case .fail: throw Failure(place: place)
        case .print: Swift.print("a faulty processor prints in \(place)")
        case .chatter: Self.chatter()
        case .garbage:
            Self.forEachWritablePipe { $0.write(Array("this is no message\n".utf8)[...]) }
        case .halfMessage:
            Self.forEachWritablePipe { $0.write(Forgery.started.bytes.prefix(20)) }
            Glibc._exit(0)
        case .outOfPlace: Self.forEachWritablePipe { $0.write(details.message.bytes[...]) }
        case .closeDescriptors: for descriptor in Int32(3)..<1024 { close(descriptor) }
        case .closeOutput: Self.forEachWritablePipe { close($0.number) }
        case .closeInput: Self.replaceInput(keepsOld: false)
        case .stopReading: Self.replaceInput(keepsOld: true)
        case .freeze: Glibc.kill(getpid(), SIGSTOP)
        case .allocate: Self.allocate(details.byteCount)
        case .grow: Self.grow(to: details.byteCount)
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

    /// The end of a pipe by its number.
    private struct PipeEnd {
        var number: Int32

        /// Writes bytes; what does not go is lost, as the worker soon is.
        func write(_ bytes: ArraySlice<UInt8>) {
            _ = bytes.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
        }
    }

    private static func forEachWritablePipe(_ body: (PipeEnd) -> Void) {
        pipes(O_WRONLY).forEach(body)
    }

    /// The ends of pipes from 3 up that are open for reading or for writing.
    private static func pipes(_ mode: Int32) -> [PipeEnd] {
        (Int32(3)..<256).filter { descriptor in
            var facts = stat()
            return fstat(descriptor, &facts) == 0 && facts.st_mode & S_IFMT == S_IFIFO
                && fcntl(descriptor, F_GETFL) & O_ACCMODE == mode
        }.map(PipeEnd.init)
    }

    /// Puts a pipe on which nothing ever comes in the place of the input. What was the input stays open
    /// or not.
    private static func replaceInput(keepsOld: Bool) {
        for input in pipes(O_RDONLY) {
            var ends: [Int32] = [0, 0]
            if keepsOld { _ = dup(input.number) }
            guard pipe(&ends) == 0 else { continue }
            dup2(ends[0], input.number)
            close(ends[0])
        }
    }

    /// Short lines, many in a write: faster than they can be taken apart.
    private static func chatter() {
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { _ in
                let lines = [UInt8](repeating: UInt8(ascii: "\n"), count: 64 << 10)
                while true { _ = Glibc.write(2, lines, lines.count) }
            }, nil)
    }

    /// Computes for ever. It asks the system, because an optimizer removes a loop that does nothing.
    private static func spin() {
        while getpid() > 0 {}
    }

    /// Takes memory with its pages. Of the system, because an optimizer removes memory that nobody reads.
    private static func allocate(_ byteCount: Int) {
        guard byteCount > 0 else { return }
        _ = mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
            0)
    }

    private static func grow(to byteCount: Int) {
        let step = 4 << 20
        for _ in 0..<max(1, byteCount / step) {
            allocate(step)
            sleep(seconds: 0.005)
        }
    }
}
