internal import Glibc
internal import Pipes
internal import Wire
package import WorkerProtocol

/// Asks a worker executable what it offers, without a run.
package enum WorkerProbe {
    /// Time that the executable has to answer, in milliseconds.
    private static let standardTimeLimitMilliseconds: Int32 = 10_000

    /// The processors of the worker at `executable` (nil: `sluice-worker`), with their settings.
    ///
    /// - Throws: `ControllerError(.worker)` when it can't be started, does not answer in time, or
    ///   speaks another protocol.
    package static func describe(executable: String?) throws -> [ProcessorDescription] {
        try describe(
            executable: executable, timeLimitMilliseconds: standardTimeLimitMilliseconds)
    }

    /// The same with another time to answer.
    static func describe(
        executable: String?, timeLimitMilliseconds: Int32
    ) throws -> [ProcessorDescription] {
        ProcessSignals.ignoreBrokenPipe()
        let path = try WorkerExecutable.resolve(executable)
        do {
            return try ask(path, timeLimitMilliseconds)
        } catch let error as ControllerError {
            throw error
        } catch {
            throw ControllerError(.worker, "\(path) can't be asked what it offers: \(error)")
        }
    }

    private static func ask(
        _ path: String, _ timeLimitMilliseconds: Int32
    ) throws -> [ProcessorDescription] {
        let deadline = ContinuousClock.now + .milliseconds(timeLimitMilliseconds)
        let input = try makePipe()
        let output = try makePipe()
        let spawner = try ProcessSpawner()
        let child = try spawner.spawn(
            SpawnRequest(
                executable: path, arguments: [], environmentChanges: [:],
                descriptors: [0: input.reader.rawValue, 1: output.writer.rawValue, 2: 2]))
        let writer = input.split { _, writer in writer }
        let reader = output.split { reader, _ in reader }
        var messages = ByteWriter()
        messages.beginMessage(type: MessageType.hello.rawValue, requestId: 0)
        Hello(controllerProcessId: UInt32(getpid()), logLevel: "warning").write(to: &messages)
        try messages.endMessage()
        messages.beginMessage(type: MessageType.describe.rawValue, requestId: 1)
        try messages.endMessage()
        // Whatever it has started goes with it.
        defer { _ = try? child.signalGroup(SIGKILL) }
        let processors = try answer(to: messages.bytes, writer, reader, path, deadline)
        return processors
    }

    private static func answer(
        to question: UnsafeRawBufferPointer, _ writer: borrowing OwnedDescriptor,
        _ reader: borrowing OwnedDescriptor, _ path: String, _ deadline: ContinuousClock.Instant
    ) throws -> [ProcessorDescription] {
        do {
            try writer.writeAll(question)
            return try answer(from: reader, path, deadline)
        } catch let error as PipeError where error.errorNumber == EPIPE {
            throw ended(path)
        } catch let error as WireError {
            throw ControllerError(
                .worker,
                "\(path) sent what is no message of a worker (\(error)); is it a Sluice worker?")
        }
    }

    private static func ended(_ path: String) -> ControllerError {
        ControllerError(.worker, "\(path) ended without an answer; is it a Sluice worker?")
    }

    private static func answer(
        from reader: borrowing OwnedDescriptor, _ path: String,
        _ deadline: ContinuousClock.Instant
    ) throws -> [ProcessorDescription] {
        var decoder = MessageDecoder()
        while true {
            while let message = try decoder.next() {
                var body = message.reader
                switch MessageType(rawValue: message.header.messageType) {
                case .welcome:
                    guard ProtocolVersion.spoken.contains(try Welcome(from: &body).version) else {
                        throw ControllerError(
                            .worker,
                            "\(path) speaks another version of the worker protocol than "
                                + "\(ProtocolVersion.current); build it again with this release")
                    }
                case .description: return try ProcessorDescription.read(from: &body)
                default:
                    throw ControllerError(.worker, "\(path) did not answer as a worker does")
                }
            }
            let left = Poller.timeoutMilliseconds(until: deadline)
            guard try reader.waitUntil(.readable, timeoutMilliseconds: left) else {
                throw ControllerError(.worker, "\(path) did not answer; is it a Sluice worker?")
            }
            var isAtEnd = false
            _ = try decoder.withWritableSpace { space in
                guard case .bytes(let count) = try reader.read(into: space) else {
                    isAtEnd = true
                    return 0
                }
                return count
            }
            if isAtEnd { throw ended(path) }
        }
    }
}
