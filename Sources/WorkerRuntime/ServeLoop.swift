internal import DataProcessing
internal import FrameReaders
internal import Glibc
internal import NDArrays
internal import Pipes
internal import Synchronization
internal import Wire
internal import WorkerProtocol

/// What the main thread of a worker does: take a message, carry it out, answer. Everything here is its
/// own; what it shares with the control thread is in the core, which `next` gets under the lock.
///
/// A struct, because the compiler then proves its accesses exclusive; in a class each of them, dozens
/// a frame, would be checked while it runs.
struct ServeLoop: ~Copyable {
    /// What to do next, outside the lock.
    enum Step: Equatable {
        /// Wait for input.
        case read
        /// Process the frame at hand.
        case frame
        /// Carry out the command at hand.
        case command
        /// Ask the processors for their own statistics.
        case refreshStatistics
        /// End.
        case leave
    }

    /// Results wait for the end of a batch, but not beyond this many bytes (a quarter of a pipe) …
    static let maximumPendingByteCount = 16 << 10
    /// … and not behind a frame that will be long, judged by the one before: a system call every 200 µs
    /// costs half a percent.
    static let longFrameNanoseconds: UInt64 = 200_000
    /// How often the snapshot of the processors' own statistics is renewed between frames, while
    /// somebody asks for statistics at all (in the last ten seconds).
    static let statisticsPeriodNanoseconds: UInt64 = 100_000_000
    static let statisticsInterestNanoseconds: UInt64 = 10_000_000_000

    let runtime: WorkerRuntime
    let input: InputPort
    var exit = WorkerExit.stopped
    /// Whether the stop hooks have been called, so that the answer is the last thing to do.
    var hasStopped = false

    // The command at hand.
    var requestId: UInt64 = 0
    var command = Command.ping

    // The frame at hand.
    var order = ProcessCommand(
        key: FrameKey(frameId: 0), configurationVersion: 0,
        frame: FrameDescriptor(
            uniqueId: 0, payload: .bytes(typeName: ""),
            location: .inline(byteOffset: 0, byteCount: 0)))
    var pixels = InlinePixels()
    var payloadByteCount = 0
    var isFrameDone = false
    var result = FrameResult(outcome: .processed, uniqueId: 0)
    /// A version that was applied or refused just now, to be told before the result.
    var news: Configured?
    /// Set when a processor can't be used any more: nothing behind the present message is touched.
    var broken: WorkerEnding?
    var lastNanoseconds: UInt64 = 0
    var endedNanoseconds: UInt64 = 0
    var refreshedNanoseconds: UInt64 = 0

    // The processors.
    let frame = Frame()
    let memory = WorkerFrameMemory()
    let reader = FrameFileReader()
    var chain: ProcessorChain?
    var history = ConfigurationHistory(version: 0, configurations: [])
    var staging = StagedOutputFiles(runName: "")
    var pools = MappedPools()
    var status: StatusWords?
    var greeting = Hello()
    /// The version of the protocol that was agreed on.
    var version = ProtocolVersion.current
    var parts: [iovec] = []

    init(_ runtime: WorkerRuntime) {
        self.runtime = runtime
        input = runtime.input
    }

    /// Serves until the end.
    mutating func run() -> WorkerExit {
        let runtime = runtime
        while true {
            let step = runtime.core.withLock { core in next(&core) }
            switch step {
            case .read: read()
            case .frame: processFrame()
            case .command: carryOut()
            case .refreshStatistics: refreshStatistics()
            case .leave: return exit
            }
        }
    }

    /// Waits for input; what goes wrong is found by `next`.
    private mutating func read() {
        do throws(WorkerEnding) {
            try input.fill()
        } catch {
            runtime.core.withLock { $0.ending = error }
        }
    }

    /// Ends what was done outside the lock and takes messages up to one that needs to be carried out
    /// there.
    private mutating func next(_ core: inout WorkerCore) -> Step {
        core.leaveUserCode()
        do throws(WorkerEnding) {
            if isFrameDone {
                try finishFrame(&core)
                if broken == nil, isRefreshDue(core) { return enter(.refreshStatistics, &core) }
            }
            if let broken {
                try core.flush(to: runtime.output)
                throw broken
            }
            while !hasStopped {
                let step: Step?
                if let queued = core.queue.popFirst() {
                    step = try take(queued, &core)
                } else if let ending = core.ending {
                    throw ending
                } else if let message = try input.next() {
                    step = try take(message, &core)
                } else {
                    step = .read
                }
                guard let step else { continue }
                if step == .read { try core.flush(to: runtime.output) }
                return step
            }
            try core.flush(to: runtime.output)
            return .leave
        } catch {
            return leave(error, &core)
        }
    }

    /// Ends with a line for people, and an answer where the other side speaks another version.
    private mutating func leave(_ ending: WorkerEnding, _ core: inout WorkerCore) -> Step {
        runtime.tell("error", ending.sentence)
        exit = ending.exit
        if ending.isForeignVersion, core.life.state == .spawned {
            exit = .unusable
            core.welcome(requestId: 0, version: 0, software: runtime.software)
            // Whether it arrives makes no difference any more.
            try? core.flush(to: runtime.output)
        }
        return .leave
    }

    /// Goes into user code, which the control thread has to know.
    private mutating func enter(_ step: Step, _ core: inout WorkerCore) -> Step {
        if core.enterUserCode() { runtime.wake.signal() }
        return step
    }

    // MARK: Taking messages

    private mutating func take(
        _ message: WireMessage, _ core: inout WorkerCore
    ) throws(WorkerEnding) -> Step? {
        let isFrame = message.header.messageType == MessageType.process.rawValue
        do throws(WireError) {
            requestId = message.header.requestId
            if isFrame {
                var reader = message.reader
                try order.read(from: &reader)
            } else {
                command = try Command(message)
            }
        } catch {
            throw WorkerEnding(error)
        }
        guard isFrame else { return try takeCommand(&core) }
        payloadByteCount = Int(message.header.payloadByteCount)
        if payloadByteCount > 0 {
            try input.readPayload(
                into: pixels.reserve(payloadByteCount), checksum: order.payloadChecksum)
        }
        return try takeFrame(&core)
    }

    /// A message that the control thread has read.
    private mutating func take(
        _ queued: QueuedMessage, _ core: inout WorkerCore
    ) throws(WorkerEnding) -> Step? {
        switch queued {
        case .command(let id, let queuedCommand):
            (requestId, command) = (id, queuedCommand)
            return try takeCommand(&core)
        case .frame(let id, let queuedOrder, let queuedPixels, let byteCount):
            (requestId, order, payloadByteCount) = (id, queuedOrder, byteCount)
            if let queuedPixels { pixels = queuedPixels }
            return try takeFrame(&core)
        }
    }

    private mutating func takeFrame(_ core: inout WorkerCore) throws(WorkerEnding) -> Step? {
        if let refusal = core.life.refusal(of: .process) {
            core.reply(.failure(refusal), to: requestId)
            return nil
        }
        if core.writer.byteCount > Self.maximumPendingByteCount
            || lastNanoseconds > Self.longFrameNanoseconds
        {
            try core.flush(to: runtime.output)
        }
        return enter(.frame, &core)
    }

    private mutating func takeCommand(_ core: inout WorkerCore) throws(WorkerEnding) -> Step? {
        guard let type = command.type else {
            core.reply(.failure(command.refusalAsUnknown), to: requestId)
            return nil
        }
        if let refusal = core.life.refusal(of: type) {
            core.reply(.failure(refusal), to: requestId)
            return nil
        }
        if type == .ping {
            core.reply(.success, to: requestId)
            return nil
        }
        // Hooks may take long: the results of before do not wait for them.
        try core.flush(to: runtime.output)
        return enter(.command, &core)
    }

    private func isRefreshDue(_ core: borrowing WorkerCore) -> Bool {
        core.statisticsAskedNanoseconds > 0
            && endedNanoseconds > refreshedNanoseconds &+ Self.statisticsPeriodNanoseconds
            && endedNanoseconds
                < core.statisticsAskedNanoseconds &+ Self.statisticsInterestNanoseconds
    }
}
