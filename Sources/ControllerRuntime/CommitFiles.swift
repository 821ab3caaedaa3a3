internal import CLinux
internal import Glibc
internal import Journal
internal import NDArrays
internal import Pipes
internal import Wire
internal import WorkerProtocol

/// The files that the committer's thread writes.
struct CommitFiles: ~Copyable {
    private let ledger: RecordFile
    private let statistics: RecordFile
    private let observer: (any RunObserver)?
    private let log: RecordFile
    private let launch: CommitterLaunch
    /// Waits for room in the ledger; false when that has lasted too long.
    private let waitForRoom: (LedgerStall) -> Bool
    private var records = ByteWriter()
    /// Closings of commits whose files have their names, written before the intents of the next batch.
    private var closings: [Closing] = []
    /// Whether closings of commits are among `records`.
    private var hasClosings = false
    private var highestFrameId: UInt64 = 0
    /// Output directories in which names were given in this batch.
    private var renamedIn = StagingDirectories()
    private var crash = CrashPoint()
    /// Where files were staged.
    private(set) var directories = StagingDirectories()
    /// The names that frames of this run have; nil until somebody asks.
    private var ownedNames: OwnedNames?
    /// How often the ledger may still be read for whose file has a name.
    private var ownerQuestionsLeft = 20
    /// Staged files of announced commits that did not go through. They are removed when the ledger says so:
    /// an intent without its staged file would say that the file got its name.
    private var undoneFiles: [StagedFile] = []
    /// Whether the ledger is given up: nothing more is committed.
    private(set) var hasGivenUp = false
    /// Whether staged files are left for the next life, which needs them to know what was committed.
    private(set) var leavesStagedFiles = false

    init(_ launch: CommitterLaunch, waitForRoom: @escaping (LedgerStall) -> Bool) {
        self.launch = launch
        self.waitForRoom = waitForRoom
        ledger = RecordFile(path: launch.paths?.ledger)
        statistics = RecordFile(path: launch.paths?.statistics, isText: true)
        observer = launch.observer
        log = RecordFile(path: launch.paths?.log)
        if launch.acceptsIdenticalOutputs, launch.paths == nil { ownedNames = OwnedNames() }
        for directory in launch.directories { directories.add(directoryOf: directory) }
    }

    /// The first thing that went wrong with them for good.
    var problem: String? { ledger.problem ?? statistics.problem ?? log.problem }

    /// What is known goes into the ledger first, with the closings of what the batch before committed, then
    /// the intents of all commits; then come the renames: one write a batch. A life that ends before the
    /// closings are written leaves intents whose files have their names, and the next life takes those frames
    /// as done.
    mutating func carryOut(_ jobs: [CommitJob]) -> [CommitOutcome] {
        addClosings()
        for job in jobs { record(job) }
        var commitCount = 0
        for case .commit(let request) in jobs where !request.files.isEmpty {
            commitCount += 1
            guard LedgerRecord.fitsIntent(request.files) else { continue }
            LedgerRecord.intent(request.closing, files: request.files).write(to: &records)
        }
        flush()
        if commitCount > 0 {
            sync(launch.durability == .file)
            crash.reach(.intent)
        }
        var outcomes: [CommitOutcome] = []
        for job in jobs { carryOut(job, &outcomes) }
        removeUndoneFiles()
        endCommits()
        for case .end(let accounts) in jobs { end(accounts) }
        return outcomes
    }

    /// The part of a job that comes before all intents.
    private mutating func record(_ job: CommitJob) {
        switch job {
        case .commit(let request): note(directoriesOf: request.files)
        case .discard(let files): note(directoriesOf: files)
        case .staging(let folder): note(directoryOf: folder + "/")
        case .record(let record): if launch.paths != nil { record.write(to: &records) }
        case .closings(let closings, let highestFrameId):
            self.highestFrameId = max(self.highestFrameId, highestFrameId)
            if launch.paths != nil { write(closings) }
        case .end, .statistics, .log, .report: break
        }
    }

    private mutating func note(directoriesOf files: [StagedFile]) {
        for file in files { note(directoryOf: file.stagedPath) }
    }

    private mutating func note(directoryOf path: String) {
        guard let new = directories.add(directoryOf: path), launch.paths != nil else { return }
        LedgerRecord.directory(path: new).write(to: &records)
    }

    private mutating func write(_ closings: [Closing]) {
        var rest = closings[...]
        while !rest.isEmpty {
            let part = rest.prefix(ClosingBatch.maximumCount)
            LedgerRecord.closings(
                ClosingBatch(
                    time: MonotonicClock.nanosecondsSinceEpoch(), highestFrameId: highestFrameId,
                    closings: Array(part))
            ).write(to: &records)
            rest = rest.dropFirst(part.count)
        }
    }

    private mutating func carryOut(_ job: CommitJob, _ outcomes: inout [CommitOutcome]) {
        switch job {
        case .commit(let request):
            let outcome = commit(request)
            report(request, outcome)
            outcomes.append(outcome)
        case .discard(let files): for file in files { unlink(file.stagedPath) }
        case .statistics(let record): append(record)
        case .log(let line): append(line)
        case .report(let report): launch.frameHandler?(report)
        case .record, .staging, .closings, .end: break
        }
    }

    /// With `durability: file` names and closings are on the disk before the engine takes the outcomes; else
    /// the closings wait.
    private mutating func endCommits() {
        guard !closings.isEmpty else { return }
        if launch.durability == .file {
            renamedIn.sync { ledger.note($0) }
            renamedIn = StagingDirectories()
        }
        if launch.paths == nil {
            closings.removeAll(keepingCapacity: true)
        } else if launch.durability == .file {
            writeClosings()
        }
    }

    private mutating func removeUndoneFiles() {
        guard !undoneFiles.isEmpty else { return }
        flush()
        sync(launch.durability == .file)
        crash.reach(.undone)
        // A ledger that was given up does not say so: they stay for the next life.
        if hasGivenUp {
            leavesStagedFiles = true
        } else {
            for file in undoneFiles { unlink(file.stagedPath) }
        }
        undoneFiles.removeAll()
    }

    /// Whether there are closings of commits that are not in the ledger.
    var owesClosings: Bool { !closings.isEmpty }

    /// Writes the closings of what was committed, with all records that wait.
    mutating func writeClosings() {
        addClosings()
        flush()
        sync(launch.durability == .file)
    }

    private mutating func addClosings() {
        guard !closings.isEmpty else { return }
        write(closings)
        closings.removeAll(keepingCapacity: true)
        hasClosings = true
    }

    private mutating func end(_ accounts: [LedgerAccount]) {
        if launch.durability == .run { directories.syncFileSystems { ledger.note($0) } }
        guard launch.paths != nil else { return }
        addClosings()
        for account in accounts { LedgerRecord.account(account).write(to: &records) }
        flush()
        sync(launch.durability != .none)
    }

    // MARK: Commits

    private mutating func commit(_ request: CommitRequest) -> CommitOutcome {
        var outcome = CommitOutcome(place: request.place)
        guard !request.files.isEmpty else { return outcome }
        guard !hasGivenUp else {
            // The run ends, and the frame is one for those who take it up. Its intent is not in the ledger.
            for file in request.files { unlink(file.stagedPath) }
            outcome.held = "its files could not be announced in the ledger"
            return outcome
        }
        guard LedgerRecord.fitsIntent(request.files) else {
            return fail(request, "the names of its files are too long for the ledger")
        }
        var named: [StagedFile] = []
        var wereThere: [StagedFile] = []
        for (index, file) in request.files.enumerated() {
            switch publish(file, request.closing) {
            case .named: named.append(file)
            case .wasThere:
                wereThere.append(file)
                let isTwice = request.files[..<index].contains { $0.finalPath == file.finalPath }
                if isTwice { return fail(request, nameTaken(file, request.closing), named) }
            case .failed(let reason): return fail(request, reason, named)
            case .held(let reason):
                undo(request, named)
                outcome.held = reason
                return outcome
            }
            if index == 0 && request.files.count > 1 { crash.reach(.firstRename) }
            if launch.durability == .file { renamedIn.add(directoryOf: file.finalPath) }
        }
        for file in wereThere { unlink(file.stagedPath) }
        outcome.fileCount = request.files.count
        if ownedNames != nil { for file in request.files { ownedNames?.insert(file.finalPath) } }
        closings.append(request.closing)
        crash.reach(.renames)
        return outcome
    }

    private mutating func fail(
        _ request: CommitRequest, _ reason: String, _ named: [StagedFile] = []
    ) -> CommitOutcome {
        undo(request, named)
        return CommitOutcome(place: request.place, failure: reason)
    }

    /// A frame leaves all of its files or none; one that may have replaced another's stays.
    private mutating func undo(_ request: CommitRequest, _ named: [StagedFile]) {
        for file in named where !file.mayReplace { unlink(file.finalPath) }
        undoneFiles += request.files
        guard launch.paths != nil, LedgerRecord.fitsIntent(request.files) else { return }
        LedgerRecord.undone(key: request.closing.key, stage: request.closing.stage)
            .write(to: &records)
    }

    private func report(_ request: CommitRequest, _ outcome: CommitOutcome) {
        // Of a frame that failed the engine tells itself.
        guard let frameHandler = launch.frameHandler, var report = request.report,
            outcome.failure == nil, outcome.held == nil
        else { return }
        report.outputs = request.outputs.map { $0.outputFrame() }
        frameHandler(report)
    }

    private enum Publication {
        case named
        /// The name was taken by a file with the very same bytes.
        case wasThere
        case failed(String)
        case held(String)
    }

    /// Gives one file its name.
    private mutating func publish(_ file: StagedFile, _ closing: Closing) -> Publication {
        let result =
            file.mayReplace
            ? rename(file.stagedPath, file.finalPath)
            : cl_rename_no_replace(file.stagedPath, file.finalPath)
        if result == 0 { return .named }
        let code = errno
        guard code == EEXIST else {
            let reason =
                "\(file.finalPath) could not be given its name: \(SystemText.ofError(code))"
            return Self.isOfPlace(code) ? .held(reason) : .failed(reason)
        }
        if launch.acceptsIdenticalOutputs, FileCheck.areSame(file.finalPath, file.stagedPath),
            !isOfRun(file.finalPath)
        {
            return .wasThere
        }
        return .failed(nameTaken(file, closing))
    }

    /// Whether an errno of a rename speaks of the folder and the disk: full, over the quota,
    /// read-only, locked, vanished, broken, or its server is away.
    private static func isOfPlace(_ code: Int32) -> Bool {
        switch code {
        case ENOSPC, EDQUOT, EROFS, EACCES, EPERM, ENOENT, ENOTDIR, EIO, ESTALE, ENOTCONN, ENODEV,
            ENXIO, ETIMEDOUT:
            true
        default: false
        }
    }

    /// Whether a frame of this run has written the file.
    private mutating func isOfRun(_ path: String) -> Bool {
        if ownedNames == nil, let ledgerPath = launch.paths?.ledger {
            ownedNames = OwnedNames(ledgerPath: ledgerPath, committed: closings)
        }
        return ownedNames?.contains(path) ?? false
    }

    private mutating func nameTaken(_ file: StagedFile, _ closing: Closing) -> String {
        if file.finalPath.hasSuffix(ReplayEntry.suffix) {
            return
                "frame \(closing.key) (unique id \(closing.uniqueId)) is a replay: a frame of this "
                + "key, run and id was accepted before (\(file.finalPath))"
        }
        if let ledgerPath = launch.paths?.ledger,
            let owner = owner(of: file.finalPath, ledgerPath: ledgerPath)
        {
            return
                "\(file.finalPath) is already the output of frame \(owner) of this run, so frame "
                + "\(closing.key) (unique id \(closing.uniqueId)) can't have that name; make the name "
                + "format tell them apart, for example with {frameId}"
        }
        return
            "\(file.finalPath) exists already and is not overwritten (frame \(closing.key), unique "
            + "id \(closing.uniqueId)); choose another output directory or set overwrite=true"
    }

    /// The frame of this run that a file belongs to: asked only when a name is taken, and not for every
    /// frame of a run whose names are all taken, for the whole ledger is read.
    private mutating func owner(of path: String, ledgerPath: String) -> FrameKey? {
        guard ownerQuestionsLeft > 0 else { return nil }
        ownerQuestionsLeft -= 1
        var wanted: Set<EntryId> = []
        do throws(ControllerError) {
            var reader = try LedgerReader(path: ledgerPath)
            while let record = try reader.next() {
                switch record {
                case .intent(let closing, let files):
                    if files.contains(where: { $0.finalPath == path }) { wanted.insert(closing.id) }
                case .closings(let batch):
                    for closing in batch.closings
                    where closing.fileCount > 0 && wanted.contains(closing.id) {
                        return closing.key
                    }
                default: break
                }
            }
        } catch {
            // It only makes the message better; the ledger's own problems are told elsewhere.
        }
        // Committed in this very batch.
        return closings.first { wanted.contains($0.id) }?.key
    }

    // MARK: Records

    private func append(_ record: RunStatisticsRecord) {
        observer?.statistics(record)
        guard statistics.path != nil else { return }
        do {
            statistics.appendOrNote(try record.jsonLine() + [UInt8(ascii: "\n")])
        } catch {
            statistics.note("a record of statistics can't be written as JSON: \(error)")
        }
    }

    /// Without a run directory people read the standard error of the program.
    private func append(_ line: [UInt8]) {
        if log.path != nil {
            log.appendOrNote(line)
        } else {
            _ = line.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
        }
    }

    /// Writes the records gathered so far; while there is no room it waits.
    private mutating func flush() {
        var stall: LedgerStall?
        while !records.isEmpty, !hasGivenUp {
            let code = ledger.append(records.bytes)
            if code == 0 { break }
            let reason =
                "the ledger \(ledger.path ?? "") can't be written: "
                + SystemText.ofError(code)
            var current =
                stall ?? LedgerStall(since: MonotonicClock.now(), tries: 0, reason: reason)
            current.reason = reason
            if !waitForRoom(current) {
                hasGivenUp = true
                ledger.note(reason)
            }
            current.tries += 1
            stall = current
        }
        records.removeAll()
        if hasClosings { crash.reach(.closings) }
        hasClosings = false
    }

    private func sync(_ isWanted: Bool) {
        guard isWanted, !hasGivenUp else { return }
        let code = ledger.sync()
        if code != 0 { ledger.note(code) }
    }
}
