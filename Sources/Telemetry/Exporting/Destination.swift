internal import Synchronization

/// How all destinations of a sender work.
struct DestinationRules: Sendable {
    var retry = RetryPolicy()
    /// How long one call of `deliver` may take.
    var timeout: Duration
    /// Whether what is in the spool is delivered by the thread of its own accord.
    var isBackground: Bool
    /// Whether failures are tried again only when asked to.
    var isManual: Bool
    /// Whether what failed is kept.
    var saves: Bool
    var clock: any ExportClock
    var deadLetters: DeadLetters?

    /// How long a destination that is interrupted has to come back, as `Exporter.interrupt` promises.
    static let interruptGrace: Duration = .seconds(1)
}

/// One exporter with its thread: it delivers what the spool has for it, and what it is handed, one call at
/// a time; waits when the destination fails; keeps account. A sender that waits may deliver on its own thread.
final class Destination: Sendable {
    struct State: Sendable {
        var jobs: [ExportJob] = []
        var user = User.nobody
        var timer: RetryTimer
        var lastTried: UInt64 = 0
        var hasThread = false
        var hasEnded = false
        var isStopping = false
        /// No batch begins after it while stopping.
        var stopDeadline: Duration = .zero
        var standing = ExporterStatus.State.idle
        var lastError: String?
        var delivered = 0
        var retried = 0
        var deadLetters = 0
    }

    /// Who calls the exporter at this moment.
    enum User: Sendable {
        case nobody
        /// The thread of the destination.
        case thread
        /// A sender that waits.
        case sender
    }

    private enum Step {
        case job(ExportJob)
        case drain(from: UInt64)
        case sleep(until: Duration?)
        case end
    }

    let name: String
    let exporter: any Exporter
    let rules: DestinationRules
    let spool: Spool
    let state: Mutex<State>
    private let bell = Doorbell()
    private let ended = Doorbell()

    init(name: String, exporter: any Exporter, spool: Spool, rules: DestinationRules) {
        self.name = name
        self.exporter = exporter
        self.spool = spool
        self.rules = rules
        state = Mutex(State(timer: RetryTimer(rules.retry)))
        spool.claim(name)
    }

    // MARK: Asked from outside

    /// Hands over a job; it is done after those before it, and before what is in the spool.
    func post(_ job: ExportJob) {
        let isTaken = state.withLock { state in
            guard !state.isStopping, !state.hasEnded else { return false }
            state.jobs.append(job)
            return true
        }
        guard isTaken, start() else {
            let reason = isTaken ? "the system has no thread left" : "the exporter was stopped"
            _ = job.finish([.retryable(reason: reason, after: nil)])
            return
        }
        bell.ring()
    }

    /// Delivers on the thread of the sender; nil where the exporter is at work or may not be called so: hand
    /// over a job then.
    func deliverHere(_ record: ExportRecord) -> ExportOutcome? {
        guard exporter.keepsTimeLimit else { return nil }
        let isMine = state.withLock { state in
            guard state.jobs.isEmpty, state.user == .nobody, !state.isStopping else { return false }
            state.user = .sender
            return true
        }
        guard isMine else { return nil }
        let outcome = deliver([record])[0]
        settle(record, outcome)
        let (isAwaited, isStopping) = state.withLock { state in
            state.user = .nobody
            return (state.hasThread && (!state.jobs.isEmpty || state.isStopping), state.isStopping)
        }
        if isAwaited { bell.ring() }
        if isStopping { ended.ring() }
        return outcome
    }

    /// Says that there is something in the spool.
    func wake() {
        guard rules.isBackground, start() else { return }
        bell.ring()
    }

    /// Starts the thread with the first work; false where the system refuses.
    private func start() -> Bool {
        state.withLock { state in
            guard !state.hasThread else { return true }
            state.hasThread = startDetachedThread("export \(name)") { [self] in run() } == 0
            return state.hasThread
        }
    }

    /// Begins to stop: what is owed goes out until the deadline, if the destination takes it.
    func beginStop(deadline: Duration) {
        state.withLock { state in
            state.isStopping = true
            state.stopDeadline = deadline
        }
        bell.ring()
    }

    /// Waits until the thread has ended and the exporter is closed; false where that is not so in time.
    func waitForEnd(until deadline: Duration) -> Bool {
        while true {
            let (isIdle, hasEnded) = state.withLock { state in
                let isIdle = !state.hasThread && !state.hasEnded && state.user == .nobody
                // Nobody begins anything while it is stopping.
                if isIdle { state.hasEnded = true }
                return (isIdle, state.hasEnded)
            }
            if isIdle { exporter.close() }
            if hasEnded { return true }
            if rules.clock.now >= deadline { return false }
            rules.clock.wait(for: ended, until: deadline)
        }
    }

    // MARK: The thread

    private func run() {
        while true {
            switch nextStep() {
            case .job(let job): perform(job)
            case .drain(let first): drain(from: first)
            case .sleep(let deadline): rules.clock.wait(for: bell, until: deadline)
            case .end:
                exporter.close()
                state.withLock { state in
                    state.hasEnded = true
                    // Those that came too late are told.
                    for job in state.jobs {
                        _ = job.finish([.retryable(reason: "the exporter was stopped", after: nil)])
                    }
                    state.jobs = []
                }
                ended.ring()
                return
            }
        }
    }

    private func nextStep() -> Step {
        let now = rules.clock.now
        let queued = rules.isBackground ? spool.queued(name).records : 0
        let last = rules.isManual ? spool.lastSeq : 0
        return state.withLock { state in
            // A sender rings when it has done.
            if state.user == .sender { return .sleep(until: nil) }
            let step = Self.nextStep(&state, queued: queued, last: last, now, rules)
            state.user = .thread
            if case .sleep = step { state.user = .nobody }
            return step
        }
    }

    private static func nextStep(
        _ state: inout State, queued: Int, last: UInt64, _ now: Duration, _ rules: DestinationRules
    ) -> Step {
        if !state.jobs.isEmpty { return .job(state.jobs.removeFirst()) }
        // Without retries of its own accord only what was never tried is work.
        let hasWork = queued > 0 && (!rules.isManual || state.lastTried < last)
        let first = rules.isManual ? state.lastTried + 1 : 0
        if state.isStopping {
            let isFailing = state.timer.failureCount > 0 && !rules.isManual
            return hasWork && !isFailing && now < state.stopDeadline ? .drain(from: first) : .end
        }
        guard hasWork else { return .sleep(until: nil) }
        if !rules.isManual, let next = state.timer.nextAttempt, next > now {
            return .sleep(until: next)
        }
        return .drain(from: first)
    }

    private func perform(_ job: ExportJob) {
        guard job.begin() else { return }
        switch job.kind {
        case .pause(let release):
            _ = job.finish([])
            release.wait(until: nil)
        case .deliver(let record):
            let outcome = deliver([record])[0]
            settle(record, outcome)
            if let seq = job.finish([outcome]) { acknowledge(seq) }
        case .resend(let last):
            _ = job.finish(resend(through: last))
        }
    }

    /// Notes that a record that was stored has been delivered after all.
    func acknowledge(_ seq: UInt64) {
        do throws(SpoolError) {
            spool.acknowledge(
                try spool.batch(for: name, seq...seq, maximumCount: 1), at: name)
        } catch {
            fail(error.description)
        }
    }

    func fail(_ reason: String) {
        state.withLock { state in
            state.standing = .retrying
            state.lastError = reason
            state.timer.failed(at: rules.clock.now, askedFor: nil)
        }
    }
}
