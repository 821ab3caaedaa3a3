import Glibc
import NDArrays
import Pipes
import Testing
import Wire
import WorkerProtocol

/// The controller's side of a conversation with one worker process, as small as can be.
final class WorkerSession {
    /// Milliseconds that an answer may take: a Python interpreter on a loaded machine starts in
    /// one.
    private static let maximumWaitMilliseconds: Int32 = 20_000

    private let spawner: ProcessSpawner
    private var child: ChildProcess
    private var input: OwnedDescriptor?
    private let output: OwnedDescriptor
    private var decoder = MessageDecoder()
    private var nextRequestId: UInt64 = 1

    /// Spawns `executable` with these descriptors besides its pipes: [worker's number: ours].
    init(executable: String, descriptors: [Int32: Int32] = [:]) throws {
        ProcessSignals.ignoreBrokenPipe()
        spawner = try ProcessSpawner()
        let toWorker = try makePipe()
        let fromWorker = try makePipe()
        var all = descriptors
        all[0] = toWorker.reader.rawValue
        all[1] = fromWorker.writer.rawValue
        all[2] = 2
        child = try spawner.spawn(SpawnRequest(executable: executable, descriptors: all))
        input = try toWorker.writer.duplicate()
        output = try fromWorker.reader.duplicate()
    }

    /// Sends a command and returns its request id. A frame gets the checksum of its payload.
    @discardableResult
    func send(_ message: AnyMessage, payload: [UInt8] = []) throws -> UInt64 {
        let requestId = nextRequestId
        nextRequestId += 1
        var message = message
        if case .process(var command) = message, !payload.isEmpty {
            command.payloadChecksum = payload.withUnsafeBytes { PayloadChecksum.of($0) }
            message = .process(command)
        }
        try sendBytes(try message.encoded(requestId: requestId, payload: payload))
        return requestId
    }

    /// Sends bytes as they are.
    func sendBytes(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try input?.writeAll($0) }
    }

    /// Ends the input of the worker.
    func closeInput() { input = nil }

    /// The next message of the worker with its request id and payload; nil at the end.
    func receive() throws -> (AnyMessage, requestId: UInt64, payload: [UInt8])? {
        while true {
            if let message = try decoder.next() {
                let header = message.header
                let type = try #require(MessageType(rawValue: header.messageType))
                var reader = message.reader
                let meaning = try AnyMessage(type, from: &reader)
                var payload = [UInt8](repeating: 0, count: Int(header.payloadByteCount))
                try fill(&payload)
                return (meaning, header.requestId, payload)
            }
            guard try fillDecoder() else {
                try decoder.finish()
                return nil
            }
        }
    }

    /// Sends a command and returns the answer to it, without the news that come before.
    func ask(_ message: AnyMessage, payload: [UInt8] = []) throws
        -> (AnyMessage, payload: [UInt8])
    {
        let requestId = try send(message, payload: payload)
        while let (answer, id, payload) = try receive() {
            if id == requestId { return (answer, payload) }
            try #require(id == 0, "an answer to another request came")
        }
        throw PipeError(.read, errorNumber: EPIPE)
    }

    /// Waits for the end of the process.
    func wait() throws -> Pipes.ExitStatus { try child.wait() }

    private func fill(_ payload: inout [UInt8]) throws {
        var filled = 0
        while filled < payload.count {
            filled += payload.withUnsafeMutableBytes {
                decoder.takeBufferedPayload(
                    into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
            }
            if filled < payload.count { try #require(try fillDecoder()) }
        }
    }

    /// False at the end of the worker's output.
    private func fillDecoder() throws -> Bool {
        let isReady = try output.waitUntil(
            .readable, timeoutMilliseconds: Self.maximumWaitMilliseconds)
        try #require(isReady, "the worker says nothing")
        var isAtEnd = false
        let output = output.rawValue
        _ = decoder.withWritableSpace { space in
            let count = read(output, space.baseAddress, space.count)
            isAtEnd = count <= 0
            return max(0, count)
        }
        return !isAtEnd
    }
}
