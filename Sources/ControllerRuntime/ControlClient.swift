internal import CLinux
internal import Glibc
internal import Pipes

/// Why a run can't be asked.
package enum ControlClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is no folder of this path.
    case missing(path: String)
    /// The folder is no run directory.
    case foreign(path: String)
    /// The run is over; its files are there to be read.
    case ended(path: String)
    /// The run lives but has no open socket: it is just beginning or ending.
    case notListening(path: String, processId: Int32?)
    /// No answer came in time.
    case timeLimit(path: String, seconds: Int)
    /// The connection broke: the run ended while it was asked.
    case closed(path: String)
    /// The socket can't be used, with the system's reason.
    case connection(path: String, reason: String)

    /// One sentence: what, where, what to do.
    package var description: String {
        switch self {
        case .missing(let path):
            "there is no run directory \(path): give the folder that `sluice run` printed"
        case .foreign(let path):
            "\(path) is no run directory: give the folder that `sluice run` printed"
        case .ended(let path): "the run in \(path) has ended"
        case .notListening(let path, let processId):
            "the run in \(path)\(processId.map { " (process \($0))" } ?? "") is just beginning or "
                + "ending and can't be asked: try again"
        case .timeLimit(let path, let seconds):
            "the run in \(path) did not answer within \(seconds) s: look at its log.txt"
        case .closed(let path): "the run in \(path) ended before it answered"
        case .connection(let path, let reason):
            "the control socket in \(path) can't be used: \(reason)"
        }
    }
}

/// A connection to a run, for one thread; every call blocks.
package struct ControlClient: ~Copyable {
    /// How long an answer may take that waits for nothing but the run's own thread. A change of settings
    /// waits for frames: see `waitForAnswer`.
    package static let standardTimeLimit: Duration = .seconds(60)

    /// Longer than anybody waits.
    package static let noTimeLimit: Duration = .seconds(366 * 24 * 3600)

    private let path: String
    private let folder: OwnedDescriptor
    private let socket: OwnedDescriptor
    private var input: [UInt8] = []
    private var lastId: UInt64 = 0

    /// Connects to the run of the run directory at `path`.
    package init(runDirectory path: String) throws(ControlClientError) {
        ProcessSignals.ignoreBrokenPipe()
        let folder = try Self.folder(of: path)
        socket = try Self.connect(in: folder, path)
        self.folder = folder
        self.path = RunDirectory.withoutSlashAtEnd(path)
    }

    /// A connection for a use of its own.
    static func connect(to path: String) throws(ControlClientError) -> OwnedDescriptor {
        try connect(in: try folder(of: path), path)
    }

    /// The folder of a run that goes on.
    private static func folder(of path: String) throws(ControlClientError) -> OwnedDescriptor {
        let number = cl_open(path, O_RDONLY | O_DIRECTORY, 0)
        if number < 0 { throw .missing(path: path) }
        let folder = OwnedDescriptor(owning: number)
        guard let isHeld = RunDirectoryLock.isHeld(in: folder) else { throw .foreign(path: path) }
        guard isHeld else { throw .ended(path: path) }
        return folder
    }

    private static func connect(
        in folder: borrowing OwnedDescriptor, _ path: String
    ) throws(ControlClientError) -> OwnedDescriptor {
        do {
            return try ControlSocket.connect(in: folder)
        } catch {
            switch error.errorNumber {
            case ENOENT, ECONNREFUSED:
                throw .notListening(
                    path: path, processId: RunDirectoryLock.holder(of: folder))
            default: throw .connection(path: path, reason: "\(error)")
            }
        }
    }

    /// Sends a command and waits for its answer. A refusal by the run is an answer, not an error.
    package mutating func send(
        _ command: ControlCommand, timeLimit: Duration = standardTimeLimit
    ) throws(ControlClientError) -> ControlAnswer {
        lastId += 1
        let line: [UInt8]
        do {
            line = try ControlLine.bytes(of: ControlRequest(id: lastId, command: command))
        } catch {
            throw .connection(path: path, reason: "the request is no JSON: \(error)")
        }
        do {
            try socket.writeAll(line)
        } catch {
            // The run may have said why before it closed.
            if error.errorNumber != EPIPE {
                throw .connection(path: path, reason: "\(error)")
            }
        }
        return try waitForAnswer(timeLimit: timeLimit)
    }

    /// Waits for the answer to the last command, also when `send` or an earlier call has given up.
    package mutating func waitForAnswer(
        timeLimit: Duration
    ) throws(ControlClientError) -> ControlAnswer {
        let deadline = ContinuousClock.now.advanced(by: timeLimit)
        while true {
            let answer = try readLine(until: deadline, timeLimit: timeLimit)
            let response: ControlResponse
            do {
                response = try ControlLine.value(ControlResponse.self, of: answer)
            } catch {
                throw .connection(path: path, reason: "the answer is not of this version of Sluice")
            }
            // A late answer belongs to a request that was given up; 0 is a word on the whole line.
            if response.id == lastId || response.id == 0 { return response.answer }
        }
    }

    /// Waits until the run is over and all its files are written.
    package mutating func waitForEnd() throws(ControlClientError) {
        let never = ContinuousClock.now.advanced(by: Self.noTimeLimit)
        while true {
            do {
                _ = try readLine(until: never, timeLimit: .zero)
            } catch .closed {
                return RunDirectoryLock.waitUntilFree(in: folder)
            } catch {
                throw error
            }
        }
    }

    private mutating func readLine(
        until deadline: ContinuousClock.Instant, timeLimit: Duration
    ) throws(ControlClientError) -> [UInt8] {
        while true {
            if let end = input.firstIndex(of: UInt8(ascii: "\n")) {
                defer { input.removeFirst(end + 1) }
                return Array(input[..<end])
            }
            guard input.count <= ControlLimits.maximumLineByteCount else {
                throw .connection(path: path, reason: "the answer is too long")
            }
            do {
                let isReady = try socket.waitUntil(
                    .readable, timeoutMilliseconds: Poller.timeoutMilliseconds(until: deadline))
                if !isReady {
                    throw ControlClientError.timeLimit(
                        path: path, seconds: Int(timeLimit.components.seconds))
                }
                try receive()
            } catch let error as ControlClientError {
                throw error
            } catch {
                throw .connection(path: path, reason: "\(error)")
            }
        }
    }

    private mutating func receive() throws {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let result = try buffer.withUnsafeMutableBytes { bytes throws(PipeError) in
            try socket.read(into: bytes)
        }
        switch result {
        case .bytes(let count): input += buffer[..<count]
        case .wouldBlock: break
        case .endOfFile: throw ControlClientError.closed(path: path)
        }
    }
}
