internal import NDArrays
internal import WorkerProtocol

/// A frame in a stage.
struct EntryId: Hashable, Sendable {
    var key: FrameKey
    var stage: UInt16
}

/// An entry that was closed, with why it did not go through.
struct ClosedEntry: Equatable, Sendable {
    var closing: Closing
    /// Empty for an entry that went through; for a dropped one the kind of drop.
    var reason = ""
    var source = ""
    /// What its frame was called where it was sealed; empty of one that did not go through.
    var claims: [FrameClaim] = []
}

/// A source frame with the entries of it that were closed.
struct ReplayedRoot: Equatable, Sendable {
    /// Entries that are still to be closed.
    var remaining: Int
    /// The closed entries in order, a parent before what came out of it.
    var entries: [ClosedEntry] = []

    /// The outcome of the source frame by those of entries without successors.
    func outcome(consumers: [Int]) -> RootOutcome {
        var outcome = RootOutcome()
        for entry in entries where entry.closing.isLeaf(consumers: consumers) {
            outcome.conclude(entry.closing.fate, entry.closing.overload)
        }
        return outcome
    }

    /// The kind of drop of a dropped frame.
    func dropReason(_ outcome: RootOutcome) -> String {
        outcome.letGoBecause?.rawValue
            ?? entries.last { $0.closing.fate == .dropped && $0.closing.overload == nil }?.reason
            ?? ""
    }
}

extension Closing {
    /// Entries that follow from this one; `consumers` counts those of each stage.
    func successorCount(consumers: [Int]) -> Int { Int(outputCount) * consumers[Int(stage)] }

    /// Whether nothing came out of it that goes on.
    func isLeaf(consumers: [Int]) -> Bool {
        fate > .processed || successorCount(consumers: consumers) == 0
    }

    /// Which frame in which stage.
    var id: EntryId { EntryId(key: key, stage: stage) }
}

/// Counts of closed entries of a stage, or of closed source frames.
struct ReplayedCounts: Equatable, Sendable {
    var processed: UInt64 = 0
    var filtered: UInt64 = 0
    var failed: UInt64 = 0
    var quarantined: UInt64 = 0
    var dropped: [String: UInt64] = [:]
    var outputs: UInt64 = 0
    var files: UInt64 = 0
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0

    /// All of them.
    var closed: UInt64 {
        processed &+ filtered &+ failed &+ quarantined &+ dropped.values.reduce(0, &+)
    }

    /// One more with this outcome, or one less. Wraps where a ledger says what can't be.
    mutating func count(_ fate: FrameFate, reason: String, isTaken: Bool = false) {
        let step: UInt64 = isTaken ? .max : 1
        switch fate {
        case .processed: processed &+= step
        case .filtered: filtered &+= step
        case .failed: failed &+= step
        case .quarantined: quarantined &+= step
        case .dropped:
            let sum = dropped[reason, default: 0] &+ step
            dropped[reason] = sum == 0 ? nil : sum
        }
    }

    /// One more closed entry, or one less.
    mutating func count(_ entry: ClosedEntry, isTaken: Bool = false) {
        let closing = entry.closing
        count(closing.fate, reason: entry.reason, isTaken: isTaken)
        if isTaken {
            outputs &-= UInt64(closing.outputCount)
            files &-= UInt64(closing.fileCount)
            bytesIn &-= closing.bytesIn
            bytesOut &-= closing.bytesOut
        } else {
            outputs &+= UInt64(closing.outputCount)
            files &+= UInt64(closing.fileCount)
            bytesIn &+= closing.bytesIn
            bytesOut &+= closing.bytesOut
        }
    }
}

/// The changes of configuration of a stage.
struct ReplayedChanges: Equatable, Sendable {
    /// Those that hold, in order.
    var commands: [ConfigureCommand] = []
    /// The highest version that was ever used.
    var lastVersion = Stage.firstVersion
}

/// Where a run stands by the records of its ledger.
///
/// It keeps the frames that are in flight or did not go through; of all others only ranges of their ids.
struct LedgerReplay: Sendable {
    /// The run; nil before the first record.
    private(set) var run: LedgerRun?
    /// Number of stages that take the outputs of each stage, and that take the source's frames.
    private(set) var consumers: [Int] = []
    private(set) var firstStageCount = 0
    /// Lives of the run, 1 for one that was never taken up again.
    private(set) var lives: UInt32 = 1
    /// Source frames that are closed.
    private(set) var closed = FrameIdRanges()
    /// Source frames that are not, of which an entry is.
    private(set) var open: [UInt64: ReplayedRoot] = [:]
    /// Source frames that are closed and did not go through.
    private(set) var unclean: [UInt64: ReplayedRoot] = [:]
    /// Counts of the closed entries of each stage, and of the closed source frames.
    private(set) var stages: [ReplayedCounts] = []
    private(set) var roots = ReplayedCounts()
    /// Intents without closing; a higher `order` came later.
    private(set) var intents: [EntryId: (order: Int, closing: Closing, files: [StagedFile])] = [:]
    private var intentCount = 0
    private(set) var changes: [ReplayedChanges] = []
    /// Directories in which files were staged.
    private(set) var directories: [String] = []
    private(set) var highestFrameId: UInt64 = 0
    private(set) var rejected: UInt64 = 0
    /// The accounts of the last life; empty: it did not end in order.
    private(set) var accounts: [LedgerAccount] = []
    /// What can't be, at most `maximumProblemCount`: a ledger that Sluice wrote has none.
    private(set) var problems: [String] = []
    /// Source frames that were closed with a certain outcome, where that was asked for.
    private(set) var filteredRoots = FrameIdRanges()
    private(set) var processedRoots = FrameIdRanges()
    /// Those that only policies let go.
    private(set) var letGoRoots = FrameIdRanges()

    static let maximumProblemCount = 100

    /// The claims of frames that went through.
    private(set) var claimed = ClaimRegister()

    private let keepsOutcomes: Bool
    private var reasons: [EntryId: FrameReason] = [:]
    /// Claims of frames without closing.
    private var claims: [EntryId: [FrameClaim]] = [:]

    /// A replay of nothing; `keepsOutcomes`: also of the frames that went through it is kept which
    /// were filtered.
    init(keepsOutcomes: Bool = false) { self.keepsOutcomes = keepsOutcomes }

    /// Takes the next record.
    mutating func take(_ record: LedgerRecord) {
        switch record {
        case .run(let run): begin(run)
        case .resumed(let resumption):
            lives = resumption.life
            accounts = []
            reopen(resumption.reopened)
        case .directory(let path): directories.append(path)
        case .intent(let closing, let files):
            guard isKnown(closing.stage) else { return }
            intentCount += 1
            intents[closing.id] = (intentCount, closing, files)
        case .closings(let batch):
            highestFrameId = max(highestFrameId, batch.highestFrameId)
            rejected = max(rejected, batch.rejected)
            for closing in batch.closings { take(closing) }
        case .reason(let reason):
            reasons[EntryId(key: reason.key, stage: reason.stage)] = reason
        case .change(let stage, let command):
            guard isKnown(stage) else { return }
            changes[Int(stage)].commands.append(command)
            let last = changes[Int(stage)].lastVersion
            changes[Int(stage)].lastVersion = max(last, command.version)
        case .changeTakenBack(let stage, let version):
            guard isKnown(stage) else { return }
            changes[Int(stage)].commands.removeAll { $0.version >= version }
        case .undone(let key, let stage): intents[EntryId(key: key, stage: stage)] = nil
        case .account(let account): accounts.append(account)
        case .claims(let id, let claims):
            guard isKnown(id.stage) else { return }
            self.claims[id] = claims
        }
    }

    private mutating func begin(_ run: LedgerRun) {
        self.run = run
        consumers = run.stages.map { stage in run.stages.count { $0.from == stage.name } }
        firstStageCount = run.stages.count { $0.from == nil }
        stages = Array(repeating: ReplayedCounts(), count: run.stages.count)
        changes = Array(repeating: ReplayedChanges(), count: run.stages.count)
    }

    private mutating func isKnown(_ stage: UInt16) -> Bool {
        if stage < stages.count { return true }
        note("stage \(stage) of \(stages.count)")
        return false
    }

    private mutating func note(_ problem: String) {
        if problems.count < Self.maximumProblemCount { problems.append(problem) }
    }

    // MARK: Closings

    private mutating func take(_ closing: Closing) {
        guard isKnown(closing.stage) else { return }
        let id = closing.id
        if !intents.isEmpty { intents[id] = nil }
        var entry = ClosedEntry(closing: closing)
        if let overload = closing.overload { entry.reason = overload.rawValue }
        if let reason = reasons.isEmpty ? nil : reasons.removeValue(forKey: id) {
            entry.reason = reason.reason
            entry.source = reason.source
        }
        let claims = self.claims.isEmpty ? nil : self.claims.removeValue(forKey: id)
        let frameId = closing.key.frameId
        guard !closed.contains(frameId) else {
            return note("frame \(closing.key) is closed again in stage \(closing.stage)")
        }
        if let claims, closing.fate <= .processed { accept(claims, &entry) }
        stages[Int(closing.stage)].count(entry)
        let successors = closing.successorCount(consumers: consumers)
        if firstStageCount == 1 && successors == 0 && closing.fate <= .processed
            && closing.key.branch == 0 && open.isEmpty
        {
            // By far the most: a frame with one entry.
            return close(frameId, closing.fate, reason: "")
        }
        var root = open.removeValue(forKey: frameId) ?? ReplayedRoot(remaining: firstStageCount)
        if root.entries.contains(where: { $0.closing.id == id }) {
            note("frame \(closing.key) is closed twice in stage \(closing.stage)")
        }
        root.remaining += successors - 1
        root.entries.append(entry)
        guard root.remaining <= 0 else {
            open[frameId] = root
            return
        }
        if root.remaining < 0 { note("frame \(closing.key) is closed before its parent") }
        let outcome = root.outcome(consumers: consumers)
        // What policies let go is over: nobody asks for it again, and there may be very many.
        if outcome.fate > .processed && outcome.letGoBecause == nil { unclean[frameId] = root }
        if keepsOutcomes && outcome.letGoBecause != nil { letGoRoots.insert(frameId) }
        let fate = outcome.fate
        close(frameId, fate, reason: fate == .dropped ? root.dropReason(outcome) : "")
    }

    private mutating func accept(_ claims: [FrameClaim], _ entry: inout ClosedEntry) {
        let stage = entry.closing.stage
        entry.claims = claims
        for claim in claims
        where claimed.enter(claim, stage: stage, maximumWordCount: .max) == .taken {
            note(
                "frame \(entry.closing.key) is a replay in stage \(stage): \(claim.key) of \(claim.scope)"
            )
        }
    }

    private mutating func close(_ frameId: UInt64, _ fate: FrameFate, reason: String) {
        closed.insert(frameId)
        roots.count(fate, reason: reason)
        guard keepsOutcomes else { return }
        if fate == .processed { processedRoots.insert(frameId) }
        if fate == .filtered { filteredRoots.insert(frameId) }
    }

    // MARK: Another life

    /// Entries that ended with one of these outcomes are open again, and their source frames with them.
    private mutating func reopen(_ fates: Set<FrameFate>) {
        guard !fates.isEmpty else { return }
        for (frameId, root) in unclean {
            let outcome = root.outcome(consumers: consumers)
            let worst = outcome.fate
            guard let reopened = without(fates, root) else { continue }
            unclean[frameId] = nil
            closed.remove(frameId)
            let reason = worst == .dropped ? root.dropReason(outcome) : ""
            roots.count(worst, reason: reason, isTaken: true)
            open[frameId] = reopened
        }
        for (frameId, root) in open {
            guard let reopened = without(fates, root) else { continue }
            open[frameId] = reopened
        }
    }

    /// The root without its entries of these outcomes, nil when it has none.
    private mutating func without(_ fates: Set<FrameFate>, _ root: ReplayedRoot) -> ReplayedRoot? {
        var result = root
        result.entries = []
        for entry in root.entries {
            if fates.contains(entry.closing.fate) && entry.closing.overload == nil {
                stages[Int(entry.closing.stage)].count(entry, isTaken: true)
                for claim in entry.claims { claimed.remove(claim, stage: entry.closing.stage) }
                result.remaining += 1
            } else {
                result.entries.append(entry)
            }
        }
        return result.entries.count == root.entries.count ? nil : result
    }
}

extension LedgerReplay {
    /// The replay of a ledger with what was cut off from its end.
    ///
    /// - Throws: `ControllerError` when it can't be read or is damaged.
    static func read(
        path: String, keepsOutcomes: Bool = false, _ look: (LedgerRecord) -> Void = { _ in }
    ) throws(ControllerError) -> (replay: LedgerReplay, end: LedgerEnd) {
        var replay = LedgerReplay(keepsOutcomes: keepsOutcomes)
        var reader = try LedgerReader(path: path)
        while let record = try reader.next() {
            replay.take(record)
            look(record)
        }
        return (
            replay,
            LedgerEnd(
                wholeByteCount: reader.wholeByteCount, tornByteCount: reader.tornByteCount)
        )
    }

    /// Source frames that ended with one of these outcomes; needs `keepsOutcomes` for those that went
    /// through, and for those that policies let go, which `isForRetry` leaves out: the same run never does
    /// them again.
    func frameIds(_ fates: Set<FrameFate>, isForRetry: Bool = false) -> FrameIdRanges {
        var parts: [FrameIdRanges] = []
        if fates.contains(.processed) { parts.append(processedRoots) }
        if fates.contains(.filtered) { parts.append(filteredRoots) }
        if fates.contains(.dropped) && !isForRetry { parts.append(letGoRoots) }
        var result = parts.first ?? FrameIdRanges()
        for part in parts.dropFirst() {
            for range in part.ranges { for id in range { result.insert(id) } }
        }
        for id in unclean.keys.sorted() {
            guard let root = unclean[id] else { continue }
            if fates.contains(root.outcome(consumers: consumers).fate) { result.insert(id) }
        }
        return result
    }
}

/// How a ledger ends.
struct LedgerEnd: Equatable, Sendable {
    /// Bytes up to the end of the last whole record.
    var wholeByteCount: UInt64
    /// Bytes of a record that was not written to its end.
    var tornByteCount: UInt64
}
