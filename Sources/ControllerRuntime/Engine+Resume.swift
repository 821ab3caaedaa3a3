internal import Journal
internal import NDArrays
internal import WorkerProtocol

/// How a run goes on that an earlier life has begun.
///
/// Source frames that are closed do not come again. Of a frame that is half done, what is closed stays
/// as it is in the account. A closed entry of which something is missing that came out of it is
/// processed again for that (`Entry.isRepeated`); it is neither counted nor written a second time, and its
/// files are thrown away.
extension Engine {
    /// Puts the counts of earlier lives into the accounts.
    func restore(_ resumption: Resumption) {
        ledger.restore(resumption.roots)
        intake.begin(closedCount: resumption.roots.closed)
        highestFrameId = resumption.highestFrameId
        failures = resumption.failures
        claimed = resumption.claimed
        for stage in stages {
            let counts = resumption.stages[stage.index]
            stage.ledger.restore(counts)
            stage.outputCount = counts.outputs
            stage.fileCount = counts.files
            stage.bytesIn = counts.bytesIn
            stage.bytesOut = counts.bytesOut
            let changes = resumption.changes[stage.index]
            for change in changes.commands { stage.accept(change) }
            stage.lastVersion = changes.lastVersion
        }
    }

    /// Records that the run was taken up.
    func tellResumption(_ resumption: Resumption) {
        record(
            "run-resume",
            [
                "life": .init(resumption.beginning.life),
                "closed": .init(resumption.closed.count),
                "halfDone": .init(resumption.halfDone.count),
                "cutBytes": .init(resumption.beginning.tornByteCount),
            ])
    }

    /// Begins another life in the run directory: before this, a run that is refused is as it was.
    ///
    /// - Throws: `ControllerError` when the summary of the life before can't be removed.
    func takeUp() throws(ControllerError) {
        guard let resumption else { return }
        // In this order: a run without a summary goes on, one with open frames and a summary would not.
        try removeSummary()
        jobs.append(.record(.resumed(resumption.beginning)))
    }

    /// The first stages in which a source frame is still to be done.
    func wantedStages(of frameId: UInt64, root: Int) -> [Int] {
        guard let resumption, let halfDone = resumption.halfDone[frameId] else {
            return firstStages
        }
        let key = FrameKey(frameId: frameId)
        let wanted = firstStages.filter { !resumption.isComplete(key, stage: $0) }
        roots[root].outcome = halfDone.outcome
        roots[root].openEntries = wanted.count
        return wanted
    }

    /// Whether output `index` of an entry is still to be done in a stage.
    func isWanted(_ key: FrameKey, stage: Int, outputOf parent: Int, _ index: Int) -> Bool {
        guard let resumption else { return true }
        if entries[parent].isRepeated {
            let count = resumption.outputCount(entries[parent].key, stage: entries[parent].stage)
            // Another output than the first time: nobody has room for it in the account.
            if index >= count { return false }
        }
        return !resumption.isComplete(key, stage: stage)
    }

    /// Ends an entry that was processed again. What should have come out of it and did not, fails.
    func closeRepeated(_ place: Int, _ fate: FrameFate, _ reason: String) {
        let stage = stages[entries[place].stage]
        let key = entries[place].key
        let wanted = resumption?.outputCount(key, stage: stage.index) ?? 0
        let given = fate <= .processed ? Int(entries[place].outputCount) : 0
        let why =
            fate == .dropped
            ? reason
            : fate <= .processed
                ? "its parent gave \(given) outputs when it was processed again, and \(wanted) before"
                : "its parent could not be processed again: \(reason)"
        for consumer in stage.consumers where given < wanted {
            for index in given..<wanted {
                guard let child = key.child(index),
                    isWanted(child, stage: consumer, outputOf: place, index)
                else { continue }
                let root = entries[place].root
                roots[root].openEntries += 1
                let lost = open(
                    key: child, stage: stages[consumer], root: root, frame: entries[place].frame,
                    bytes: .none, acceptedAt: now)
                close(lost, fate == .dropped ? .dropped : .failed, reason: why)
            }
        }
        if stage.hold.isHeld { frameEnded(place, fate, stage) }
        end(place, nil)
    }
}
