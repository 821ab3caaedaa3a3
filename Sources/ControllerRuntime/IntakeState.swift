internal import WorkerProtocol

/// A frame on its way from its source to the engine: accepted, and filled where it has pixels; or
/// several in a row that no stage takes.
struct IntakeFrame: Sendable {
    /// Serial in the run, from 1; that of the first of several.
    var frameId: UInt64
    /// Monotonic nanoseconds of acceptance.
    var acceptedAt: UInt64
    /// Description; the location is final.
    var frame: FrameDescriptor
    /// The source's slot that holds the pixels, nil when there is none.
    var slot: UInt32?
    /// Why the frame can't be read; nil when it can.
    var failure: String?
    /// The first stages that take it, and those that had no room for it; it is not for the others.
    var taken: StageSet
    var overloaded = StageSet()
    /// Number of frames with ids from `frameId` on; more than one only where no stage takes them.
    var count: UInt64 = 1
}

/// First stages by their place among them.
struct StageSet: OptionSet, Sendable, Hashable {
    /// The most first stages of a run that a set can tell apart.
    static let maximumCount = 64

    var rawValue: UInt64 = 0

    init(rawValue: UInt64 = 0) { self.rawValue = rawValue }

    /// The stage at a place.
    init(place: Int) { rawValue = 1 << UInt64(place) }

    /// All of `count` stages.
    init(first count: Int) { rawValue = count >= 64 ? .max : 1 << UInt64(count) - 1 }

    /// Number of stages in it.
    var count: Int { rawValue.nonzeroBitCount }
}

/// A first stage as the intake sees it.
struct IntakeStage: Sendable, Hashable {
    var policy = OverloadPolicy.block
    /// Whether the source waits until it has room.
    var waits = true
    /// Most frames that it may have open: waiting, with workers, being finished.
    var openLimit = Int.max
}

/// What the intake says to a frame that its source announces.
struct Admission: Sendable, Hashable {
    /// Its serial in the run.
    var frameId: UInt64
    /// The first stages that take it; none: it is accounted for, and the source goes on to the next.
    var taken: StageSet
    /// Those that had no room.
    var overloaded = StageSet()
    /// Its slot; nil where it needs none or has to wait for one.
    var slot: UInt32?
}

/// The state behind a `FrameIntake`: which frames are taken, dropped or have to wait. It knows of no
/// thread and no lock.
struct IntakeState: Sendable {
    /// What the source's thread sleeps for.
    enum Scarcity {
        case nothing, entry, slot
    }

    /// The most entries that wait for the engine; then it does not run at all, and frames of stages
    /// that drop are only counted.
    static let maximumReadyCount = 4096

    let stages: [IntakeStage]
    let maximumOpenCount: UInt64
    let slotCount: Int
    /// Whether only the number of open frames decides.
    let isPlain: Bool
    private let all: StageSet
    /// Stages that the source waits for, and those that give up their oldest frame.
    private let waiting: StageSet
    private let replacing: StageSet

    var ready: [IntakeFrame] = []
    var freeSlots: [UInt32]
    /// Frames of the source so far, those passed over included: the id of the last one.
    var position: UInt64 = 0
    /// Frames announced, and frames whose entries were closed.
    private(set) var accepted: UInt64 = 0
    var closed: UInt64 = 0
    /// Frames that each stage took, and those of them that it has closed.
    private var takenOf: [UInt64]
    private var closedOf: [UInt64]
    /// Before these places of `ready` there is no frame that the stage could give up.
    private var oldest: [Int]
    /// No more frames are wanted; those announced still come.
    var isClosed = false
    /// The frame that waits for a slot is not wanted either.
    var isAbandoned = false
    var hasEnded = false
    var failure: String?
    var sourceWaitsFor = Scarcity.nothing
    var engineSleeps = false

    /// Nothing is accepted yet; at most `maximumOpenCount` frames are open where the source waits.
    init(freeSlots: [UInt32], maximumOpenCount: Int, stages: [IntakeStage]) {
        precondition(stages.count <= StageSet.maximumCount)
        self.freeSlots = freeSlots
        self.maximumOpenCount = UInt64(maximumOpenCount)
        self.stages = stages
        slotCount = freeSlots.count
        isPlain = stages.allSatisfy { $0 == IntakeStage() }
        all = StageSet(first: stages.count)
        var (waiting, replacing) = (StageSet(), StageSet())
        for (place, stage) in stages.enumerated() {
            if stage.waits { waiting.insert(StageSet(place: place)) }
            if stage.policy == .dropOldest { replacing.insert(StageSet(place: place)) }
        }
        (self.waiting, self.replacing) = (waiting, replacing)
        takenOf = Array(repeating: 0, count: stages.count)
        closedOf = takenOf
        oldest = Array(repeating: 0, count: stages.count)
    }

    // MARK: Admission

    /// Accepts the next frame. The outer nil: it has to wait; the inner one: no more are wanted.
    mutating func admit(uniqueId: UInt64?, needsSlot: Bool) -> Admission?? {
        if isClosed { return .some(nil) }
        let isOpenLimitReached = accepted - closed >= maximumOpenCount
        if isPlain {
            if isOpenLimitReached { return nil }
            accepted += 1
            position += 1
            return Admission(frameId: position, taken: all)
        }
        guard var admission = decide(frameId: position + 1) else { return nil }
        let waits = !admission.taken.isDisjoint(with: waiting)
        if waits && isOpenLimitReached { return nil }
        accepted += 1
        position += 1
        makeRoom(for: admission)
        if needsSlot && !waits && !admission.taken.isEmpty {
            admission.slot = freeSlots.popLast() ?? slotOfOlder(for: admission.taken)
            if admission.slot == nil {
                admission.overloaded.formUnion(admission.taken)
                count(admission.taken, -1)
                admission.taken = []
            }
        }
        if admission.taken.isEmpty { keepCount(of: admission, uniqueId: uniqueId) }
        return admission
    }

    /// What the stages say to a frame; nil: one of them wants it and has no room yet.
    private func decide(frameId: UInt64) -> Admission? {
        var admission = Admission(frameId: frameId, taken: [])
        let isStuck = ready.count >= Self.maximumReadyCount
        for (place, stage) in stages.enumerated() {
            let bit = StageSet(place: place)
            if isStuck && !stage.waits {
                admission.overloaded.insert(bit)
                continue
            }
            let decision = OverloadDecision(
                stage.policy, frameId: frameId, hasRoom: hasRoom(place), waits: stage.waits,
                hasOlder: older(of: place) != nil)
            switch decision {
            case .take, .replaceOldest: admission.taken.insert(bit)
            case .wait: return nil
            case .drop(.overload): admission.overloaded.insert(bit)
            case .drop(.sample): break
            }
        }
        return admission
    }

    private func hasRoom(_ place: Int) -> Bool {
        takenOf[place] - closedOf[place] < UInt64(clamping: stages[place].openLimit)
    }

    private mutating func makeRoom(for admission: Admission) {
        for place in stages.indices where admission.taken.contains(StageSet(place: place)) {
            if !hasRoom(place), let victim = older(of: place) {
                oldest[place] = victim + 1
                giveUp(victim, for: StageSet(place: place))
            }
        }
        count(admission.taken, 1)
    }

    private mutating func count(_ set: StageSet, _ change: Int) {
        for place in stages.indices where set.contains(StageSet(place: place)) {
            takenOf[place] = takenOf[place] &+ UInt64(bitPattern: Int64(change))
        }
    }

    /// The oldest frame of a stage that the engine has not seen.
    private func older(of place: Int) -> Int? {
        let bit = StageSet(place: place)
        return ready.indices[min(oldest[place], ready.count)...].first {
            ready[$0].taken.contains(bit) && ready[$0].failure == nil
        }
    }

    /// The slot of the oldest frame that only stages want which give up their oldest.
    private mutating func slotOfOlder(for taken: StageSet) -> UInt32? {
        guard !taken.isDisjoint(with: replacing) else { return nil }
        let victim = ready.firstIndex {
            $0.slot != nil && $0.failure == nil && $0.taken.isSubset(of: replacing)
        }
        guard let victim else { return nil }
        giveUp(victim, for: ready[victim].taken)
        return freeSlots.popLast()
    }

    private mutating func giveUp(_ victim: Int, for set: StageSet) {
        ready[victim].taken.subtract(set)
        ready[victim].overloaded.formUnion(set)
        count(set, -1)
        if ready[victim].taken.isEmpty, let slot = ready[victim].slot {
            ready[victim].slot = nil
            ready[victim].frame.location = .inline(byteOffset: 0, byteCount: 0)
            freeSlots.append(slot)
        }
    }

    /// Leaves word of a frame that nobody takes: with those before it, where they are alike.
    private mutating func keepCount(of admission: Admission, uniqueId: UInt64?) {
        let uniqueId = uniqueId ?? admission.frameId
        if let last = ready.last, last.taken.isEmpty, last.overloaded == admission.overloaded,
            last.frameId + last.count == admission.frameId,
            last.frame.uniqueId &+ last.count == uniqueId
        {
            ready[ready.count - 1].count += 1
            return
        }
        ready.append(
            IntakeFrame(
                frameId: admission.frameId, acceptedAt: 0,
                frame: FrameDescriptor(
                    uniqueId: uniqueId, payload: .image(nil),
                    location: .inline(byteOffset: 0, byteCount: 0)),
                taken: [], overloaded: admission.overloaded))
    }

    // MARK: The engine's side

    /// So many frames were accepted and closed in earlier lives of the run.
    mutating func begin(closedCount: UInt64) {
        accepted = closedCount
        closed = closedCount
    }

    /// Gives the frames that are ready in exchange for `frames` (which must be empty), and takes over
    /// what is free and closed. `closedOf` and `roomOf` (the most new frames that each stage could keep)
    /// are not looked at where all have the standard limits.
    mutating func exchange(
        _ frames: inout [IntakeFrame], freedSlots: [UInt32], closed: UInt64, closedOf: [UInt64],
        roomOf: [Int]
    ) {
        freeSlots.append(contentsOf: freedSlots)
        self.closed = closed
        guard !isPlain else { return swap(&ready, &frames) }
        self.closedOf = closedOf
        for place in stages.indices where stages[place].policy == .dropOldest {
            trim(place, to: roomOf[place])
        }
        swap(&ready, &frames)
        for place in oldest.indices { oldest[place] = 0 }
    }

    /// Gives up the oldest frames of a stage that it could not keep: their slots are free for the next
    /// ones at once, and not when the engine has looked at each.
    private mutating func trim(_ place: Int, to room: Int) {
        let bit = StageSet(place: place)
        let fits: (IntakeFrame) -> Bool = { $0.taken.contains(bit) && $0.failure == nil }
        var excess = ready.count(where: fits) - max(0, room)
        for victim in ready.indices where excess > 0 && fits(ready[victim]) {
            giveUp(victim, for: bit)
            excess -= 1
        }
    }

    /// Whether a source that sleeps should go on: for any room, or with `enough` for that of half.
    func hasRoom(enough: Bool) -> Bool {
        let (room, limit): (Int, Int)
        switch sourceWaitsFor {
        case .nothing: return false
        case .slot: (room, limit) = (freeSlots.count, slotCount)
        case .entry:
            // Which of the limits it waits for is found out where it looks again.
            if !isPlain { return true }
            limit = Int(maximumOpenCount)
            room = limit - Int(accepted - closed)
        }
        return room > 0 && (!enough || room * 2 >= limit)
    }
}
