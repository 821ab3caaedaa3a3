import Foundation
internal import Pipes
internal import Synchronization
import Testing

/// A server that a test talks to: started on ports of its own on the loopback, stopped by its process
/// number when nobody holds it any more, and killed by the system when the tests end any other way.
///
/// A server is used by one test at a time; its calls come from one thread.
public final class TestServer: Sendable {
    /// Why a server is not there, with the end of what it wrote.
    public struct Failure: Error, CustomStringConvertible {
        /// One sentence, then the log.
        public let description: String

        /// A failure with what is to be said of it.
        public init(_ description: String) { self.description = description }
    }

    /// How long a server may take until it listens, and until it has ended: ten times what the slowest of
    /// them took on two busy processors.
    static let patienceMilliseconds = 30_000

    private static let spawner = Result { try ProcessSpawner(threadName: "test servers") }

    /// The program and its arguments.
    private let command: [String]
    /// The ports that it listens on when it is ready.
    private let ports: [UInt16]
    private let log: String
    private let child: Mutex<ChildProcess?>

    /// Starts a server and waits until it listens on all the TCP ports; `folder` gets its log. `command` is
    /// the path of the program with its arguments, such as `setpriv` before another where it needs another
    /// user.
    public init(
        _ command: [String], listeningOn ports: [UInt16], folder: TemporaryFolder
    ) throws {
        self.command = command
        self.ports = ports
        log = folder.file("server-\(UUID().uuidString).log")
        child = Mutex(nil)
        try start()
    }

    deinit { kill() }

    /// Starts the server again, with the same ports and files, after `stop` or `kill`.
    public func start() throws {
        let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure("\(log) cannot be written") }
        defer { close(descriptor) }
        // The signal follows the thread that started the process: that of the spawner, which stays.
        let request = SpawnRequest(
            executable: "/usr/bin/setpriv", arguments: ["--pdeathsig", "KILL"] + command,
            descriptors: [1: descriptor, 2: descriptor])
        let spawner = try Self.spawner.get()
        try child.withLock { $0 = try spawner.spawn(request) }
        let deadline = Deadline(milliseconds: Self.patienceMilliseconds)
        for port in ports {
            while !Loopback.isListening(port) {
                guard isRunning else { throw Failure("\(command[0]) ended at once\n\(logEnd)") }
                guard deadline.waitAMoment() else {
                    throw Failure("\(command[0]) does not listen on \(port)\n\(logEnd)")
                }
            }
        }
        // Somebody else may listen there: then ours has ended.
        guard isRunning else { throw Failure("\(command[0]) ended at once\n\(logEnd)") }
    }

    /// Whether its process is there.
    public var isRunning: Bool {
        child.withLock { child in
            guard child != nil else { return false }
            let status = try? child?.reap()
            return status == .some(nil)
        }
    }

    /// Asks it to end (SIGTERM), and waits until it has; kills it where that takes too long.
    public func stop() {
        signal(SIGTERM)
        let deadline = Deadline(milliseconds: Self.patienceMilliseconds)
        while isRunning, deadline.waitAMoment() {}
        kill()
    }

    /// Ends it as a crash would, and waits until it has ended.
    public func kill() {
        // The end of the value kills the process and collects it.
        child.withLock { $0 = nil }
    }

    /// Sends a signal to it, such as SIGSTOP for a server that hangs and SIGCONT for one that goes on.
    public func signal(_ signal: Int32) {
        child.withLock { child in
            do {
                _ = try child?.signal(signal)
            } catch {
                Issue.record("the server cannot be sent signal \(signal): \(error)")
            }
        }
    }

    /// The last lines of what it wrote.
    public var logEnd: String {
        guard let bytes = try? contents(log) else { return "" }
        return String(decoding: bytes.suffix(2000), as: UTF8.self)
    }

    /// Whether programs are there, by their paths.
    public static func areThere(_ programs: String...) -> Bool {
        programs.allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs a program to its end and returns its exit status and what it wrote; `input` is what it reads.
    public static func run(
        _ program: String, _ arguments: [String], input: [UInt8] = []
    ) throws -> (status: Int32, output: String) {
        let folder = try TemporaryFolder()
        try folder.write(input, to: "input")
        try folder.write("", to: "output")
        let output = try FileHandle(forWritingTo: URL(filePath: folder.file("output")))
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardInput = try FileHandle(
            forReadingFrom: URL(filePath: folder.file("input")))
        process.standardOutput = output
        process.standardError = output
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, try folder.text(of: "output"))
    }
}

/// A time after which to give up.
public struct Deadline: Sendable {
    private let end: ContinuousClock.Instant

    /// A deadline that far from now.
    public init(milliseconds: Int) { end = .now + .milliseconds(milliseconds) }

    /// Lets 5 ms pass, for what can only be looked at again and again; false when the time is over.
    public func waitAMoment() -> Bool {
        poll(nil, 0, 5)
        return .now < end
    }

    /// Waits until the condition holds; false when the time is over before.
    public func wait(until condition: () throws -> Bool) rethrows -> Bool {
        while try !condition() {
            if !waitAMoment() { return false }
        }
        return true
    }
}
