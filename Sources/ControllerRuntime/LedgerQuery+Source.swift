extension LedgerQuery {
    /// Fingerprint of the source that a run was begun with; nil where its frames do not come a second
    /// time, or the run was killed before its first record.
    ///
    /// - Throws: `ControllerError` when there is no ledger or it is damaged.
    package static func fingerprint(runDirectory: String) throws(ControllerError) -> String? {
        var reader = try LedgerReader(path: RunDirectory.path(of: .ledger, in: runDirectory))
        guard case .run(let run)? = try reader.next() else { return nil }
        return run.fingerprint
    }

    /// The outcomes of the frames that the last life of a run did again; empty for a run that was never
    /// taken up.
    ///
    /// - Throws: `ControllerError` when there is no ledger or it is damaged.
    package static func lastReopenedOutcomes(
        runDirectory: String
    ) throws(ControllerError) -> Set<FrameReport.Outcome> {
        var last: Set<FrameReport.Outcome> = []
        var reader = try LedgerReader(path: RunDirectory.path(of: .ledger, in: runDirectory))
        while let record = try reader.next() {
            guard case .resumed(let resumption) = record else { continue }
            last = Set(resumption.reopened.map(\.outcome))
        }
        return last
    }
}
