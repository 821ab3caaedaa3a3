internal import DataProcessing
internal import Pipes
internal import Synchronization
internal import Wire
internal import WorkerProtocol

/// What the second thread of a worker does: nothing, as long as frames are short. When the main thread
/// stays in user code from one tick to the next, this one reads in its place, answers `ping` and
/// `getStats`, queues the rest, and ends the process when the controller goes away meanwhile.
struct ControlLoop {
    /// Time between two looks at the main thread; twice this is the most that `getStats` waits.
    static let tickMilliseconds: Int32 = 5
    /// Looks in a row (50 ms) that find nothing to do before the thread parks, so that an idle worker
    /// costs nothing, also between the gatherings of statistics.
    static let maximumIdleTickCount = 10

    private let runtime: WorkerRuntime

    init(_ runtime: WorkerRuntime) { self.runtime = runtime }

    private enum Look {
        /// The number of the stay that the main thread is in, and of the last one.
        case at(stay: UInt64?, count: UInt64)
        case park
        case end
    }

    /// Runs until the main thread has left.
    func run() {
        var lastStay: UInt64?
        var lastCount: UInt64 = 0
        var idleTickCount = Self.maximumIdleTickCount
        while true {
            let mayPark = idleTickCount >= Self.maximumIdleTickCount
            switch look(mayPark: mayPark) {
            case .end: return
            case .park:
                wait(milliseconds: -1)
                idleTickCount = 0
            case .at(let stay, let count):
                if let stay, stay == lastStay { standIn(for: stay) }
                idleTickCount = stay == nil && count == lastCount ? idleTickCount + 1 : 0
                (lastStay, lastCount) = (stay, count)
            }
            wait(milliseconds: Self.tickMilliseconds)
        }
    }

    private func look(mayPark: Bool) -> Look {
        runtime.core.withLock { core in
            if core.hasLeft { return .end }
            if mayPark, core.stay == nil {
                core.isControlParked = true
                return .park
            }
            return .at(stay: core.stay, count: core.stayCount)
        }
    }

    /// Waits to be woken. An error would make the loop spin, and can't be: the flag is ours.
    private func wait(milliseconds: Int32) {
        do throws(PipeError) {
            _ = try runtime.wake.wait(timeoutMilliseconds: milliseconds)
        } catch {
            runtime.tell("error", "\(error)")
            runtime.endAtOnce(.unusable)
        }
    }

    // MARK: In the place of the main thread

    private enum Next {
        /// More may come.
        case poll
        /// The queue is full, or nothing more can be read.
        case pause
        /// The main thread is back.
        case back
        case end(WorkerEnding)
    }

    /// Reads and answers for as long as the main thread is in this stay.
    private func standIn(for stay: UInt64) {
        var isReadable = false
        while true {
            let next = runtime.core.withLock { core in
                serve(&core, stay: stay, isReadable: isReadable)
            }
            isReadable = false
            switch next {
            case .back: return
            case .pause: wait(milliseconds: Self.tickMilliseconds)
            case .poll:
                do throws(PipeError) {
                    isReadable = try runtime.input.descriptor.waitUntil(
                        .readable, timeoutMilliseconds: Self.tickMilliseconds)
                } catch {
                    return leave(WorkerEnding(error))
                }
            case .end(let ending): return leave(ending)
            }
        }
    }

    private func leave(_ ending: WorkerEnding) {
        runtime.tell("error", ending.sentence)
        runtime.endAtOnce(ending.exit)
    }

    private func serve(_ core: inout WorkerCore, stay: UInt64, isReadable: Bool) -> Next {
        guard core.stay == stay else { return .back }
        if core.ending != nil || core.hasReadStop { return .pause }
        do throws(WorkerEnding) {
            // Nobody else reads: what poll(2) has seen is still there, so this does not wait.
            if isReadable { try runtime.input.fill() }
            while core.queue.hasRoom, let message = try runtime.input.next() {
                try take(message, &core)
            }
            try core.flush(to: runtime.output)
            return core.queue.hasRoom ? .poll : .pause
        } catch {
            // Damage is the main thread's to tell, after the frames that came before it.
            if error.exit == .orphaned { return .end(error) }
            core.ending = error
            return .pause
        }
    }

    private func take(
        _ message: WireMessage, _ core: inout WorkerCore
    ) throws(WorkerEnding) {
        let isFrame = message.header.messageType == MessageType.process.rawValue
        if isFrame { return try takeFrame(message, &core) }
        let id = message.header.requestId
        do throws(WireError) {
            let command = try Command(message)
            switch command {
            case .ping: core.reply(.success, to: id)
            case .getStats:
                if let refusal = core.life.refusal(of: .getStats) {
                    core.reply(.failure(refusal), to: id)
                } else {
                    core.writeStatistics(to: id, nanoseconds: monotonicNanoseconds())
                }
            case .stop:
                core.hasReadStop = true
                core.queue.append(.command(requestId: id, command))
            case .hello, .describe, .start, .configure, .resetStats, .unknown:
                core.queue.append(.command(requestId: id, command))
            }
        } catch {
            throw WorkerEnding(error)
        }
    }

    private func takeFrame(
        _ message: WireMessage, _ core: inout WorkerCore
    ) throws(WorkerEnding) {
        let order: ProcessCommand
        do throws(WireError) {
            var reader = message.reader
            order = try ProcessCommand(from: &reader)
        } catch {
            throw WorkerEnding(error)
        }
        let requestId = message.header.requestId
        let byteCount = Int(message.header.payloadByteCount)
        var pixels: InlinePixels?
        if byteCount > 0 {
            let fresh = InlinePixels()
            try runtime.input.readPayload(
                into: fresh.reserve(byteCount), checksum: order.payloadChecksum)
            pixels = fresh
        }
        core.queue.append(
            .frame(requestId: requestId, order, pixels, payloadByteCount: byteCount))
    }
}
