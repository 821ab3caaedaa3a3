internal import CLinux
internal import Glibc
internal import Journal
internal import NDArrays
internal import Pipes
internal import Synchronization
internal import Wire
internal import WorkerProtocol

/// Work for the thread that touches the disk.
enum CommitJob: Sendable {
    /// Give the staged files of a frame their final names.
    case commit(CommitRequest)
    /// Remove staged files of a frame that did not go through.
    case discard(files: [StagedFile])
    /// Write a record into the ledger.
    case record(LedgerRecord)
    /// Append a line to the statistics.
    case statistics(RunStatisticsRecord)
    /// Append what a worker printed to the log.
    case log([UInt8])
    /// Tell the embedding program what became of a frame without outputs or files.
    case report(FrameReport)
}

/// A frame whose files get their names and whose outputs go to the embedding program.
struct CommitRequest: Sendable {
    /// The entry's place in the table.
    var place: Int
    /// Which frame.
    var key: FrameKey
    /// Name of its stage.
    var stage: String
    /// The source's own id.
    var uniqueId: UInt64
    /// The staged files.
    var files: [StagedFile]
    /// What to tell the embedding program; nil when there is none.
    var report: FrameReport?
    /// Outputs whose bytes are copied into the report; the entry holds them until the outcome.
    var outputs: [OutputBytes]
}

/// An output with where its bytes are.
///
/// Unchecked: the entry that the bytes belong to stays open until the commit's outcome was taken.
struct OutputBytes: @unchecked Sendable {
    var frame: FrameDescriptor
    var bytes: UnsafeRawBufferPointer
}

/// What became of a commit.
struct CommitOutcome: Sendable {
    /// The entry's place in the table.
    var place: Int
    /// Files that have their final names.
    var fileCount: Int
    /// Why the frame failed; nil when all files are there.
    var failure: String?
    /// Why the place of the files can't take them now, so that the frame is to come again; nil when
    /// it could.
    var held: String?
}

/// Gives files their final names and writes ledger and statistics, on a thread of its own, so that
/// no rename and no full disk holds up the dispatch.
final class Committer: Sendable {
    private struct State {
        var jobs: [CommitJob] = []
        var outcomes: [CommitOutcome] = []
        var isClosed = false
        var sleeps = false
        var problem: String?
    }

    private let state = Mutex(State())
    private let flag: EventFlag
    private let wakeEngine: @Sendable () -> Void

    /// A committer; `wakeEngine` is called when there are outcomes.
    init(wakeEngine: @escaping @Sendable () -> Void) throws(PipeError) {
        flag = try EventFlag()
        self.wakeEngine = wakeEngine
    }

    /// Hands jobs over and empties `jobs`.
    func submit(_ jobs: inout [CommitJob]) {
        guard !jobs.isEmpty else { return }
        let wake = state.withLock { state in
            if state.jobs.isEmpty { swap(&state.jobs, &jobs) } else { state.jobs += jobs }
            defer { state.sleeps = false }
            return state.sleeps
        }
        jobs.removeAll(keepingCapacity: true)
        if wake { flag.signal() }
    }

    /// Takes what has been committed since the last call.
    func takeOutcomes() -> [CommitOutcome] {
        state.withLock { state in
            guard !state.outcomes.isEmpty else { return [] }
            defer { state.outcomes.removeAll(keepingCapacity: true) }
            return state.outcomes
        }
    }

    /// Why ledger or statistics could not be written; nil when they could.
    var problem: String? { state.withLock { $0.problem } }

    /// Ends the thread after the jobs that wait.
    func close() {
        state.withLock { $0.isClosed = true }
        flag.signal()
    }

    /// The body of the thread: carries jobs out until `close`. The files are nil where the run
    /// leaves nothing behind.
    func run(runId: String, paths: RecordPaths?, frameHandler: (@Sendable (FrameReport) -> Void)?) {
        var files = RecordFiles(runId: runId, paths: paths, frameHandler: frameHandler)
        while true {
            let (jobs, isClosed) = state.withLock { state in
                defer { state.jobs = [] }
                state.sleeps = state.jobs.isEmpty && !state.isClosed
                return (state.jobs, state.isClosed)
            }
            if jobs.isEmpty {
                if isClosed { break }
                do { _ = try flag.wait() } catch { continue }
                continue
            }
            let outcomes = files.carryOut(jobs)
            state.withLock { state in
                state.outcomes += outcomes
                state.problem = state.problem ?? files.problem
            }
            if !outcomes.isEmpty { wakeEngine() }
        }
        files.flush()
        // Every worker was reaped before `close`: nobody needs what is still staged.
        files.directories.removeLeftovers(ofRun: runId)
        state.withLock { state in state.problem = state.problem ?? files.problem }
    }
}

/// Where a run's records go.
struct RecordPaths: Sendable {
    var ledger: String
    var statistics: String
    var log: String
}

/// The files that the committer's thread writes.
private struct RecordFiles: ~Copyable {
    private let ledger: RecordFile
    private let statistics: RecordFile
    private let log: RecordFile
    private let frameHandler: (@Sendable (FrameReport) -> Void)?
    private var records = ByteWriter()
    /// Where files were staged.
    private(set) var directories = StagingDirectories()

    init(
        runId: String, paths: RecordPaths?, frameHandler: (@Sendable (FrameReport) -> Void)?
    ) {
        self.frameHandler = frameHandler
        ledger = RecordFile(path: paths?.ledger)
        statistics = RecordFile(path: paths?.statistics)
        log = RecordFile(path: paths?.log)
        if paths != nil {
            LedgerRecord.magic.withUnsafeBytes { records.writeBytes($0) }
            LedgerRecord.run(runId: runId).write(to: &records)
            flush()
        }
    }

    /// The first thing that went wrong with them.
    var problem: String? { ledger.problem ?? statistics.problem ?? log.problem }

    /// Intents of all commits first, then the renames, then what has finished: two writes a batch.
    mutating func carryOut(_ jobs: [CommitJob]) -> [CommitOutcome] {
        for job in jobs {
            guard case .commit(let request) = job else { continue }
            for file in request.files {
                LedgerRecord.intent(key: request.key, stage: request.stage, file: file)
                    .write(to: &records)
            }
        }
        flush()
        var outcomes: [CommitOutcome] = []
        for job in jobs {
            switch job {
            case .commit(let request):
                let outcome = commit(request)
                report(request, outcome)
                outcomes.append(outcome)
            case .discard(let files):
                for file in files {
                    directories.add(directoryOf: file.stagedPath)
                    unlink(file.stagedPath)
                }
            case .record(let record): record.write(to: &records)
            case .statistics(let record): append(record)
            case .log(let line): append(line)
            case .report(let report): frameHandler?(report)
            }
        }
        flush()
        return outcomes
    }

    private mutating func commit(_ request: CommitRequest) -> CommitOutcome {
        for (index, file) in request.files.enumerated() {
            directories.add(directoryOf: file.stagedPath)
            switch publish(file, request) {
            case nil: break
            case .place(let reason):
                undo(request, namedCount: index)
                return CommitOutcome(
                    place: request.place, fileCount: 0, failure: nil, held: reason)
            case .frame(let reason):
                for rest in request.files[index...] { unlink(rest.stagedPath) }
                return CommitOutcome(place: request.place, fileCount: index, failure: reason)
            }
            LedgerRecord.finished(finalPath: file.finalPath).write(to: &records)
        }
        return CommitOutcome(
            place: request.place, fileCount: request.files.count, failure: nil)
    }

    /// Removes all files of a frame that is to come again. One that may have replaced another stays: it
    /// is replaced by itself.
    private func undo(_ request: CommitRequest, namedCount: Int) {
        for file in request.files[..<namedCount] where !file.mayReplace { unlink(file.finalPath) }
        for file in request.files[namedCount...] { unlink(file.stagedPath) }
    }

    private func report(_ request: CommitRequest, _ outcome: CommitOutcome) {
        guard let frameHandler, outcome.held == nil, var report = request.report else { return }
        if let failure = outcome.failure {
            report.outcome = .failed
            report.reason = failure
        } else {
            report.outputs = request.outputs.map { $0.outputFrame() }
        }
        frameHandler(report)
    }

    /// Why a file has not got its name.
    private enum Refusal {
        /// Its folder can't take it now.
        case place(String)
        /// It can't have that name.
        case frame(String)
    }

    /// Gives one file its name; nil, or why it could not be given.
    private mutating func publish(_ file: StagedFile, _ request: CommitRequest) -> Refusal? {
        let (key, uniqueId) = (request.key, request.uniqueId)
        let result =
            file.mayReplace
            ? rename(file.stagedPath, file.finalPath)
            : cl_rename_no_replace(file.stagedPath, file.finalPath)
        if result == 0 { return nil }
        let code = errno
        guard code == EEXIST else {
            let reason =
                "\(file.finalPath) could not be given its name: \(SystemText.ofError(code))"
            return Self.isOfPlace(code) ? .place(reason) : .frame(reason)
        }
        flush()
        let owner = ledger.path.flatMap { Self.owner(of: file.finalPath, ledgerPath: $0) }
        if let owner {
            return .frame(
                "\(file.finalPath) is already the output of frame \(owner) of this run, so frame "
                    + "\(key) (unique id \(uniqueId)) can't have that name; make the name format "
                    + "tell them apart, for example with {frameId}")
        }
        return .frame(
            "\(file.finalPath) exists already and is not overwritten (frame \(key), unique id "
                + "\(uniqueId)); choose another output directory or set overwrite=true")
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

    /// The frame of this run that a file belongs to: asked only when a name is taken.
    private static func owner(of path: String, ledgerPath: String) -> FrameKey? {
        guard let contents = try? LedgerContents(path: ledgerPath) else { return nil }
        var intended: FrameKey?
        for record in contents.records {
            switch record {
            case .intent(let key, _, let file) where file.finalPath == path && intended == nil:
                intended = key
            case .finished(path): return intended
            default: break
            }
        }
        return nil
    }

    private func append(_ record: RunStatisticsRecord) {
        guard statistics.path != nil else { return }
        do {
            statistics.append(try record.jsonLine() + [UInt8(ascii: "\n")])
        } catch {
            statistics.fail("a record of statistics can't be written as JSON: \(error)")
        }
    }

    /// Without a run directory people read the standard error of the program.
    private func append(_ line: [UInt8]) {
        if log.path != nil {
            log.append(line)
        } else {
            _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
        }
    }

    /// Writes the records gathered so far.
    mutating func flush() {
        guard !records.isEmpty else { return }
        ledger.append(records.bytes)
        records.removeAll()
    }
}

/// A file of the run directory that only grows. After the first error it says so and stays as it is.
private final class RecordFile {
    let path: String?
    private let descriptor: OwnedDescriptor
    /// What went wrong first; nil when nothing did.
    private(set) var problem: String?

    /// Opens or makes the file; with nil nothing is written.
    init(path: String?) {
        self.path = path
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC
        let number = open(path ?? "/dev/null", flags, 0o644)
        descriptor = OwnedDescriptor(owning: number)
        if number < 0 { fail(SystemText.ofError(errno)) }
    }

    func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    func append(_ bytes: UnsafeRawBufferPointer) {
        guard path != nil, problem == nil else { return }
        do throws(PipeError) {
            try descriptor.writeAll(bytes)
        } catch {
            fail(SystemText.ofError(error.errorNumber))
        }
    }

    func fail(_ reason: String) {
        if problem == nil { problem = "\(path ?? "") could not be written: \(reason)" }
    }
}
