internal import Glibc
internal import NDArrays
internal import Pipes
internal import Synchronization
internal import WorkerProtocol

/// Work for the thread that touches the disk.
enum CommitJob: Sendable {
    /// Give the staged files of a frame their final names.
    case commit(CommitRequest)
    /// Remove staged files of a frame that did not go through.
    case discard(files: [StagedFile])
    /// Remember a folder in which there will be staged files.
    case staging(folder: String)
    /// Write into the ledger that frames were closed, and the highest frame id that was accepted. Parents
    /// come before what came out of them, in one job or in earlier ones.
    case closings([Closing], highestFrameId: UInt64)
    /// Write a record into the ledger, before the closings that come after it.
    case record(LedgerRecord)
    /// Write the accounts at the end of the ledger.
    case end([LedgerAccount])
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
    /// What the ledger says of the frame when its files have their names.
    var closing: Closing
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
    /// Files that have their final names: all of them or none.
    var fileCount = 0
    /// Why the frame failed; nil when all files are there.
    var failure: String?
    /// Why the place can't take files now, though it may later; the frame is as if it had not been
    /// processed.
    var held: String?
}

/// What the committer's thread has to know.
struct CommitterLaunch: Sendable {
    /// Name of the run.
    var runId: String
    /// Where records go, the ledger with its first record there; nil where the run leaves nothing behind.
    var paths: RecordPaths?
    /// Directories in which the lives before have staged files.
    var directories: [String] = []
    /// What is brought to the disk, and when.
    var durability = Durability.none
    /// Whether a name that is taken by a file with the very same bytes counts as written.
    var acceptsIdenticalOutputs = false
    /// How long the ledger may be without room before the run ends; nil: for ever.
    var stallTimeLimit: Duration?
    /// Who is told of statistics.
    var observer: (any RunObserver)?
    /// Who is told of frames.
    var frameHandler: (@Sendable (FrameReport) -> Void)?
}

/// Where a run's records go.
struct RecordPaths: Sendable {
    var ledger: String
    var statistics: String
    var log: String
}

/// Gives files their final names and writes ledger and statistics, on a thread of its own, so that
/// no rename and no full disk holds up the dispatch.
///
/// While the ledger can't be written nothing is committed, and nothing is lost: the thread tries again
/// until there is room. See `problem`.
final class Committer: Sendable {
    /// Closings that wait to be written at which the engine stops to hand out frames: they take 6 MB.
    private static let maximumClosingCount = 16 * ClosingBatch.maximumCount
    /// Time between two tries to write the ledger: the first, doubled up to the longest.
    private static let firstPauseMilliseconds: Int32 = 100
    private static let longestPauseMilliseconds: Int32 = 1000
    /// Nanoseconds from the beginning of a batch to that of the next: frames that come faster share the writes
    /// of the ledger and the wakings of both threads. The first after a rest waits for nobody.
    private static let batchPeriod: UInt64 = 1_000_000
    /// The longest that closings of commits wait for the next batch, to be written with it.
    private static let closingPeriodMilliseconds: Int32 = 20
    /// How long a run that ends at once waits for room in the ledger.
    private static let closingTimeLimit: UInt64 = 5_000_000_000

    private struct State {
        var jobs: [CommitJob] = []
        var outcomes: [CommitOutcome] = []
        var waitingClosingCount = 0
        var waitingLogByteCount = 0
        var isClosed = false
        /// Whether the run ends at once, and so waits for nothing long.
        var isHasty = false
        var sleeps = false
        var problem: String?
        /// Why the ledger can't be written now.
        var stall: String?
        var hasGivenUp = false
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
        let (closingCount, logByteCount) = Self.weight(of: jobs)
        let wake = state.withLock { state in
            if state.jobs.isEmpty { swap(&state.jobs, &jobs) } else { state.jobs += jobs }
            state.waitingClosingCount += closingCount
            state.waitingLogByteCount += logByteCount
            defer { state.sleeps = false }
            return state.sleeps
        }
        jobs.removeAll(keepingCapacity: true)
        if wake { flag.signal() }
    }

    /// The closings in some jobs, and the bytes of the log.
    private static func weight(of jobs: [CommitJob]) -> (closingCount: Int, logByteCount: Int) {
        var (closingCount, logByteCount) = (0, 0)
        for job in jobs {
            switch job {
            case .closings(let closings, _): closingCount += closings.count
            case .log(let text): logByteCount += text.count
            default: break
            }
        }
        return (closingCount, logByteCount)
    }

    /// Takes what has been committed since the last call.
    func takeOutcomes() -> [CommitOutcome] {
        state.withLock { state in
            guard !state.outcomes.isEmpty else { return [] }
            defer { state.outcomes.removeAll(keepingCapacity: true) }
            return state.outcomes
        }
    }

    /// Whether so many closings wait to be written that no more frames should be handed out; the engine is
    /// woken when that ends.
    var isBehind: Bool {
        state.withLock { $0.waitingClosingCount > Self.maximumClosingCount }
    }

    /// Bytes of the log that wait to be written.
    var waitingLogByteCount: Int { state.withLock { $0.waitingLogByteCount } }

    /// Why the ledger can't be written now, or what of the records was lost; nil when all is well.
    var problem: String? { state.withLock { $0.stall ?? $0.problem } }

    /// Why the ledger can't be written now; nil when it can.
    var stall: String? { state.withLock { $0.stall } }

    /// Why the ledger could not be written for so long that the run has to end; nil when it could.
    var surrender: String? { state.withLock { $0.hasGivenUp ? $0.problem : nil } }

    /// The run ends at once: a ledger without room is not waited for much longer.
    func hasten() {
        state.withLock { $0.isHasty = true }
        flag.signal()
    }

    /// Ends the thread after the jobs that wait.
    func close() {
        state.withLock { $0.isClosed = true }
        flag.signal()
    }

    /// The body of the thread: carries jobs out until `close`.
    func run(_ launch: CommitterLaunch) {
        var files = CommitFiles(launch) { self.waitForRoom($0, launch.stallTimeLimit) }
        var nextBatchAt: UInt64 = 0
        while true {
            let (hasJobs, isClosed) = state.withLock { state in
                state.sleeps = state.jobs.isEmpty && !state.isClosed
                return (!state.jobs.isEmpty, state.isClosed)
            }
            guard hasJobs else {
                if isClosed { break }
                waitForJobs(&files)
                continue
            }
            let now = MonotonicClock.now()
            if now < nextBatchAt { usleep(UInt32((nextBatchAt - now) / 1000)) }
            nextBatchAt = max(now, nextBatchAt) + Self.batchPeriod
            let jobs = state.withLock { state in
                defer { state.jobs = [] }
                return state.jobs
            }
            let outcomes = files.carryOut(jobs)
            let wake = state.withLock { state in
                state.outcomes += outcomes
                note(&state, files.problem, hasGivenUp: files.hasGivenUp)
                let wasBehind = state.waitingClosingCount > Self.maximumClosingCount
                let (closingCount, logByteCount) = Self.weight(of: jobs)
                state.waitingClosingCount -= closingCount
                state.waitingLogByteCount -= logByteCount
                return wasBehind || files.hasGivenUp || !outcomes.isEmpty
            }
            if wake { wakeEngine() }
        }
        files.writeClosings()
        // Every worker was reaped before `close`: nobody else needs what is still staged.
        if !files.leavesStagedFiles { files.directories.removeLeftovers(ofRun: launch.runId) }
        state.withLock { note(&$0, files.problem, hasGivenUp: files.hasGivenUp) }
    }

    /// Waits for jobs; when none come soon, the closings that are owed are written.
    private func waitForJobs(_ files: inout CommitFiles) {
        do {
            let limit = files.owesClosings ? Self.closingPeriodMilliseconds : -1
            if try !flag.wait(timeoutMilliseconds: limit), files.owesClosings {
                files.writeClosings()
                state.withLock { note(&$0, files.problem, hasGivenUp: files.hasGivenUp) }
                if files.hasGivenUp { wakeEngine() }
            }
        } catch {
            // Asking for jobs again at once is all that is left to do when the kernel has no memory for a wait.
        }
    }

    private func note(_ state: inout State, _ problem: String?, hasGivenUp: Bool) {
        state.problem = state.problem ?? problem
        state.hasGivenUp = hasGivenUp
        state.stall = nil
    }

    /// The ledger has no room: waits a while; false when it has lasted too long.
    private func waitForRoom(_ stall: LedgerStall, _ limit: Duration?) -> Bool {
        let isFirst = state.withLock { state in
            defer { state.stall = stall.reason }
            return state.stall == nil
        }
        if isFirst { wakeEngine() }
        let isHasty = state.withLock { $0.isHasty || $0.isClosed }
        let patience = isHasty ? Self.closingTimeLimit : limit?.nanoseconds ?? .max
        let lasted = MonotonicClock.now() - stall.since
        if lasted >= patience { return false }
        let pause = Self.firstPauseMilliseconds << Int32(min(stall.tries, 4))
        let left = Int32(clamping: (patience - lasted) / 1_000_000 + 1)
        do {
            _ = try flag.wait(
                timeoutMilliseconds: min(pause, Self.longestPauseMilliseconds, left))
        } catch {
            // Trying again at once is all that is left to do when the kernel has no memory for a wait.
        }
        return true
    }
}

/// A ledger that can't be written for a while.
struct LedgerStall {
    /// Monotonic nanoseconds of the first try.
    var since: UInt64
    /// Tries that failed.
    var tries: Int
    /// What the system said, with the path.
    var reason: String
}
