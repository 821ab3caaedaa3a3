internal import NDArrays
internal import Pipes
internal import Synchronization
internal import WorkerProtocol

/// A frame on its way from its source to the engine: accepted, and filled where it has pixels.
struct IntakeFrame: Sendable {
    /// Serial in the run, from 1.
    var frameId: UInt64
    /// Monotonic nanoseconds of acceptance.
    var acceptedAt: UInt64
    /// Description; the location is final.
    var frame: FrameDescriptor
    /// The source's slot that holds the pixels, nil when there is none.
    var slot: UInt32?
    /// Why the frame can't be read; nil when it can.
    var failure: String?
}

/// The place where the source's thread and the engine's meet: frames one way, free slots the other.
///
/// Both sides take the lock once for many frames when they are busy, and wake the other only when it sleeps.
final class FrameIntake: Sendable {
    /// What the source's thread sleeps for.
    private enum Scarcity {
        case nothing, entry, slot
    }

    private struct State {
        var ready: [IntakeFrame] = []
        var freeSlots: [UInt32]
        /// Frames of the source so far, those passed over included: the id of the last one.
        var position: UInt64 = 0
        /// Frames announced, and frames whose entries were closed.
        var accepted: UInt64 = 0
        var closed: UInt64 = 0
        /// No more frames are wanted; those announced still come.
        var isClosed = false
        /// The frame that waits for a slot is not wanted either.
        var isAbandoned = false
        var hasEnded = false
        var failure: String?
        var sourceWaitsFor = Scarcity.nothing
        var engineSleeps = false
    }

    private let state: Mutex<State>
    /// Up when a source that waits should look again.
    let sourceFlag: EventFlag
    private let wakeEngine: @Sendable () -> Void
    private let maximumOpenCount: UInt64
    private let slotCount: Int

    /// An intake with these free slots; at most `maximumOpenCount` frames are open at a time.
    init(
        freeSlots: [UInt32], maximumOpenCount: Int, wakeEngine: @escaping @Sendable () -> Void
    ) throws(PipeError) {
        state = Mutex(State(freeSlots: freeSlots))
        sourceFlag = try EventFlag()
        self.maximumOpenCount = UInt64(maximumOpenCount)
        slotCount = freeSlots.count
        self.wakeEngine = wakeEngine
    }

    // MARK: The source's side

    /// Opens a frame and returns its id; nil when no more frames are wanted. Waits while too many are open.
    func accept() -> UInt64? { wait { acceptAtOnce() } }

    /// The same for a source that does not wait: the outer nil says that it would have to, until
    /// `sourceFlag` is up.
    func acceptAtOnce() -> UInt64?? {
        look(for: .entry) { state in
            if state.isClosed { return .some(nil) }
            guard state.accepted - state.closed < maximumOpenCount else { return nil }
            state.accepted += 1
            state.position += 1
            return .some(state.position)
        }
    }

    /// Passes a frame over that an earlier life of the run has closed; false when no more are wanted.
    func pass() -> Bool {
        state.withLock { state in
            state.position += 1
            return !state.isClosed
        }
    }

    /// A slot for the frame accepted last. Waits until there is one; nil when the run stops at once.
    func takeSlot() -> UInt32? { wait { takeSlotAtOnce() } }

    /// The same for a source that does not wait, as `acceptAtOnce`.
    func takeSlotAtOnce() -> UInt32?? {
        look(for: .slot) { state in
            if let slot = state.freeSlots.popLast() { return .some(slot) }
            return state.isAbandoned ? .some(nil) : nil
        }
    }

    private func look<Value: Sendable>(
        for scarcity: Scarcity, _ condition: (inout State) -> Value??
    ) -> Value?? {
        state.withLock { state in
            let found = condition(&state)
            state.sourceWaitsFor = found == nil ? scarcity : .nothing
            return found
        }
    }

    private func wait<Value>(until look: () -> Value??) -> Value? {
        while true {
            if let found = look() { return found }
            waitForEngine()
        }
    }

    private func waitForEngine() {
        do {
            _ = try sourceFlag.wait()
        } catch {
            // poll(2) of an own eventfd fails only when the kernel is out of memory; asking again
            // is all that can be done, and the loop does.
        }
    }

    /// Hands a frame to the engine.
    func submit(_ frame: IntakeFrame) {
        let wake = state.withLock { state in
            state.ready.append(frame)
            let wake = state.engineSleeps
            state.engineSleeps = false
            return wake
        }
        if wake { wakeEngine() }
    }

    /// Tells that no more frames come, with the reason when the source could not go on.
    func end(failure: String?) {
        state.withLock { state in
            state.hasEnded = true
            state.failure = failure
        }
        wakeEngine()
    }

    /// Waits until `deadline` (monotonic nanoseconds) or until no more frames are wanted: then false.
    func sleep(until deadline: UInt64) -> Bool {
        while true {
            if state.withLock({ $0.isClosed }) { return false }
            let now = MonotonicClock.now()
            if now >= deadline { return true }
            let milliseconds = (deadline - now - 1) / 1_000_000 + 1
            do {
                _ = try sourceFlag.wait(
                    timeoutMilliseconds: Int32(clamping: min(milliseconds, 1000)))
            } catch {
                return true
            }
        }
    }

    // MARK: The engine's side

    /// So many frames were accepted and closed in earlier lives of the run.
    func begin(closedCount: UInt64) {
        state.withLock { state in
            state.accepted = closedCount
            state.closed = closedCount
        }
    }

    /// What the engine finds when it looks.
    struct Delivery {
        var hasEnded = false
        var failure: String?
    }

    /// Swaps the frames that are ready into `frames` (which must be empty) and gives back freed slots.
    /// `backlog` is how many frames wait beyond what workers could take now; negative: they want more.
    ///
    /// Waking a thread for every frame costs more than a frame. So the engine, where it goes to sleep
    /// now, is woken for new frames only while workers want some; and a source that waits is
    /// woken when it has room for half of all frames, or at once where workers want more than there are.
    func exchange(
        _ frames: inout [IntakeFrame], freedSlots: inout [UInt32], closed: UInt64, backlog: Int
    ) -> Delivery {
        var wake = false
        let delivery = state.withLock { state in
            swap(&state.ready, &frames)
            state.freeSlots.append(contentsOf: freedSlots)
            state.closed = closed
            if hasRoom(state, enough: backlog + frames.count >= 0) {
                wake = true
                state.sourceWaitsFor = .nothing
            }
            state.engineSleeps = backlog < 0 && frames.isEmpty
            return Delivery(hasEnded: state.hasEnded, failure: state.failure)
        }
        freedSlots.removeAll(keepingCapacity: true)
        if wake { sourceFlag.signal() }
        return delivery
    }

    /// Whether a source that sleeps should go on: for any room, or with `enough` for that of half.
    private func hasRoom(_ state: borrowing State, enough: Bool) -> Bool {
        let (room, limit): (Int, Int)
        switch state.sourceWaitsFor {
        case .nothing: return false
        case .slot: (room, limit) = (state.freeSlots.count, slotCount)
        case .entry:
            limit = Int(maximumOpenCount)
            room = limit - Int(state.accepted - state.closed)
        }
        return room > 0 && (!enough || room * 2 >= limit)
    }

    /// Frames announced so far.
    var accepted: UInt64 { state.withLock { $0.accepted } }

    /// Takes no more frames. Those announced still come; with `isImmediate` without waiting for a slot.
    func close(isImmediate: Bool) {
        state.withLock { state in
            state.isClosed = true
            state.isAbandoned = state.isAbandoned || isImmediate
        }
        sourceFlag.signal()
    }
}

/// The source's slots, for the source's thread.
///
/// Unchecked: the thread only asks for the bytes of slots that the intake gave it, and the base
/// address of a pool never changes.
struct SourceSlots: @unchecked Sendable {
    private let pool: SlotPool

    /// The slots of `pool`.
    init(_ pool: SlotPool) { self.pool = pool }

    /// The bytes of a slot.
    func bytes(of slot: UInt32) -> UnsafeMutableRawBufferPointer { pool.bytes(of: slot) }
}

/// Runs a source on its own thread: announce, accept, take a slot, fill, submit.
struct SourceDriver: Sendable {
    let source: any FrameSource
    let intake: FrameIntake
    /// The source's pool and its slots; nil when the source sends references only.
    let pool: SourceSlots?
    let slotByteCount: Int
    /// Most frames per second; nil: no limit.
    let rateLimit: Double?
    /// Frames that earlier lives of the run have closed: they are passed over.
    var closed = FrameIdRanges()

    /// Takes frames until the source ends, fails or is told to end.
    func run() {
        let start = MonotonicClock.now()
        var (count, position): (UInt64, UInt64) = (0, 0)
        do {
            while true {
                if let rateLimit {
                    let wait = UInt64(exactly: (Double(count) / rateLimit * 1e9).rounded()) ?? .max
                    guard intake.sleep(until: MonotonicClock.time(start, plus: wait)) else {
                        break
                    }
                }
                guard let announcement = try source.next() else { break }
                position += 1
                if closed.contains(position) {
                    if intake.pass() { continue }
                    break
                }
                guard let frameId = intake.accept() else { break }
                count += 1
                intake.submit(prepare(announcement, frameId: frameId))
            }
            intake.end(failure: nil)
        } catch {
            intake.end(failure: "\(error)")
        }
    }

    private func prepare(_ announcement: FrameAnnouncement, frameId: UInt64) -> IntakeFrame {
        var result = IntakeFrame(
            frameId: frameId, acceptedAt: MonotonicClock.now(),
            frame: FrameDescriptor(
                uniqueId: announcement.uniqueId ?? frameId, timeStamp: announcement.timeStamp,
                payload: .image(nil), location: .inline(byteOffset: 0, byteCount: 0),
                attributes: announcement.attributes, sourceName: announcement.sourceName))
        switch announcement.content {
        case .reference(let format, let path, let index):
            result.frame.location = .reference(format: format, path: path, index: UInt64(index))
        case .structure(let structure, let typeName):
            result.frame.payload = .structure(structure, typeName: typeName)
        case .unreadable(let reason):
            result.failure = reason
        case .image(let layout, let byteCount):
            result.frame.payload = .image(layout)
            fill(&result, byteCount: byteCount)
        case .bytes(let byteCount, let typeName):
            result.frame.payload = .bytes(typeName: typeName)
            fill(&result, byteCount: byteCount)
        }
        return result
    }

    private func fill(_ frame: inout IntakeFrame, byteCount: Int) {
        guard let pool, (0...slotByteCount).contains(byteCount) else {
            frame.failure =
                "the frame has \(byteCount) bytes, a slot \(slotByteCount); set a larger slot size"
            return
        }
        guard let slot = intake.takeSlot() else {
            frame.failure = "the run was stopped before the frame had a place"
            return
        }
        frame.slot = slot
        do {
            try source.fill(
                UnsafeMutableRawBufferPointer(rebasing: pool.bytes(of: slot)[..<byteCount]))
            frame.frame.location = .slot(pool: 0, slot: slot, byteCount: UInt64(byteCount))
        } catch {
            frame.failure = "\(error)"
        }
    }
}
