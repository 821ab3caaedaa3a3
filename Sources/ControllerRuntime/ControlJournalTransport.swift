internal import CLinux
internal import Glibc
public import Journal
internal import Pipes
internal import Synchronization

/// The journal of a run that goes on, over its control socket: for programs that only have the socket, or want no
/// files opened. A run that has ended is read from its files.
public struct ControlJournalTransport: JournalTransport {
    /// The run directory.
    public let runDirectory: String

    /// The journal of the run in that directory.
    public init(runDirectory: String) { self.runDirectory = runDirectory }

    /// Connects to the run and asks for events. The stream ends when the run does; when the run is killed, or the
    /// client is too slow, it ends with an error, and can be taken up from the cursor.
    public func open(_ payload: JournalValue) throws -> any JournalResponseStream {
        let request = try JournalRequest(payload: payload)
        do {
            return try ControlJournalStream(runDirectory, request)
        } catch let error as ControlClientError {
            throw JournalConsumerError.unavailable(error.description)
        }
    }
}

extension JournalFileTransport {
    /// The journal of a run, from its files: all of it, and what comes for as long as a process holds the run
    /// directory.
    public init(runDirectory: String) {
        self.init(path: RunDirectory.path(of: .journal, in: runDirectory)) {
            if case .running = RunDirectory.state(of: runDirectory) { true } else { false }
        }
    }
}

/// One connection. Only the thread that calls `next` reads; `cancel` shuts the socket down, whose descriptor lives
/// as long as this.
private final class ControlJournalStream: JournalResponseStream, @unchecked Sendable {
    // Guard of what varies: only `next` uses it, which one thread calls at a time.
    private var input: [UInt8] = []
    private var scannedCount = 0
    private var isOver = false
    private let path: String
    private let socket: OwnedDescriptor
    private let isCancelled = Atomic(false)

    init(_ path: String, _ request: JournalRequest) throws {
        ProcessSignals.ignoreBrokenPipe()
        self.path = path
        socket = try ControlClient.connect(to: path)
        try socket.writeAll(ControlLine.bytes(of: ControlRequest(id: 1, command: .events(request))))
    }

    func cancel() {
        isCancelled.store(true, ordering: .releasing)
        // What has come by now can still be read; the server sees that nobody takes more.
        _ = shutdown(socket.rawValue, Int32(SHUT_RDWR))
    }

    func next() throws -> JournalResponse? {
        while !isOver {
            if let line = nextLine() { return try response(line) }
            guard input.count <= ControlLimits.maximumEventsByteCount else {
                throw JournalConsumerError.unavailable("the run in \(path) sent too long a line")
            }
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            let result = try buffer.withUnsafeMutableBytes { bytes throws(PipeError) in
                try socket.read(into: bytes)
            }
            switch result {
            case .bytes(let count): input += buffer[..<count]
            case .wouldBlock: _ = try socket.waitUntil(.readable, timeoutMilliseconds: -1)
            case .endOfFile:
                isOver = true
                guard isCancelled.load(ordering: .acquiring) else {
                    throw JournalConsumerError.unavailable(
                        "the run in \(path) ended before it had sent all; read its files")
                }
            }
        }
        return nil
    }

    /// The response of a line; nil where it is the answer that ends the stream.
    private func response(_ line: ArraySlice<UInt8>) throws -> JournalResponse? {
        guard let value = JournalValue(json: String(decoding: line, as: UTF8.self)) else {
            throw JournalConsumerError.unavailable("the run in \(path) sent a line that is no JSON")
        }
        if case .array(let elements)? = value["events"] {
            return JournalResponse(
                try elements.map { element in
                    guard let event = JournalEvent(element) else {
                        throw JournalConsumerError.unavailable(
                            "the run in \(path) sent what is no event")
                    }
                    return event
                })
        }
        isOver = true
        guard value["error"] != nil else { return nil }
        let failure = try ControlLine.value(ControlResponse.self, of: line)
        guard case .failure(let failure) = failure.answer else { return nil }
        switch failure.code {
        case "overrun":
            throw JournalConsumerError.overrun(
                lastSeq: failure.lastSeq ?? 0, missed: failure.missed ?? 0)
        case "request": throw JournalConsumerError.badRequest(failure.message)
        default: throw JournalConsumerError.unavailable(failure.message)
        }
    }

    private func nextLine() -> ArraySlice<UInt8>? {
        guard let end = input[scannedCount...].firstIndex(of: UInt8(ascii: "\n")) else {
            scannedCount = input.count
            return nil
        }
        defer {
            input.removeFirst(end + 1)
            scannedCount = 0
        }
        return input[..<end]
    }
}
