internal import NDArrays
internal import WorkerProtocol

/// What earlier lives of a run have done, and what they left to do.
struct Resumption: Sendable {
    /// A source frame of which some entries are closed and others are not.
    struct HalfDone: Equatable, Sendable {
        /// The closed entries.
        var closings: [EntryId: Closing] = [:]
        /// What their frames were called where they were sealed.
        var claims: [EntryId: [FrameClaim]] = [:]
        /// Those of which everything that came out of them is closed as well.
        var complete: Set<EntryId> = []
        /// The outcome so far, by entries without successors.
        var outcome = RootOutcome()
    }

    /// The record with which this life begins.
    var beginning: LedgerResumption
    /// Source frames that are closed: they are not taken again.
    var closed: FrameIdRanges
    /// Source frames that are done again where they are not done, by frame id.
    var halfDone: [UInt64: HalfDone]
    /// Counts of the closed entries of each stage, and of the closed source frames.
    var stages: [ReplayedCounts]
    var roots: ReplayedCounts
    /// The changes of configuration of each stage.
    var changes: [ReplayedChanges]
    /// Frames that did not go through, at most `RunSummary.maximumFailureCount`.
    var failures: [FrameFailure]
    /// Directories in which files were staged.
    var directories: [String]
    var highestFrameId: UInt64
    /// The claims of frames that went through.
    var claimed: ClaimRegister

    /// What the replay of a ledger leaves to do; it has taken `beginning`.
    init(_ replay: LedgerReplay, _ beginning: LedgerResumption) {
        self.beginning = beginning
        closed = replay.closed
        stages = replay.stages
        roots = replay.roots
        changes = replay.changes
        directories = replay.directories
        highestFrameId = replay.highestFrameId
        claimed = replay.claimed
        halfDone = [:]
        failures = []
        let names = replay.run?.stages ?? []
        let followers = names.map { stage in
            names.indices.filter { names[$0].from == stage.name }
        }
        for (frameId, root) in replay.open where !root.entries.isEmpty {
            halfDone[frameId] = HalfDone(root, replay.consumers, followers)
        }
        let unclean = replay.unclean.merging(replay.open) { closed, _ in closed }
        for frameId in unclean.keys.sorted() {
            for entry in unclean[frameId]?.entries ?? []
            where entry.closing.fate > .processed && entry.closing.overload == nil {
                guard failures.count < RunSummary.maximumFailureCount else { return }
                failures.append(
                    FrameFailure(
                        frame: "\(entry.closing.key)", uniqueId: entry.closing.uniqueId,
                        stage: names[Int(entry.closing.stage)].name,
                        outcome: entry.closing.fate.name, source: entry.source,
                        reason: entry.reason))
            }
        }
    }

    /// Whether an entry is closed, so that doing it again serves only what comes out of it.
    func isClosed(_ key: FrameKey, stage: Int) -> Bool {
        halfDone[key.frameId]?.closings[EntryId(key: key, stage: UInt16(stage))] != nil
    }

    /// Whether an entry is closed with everything that came out of it.
    func isComplete(_ key: FrameKey, stage: Int) -> Bool {
        halfDone[key.frameId]?.complete.contains(EntryId(key: key, stage: UInt16(stage))) ?? false
    }

    /// The claims of an entry that is closed.
    func claims(_ key: FrameKey, stage: Int) -> [FrameClaim] {
        halfDone[key.frameId]?.claims[EntryId(key: key, stage: UInt16(stage))] ?? []
    }

    /// Outputs that an entry had which is closed.
    func outputCount(_ key: FrameKey, stage: Int) -> Int {
        let id = EntryId(key: key, stage: UInt16(stage))
        return Int(halfDone[key.frameId]?.closings[id]?.outputCount ?? 0)
    }
}

extension Resumption.HalfDone {
    /// What is known of a source frame. `followers` are the stages that take each stage's outputs.
    init(_ root: ReplayedRoot, _ consumers: [Int], _ followers: [[Int]]) {
        for entry in root.entries {
            closings[entry.closing.id] = entry.closing
            if !entry.claims.isEmpty { claims[entry.closing.id] = entry.claims }
        }
        outcome = root.outcome(consumers: consumers)
        // A child stands behind its parent: from the end on, all of it is known.
        for entry in root.entries.reversed() {
            let closing = entry.closing
            let isComplete = followers[Int(closing.stage)].allSatisfy { follower in
                (0..<Int(closing.outputCount)).allSatisfy { index in
                    guard let child = closing.key.child(index) else { return false }
                    return complete.contains(EntryId(key: child, stage: UInt16(follower)))
                }
            }
            if isComplete { complete.insert(closing.id) }
        }
    }
}
