package import Pipes
package import Statistics
package import Wire
package import WorkerProtocol

/// What comes from a worker, with its meaning.
package enum WorkerAnswer {
    case welcome(Welcome)
    case description([ProcessorDescription])
    case reply(Reply)
    case result(FrameResult, payload: [UInt8])
    case statistics(WorkerSnapshot)
    case started(Started)
    case configured(Configured)
    case staging(Staging)
}

/// A controller as small as can be: sends commands to one worker and waits for what comes back.
package final class WorkerClient {
    /// Why an answer did not come.
    package enum Failure: Error {
        /// Nothing came in time.
        case timeout
        /// The worker has closed its output.
        case ended
        /// Something else came.
        case unexpected(WorkerAnswer)
        case unknownType(UInt16)
    }

    /// No test waits longer for one answer.
    package static let timeoutMilliseconds: Int32 = 20_000

    private var toWorker: OwnedDescriptor?
    private let fromWorker: OwnedDescriptor
    private var decoder = MessageDecoder()
    private var writer = ByteWriter()
    /// What came while something else was waited for, in order.
    package private(set) var unasked: [(requestId: UInt64, answer: WorkerAnswer)] = []
    private var lastRequestId: UInt64 = 0

    /// The controller's ends of the two pipes.
    package init(toWorker: consuming OwnedDescriptor, fromWorker: consuming OwnedDescriptor) {
        self.toWorker = consume toWorker
        self.fromWorker = fromWorker
    }

    // MARK: Sending

    /// Writes a command and returns its request id.
    @discardableResult
    package func send(
        _ type: MessageType, payload: [UInt8] = [], _ body: (inout ByteWriter) -> Void = { _ in }
    ) throws -> UInt64 {
        let id = try collect(type, payload: payload, body)
        try flush()
        return id
    }

    /// Puts a command behind those that `flush` will write in one go.
    @discardableResult
    package func collect(
        _ type: MessageType, payload: [UInt8] = [], _ body: (inout ByteWriter) -> Void = { _ in }
    ) throws -> UInt64 {
        lastRequestId += 1
        writer.beginMessage(type: type.rawValue, requestId: lastRequestId)
        body(&writer)
        try writer.endMessage(payloadByteCount: payload.count)
        payload.withUnsafeBytes { writer.writeBytes($0) }
        return lastRequestId
    }

    /// Writes what was collected.
    package func flush() throws {
        try sendBytes(Array(writer.bytes))
        writer.removeAll()
    }

    /// Writes bytes as they are.
    package func sendBytes(_ bytes: [UInt8]) throws {
        guard toWorker != nil else { throw Failure.ended }
        try bytes.withUnsafeBytes { try toWorker?.writeAll($0) }
    }

    /// Closes the pipe to the worker, as a controller that is gone does.
    package func hangUp() { toWorker = nil }

    // MARK: Receiving

    /// The next message, waiting for at most `timeoutMilliseconds`.
    package func receive(
        timeoutMilliseconds: Int32 = timeoutMilliseconds
    ) throws -> (requestId: UInt64, answer: WorkerAnswer) {
        while true {
            if let message = try decoder.next() { return try decode(message) }
            guard try fromWorker.waitUntil(.readable, timeoutMilliseconds: timeoutMilliseconds)
            else { throw Failure.timeout }
            let count = try decoder.withWritableSpace { space in
                guard case .bytes(let count) = try fromWorker.read(into: space) else { return 0 }
                return count
            }
            if count == 0 { throw Failure.ended }
        }
    }

    /// The answer to the request; what comes before it is kept in `unasked`.
    package func answer(
        to requestId: UInt64, timeoutMilliseconds: Int32 = timeoutMilliseconds
    ) throws -> WorkerAnswer {
        if let place = unasked.firstIndex(where: { $0.requestId == requestId }) {
            return unasked.remove(at: place).answer
        }
        while true {
            let next = try receive(timeoutMilliseconds: timeoutMilliseconds)
            if next.requestId == requestId { return next.answer }
            unasked.append(next)
        }
    }

    /// What came unasked, up to now.
    package func takeUnasked() -> [WorkerAnswer] {
        defer { unasked.removeAll() }
        return unasked.map(\.answer)
    }

    private func decode(_ message: WireMessage) throws -> (UInt64, WorkerAnswer) {
        var reader = message.reader
        let id = message.header.requestId
        switch MessageType(rawValue: message.header.messageType) {
        case .welcome: return (id, .welcome(try Welcome(from: &reader)))
        case .description: return (id, .description(try ProcessorDescription.read(from: &reader)))
        case .reply: return (id, .reply(try Reply(from: &reader)))
        case .statistics: return (id, .statistics(try WorkerSnapshot(from: &reader)))
        case .started: return (id, .started(try Started(from: &reader)))
        case .configured: return (id, .configured(try Configured(from: &reader)))
        case .staging: return (id, .staging(try Staging(from: &reader)))
        case .result:
            let result = try FrameResult(from: &reader)
            return (id, .result(result, payload: try readPayload(message.header)))
        default: throw Failure.unknownType(message.header.messageType)
        }
    }

    private func readPayload(_ header: MessageHeader) throws -> [UInt8] {
        let byteCount = Int(header.payloadByteCount)
        guard byteCount > 0 else { return [] }
        return try [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            let place = UnsafeMutableRawBufferPointer(buffer)
            let buffered = decoder.takeBufferedPayload(into: place)
            let rest = UnsafeMutableRawBufferPointer(rebasing: place[buffered...])
            let more = rest.isEmpty ? 0 : try fromWorker.readAll(into: rest)
            if more > 0 { decoder.didReadPayload(byteCount: more) }
            count = buffered + more
        }
    }
}

// MARK: - Commands with their answers

extension WorkerClient {
    /// Greets the worker.
    package func greet(_ hello: Hello = Hello()) throws -> Welcome {
        let answer = try answer(to: try send(.hello) { hello.write(to: &$0) })
        guard case .welcome(let welcome) = answer else { throw Failure.unexpected(answer) }
        return welcome
    }

    /// Starts a chain of processors.
    package func start(
        _ processors: [ProcessorSpecification], version: UInt64 = 1
    ) throws -> Reply {
        let command = StartCommand(configurationVersion: version, processors: processors)
        return try reply(to: try send(.start) { command.write(to: &$0) })
    }

    /// Sends a frame and returns the id of the dispatch.
    package func process(_ command: ProcessCommand, payload: [UInt8] = []) throws -> UInt64 {
        try send(.process, payload: payload) { command.write(to: &$0) }
    }

    /// The result of a dispatch, with what came inline.
    package func result(of requestId: UInt64) throws -> (FrameResult, payload: [UInt8]) {
        let answer = try answer(to: requestId)
        guard case .result(let result, let payload) = answer else {
            throw Failure.unexpected(answer)
        }
        return (result, payload)
    }

    /// Sends one step of a change of configuration.
    package func configure(_ command: ConfigureCommand) throws -> Reply {
        try reply(to: try send(.configure) { command.write(to: &$0) })
    }

    /// Sends a command without a body.
    package func command(_ type: MessageType) throws -> Reply { try reply(to: try send(type)) }

    /// Asks for the statistics.
    package func statistics() throws -> WorkerSnapshot {
        let answer = try answer(to: try send(.getStats))
        guard case .statistics(let snapshot) = answer else { throw Failure.unexpected(answer) }
        return snapshot
    }

    /// The reply to a request.
    package func reply(to requestId: UInt64) throws -> Reply {
        let answer = try answer(to: requestId)
        guard case .reply(let reply) = answer else { throw Failure.unexpected(answer) }
        return reply
    }
}
