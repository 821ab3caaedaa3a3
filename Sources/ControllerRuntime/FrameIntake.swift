internal import Pipes
internal import Synchronization

/// The place where the source's thread and the engine's meet: frames one way, free slots the other.
///
/// Both sides take the lock once for many frames when they are busy, and wake the other only when it sleeps.
final class FrameIntake: Sendable {
    private let state: Mutex<IntakeState>
    /// Up when a source that waits should look again.
    let sourceFlag: EventFlag
    private let wakeEngine: @Sendable () -> Void
    /// Whether the engine looks at every frame at once, because an old one may have to go for it.
    let looksAlways: Bool

    /// An intake with these free slots; at most `maximumOpenCount` frames are open at a time where the
    /// source waits for stages, which are all that have the standard limits.
    init(
        freeSlots: [UInt32], maximumOpenCount: Int, stages: [IntakeStage] = [IntakeStage()],
        wakeEngine: @escaping @Sendable () -> Void
    ) throws(PipeError) {
        state = Mutex(
            IntakeState(
                freeSlots: freeSlots, maximumOpenCount: maximumOpenCount, stages: stages))
        sourceFlag = try EventFlag()
        self.wakeEngine = wakeEngine
        looksAlways = stages.contains { $0.policy == .dropOldest }
    }

    // MARK: The source's side

    /// Opens a frame; nil when no more frames are wanted. Waits while stages that the source waits for
    /// have no room. Frames that no stage takes are accounted for here; nobody is woken for them.
    func admit(uniqueId: UInt64?, needsSlot: Bool) -> Admission? {
        wait { admitAtOnce(uniqueId: uniqueId, needsSlot: needsSlot) }
    }

    /// The same for a source that does not wait: the outer nil says that it would have to, until
    /// `sourceFlag` is up.
    func admitAtOnce(uniqueId: UInt64?, needsSlot: Bool) -> Admission?? {
        state.withLock { state in
            let admission = state.admit(uniqueId: uniqueId, needsSlot: needsSlot)
            state.sourceWaitsFor = admission == nil ? .entry : .nothing
            return admission
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

    /// The same for a source that does not wait, as `admitAtOnce`.
    func takeSlotAtOnce() -> UInt32?? {
        state.withLock { state in
            let found: UInt32?? =
                if let slot = state.freeSlots.popLast() {
                    .some(slot)
                } else {
                    state.isAbandoned ? .some(nil) : nil
                }
            state.sourceWaitsFor = found == nil ? .slot : .nothing
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
        state.withLock { $0.begin(closedCount: closedCount) }
    }

    /// What the engine finds when it looks.
    struct Delivery {
        var hasEnded = false
        var failure: String?
    }

    /// Swaps the frames that are ready into `frames` (which must be empty) and gives back freed slots.
    /// `closed` is the number of source frames that are closed, `closedOf` that of the frames which each
    /// first stage took and has closed, `roomOf` that of new ones which it could keep if all that wait
    /// went (both are not looked at where all have the standard limits).
    /// `backlog` is how many frames wait beyond what workers could take now; negative: they want more.
    ///
    /// Waking a thread for every frame costs more than a frame. So the engine, where it goes to sleep
    /// now, is woken for new frames only while workers want some; and a source that waits is
    /// woken when it has room for half of all frames, or at once where workers want more than there are.
    func exchange(
        _ frames: inout [IntakeFrame], freedSlots: inout [UInt32], closed: UInt64,
        closedOf: [UInt64] = [], roomOf: [Int] = [], backlog: Int
    ) -> Delivery {
        var wake = false
        let delivery = state.withLock { state in
            state.exchange(
                &frames, freedSlots: freedSlots, closed: closed, closedOf: closedOf, roomOf: roomOf)
            if state.hasRoom(enough: backlog + frames.count >= 0) {
                wake = true
                state.sourceWaitsFor = .nothing
            }
            state.engineSleeps = (backlog < 0 || looksAlways) && frames.isEmpty
            return Delivery(hasEnded: state.hasEnded, failure: state.failure)
        }
        freedSlots.removeAll(keepingCapacity: true)
        if wake { sourceFlag.signal() }
        return delivery
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
