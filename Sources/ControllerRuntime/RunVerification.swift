internal import NDArrays
internal import WorkerProtocol

/// What was found when a run was checked against its ledger.
package struct VerificationReport: Sendable, Hashable {
    /// Name of the run.
    package var runId: String
    /// Files that are there and whole.
    package var wholeFiles: Int
    /// Everything that is wrong, one sentence each; empty when nothing is.
    package var problems: [String]
    /// The account of the run in one line.
    package var statement: String

    /// Whether nothing is wrong.
    package var isClean: Bool { problems.isEmpty }
}

/// Checks that the account of a finished run balances and that every output is there and whole.
package enum RunVerification {
    /// Compares ledger and files of the run in `runDirectory`. Relative output paths are taken from
    /// the present folder, as the run took them.
    ///
    /// - Throws: `ControllerError` when there is no ledger or it is damaged.
    package static func verify(runDirectory: String) throws(ControllerError) -> VerificationReport {
        let path = RunDirectory.path(of: .ledger, in: runDirectory)
        var files = FinishedFiles()
        let (replay, end) = try LedgerReplay.read(path: path) { files.take($0) }
        var problems = replay.problems.map { "the ledger contradicts itself: \($0)" }
        if replay.accounts.isEmpty {
            problems.append(interruption(replay, end))
        } else {
            problems += Self.problems(of: replay)
            if end.tornByteCount > 0 {
                problems.append(
                    "the ledger ends in the middle of a record (\(end.tornByteCount) bytes)")
            }
        }
        let whole = files.check(&problems)
        return VerificationReport(
            runId: replay.run?.runId ?? "", wholeFiles: whole, problems: problems,
            statement: replay.accounts.first { $0.stage.isEmpty }?.line ?? "no account")
    }

    /// What is said of a run that was killed.
    private static func interruption(_ replay: LedgerReplay, _ end: LedgerEnd) -> String {
        var details = ["\(replay.closed.count) frames are closed"]
        if !replay.open.isEmpty { details.append("\(replay.open.count) half done") }
        if !replay.intents.isEmpty {
            details.append("the files of \(replay.intents.count) were being committed")
        }
        if end.tornByteCount > 0 {
            details.append("\(end.tornByteCount) bytes of a record are not whole")
        }
        return "the run did not end in order (\(details.joined(separator: ", "))): take it up with "
            + "--resume"
    }

    /// What is wrong with the accounts of a run that ended.
    private static func problems(of replay: LedgerReplay) -> [String] {
        var problems: [String] = []
        for account in replay.accounts {
            let name = account.stage.isEmpty ? "the run" : "stage \(account.stage)"
            if !account.isBalanced {
                problems.append("the account of \(name) does not balance: \(account.line)")
            }
            if account.inFlight > 0 {
                problems.append("\(account.inFlight) frames of \(name) have no outcome")
            }
            if let counted = replay.account(ofStage: account.stage), counted != account {
                problems.append(
                    "the account of \(name) is not that of its frames: \(account.line), but "
                        + "\(counted.line) in the ledger")
            }
        }
        if !replay.accounts.contains(where: { $0.stage.isEmpty }) {
            problems.append("the ledger has no account of the run")
        }
        for stage in replay.run?.stages ?? []
        where !replay.accounts.contains(where: { $0.stage == stage.name }) {
            problems.append("the ledger has no account of stage \(stage.name)")
        }
        for (id, _) in replay.intents.sorted(by: { $0.key.key < $1.key.key }) {
            problems.append("the files of frame \(id.key) were announced and never finished")
        }
        for frameId in replay.open.keys.sorted() {
            problems.append("frame \(frameId) is not closed")
        }
        return problems
    }
}

extension LedgerReplay {
    /// The account of the run (name empty) or of a stage, counted from the closings; nil for an unknown
    /// stage.
    func account(ofStage name: String) -> LedgerAccount? {
        let counts: ReplayedCounts
        if name.isEmpty {
            counts = roots
        } else {
            guard let index = run?.stages.firstIndex(where: { $0.name == name }) else { return nil }
            counts = stages[index]
        }
        return LedgerAccount(
            stage: name, accepted: counts.closed, processed: counts.processed,
            filtered: counts.filtered, failed: counts.failed, quarantined: counts.quarantined,
            dropped: counts.dropped.values.reduce(0, &+), inFlight: 0,
            rejected: name.isEmpty ? rejected : 0)
    }
}

/// The files that frames left, from the records of a ledger.
private struct FinishedFiles {
    private struct Finished {
        var entry: EntryId
        var file: StagedFile
    }

    private var announced: [EntryId: [StagedFile]] = [:]
    /// By final name: a later frame may have replaced the file of an earlier one.
    private var finished: [String: Finished] = [:]
    private var unannounced: [FrameKey] = []
    private var takenTwice: [String] = []

    mutating func take(_ record: LedgerRecord) {
        switch record {
        case .intent(let closing, let files): announced[closing.id] = files
        case .undone(let key, let stage): announced[EntryId(key: key, stage: stage)] = nil
        case .closings(let batch): for closing in batch.closings { take(closing) }
        case .run, .resumed, .directory, .reason, .change, .changeTakenBack, .account, .claims:
            break
        }
    }

    private mutating func take(_ closing: Closing) {
        let files = announced.isEmpty ? nil : announced.removeValue(forKey: closing.id)
        guard closing.fileCount > 0 else { return }
        guard let files else { return unannounced.append(closing.key) }
        for file in files {
            if !file.mayReplace, let other = finished[file.finalPath], other.entry != closing.id {
                takenTwice.append(
                    "\(file.finalPath) is the file of frame \(other.entry.key) and of frame "
                        + "\(closing.key)")
            }
            finished[file.finalPath] = Finished(entry: closing.id, file: file)
        }
    }

    /// The number of files that are there and whole; says what is wrong with the others.
    func check(_ problems: inout [String]) -> Int {
        var whole = 0
        for key in unannounced {
            problems.append("frame \(key) left files without an intent")
        }
        problems += takenTwice
        let pending = Dictionary(grouping: announced.values.joined(), by: \.finalPath)
        for path in finished.keys.sorted() {
            guard let entry = finished[path] else { continue }
            // A commit that is under way may have replaced it.
            let isReplaced = (pending[path] ?? []).contains {
                $0.mayReplace && FileCheck.problem(path, $0) == nil
            }
            if !isReplaced, let problem = FileCheck.problem(path, entry.file) {
                problems.append("\(path) (frame \(entry.entry.key)) \(problem)")
            } else {
                whole += 1
            }
        }
        return whole
    }
}
