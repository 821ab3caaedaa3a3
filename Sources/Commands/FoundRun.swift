internal import ControllerRuntime

/// What a run left that is taken up.
struct FoundRun {
    /// Name of the run.
    let runId: String
    /// Frames that keep their outcome.
    let doneCount: UInt64
    /// Bytes at the end of its ledger that are no whole record.
    let tornByteCount: Int
    /// Fingerprint of the source that it was begun with; nil: it can't be taken up.
    private let fingerprint: String?
    /// How it ended, when it completed: then nothing is missing. What policies let go stays so.
    let completed: RunSummary?

    /// Reads ledger and summary of a run directory.
    init(in directory: String) throws(CommandError) {
        let summary = try RunQuestion.summary(at: directory)
        do {
            let notes = try LedgerQuery.forEachRow(runDirectory: directory) { _ in }
            // Without its account the ledger was not written to its end, whatever the summary says.
            completed = summary?.end == .completed && notes.account != nil ? summary : nil
            runId = notes.runId
            fingerprint = try LedgerQuery.fingerprint(runDirectory: directory)
            tornByteCount = notes.tornByteCount
            doneCount = try LedgerQuery.doneCount(runDirectory: directory)
        } catch {
            throw CommandError(error)
        }
    }

    /// `run k7m2: 1234 of 5000 frames were done, going on`; nil where the source is not the run's, so
    /// that it will be refused.
    func line(of source: SourceInformation) -> String? {
        guard let fingerprint, fingerprint == source.fingerprint else { return nil }
        let total = source.frameCount.map { " of \($0)" } ?? ""
        let cut = tornByteCount > 0 ? ", \(tornByteCount) bytes of a torn record cut" : ""
        return "run \(runId): \(doneCount)\(total) frames were done\(cut), going on"
    }

    /// For a run that has nothing left to do.
    var nothingMissing: String {
        "run \(runId): all \(doneCount) frames were done, nothing is missing"
    }
}
