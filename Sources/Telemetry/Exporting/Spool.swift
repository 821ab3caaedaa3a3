internal import Synchronization

/// Why records were lost, by the name that statistics use.
public enum DropReason: String, Sendable, Hashable, CaseIterable {
    /// The spool was full, and the oldest had to go.
    case overflowOldest = "overflow-oldest"
    /// The spool was full, and the new one was not taken.
    case overflowNewest = "overflow-newest"
    /// The spool was full, and no room came within the time limit.
    case blockedTooLong = "blocked-too-long"
    /// The spool could not be written, such as on a full disk.
    case spoolFailed = "spool-failed"
    /// What was in the spool was damaged.
    case corrupt
    /// A record above the limit of the spool.
    case tooLarge = "too-large"
    /// The exporter saves nothing, and the destination did not take it.
    case notSaved = "not-saved"
    /// The destination failed for longer than the retry policy allows.
    case retryTimeOver = "retry-time-over"
    /// It can never succeed and there was no room in the file of dead letters, or none is kept.
    case deadLetterNotKept = "dead-letter-not-kept"
    /// The exporter was stopped with a spool in memory.
    case stopped
    /// No exporter of that name came back, and there was no room to keep it aside.
    case unclaimed
}

/// Records that destinations owe, in memory or on disk; in which order they came, each destination gets
/// them.
///
/// A record has the set of destinations that owe it. Each acknowledges on its own, and none gets a record
/// again that it acknowledged. The lock is held while a file is written: a few microseconds as a rule, and
/// those who wait for it are those who want to write as well; nothing of a frame's way waits for it.
public final class Spool: Sendable {
    private struct State: Sendable {
        var store: any SpoolStore
        var directory: String?
        var drops: [String: [DropReason: Int]] = [:]
        var corruptRecords = 0
        var tornBytes = 0
        var lastError: String?
        var isClosed = false
        /// Whether the last record found no room, and its sender waits.
        var isBlocking = false
    }

    private let state: Mutex<State>
    private let limits: SpoolLimits
    private let owner: String
    /// Rung when room may have come.
    let room = Doorbell()

    /// A spool in memory.
    public init(limits: SpoolLimits = SpoolLimits(), owner: String = "") throws(SpoolError) {
        try limits.check()
        self.limits = limits
        self.owner = owner
        state = Mutex(State(store: MemorySpool(limits: limits)))
    }

    /// A spool in a directory, which is made if it is not there. What an earlier life left in it is owed
    /// still. Throws where another process or exporter has the directory, where it is of a newer version,
    /// and where the system refuses.
    public init(
        directory: String, limits: SpoolLimits = SpoolLimits(), owner: String = ""
    ) throws(SpoolError) {
        self.limits = limits
        self.owner = owner
        let store = try DiskSpool.open(directory: directory, limits: limits, owner: owner)
        state = Mutex(State(store: store, directory: directory))
    }

    /// A spool over a store that tests made.
    init(store: any SpoolStore, limits: SpoolLimits) {
        self.limits = limits
        owner = ""
        state = Mutex(State(store: store, directory: nil))
    }

    /// Where it lies; nil in memory.
    public var directory: String? { state.withLock { $0.directory } }

    /// Names of the destinations that owe records, in order.
    public var owing: [String] { state.withLock { $0.store.owing } }

    /// The serial number of the newest record; 0 without one.
    var lastSeq: UInt64 { state.withLock { $0.store.lastSeq } }

    /// Records and bytes between the oldest that is owed and the newest: what the limits are about.
    public var live: SpoolQueue { state.withLock { $0.store.live } }

    /// Records that were damaged on disk, and bytes at its end that were no whole record.
    public var damage: (corruptRecords: Int, tornBytes: Int) {
        state.withLock { state in
            Self.collect(&state)
            return (state.corruptRecords, state.tornBytes)
        }
    }

    /// What went wrong last with the spool itself; nil: nothing.
    public var lastError: String? { state.withLock { $0.lastError } }

    /// Whether the last record found no room and is waited with.
    public var isBlocking: Bool { state.withLock { $0.isBlocking } }

    /// What a destination owes.
    public func queued(_ name: String) -> SpoolQueue { state.withLock { $0.store.queued(name) } }

    /// What a destination lost, by reason.
    public func dropped(_ name: String) -> [DropReason: Int] {
        state.withLock { state in
            Self.collect(&state)
            return state.drops[name] ?? [:]
        }
    }

    /// Counts records that were lost elsewhere.
    func countDrop(_ name: String, _ reason: DropReason, _ count: Int = 1) {
        guard count > 0 else { return }
        state.withLock { $0.drops[name, default: [:]][reason, default: 0] += count }
    }

    /// Says that a destination exists. What is owed by one that does not is kept, and set aside when room
    /// is needed.
    public func claim(_ name: String) { state.withLock { $0.store.claim(name) } }

    /// Stores a record for destinations. Nothing is thrown away silently: what had to go, and this record
    /// where it was not taken, is counted. nil where the policy is to wait for room.
    ///
    /// Returns its serial number, 0 where it was not taken.
    func append(_ record: ExportRecord, owed: [String]) -> UInt64? {
        state.withLock { state in
            defer { Self.collect(&state) }
            guard !state.isClosed else {
                Self.count(&state, owed, .stopped)
                return 0
            }
            state.isBlocking = false
            do throws(SpoolError) {
                switch try state.store.append(record, owed: owed) {
                case .stored(let seq, let dropped):
                    for (name, count) in dropped {
                        state.drops[name, default: [:]][.overflowOldest, default: 0] += count
                    }
                    return seq
                case .refused:
                    Self.count(&state, owed, .overflowNewest)
                    return 0
                case .full:
                    state.isBlocking = true
                    return nil
                }
            } catch .tooLarge {
                Self.count(&state, owed, .tooLarge)
                return 0
            } catch {
                state.lastError = error.description
                Self.count(&state, owed, .spoolFailed)
                return 0
            }
        }
    }

    private static func count(_ state: inout State, _ names: [String], _ reason: DropReason) {
        for name in names { state.drops[name, default: [:]][reason, default: 0] += 1 }
    }

    /// Takes over what the store lost on its own.
    private static func collect(_ state: inout State) {
        let losses = state.store.takeLosses()
        state.corruptRecords += losses.corruptRecords
        state.tornBytes += losses.tornBytes
        for (name, count) in losses.corruptOwed {
            state.drops[name, default: [:]][.corrupt, default: 0] += count
        }
        for (name, count) in losses.unclaimed {
            state.drops[name, default: [:]][.unclaimed, default: 0] += count
        }
        if let problem = losses.acknowledgementProblem { state.lastError = problem.description }
    }

    /// The oldest records that a destination owes.
    func batch(
        for name: String, _ range: ClosedRange<UInt64> = 0...UInt64.max, maximumCount: Int,
        maximumBytes: Int = 4 << 20
    ) throws(SpoolError) -> [SpoolEntry] {
        try state.withLock { (state) throws(SpoolError) -> [SpoolEntry] in
            defer { Self.collect(&state) }
            return try state.store.batch(
                for: name, range, maximumCount: maximumCount, maximumBytes: maximumBytes)
        }
    }

    /// Notes that a destination owes these no more. How many it owed until now: fewer where some had to go
    /// meanwhile.
    @discardableResult
    func acknowledge(_ entries: [SpoolEntry], at name: String) -> Int {
        let count = state.withLock { state in
            defer { Self.collect(&state) }
            do throws(SpoolError) {
                return try state.store.acknowledge(entries, at: name)
            } catch {
                state.lastError = error.description
                return 0
            }
        }
        room.ring()
        return count
    }

    /// Moves all that is owed into memory, or onto the disk at `directory`. Throws where that can't be;
    /// then everything is where it was. Nobody may be reading a batch meanwhile.
    func move(toDirectory directory: String?) throws(SpoolError) {
        try state.withLock { (state) throws(SpoolError) in
            guard directory != state.directory else { return }
            var target: any SpoolStore
            if let directory {
                target = try DiskSpool.open(directory: directory, limits: limits, owner: owner)
            } else {
                target = MemorySpool(limits: limits)
            }
            let before = target.lastSeq
            do throws(SpoolError) {
                try Self.copy(&state, to: &target)
            } catch {
                try Self.takeBack(&target, after: before)
                throw error
            }
            try state.store.removeAll()
            try state.store.close()
            state.store = target
            state.directory = directory
        }
        room.ring()
    }

    private static func copy(
        _ state: inout State, to target: inout any SpoolStore
    ) throws(SpoolError) {
        var drops: [String: [DropReason: Int]] = [:]
        try state.store.forEachOwed { (record, owed) throws(SpoolError) in
            for name in owed { target.claim(name) }
            switch try target.append(record, owed: owed) {
            case .stored(_, let dropped):
                for (name, count) in dropped {
                    drops[name, default: [:]][.overflowOldest, default: 0] += count
                }
            case .refused, .full:
                for name in owed { drops[name, default: [:]][.overflowNewest, default: 0] += 1 }
            }
        }
        for (name, reasons) in drops {
            for (reason, count) in reasons {
                state.drops[name, default: [:]][reason, default: 0] += count
            }
        }
    }

    /// Undoes what was added after a record: what was there before stays owed.
    private static func takeBack(
        _ target: inout any SpoolStore, after seq: UInt64
    ) throws(SpoolError) {
        for name in target.owing {
            while true {
                let entries = try target.batch(
                    for: name, (seq + 1)...UInt64.max, maximumCount: 1000, maximumBytes: 4 << 20)
                if entries.isEmpty { break }
                _ = try target.acknowledge(entries, at: name)
            }
        }
        try target.close()
    }

    /// Calls with every record that is owed, in order, and who owes it.
    public func forEachOwed(
        _ body: (ExportRecord, [String]) -> Void
    ) throws(SpoolError) {
        try state.withLock { (state) throws(SpoolError) in
            try state.store.forEachOwed { (record, owed) throws(SpoolError) in body(record, owed) }
        }
    }

    /// Brings everything to the disk and gives the directory back; what a spool in memory still has is
    /// counted as dropped. A second call does nothing.
    public func close() throws(SpoolError) {
        try state.withLock { (state) throws(SpoolError) in
            guard !state.isClosed else { return }
            state.isClosed = true
            if state.directory == nil {
                for name in state.store.owing {
                    state.drops[name, default: [:]][.stopped, default: 0] +=
                        state.store.queued(name).records
                }
            }
            defer { state.store = MemorySpool(limits: limits) }
            try state.store.close()
        }
        room.ring()
    }
}
