internal import NDArrays
internal import WorkerProtocol

/// Where the bytes of an open entry lie.
enum EntryBytes {
    /// Nowhere here: a reference, or a structure that is in the message.
    case none
    /// In a slot, of which the entry is a holder.
    case slot(pool: UInt16, slot: UInt32, byteCount: Int)
    /// In memory that came inline.
    case inline(InlineBuffer, byteOffset: Int, byteCount: Int)
}

/// One frame in one stage, from its acceptance there to its outcome.
struct Entry {
    /// Number of "no worker".
    static let noWorker: Int32 = -1

    var isOpen = false
    /// Counts the uses of this place, so that a late answer is recognised.
    var generation: UInt32 = 0
    var key = FrameKey(frameId: 0)
    var stage = 0
    /// Place of the source frame in the table of roots.
    var root = 0
    /// Monotonic nanoseconds of acceptance in the stage.
    var acceptedAt: UInt64 = 0
    var frame = FrameDescriptor(uniqueId: 0, payload: .image(nil), location: .sameAsInput)
    var bytes = EntryBytes.none
    /// How many workers died of it.
    var attempt: UInt32 = 0
    /// Whether a worker has or had it: then it is not let go to make room.
    var wasDispatched = false
    /// The configuration it was first dispatched with, nil before.
    var configurationVersion: UInt64?
    /// The worker that has it, `noWorker` while it waits or is being committed.
    var worker = Entry.noWorker
    /// The worker that had it last.
    var lastWorker = Entry.noWorker
    /// What its result says: bytes in and out, and how many outputs go on, or went where nobody follows.
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0
    var outputCount: UInt32 = 0
    /// Whether the ledger has its closing: the committer writes that of a frame with files.
    var isRecorded = false
    /// Whether an earlier life of the run has closed it, and only what comes out of it is wanted again.
    var isRepeated = false
    /// What it was called where it was sealed, entered for it.
    var claims: [FrameClaim] = []
    /// Output slots that the worker may fill.
    var leasedSlots: [UInt32] = []
    /// Whether it came back because the place of its files could not take them.
    var wasHeld = false
    /// A worker was lost with it, and it may have been the cause.
    var isSuspect = false
    /// The result that waits for its files to be committed.
    var result: FrameResult?
    var resultPayload: InlineBuffer?
}

/// The open entries of all stages, found by number in constant time.
struct EntryTable {
    private(set) var entries: [Entry] = []
    private var free: [Int] = []
    /// Number of open entries.
    private(set) var openCount = 0

    /// The entry at a place; its fields may be changed in place.
    subscript(place: Int) -> Entry {
        _read { yield entries[place] }
        _modify { yield &entries[place] }
    }

    /// Number of places, open or not.
    var count: Int { entries.count }

    /// An open entry with empty fields.
    mutating func open() -> Int {
        openCount += 1
        if let place = free.popLast() {
            entries[place].isOpen = true
            return place
        }
        entries.append(Entry())
        entries[entries.count - 1].isOpen = true
        return entries.count - 1
    }

    /// Closes an entry and frees its place; what it holds must have been released.
    mutating func close(_ place: Int) {
        precondition(entries[place].isOpen)
        let generation = entries[place].generation
        entries[place] = Entry()
        entries[place].generation = generation &+ 1
        free.append(place)
        openCount -= 1
    }

    /// The request id under which the entry at `place` is dispatched; never 0, top bit never set.
    func requestId(of place: Int) -> UInt64 {
        UInt64(entries[place].generation & 0x3FFF_FFFF) << 32 | UInt64(place + 1)
    }

    /// The open entry that a request id names, nil when it is none (any more).
    func place(ofRequest requestId: UInt64) -> Int? {
        let place = Int(requestId & 0xFFFF_FFFF) - 1
        guard place >= 0, place < entries.count, entries[place].isOpen,
            requestId >> 32 == UInt64(entries[place].generation & 0x3FFF_FFFF)
        else { return nil }
        return place
    }
}

/// A source frame with everything that came out of it.
struct Root {
    var frameId: UInt64 = 0
    var acceptedAt: UInt64 = 0
    /// Open entries of the frame and its descendants.
    var openEntries = 0
    /// What became of it so far.
    var outcome = RootOutcome()
}

/// What became of a source frame, by the outcomes of its entries without successors.
///
/// What a policy let go counts only when nothing else became of the frame: a preview that skips it does
/// not undo the analysis that had it.
struct RootOutcome: Equatable, Sendable {
    private var worst: FrameFate?
    private var overload: OverloadReason?

    /// Takes the outcome of an entry; with the reason where a policy let it go.
    mutating func conclude(_ fate: FrameFate, _ reason: OverloadReason? = nil) {
        if let reason {
            overload = max(overload ?? reason, reason)
        } else {
            worst = max(worst ?? fate, fate)
        }
    }

    /// Why policies let all of it go; nil when it has another outcome.
    var letGoBecause: OverloadReason? { worst == nil ? overload : nil }

    /// The worst outcome.
    var fate: FrameFate { worst ?? (overload == nil ? .filtered : .dropped) }
}

/// What became of a frame, from best to worst for the account of its source frame.
enum FrameFate: Int, Comparable, CaseIterable, Sendable {
    case filtered = 0
    case processed = 1
    case dropped = 2
    case failed = 3
    case quarantined = 4

    static func < (left: FrameFate, right: FrameFate) -> Bool { left.rawValue < right.rawValue }

    /// The word in files.
    var name: String {
        switch self {
        case .filtered: "filtered"
        case .processed: "processed"
        case .dropped: "dropped"
        case .failed: "failed"
        case .quarantined: "quarantined"
        }
    }
}

/// The source frames that are not closed yet.
struct RootTable {
    private var roots: [Root] = []
    private var free: [Int] = []
    /// Number of open source frames.
    private(set) var openCount = 0

    /// The root at a place.
    subscript(place: Int) -> Root {
        _read { yield roots[place] }
        _modify { yield &roots[place] }
    }

    /// An open root.
    mutating func open(frameId: UInt64, acceptedAt: UInt64) -> Int {
        openCount += 1
        let root = Root(frameId: frameId, acceptedAt: acceptedAt)
        if let place = free.popLast() {
            roots[place] = root
            return place
        }
        roots.append(root)
        return roots.count - 1
    }

    /// Closes a root and frees its place.
    mutating func close(_ place: Int) {
        free.append(place)
        openCount -= 1
    }
}
