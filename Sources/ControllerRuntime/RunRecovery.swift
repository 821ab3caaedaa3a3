internal import CLinux
internal import Glibc
internal import NDArrays
internal import Pipes
internal import Wire
internal import WorkerProtocol

/// Brings a run directory into order whose run has ended somehow, so that it can go on.
///
/// A controller that dies in the middle of this leaves something that the next one brings into order.
/// What the run has come to stays as it is: summary and outcomes hold until the next life begins, when its
/// workers are there (`Engine.takeUp`).
struct RunRecovery {
    private let directory: RunDirectory
    private let wanted: LedgerRun
    private let processorCounts: [Int]
    private let reopened: Set<FrameFate>

    /// The recovery of a run for another life with this configuration and source.
    ///
    /// - Throws: `ControllerError(.configuration)` when frames are to be done again that went through.
    init(
        _ directory: RunDirectory, _ configuration: RunConfiguration,
        _ information: SourceInformation
    ) throws(ControllerError) {
        for outcome in [FrameReport.Outcome.processed, .filtered]
        where configuration.reopenedOutcomes.contains(outcome) {
            throw ControllerError(
                .configuration,
                "frames that were \(outcome.rawValue) can't be done again in the same run: use the "
                    + "source failed:RUN, or a new run")
        }
        self.directory = directory
        processorCounts = configuration.stages.map(\.processors.count)
        wanted = LedgerRun(runId: directory.runId, configuration, information)
        reopened = Set(configuration.reopenedOutcomes.map(FrameFate.init)).union([.dropped])
    }

    /// Checks that the run can go on, cuts a torn record off the ledger, finishes or undoes commits that
    /// were under way, and removes what lost workers left.
    ///
    /// - Throws: `ControllerError` when the run can't go on; it then is as it was.
    func recover() throws(ControllerError) -> Resumption {
        let path = directory.path(of: .ledger)
        var (replay, end) = try LedgerReplay.read(path: path)
        if let problem = replay.problems.first {
            throw ControllerError(
                .runDirectory, "\(path) contradicts itself (\(problem)): the run can't be taken up")
        }
        guard let run = replay.run else { throw refusal("its ledger is empty") }
        try check(run)
        try checkChanges(replay)
        let ledger = try LedgerContinuation(path: path, end)
        var directories = StagingDirectories()
        for known in replay.directories { directories.add(directoryOf: known) }
        // In the order of the commits: of several files of one name the last one stays.
        let unfinished = replay.intents.sorted { $0.value.order < $1.value.order }
        var taken = try takenNames(path, unfinished.flatMap { $0.value.files })
        var later = LaterReplacements(unfinished.map(\.value.files))
        for (id, intent) in unfinished {
            for file in intent.files { directories.add(directoryOf: file.stagedPath) }
            later.remove(intent.files)
            let commit = CommitRecovery(files: intent.files, taken: taken, later: later)
            if try commit.finish() {
                taken.formUnion(intent.files.map(\.finalPath))
                let batch = ClosingBatch(
                    time: MonotonicClock.nanosecondsSinceEpoch(),
                    highestFrameId: replay.highestFrameId, rejected: replay.rejected,
                    closings: [intent.closing])
                try ledger.append([.closings(batch)], &replay)
            } else {
                try ledger.append([.undone(key: id.key, stage: id.stage)], &replay)
                commit.removeStagedFiles()
            }
        }
        directories.removeLeftovers(ofRun: run.runId)
        let beginning = LedgerResumption(
            life: replay.lives &+ 1, time: MonotonicClock.nanosecondsSinceEpoch(),
            tornByteCount: end.tornByteCount, reopened: reopened)
        replay.take(.resumed(beginning))
        return Resumption(replay, beginning)
    }

    /// Names that frames of this run have already got, of those that `files` want.
    private func takenNames(
        _ path: String, _ files: [StagedFile]
    ) throws(ControllerError) -> Set<String> {
        guard !files.isEmpty else { return [] }
        let wanted = Set(files.map(\.finalPath))
        var announced: [EntryId: [String]] = [:]
        var taken: Set<String> = []
        var reader = try LedgerReader(path: path)
        while let record = try reader.next() {
            switch record {
            case .intent(let closing, let files):
                let names = files.map(\.finalPath).filter { wanted.contains($0) }
                if !names.isEmpty { announced[closing.id] = names }
            case .closings(let batch):
                for closing in batch.closings where closing.fileCount > 0 {
                    taken.formUnion(announced[closing.id] ?? [])
                }
            default: break
            }
        }
        return taken
    }

    // MARK: Checks

    private func check(_ run: LedgerRun) throws(ControllerError) {
        guard let before = run.fingerprint, let now = wanted.fingerprint else {
            let source = run.fingerprint == nil ? run.source : wanted.source
            throw refusal(
                "the source \(source) does not give its frames a second time; run it anew in another "
                    + "run directory")
        }
        guard before == now else {
            throw refusal(
                "the source \(wanted.source) does not give the frames that the run was begun with "
                    + "(\(run.source)): \(now) is not \(before)")
        }
        guard run.stages == wanted.stages else { throw refusal(stageDifference(run.stages)) }
    }

    /// Settings that were changed while the run went on belong to a place in the chain.
    private func checkChanges(_ replay: LedgerReplay) throws(ControllerError) {
        for (index, changes) in replay.changes.enumerated() {
            for change in changes.commands where change.processorIndex >= processorCounts[index] {
                throw refusal(
                    "settings of processor \(change.processorIndex + 1) of stage "
                        + "\(wanted.stages[index].name) were changed, and now it has "
                        + "\(processorCounts[index]) processors")
            }
        }
    }

    private func stageDifference(_ stages: [LedgerRun.Stage]) -> String {
        for (before, now) in zip(stages, wanted.stages) where before != now {
            if before.name != now.name {
                return "the stage \(before.name) of the run is called \(now.name) now"
            }
            return "the stage \(now.name) took its frames from \(before.from ?? "the source"), and "
                + "takes them from \(now.from ?? "the source") now"
        }
        let names = { (stages: [LedgerRun.Stage]) in
            stages.map(\.name).joined(separator: ", ")
        }
        return "the run has the stages \(names(stages)), and now there are \(names(wanted.stages))"
    }

    private func refusal(_ reason: String) -> ControllerError {
        ControllerError(
            .runDirectory, "the run in \(directory.path) can't be taken up: \(reason)")
    }
}

extension LedgerRun {
    /// What the ledger keeps of a configuration and a source.
    init(runId: String, _ configuration: RunConfiguration, _ information: SourceInformation) {
        self.init(
            runId: runId, source: information.name, fingerprint: information.fingerprint,
            frameCount: information.frameCount.map { UInt64(max(0, $0)) },
            stages: configuration.stages.map { Stage(name: $0.name, from: $0.from) })
    }
}

/// A ledger behind which further records are written.
private struct LedgerContinuation {
    private let file: RecordFile

    /// Opens a ledger and cuts off what is not whole.
    init(path: String, _ end: LedgerEnd) throws(ControllerError) {
        if end.tornByteCount > 0, truncate(path, off_t(end.wholeByteCount)) != 0 {
            throw Self.failure(path, errno)
        }
        file = RecordFile(path: path)
        let code = file.openFile()
        if code != 0 { throw Self.failure(path, code) }
    }

    /// Writes records and lets the replay take them.
    func append(
        _ records: [LedgerRecord], _ replay: inout LedgerReplay
    ) throws(ControllerError) {
        var writer = ByteWriter()
        for record in records { record.write(to: &writer) }
        let code = file.append(writer.bytes)
        if code != 0 { throw Self.failure(file.path ?? "", code) }
        for record in records { replay.take(record) }
    }

    private static func failure(_ path: String, _ code: Int32) -> ControllerError {
        ControllerError(
            .runDirectory, "\(path) could not be written: \(SystemText.ofError(code))")
    }
}

/// The files of commits to come that may take the names of others.
struct LaterReplacements {
    private var files: [String: [StagedFile]] = [:]

    /// The files of commits, each frame's together.
    init(_ commits: [[StagedFile]]) {
        for file in commits.joined() where file.mayReplace {
            files[file.finalPath, default: []].append(file)
        }
    }

    /// The first of the commits is not to come any more.
    mutating func remove(_ commit: [StagedFile]) {
        for file in commit where file.mayReplace { files[file.finalPath]?.removeFirst() }
    }

    /// Whether one of them has the name.
    func have(_ path: String) -> Bool {
        files[path]?.contains { file in
            FileCheck.identity(file.stagedPath) == nil && FileCheck.problem(path, file) == nil
        } ?? false
    }
}

/// A commit that a dead controller had begun: its files are announced in the ledger, and nobody knows
/// which of them have their names.
///
/// A staged file that is gone got its name: a controller removes staged files of an announced commit only
/// after the ledger says that it was undone.
struct CommitRecovery {
    let files: [StagedFile]
    /// Names that other frames of the run have.
    let taken: Set<String>
    /// Commits that came after it and are not closed either.
    let later: LaterReplacements

    private enum Place {
        /// It has its name, or had it until a later commit took it.
        case named
        /// It is whole under its staged name.
        case staged
        /// It is nowhere, or not whole.
        case lost
    }

    /// Gives all files their names where they are whole: true; or takes the names back, so that the frame can
    /// be done again: false. Then the staged files are removed when the ledger says so.
    ///
    /// - Throws: `ControllerError` when the place of the files does not take them now.
    func finish() throws(ControllerError) -> Bool {
        let places = files.map(place)
        guard !places.contains(.lost) else {
            takeNamesBack(places)
            return false
        }
        for (file, place) in zip(files, places) where place == .staged {
            let result =
                file.mayReplace
                ? rename(file.stagedPath, file.finalPath)
                : cl_rename_no_replace(file.stagedPath, file.finalPath)
            if result == 0 { continue }
            let code = errno
            guard code == EEXIST else {
                throw ControllerError(
                    .runDirectory,
                    "\(file.finalPath) could not be given its name: \(SystemText.ofError(code)); make "
                        + "room or repair the folder, then take the run up again")
            }
            // The name went to another: the frame is done again, and then fails as it would have.
            takeNamesBack(files.map(self.place))
            return false
        }
        return true
    }

    /// Removes what is left under staged names.
    func removeStagedFiles() { for file in files { unlink(file.stagedPath) } }

    private func place(_ file: StagedFile) -> Place {
        let staged = FileCheck.identity(file.stagedPath)
        if let staged {
            // Where names are given by links, both may be there.
            if staged == FileCheck.identity(file.finalPath) {
                unlink(file.stagedPath)
                return .named
            }
            return FileCheck.problem(file.stagedPath, file) == nil ? .staged : .lost
        }
        guard !taken.contains(file.finalPath) || file.mayReplace else { return .lost }
        if FileCheck.problem(file.finalPath, file) == nil { return .named }
        return later.have(file.finalPath) ? .named : .lost
    }

    private func takeNamesBack(_ places: [Place]) {
        for (file, place) in zip(files, places) where place == .named && !file.mayReplace {
            unlink(file.finalPath)
        }
    }
}
