internal import Glibc
internal import Journal
internal import NDArrays
internal import Pipes
internal import Statistics
internal import WorkerProtocol

/// The heart of the controller: one thread that dispatches frames, takes results, supervises workers
/// and keeps the ledger. Nothing here blocks but the wait for something to happen.
///
/// Everything in it is confined to that thread; other threads reach it through the mailbox, the
/// intake and the committer.
final class Engine {
    /// How the run will end, as far as decided.
    struct Ending {
        var end: RunEnd
        var reason: String
        /// Open frames are dropped instead of finished.
        var isImmediate: Bool
    }

    /// What an answer with this request id is for.
    enum Pending {
        case describe
        case start
        case stop
        /// To validate a change, and to apply it; by the change's serial number.
        case prepare(change: UInt64)
        case apply(change: UInt64)
        /// An accepted change told to a new worker.
        case replay
        /// A worker is to get to the version that the others have.
        case reapply
        /// An abandoned change: nothing depends on the answer.
        case acknowledgement
        case resetStatistics
        case getStats(gathering: UInt64)
        case ping
    }

    /// An answer that a worker owes.
    struct PendingReply {
        var worker: Int
        var incarnation: Int
        var kind: Pending
        /// Monotonic nanoseconds.
        var sentAt: UInt64
    }

    /// Time between two looks at deadlines while some are running.
    static let housekeepingPeriod: UInt64 = 20_000_000
    /// Longest time between two looks at workers that are at work.
    static let longestWatchPeriod: UInt64 = 250_000_000
    /// First back-off before a worker is spawned again, doubled with every fruitless life.
    static let firstBackOff: UInt64 = 100_000_000
    /// Longest back-off.
    static let maximumBackOff: UInt64 = 10_000_000_000

    let configuration: RunConfiguration
    let source: any FrameSource
    let information: SourceInformation
    let mailbox: EngineMailbox
    var journal: JournalBacklog
    let committer: any CommitQueue
    let system: any EngineSystem
    let runId: String
    let deliversReports: Bool
    /// Keeps quarantined frames; nil where the run leaves nothing behind.
    let keeper: QuarantineKeeper?

    private var events: [EngineEvent] = []
    var stages: [Stage] = []
    var workers: [Worker] = []
    /// Stages that take the source's frames.
    var firstStages: [Int] = []
    var sourcePool: SlotPool?
    var intake: FrameIntake
    var entries = EntryTable()
    var roots = RootTable()
    var ledger = Ledger()
    var state = RunState.starting
    var ending: Ending?
    /// Why the run could not start.
    var startFailure: ControllerError?

    var arrivals: [IntakeFrame] = []
    /// Frames that each first stage took and has closed; empty where the intake does not ask for it.
    var closedOf: [UInt64] = []
    /// New frames that each first stage could keep, likewise.
    var roomOf: [Int] = []
    var overloadNotes = OverloadNotes()
    /// Workers from which nothing is read until there is memory for their results.
    var pausedWorkers: [Int] = []
    var freedSlots: [UInt32] = []
    var sourceHasEnded = false
    var sourceIsRunning = false
    var commitsUnderWay = 0
    /// Quarantined frames that are being kept.
    var keepsUnderWay = 0
    var jobs: [CommitJob] = []
    /// Closings that the committer does not have yet, and when it gets them at the latest.
    var closings: [Closing] = []
    var closingsDueAt = UInt64.max
    /// The claims that were accepted in this run, and those that the committer does not have yet.
    var claimed = ClaimRegister()
    var newClaims: [LedgerRecord] = []
    /// Whether a worker has said that its frames are secret.
    var keepsSecrets = false
    /// Whether no frames are handed out because the ledger can't be written fast enough.
    var isBehind = false
    /// The highest frame id that was accepted.
    var highestFrameId: UInt64 = 0
    /// Whether there is a ledger on disk.
    let keepsLedger: Bool
    /// What an earlier life of the run has left to do; nil in a first life, and when nothing is left.
    var resumption: Resumption?
    /// Removes what the life before said at its end.
    let removeSummary: @Sendable () throws(ControllerError) -> Void
    var failures: [FrameFailure] = []
    /// Workers with bytes to be written at the end of the turn.
    var dirtyWorkers: [Int] = []
    var pendingReplies: [UInt64: PendingReply] = [:]
    var lastRequestId: UInt64 = 0

    var gathering = Gathering()
    var accumulator: StatisticsAccumulator
    var lastStatistics: PipelineStatistics?
    var configureQueue: [ConfigureRequest] = []
    var changeUnderWay: ConfigureUnderWay?
    /// Number of changes begun so far.
    var changeCount: UInt64 = 0
    /// Workers that have not answered a reset of their counters, why one could not, and who waits.
    var resetsUnderWay = 0
    var resetFailure: ControllerError?
    var startWaiters: [@Sendable (Result<Void, ControllerError>) -> Void] = []
    var resetWaiters: [@Sendable (Result<Void, ControllerError>) -> Void] = []

    let startedAt: UInt64
    var now: UInt64
    var firstAcceptedAt: UInt64?
    var lastClosedAt: UInt64 = 0
    var nextHousekeeping: UInt64 = 0
    var nextWatch: UInt64 = 0
    var rates = RateMeter()

    init(
        configuration: RunConfiguration, source: any FrameSource, mailbox: EngineMailbox,
        journal: any JournalSink, committer: any CommitQueue, system: any EngineSystem,
        runId: String, deliversReports: Bool, keeper: QuarantineKeeper? = nil,
        resumption: Resumption? = nil,
        removeSummary: @escaping @Sendable () throws(ControllerError) -> Void = {}
    ) throws {
        self.configuration = configuration
        self.source = source
        self.mailbox = mailbox
        self.journal = JournalBacklog(journal)
        self.committer = committer
        self.system = system
        self.runId = runId
        self.deliversReports = deliversReports
        self.resumption = resumption
        self.removeSummary = removeSummary
        keepsLedger = configuration.runDirectory != nil
        self.keeper = keeper
        information = source.information
        startedAt = system.now()
        now = startedAt
        accumulator = StatisticsAccumulator(
            stages: configuration.stages.map(\.name), startNanoseconds: startedAt)
        intake = try FrameIntake(freeSlots: [], maximumOpenCount: 0, wakeEngine: {})
        try makeStages()
        try makePools()
        if let resumption { restore(resumption) }
    }

    /// Request ids of commands are above this, those of frames below.
    static let firstRequestId: UInt64 = 1 << 63

    // MARK: The loop

    /// Runs from the spawning of the workers to the summary.
    ///
    /// - Throws: `ControllerError` when the run could not be started, after everything was ended again.
    func run() throws -> RunSummary {
        record("run-define", definition)
        if let resumption { tellResumption(resumption) }
        for worker in workers { spawn(worker) }
        while state != .finished { try turn() }
        if let startFailure {
            answerStartWaiters()
            record("run-finish", ["end": "start-failed", "reason": .string(startFailure.reason)])
            throw startFailure
        }
        return finish()
    }

    private func turn() throws {
        resumePaused()
        let mayHaveMore = takeArrivals()
        dispatchAll()
        flushAll()
        submitJobs()
        let timeout = mayHaveMore ? 0 : timeoutMilliseconds()
        try system.wait(timeoutMilliseconds: timeout, &events)
        now = system.now()
        for event in events { handle(event) }
        takeCommits()
        takeKept()
        if now >= nextHousekeeping { keepHouse() }
        advance()
    }

    private func handle(_ event: EngineEvent) {
        switch event {
        case .mailbox:
            mailbox.flag.drain()
            for request in mailbox.take() { handle(request) }
        case .worker(let id, let descriptor):
            let worker = workers[id]
            switch descriptor {
            case .output: readOutput(of: worker)
            case .input: continueWriting(to: worker)
            case .errors: readErrors(of: worker)
            case .process: collect(worker)
            }
        }
    }

    private func timeoutMilliseconds() -> Int32 {
        let wakeAt = nextHousekeeping
        guard wakeAt > now else { return 0 }
        return Int32(clamping: (wakeAt - now + 999_999) / 1_000_000)
    }

    /// Deadlines, respawns and the period of statistics.
    private func keepHouse() {
        var next = gathering.nextAt
        for worker in workers {
            if let deadline = worker.deadline {
                if now >= deadline {
                    worker.deadline = nil
                    drive(worker, .timeLimitPassed, seenAt: deadline)
                } else {
                    next = min(next, deadline)
                }
            }
            if let closing = worker.closedPipe {
                if now >= closing.deadline {
                    drive(worker, .misbehaved("it closed its \(closing.name)"))
                    worker.closedPipe = nil
                } else {
                    next = min(next, closing.deadline)
                }
            }
            if ending?.isImmediate == true { worker.respawnAt = nil }
            if let respawnAt = worker.respawnAt {
                if now >= respawnAt {
                    worker.respawnAt = nil
                    spawn(worker)
                }
                next = min(next, max(respawnAt, now + Self.housekeepingPeriod))
            }
        }
        next = min(next, watchHolds())
        recordOverload()
        if let dueAt = overloadNotes.dueAt { next = min(next, dueAt) }
        if let nextTryAt = journal.nextTryAt {
            if now >= nextTryAt { journal.retry(at: now) }
            next = min(next, journal.nextTryAt ?? .max)
        }
        if now >= closingsDueAt { submitClosings() }
        next = min(next, closingsDueAt)
        checkLedger()
        if now >= gathering.nextAt {
            beginGathering()
            next = min(next, gathering.nextAt)
        }
        if now >= nextWatch { nextWatch = keepWatch() }
        next = min(next, nextWatch)
        nextHousekeeping = max(next, now + 1_000_000)
    }

    /// Makes the loop look at deadlines no later than `time`.
    func wake(at time: UInt64) { nextHousekeeping = min(nextHousekeeping, time) }

    // MARK: From state to state

    /// Goes on to the next states of the run as long as what they wait for is there.
    func advance() {
        var before: RunState
        repeat {
            before = state
            advanceOnce()
        } while state != before
    }

    private func advanceOnce() {
        switch state {
        case .starting:
            if let ending {
                // What could not begin leaves everything as it was.
                if startFailure == nil, !takesUp() { return }
                stopWorkers()
                if ending.isImmediate { killAll() }
            } else if workers.allSatisfy({ $0.machine.state == .started }) {
                begin()
            }
        case .running, .draining:
            if ending?.isImmediate == true { dropEverything() }
            guard sourceHasEnded, arrivals.isEmpty, roots.openCount == 0, commitsUnderWay == 0,
                intake.accepted == ledger.accepted
            else { return }
            gatherForTheLastTime()
        case .stopping:
            if workers.allSatisfy({ $0.machine.state == .gone }) && commitsUnderWay == 0
                && keepsUnderWay == 0
            {
                state = .finished
            }
        case .finished: break
        }
    }

    /// Whether the run could begin; else it ends.
    private func takesUp() -> Bool {
        do throws(ControllerError) {
            try takeUp()
            return true
        } catch {
            startFailure = error
            stopWorkers()
            return false
        }
    }

    private func begin() {
        guard takesUp() else { return }
        state = .running
        record("run-start", ["workers": .init(workers.count), "source": .string(information.name)])
        answerStartWaiters()
        startSource()
        gathering.nextAt = MonotonicClock.time(
            now, plus: configuration.statisticsPeriod.nanoseconds)
        wake(at: gathering.nextAt)
    }

    private func startSource() {
        sourceIsRunning = true
        let driver = SourceDriver(
            source: source, intake: intake, pool: sourcePool.map(SourceSlots.init),
            slotByteCount: sourcePool?.slotByteCount ?? 0, rateLimit: configuration.rateLimit,
            closed: resumption?.closed ?? FrameIdRanges())
        do {
            try system.startSource(driver)
        } catch {
            intake.end(failure: "its thread could not be started: \(error)")
        }
    }

    /// Decides the end of the run; a later, more urgent decision wins.
    func decide(_ end: RunEnd, reason: String, isImmediate: Bool) {
        if let ending, ending.isImmediate || !isImmediate { return }
        if state == .stopping || state == .finished {
            // All frames have their outcome: what is left is to leave quickly.
            if isImmediate { killAll() }
            return
        }
        ending = Ending(end: end, reason: reason, isImmediate: isImmediate)
        if state == .running { state = .draining }
        record(
            "run-drain",
            ["end": .string(end.rawValue), "reason": .string(reason), "now": .bool(isImmediate)])
        if isImmediate { endChanges() }
        intake.close(isImmediate: isImmediate)
        if isImmediate { committer.hasten() }
        source.cancel()
        if !sourceIsRunning { sourceHasEnded = true }
    }

    /// Sends every worker home.
    func stopWorkers() {
        guard state != .stopping else { return }
        state = .stopping
        endChanges()
        if !sourceIsRunning { sourceHasEnded = true }
        for worker in workers {
            worker.respawnAt = nil
            if worker.process == nil {
                worker.machine.abandon()
            } else {
                drive(worker, .stopRequested)
                if startFailure != nil { kill(worker) }
            }
        }
    }

    /// Records an event; while the journal can't be written it waits.
    func record(_ name: String, _ context: KeyValuePairs<String, JournalValue>) {
        journal.record(
            JournalEntry(name, context), at: now, wallTime: MonotonicClock.secondsSinceEpoch)
        if let nextTryAt = journal.nextTryAt { wake(at: nextTryAt) }
    }
}
