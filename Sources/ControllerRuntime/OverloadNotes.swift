/// What overload policies let go since it was last told in the journal: a line for every frame would
/// cost more than the frames.
struct OverloadNotes {
    /// Frames that one stage let go for one reason.
    struct Note: Hashable {
        var stage: Int
        var reason: OverloadReason
        var count: UInt64
        var firstFrameId: UInt64
        var lastFrameId: UInt64
    }

    /// Shortest time between two lines of a stage and reason.
    static let period: UInt64 = 1_000_000_000

    private var notes: [Note] = []
    private var toldAt: UInt64?
    /// Monotonic nanoseconds at which there is something to tell; nil: there is nothing.
    private(set) var dueAt: UInt64?

    /// Notes `count` frames with ids from `frameId` on.
    mutating func add(
        stage: Int, reason: OverloadReason, frameId: UInt64, count: UInt64, now: UInt64
    ) {
        let last = frameId + count - 1
        if dueAt == nil { dueAt = toldAt.map { max(now, $0 + Self.period) } ?? now }
        // As many entries as stages that drop, twice: a list is as quick as a table.
        guard let place = notes.firstIndex(where: { $0.stage == stage && $0.reason == reason })
        else {
            notes.append(
                Note(
                    stage: stage, reason: reason, count: count, firstFrameId: frameId,
                    lastFrameId: last))
            return
        }
        notes[place].count += count
        notes[place].firstFrameId = min(notes[place].firstFrameId, frameId)
        notes[place].lastFrameId = max(notes[place].lastFrameId, last)
    }

    /// What is to be told when it is due at `now`; with `all` also when it is not.
    mutating func take(now: UInt64, all: Bool = false) -> [Note] {
        guard let dueAt, all || now >= dueAt else { return [] }
        defer { notes.removeAll(keepingCapacity: true) }
        toldAt = now
        self.dueAt = nil
        return notes
    }
}
