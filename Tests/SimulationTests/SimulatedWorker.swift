import Glibc
import NDArrays
import Pipes
import TestSupport
import Wire
import WorkerProtocol

@testable import ControllerRuntime

/// A message to a worker.
enum SimulatedOrder {
    case hello(Hello)
    case describe
    case start(StartCommand)
    case configure(ConfigureCommand)
    case process(ProcessCommand, payload: [UInt8])
    case getStats, resetStats, stop, ping
}

/// A worker in memory: the pipes with the bytes in them, and what is behind them.
///
/// This file is what the engine sees; what the worker does is in the others.
final class SimulatedWorker: WorkerLink {
    enum Life: Equatable {
        case running
        /// Its pipes are closed, and nobody can collect it yet.
        case dying(ExitStatus)
        case ended(ExitStatus)
        case collected
    }

    /// Something that the controller knows when it has read so far.
    enum Mark {
        case answer(requestId: UInt64, FrameOutcome)
        /// Nothing that comes after it is read.
        case garbage
    }

    unowned let world: SimulatedWorld
    let worker: Int
    let stage: Int
    let processId: Int32
    var life = Life.running
    var wasKilled = false
    private var isReleased = false

    // Towards the worker.
    private var controllerHasInput = true
    var readsInput = true
    private var watchesInput = false
    private var decoder = MessageDecoder()
    private var unfinished: (requestId: UInt64, command: ProcessCommand, payload: [UInt8])?
    private var acceptedByteCount: UInt64 = 0
    var readByteCount: UInt64 = 0
    /// Messages that are in the pipe, with the place of their end in the stream.
    var orders: [(end: UInt64, requestId: UInt64, order: SimulatedOrder)] = []

    // From the worker.
    var writesOutput = true
    var writesErrors = true
    private var watchesOutput = true
    private var isPaused = false
    private var watchesErrors = true
    /// Bytes that it has made and not written.
    var outbox = BytePipe()
    private(set) var pipe = BytePipe()
    var printed = BytePipe()
    private var madeByteCount: UInt64 = 0
    private var takenByteCount: UInt64 = 0
    private var marks: [(end: UInt64, mark: Mark)] = []
    private var hasReadGarbage = false
    /// What the status page says: the frame in user code, since when, and how many there were.
    var page: UInt64 = 0
    var pageTime: UInt64 = 0
    var begunCount: UInt64 = 0
    var finishedCount: UInt64 = 0
    /// Bytes of memory of its own.
    var memoryByteCount: UInt64 = 1 << 20
    /// Frames that were given to it and of which the controller has no answer; those of them that it
    /// began with, by request id.
    var held: [UInt64: StageKey] = [:]
    var begun: Set<UInt64> = []

    // What it is doing; see SimulatedWorker+Life.swift.
    var isSilent = false
    var hello = Hello()
    /// Version of the protocol that it speaks.
    var version = ProtocolVersion.current
    var usesPage = false
    var hasStopped = false
    var busy: (requestId: UInt64, command: ProcessCommand, payload: [UInt8])?
    var history = VersionHistory()
    var counters = WorkerCounters()
    var lastAnswer: [UInt8] = []
    var lastAnswerIsReturn = false

    init(world: SimulatedWorld, worker: Int, stage: Int, processId: Int32) {
        self.world = world
        self.worker = worker
        self.stage = stage
        self.processId = processId
    }

    /// How it stands, for messages.
    var standing: String {
        "\(worker): \(life)\(isSilent ? " silent" : "")\(busy == nil ? "" : " busy") "
            + "orders \(orders.count) unread \(acceptedByteCount - readByteCount) "
            + "outbox \(outbox.count) pipe \(pipe.count)"
    }

    // MARK: What the engine sees

    func statusWord(_ byteOffset: Int) -> UInt64? {
        guard world.plan.configuration.plane == .shared else { return nil }
        return switch byteOffset {
        case StatusPage.requestIdOffset: page
        case StatusPage.startedOffset: pageTime
        case StatusPage.begunOffset: usesPage ? begunCount : 0
        case StatusPage.finishedOffset: usesPage ? finishedCount : 0
        default: 0
        }
    }

    func ownMemoryByteCount() -> UInt64? { memoryByteCount }

    func read(into space: UnsafeMutableRawBufferPointer) throws(PipeError) -> ReadResult {
        world.expect(!isReleased, "worker \(worker) is read after it was released")
        let count = pipe.take(into: space)
        guard count > 0 else { return writesOutput ? .wouldBlock : .endOfFile }
        takenByteCount += UInt64(count)
        passMarks()
        return .bytes(count)
    }

    private func passMarks() {
        while let first = marks.first, first.end <= takenByteCount {
            marks.removeFirst()
            if hasReadGarbage { continue }
            switch first.mark {
            case .garbage: hasReadGarbage = true
            case .answer(let requestId, let outcome):
                begun.remove(requestId)
                if let place = held.removeValue(forKey: requestId) {
                    world.answered(place, outcome)
                }
            }
        }
    }

    func readErrors(into space: UnsafeMutableRawBufferPointer) throws(PipeError) -> ReadResult {
        let count = printed.take(into: space)
        return count > 0 ? .bytes(count) : writesErrors ? .wouldBlock : .endOfFile
    }

    func write(from bytes: UnsafeRawBufferPointer) throws(PipeError) -> WriteResult {
        world.expect(controllerHasInput && !isReleased, "worker \(worker) is written to after that")
        guard readsInput else { return .closed }
        let room = world.plan.pipeByteCount - Int(acceptedByteCount - readByteCount)
        guard room > 0 else { return .wouldBlock }
        var count = min(room, bytes.count)
        if world.numbers.below(10) == 0 { count = 1 + Int(world.numbers.below(UInt64(count))) }
        accept(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        return .bytes(count)
    }

    func write(parts: UnsafeBufferPointer<iovec>) throws(PipeError) -> WriteResult {
        var total = 0
        for part in parts where part.iov_len > 0 {
            let bytes = UnsafeRawBufferPointer(start: part.iov_base, count: part.iov_len)
            switch try write(from: bytes) {
            case .bytes(let count):
                total += count
                if count < bytes.count { return .bytes(total) }
            case .wouldBlock: return total > 0 ? .bytes(total) : .wouldBlock
            case .closed: return .closed
            }
        }
        return .bytes(total)
    }

    func watchInput(_ isWanted: Bool) throws(PipeError) { watchesInput = isWanted }

    func closeInput() { controllerHasInput = false }

    func watchOutput(_ isWanted: Bool) throws(PipeError) {
        world.expect(watchesOutput, "the output of worker \(worker) is paused after its end")
        isPaused = !isWanted
    }

    func endOutput() {
        world.expect(watchesOutput, "the output of worker \(worker) ends twice")
        watchesOutput = false
    }

    func endErrors() { watchesErrors = false }

    func kill() throws(PipeError) {
        world.expect(!isReleased, "worker \(worker) is killed after it was released")
        world.log.add("kill", worker)
        wasKilled = true
    }

    func reap() throws(PipeError) -> ExitStatus? {
        guard case .ended(let status) = life else { return nil }
        life = .collected
        return status
    }

    func release() {
        world.expect(life == .collected && !isReleased, "worker \(worker) is released too early")
        isReleased = true
        world.log.add("release", worker, Int(processId))
        world.released(self)
    }

    func isReady(_ descriptor: WorkerDescriptor) -> Bool {
        switch descriptor {
        case .output: watchesOutput && !isPaused && (pipe.count > 0 || !writesOutput)
        case .errors: watchesErrors && (printed.count > 0 || !writesErrors)
        case .input:
            watchesInput && controllerHasInput
                && (!readsInput
                    || Int(acceptedByteCount - readByteCount) < world.plan.pipeByteCount)
        case .process:
            if case .ended = life { true } else { false }
        }
    }

    /// Whether no message will come any more: the controller has closed its end.
    var isAtEndOfInput: Bool { !controllerHasInput && readByteCount == acceptedByteCount }

    /// Bytes that lie in the pipe to it.
    var unreadByteCount: Int { Int(acceptedByteCount - readByteCount) }

    // MARK: Bytes

    /// Messages are decoded as their bytes come; the worker takes them when it has read that far.
    private func accept(_ bytes: UnsafeRawBufferPointer) {
        acceptedByteCount += UInt64(bytes.count)
        var rest = bytes
        while !rest.isEmpty {
            if let current = unfinished {
                let missing = Int(current.command.frame.byteCount) - current.payload.count
                let part = UnsafeRawBufferPointer(rebasing: rest.prefix(missing))
                unfinished?.payload += part
                decoder.didReadPayload(byteCount: part.count)
                rest = UnsafeRawBufferPointer(rebasing: rest[part.count...])
                finishPayload()
            } else {
                let count = decoder.append(rest)
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                decode()
            }
        }
    }

    private func decode() {
        do {
            while unfinished == nil, let message = try decoder.next() {
                let requestId = message.header.requestId
                let payloadByteCount = Int(message.header.payloadByteCount)
                let order = try SimulatedOrder(message)
                if case .process(let command, _) = order, payloadByteCount > 0 {
                    world.expect(
                        Int(command.frame.byteCount) == payloadByteCount,
                        "a payload of \(payloadByteCount) bytes for \(command.frame.location)")
                    var payload = [UInt8](repeating: 0, count: payloadByteCount)
                    let count = payload.withUnsafeMutableBytes {
                        decoder.takeBufferedPayload(into: $0)
                    }
                    unfinished = (requestId, command, Array(payload[..<count]))
                    finishPayload()
                } else {
                    given(requestId, order)
                }
            }
        } catch {
            world.fail("worker \(worker) got what is no message: \(error)")
        }
    }

    private func finishPayload() {
        guard let current = unfinished,
            current.payload.count == Int(current.command.frame.byteCount)
        else { return }
        unfinished = nil
        let isWhole = current.payload.withUnsafeBytes { bytes in
            current.command.payloadChecksum.map { $0 == PayloadChecksum.of(bytes) } ?? true
        }
        world.expect(isWhole, "the payload of frame \(current.command.key) is damaged")
        given(current.requestId, .process(current.command, payload: current.payload))
        decode()
    }

    private func given(_ requestId: UInt64, _ order: SimulatedOrder) {
        if case .process(let command, _) = order {
            let place = StageKey(stage: stage, key: command.key)
            held[requestId] = place
            world.given(self, place, command)
        }
        if case .configure(let command) = order { world.asked(self, command) }
        orders.append((decoder.byteOffset, requestId, order))
    }

    /// Puts bytes into the outbox; `mark` is what the controller knows when it has read them.
    func put(_ bytes: UnsafeRawBufferPointer, _ mark: Mark? = nil) {
        outbox.append(bytes)
        madeByteCount += UInt64(bytes.count)
        if let mark { marks.append((madeByteCount, mark)) }
    }

    /// Puts a message into the outbox.
    func put(
        _ type: MessageType, _ requestId: UInt64, payload: [UInt8] = [], _ mark: Mark? = nil,
        _ write: (inout ByteWriter) -> Void
    ) {
        var writer = ByteWriter()
        writer.beginMessage(type: type.rawValue, requestId: requestId)
        write(&writer)
        do {
            try writer.endMessage(payloadByteCount: payload.count)
        } catch {
            return world.fail("a message of a worker can't be made: \(error)")
        }
        put(writer.bytes, payload.isEmpty ? mark : nil)
        if !payload.isEmpty { payload.withUnsafeBytes { put($0, mark) } }
        if type == .result { lastAnswer = Array(writer.bytes) + payload }
    }

    /// Writes some of what it has made, as the pipe takes it.
    func writeSome(_ limit: Int) {
        guard writesOutput else { return }
        _ = outbox.take(min(limit, max(0, 65536 - pipe.count)), into: &pipe)
    }
}

extension SimulatedOrder {
    /// The meaning of a message to a worker.
    init(_ message: WireMessage) throws {
        var reader = message.reader
        switch MessageType(rawValue: message.header.messageType) {
        case .hello: self = .hello(try Hello(from: &reader))
        case .describe: self = .describe
        case .start: self = .start(try StartCommand(from: &reader))
        case .configure: self = .configure(try ConfigureCommand(from: &reader))
        case .process: self = .process(try ProcessCommand(from: &reader), payload: [])
        case .getStats: self = .getStats
        case .resetStats: self = .resetStats
        case .stop: self = .stop
        case .ping: self = .ping
        default:
            throw SimulationFault(description: "message type \(message.header.messageType)")
        }
    }
}
