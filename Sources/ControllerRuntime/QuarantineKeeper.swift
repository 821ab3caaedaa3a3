internal import NDArrays
internal import Pipes
internal import Synchronization
internal import WorkerProtocol

/// A frame to be kept.
///
/// Unchecked: the entry that the bytes belong to stays open until the outcome was taken.
struct QuarantineJob: @unchecked Sendable {
    /// The entry's place in the table.
    var place: Int
    var key: FrameKey
    var stage: String
    var stageIndex: Int
    /// Workers that ended while they processed it.
    var attempts: UInt32
    var reason: String
    var frame: FrameDescriptor
    /// Its bytes; nil for references and structures.
    var bytes: UnsafeRawBufferPointer?
}

/// A frame that has been kept, as far as that was possible.
struct QuarantineOutcome: Sendable {
    /// The entry's place in the table.
    var place: Int
    /// Why it is in quarantine.
    var reason: String
    /// Path of what says everything about it.
    var path: String
    /// What is missing; nil when nothing is.
    var problem: String?
}

/// Keeps quarantined frames in the run directory, one after the other, on a thread of its own that is
/// there only while there are some.
final class QuarantineKeeper: Sendable {
    private struct State {
        var jobs: [QuarantineJob] = []
        var outcomes: [QuarantineOutcome] = []
        var isRunning = false
    }

    private let state = Mutex(State())
    private let isCancelled = Atomic(false)
    private let folder: String
    private let runId: String
    private let wakeEngine: @Sendable () -> Void

    /// A keeper into the folder `quarantine` of a run directory; `wakeEngine` is called when there are
    /// outcomes.
    init(runDirectory: String, runId: String, wakeEngine: @escaping @Sendable () -> Void) {
        folder = runDirectory + "/quarantine"
        self.runId = runId
        self.wakeEngine = wakeEngine
    }

    /// Takes a frame. What it points to has to stay until its outcome was taken.
    func submit(_ job: QuarantineJob) {
        let mustStart = state.withLock { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard mustStart else { return }
        do {
            _ = try NamedThread(name: "quarantine") { [self] in work() }
        } catch {
            // Without a thread there is nothing to wait for.
            state.withLock { state in
                state.outcomes += state.jobs.map {
                    QuarantineOutcome(
                        place: $0.place, reason: $0.reason, path: folder, problem: "\(error)")
                }
                state.jobs = []
                state.isRunning = false
            }
            wakeEngine()
        }
    }

    /// Frames that have been kept since the last call.
    func takeOutcomes() -> [QuarantineOutcome] {
        state.withLock { state in
            defer { state.outcomes = [] }
            return state.outcomes
        }
    }

    /// From now on nothing is waited for: the run ends at once.
    func cancel() { isCancelled.store(true, ordering: .relaxed) }

    private func work() {
        let writer = QuarantineWriter(folder: folder, runId: runId) { [self] in
            isCancelled.load(ordering: .relaxed)
        }
        while let job = nextJob() {
            let (path, problem) = writer.keep(job)
            state.withLock { state in
                state.outcomes.append(
                    QuarantineOutcome(
                        place: job.place, reason: job.reason, path: path, problem: problem))
            }
            wakeEngine()
        }
    }

    private func nextJob() -> QuarantineJob? {
        state.withLock { state in
            guard !state.jobs.isEmpty else {
                state.isRunning = false
                return nil
            }
            return state.jobs.removeFirst()
        }
    }
}
