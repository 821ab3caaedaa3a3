internal import Journal

extension Engine {
    /// A frame took down too many workers: it is kept where the run leaves something behind, and its
    /// entry is closed. Until it has been kept the entry stays open, because its bytes are needed.
    func quarantine(_ place: Int, cause: String) {
        let stage = stages[entries[place].stage]
        let reason =
            "\(entries[place].attempt) workers ended while they processed it, the last one because "
            + cause
        guard let keeper else { return close(place, .quarantined, reason: reason) }
        if entries[place].isSuspect {
            // It is convicted: the others need not wait for its burial.
            entries[place].isSuspect = false
            stage.suspectCount -= 1
        }
        keepsUnderWay += 1
        keeper.submit(
            QuarantineJob(
                place: place, key: entries[place].key, stage: stage.name, stageIndex: stage.index,
                attempts: entries[place].attempt, reason: reason, frame: entries[place].frame,
                bytes: inlineBytes(of: place, mapsPools: false)))
    }

    /// Closes the entries of frames that have been kept.
    func takeKept() {
        guard keepsUnderWay > 0, let keeper else { return }
        for outcome in keeper.takeOutcomes() {
            keepsUnderWay -= 1
            record(
                "frame-kept",
                [
                    "frame": .string("\(entries[outcome.place].key)"),
                    "stage": .string(stages[entries[outcome.place].stage].name),
                    "path": .string(outcome.path),
                    "problem": outcome.problem.map { .string($0) } ?? .null,
                ])
            close(outcome.place, .quarantined, reason: outcome.reason)
        }
    }
}
