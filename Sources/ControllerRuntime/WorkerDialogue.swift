internal import Glibc
internal import Pipes
internal import Wire
internal import WorkerProtocol

/// A conversation with a worker process of its own, outside of any run, with a limit of time for all of
/// it. The process ends with the dialogue, whatever it is doing.
final class WorkerDialogue {
    /// Longest wait before it is looked whether the dialogue is still wanted.
    private static let sliceMilliseconds: Int32 = 50

    private let path: String
    private let spawner: ProcessSpawner
    private let child: ChildProcess
    private let writer: OwnedDescriptor
    private let reader: OwnedDescriptor
    private let deadline: ContinuousClock.Instant
    private let isCancelled: () -> Bool
    private var decoder = MessageDecoder()

    /// Starts the worker at `path`; `errors` is where its text for people goes.
    init(
        executable path: String, errors: Int32, timeLimit: Duration,
        isCancelled: @escaping () -> Bool = { false }
    ) throws {
        self.path = path
        self.isCancelled = isCancelled
        deadline = ContinuousClock.now + timeLimit
        let input = try makePipe()
        let output = try makePipe()
        spawner = try ProcessSpawner()
        child = try spawner.spawn(
            SpawnRequest(
                executable: path, arguments: [], environmentChanges: [:],
                descriptors: [0: input.reader.rawValue, 1: output.writer.rawValue, 2: errors]))
        writer = input.split { _, writer in writer }
        reader = output.split { reader, _ in reader }
        try writer.setNonblocking(true)
        try reader.setNonblocking(true)
    }

    deinit {
        // Whatever it has started goes with it; where there is nothing left to kill, all is well.
        _ = try? child.signalGroup(SIGKILL)
    }

    /// Sends a message.
    ///
    /// - Throws: `ControllerError(.worker)` when the worker has ended or does not take it in time.
    func send(
        _ type: MessageType, requestId: UInt64, payload: UnsafeRawBufferPointer? = nil,
        _ write: (inout ByteWriter) -> Void
    ) throws {
        var message = ByteWriter()
        message.beginMessage(type: type.rawValue, requestId: requestId)
        write(&message)
        try message.endMessage(payloadByteCount: payload?.count ?? 0)
        try writeAll(message.bytes)
        if let payload { try writeAll(payload) }
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch try writer.write(from: UnsafeRawBufferPointer(rebasing: rest)) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: try wait { try writer.waitUntil(.writable, timeoutMilliseconds: $0) }
            case .closed: throw ended
            }
        }
    }

    /// Waits for messages until `take` makes a value of one; nil asks for the next.
    ///
    /// - Throws: what `take` throws; `ControllerError(.worker)` when the worker ends, sends what is no
    ///   message, or is silent for too long.
    func answer<Value>(_ take: (MessageType?, inout ByteReader) throws -> Value?) throws -> Value {
        while true {
            do {
                while let message = try decoder.next() {
                    var body = message.reader
                    let type = MessageType(rawValue: message.header.messageType)
                    if let value = try take(type, &body) { return value }
                }
            } catch let error as WireError {
                throw ControllerError(
                    .worker,
                    "\(path) sent what is no message of a worker (\(error)); is it a Sluice worker?"
                )
            }
            try fill()
        }
    }

    private func fill() throws {
        var result = ReadResult.wouldBlock
        _ = try decoder.withWritableSpace { space in
            result = try reader.read(into: space)
            guard case .bytes(let count) = result else { return 0 }
            return count
        }
        switch result {
        case .bytes: break
        case .wouldBlock: try wait { try reader.waitUntil(.readable, timeoutMilliseconds: $0) }
        case .endOfFile: throw ended
        }
    }

    private func wait(_ isReady: (Int32) throws -> Bool) throws {
        while true {
            let left = Poller.timeoutMilliseconds(until: deadline)
            if try isReady(min(left, Self.sliceMilliseconds)) { return }
            if isCancelled() { throw ControllerError(.worker, "the run was ended meanwhile") }
            if left == 0 {
                throw ControllerError(
                    .worker, "\(path) did not answer in time; is it a Sluice worker?")
            }
        }
    }

    private var ended: ControllerError {
        ControllerError(.worker, "\(path) ended without an answer; is it a Sluice worker?")
    }
}
