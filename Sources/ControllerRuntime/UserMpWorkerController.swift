public import NDArrays
public import Statistics
internal import Synchronization

/// A worker did not answer a command within the time given; its late answer is dropped, and later
/// commands work again.
public struct ProcessNotResponding: Error, Sendable, Hashable, CustomStringConvertible {
    /// The worker that was asked.
    public let workerId: Int
    /// The command: `configure`, `resetStats`.
    public let command: String

    /// One sentence.
    public var description: String {
        "worker \(workerId) did not answer \(command) in time; it may be in a long process() call"
    }
}

/// Drives one worker process from a program: the ancestor's class of this name.
///
/// Frames are handed over one by one and each gives its own result. What the ancestor loses or leaves
/// hanging (frames queued at `stop`, late replies, a worker that dies) is accounted for here.
public final class UserMpWorkerController: Sendable {
    /// Time that a command has to be answered (the ancestor's queue time-outs are 1 s).
    public static let waitTime: Duration = .seconds(1)

    /// The id that the program gave the worker.
    public let workerId: Int
    private let controller: Controller
    private let source: PushSource
    private let results: PendingResults
    private let state = Mutex(State())

    private struct State {
        var run: Task<RunSummary, any Error>?
        var lastStatistics: [FlatStatistic] = []
        var summary: RunSummary?
    }

    /// A controller of one worker with a chain of `processors`; nothing is started yet.
    ///
    /// - Parameters:
    ///   - workerExecutable: path of the worker; nil: `sluice-worker` beside the program or in PATH.
    ///   - inFlight: most frames in the worker at a time; `process` waits beyond that.
    ///   - maximumFrameByteCount: most bytes of one frame. Memory is used only for what frames really have.
    /// - Throws: `ControllerError(.resources)` when the system has no descriptors left.
    public init(
        workerId: Int = 1, processors: [ProcessorConfiguration], workerExecutable: String? = nil,
        inFlight: Int = 8, maximumFrameByteCount: Int = 64 << 20, plane: PixelPlane = .shared
    ) throws {
        self.workerId = workerId
        let source = try PushSource(maximumFrameByteCount: maximumFrameByteCount)
        let results = PendingResults()
        self.source = source
        self.results = results
        let stage = StageConfiguration(
            name: "worker-\(workerId)", processors: processors, workerExecutable: workerExecutable,
            inFlight: inFlight)
        controller = try Controller(
            RunConfiguration(stages: [stage], plane: plane, inputSlotCount: inFlight + 1),
            source: source, frameHandler: { results.resolve($0) })
    }

    /// Starts the worker process and returns when its processors have started.
    ///
    /// - Throws: `ControllerError` when the executable can't be had or a processor refuses.
    public func start() async throws {
        let (controller, results) = (controller, results)
        let run = Task {
            defer { results.end() }
            return try await controller.run()
        }
        state.withLock { $0.run = run }
        do {
            try await controller.waitUntilStarted()
        } catch {
            _ = try await run.value
            throw error
        }
    }

    /// Gives the worker an image and returns what became of it, with a copy of its outputs.
    ///
    /// - Throws: `ControllerError(.state)` when the worker was stopped.
    @discardableResult
    public func process(_ image: NDArray) async throws -> FrameReport {
        try await process(.image(image), uniqueId: image.uniqueId)
    }

    /// Gives the worker any payload and returns what became of it. `uniqueId` nil: its number.
    ///
    /// - Throws: `ControllerError(.state)` when the worker was stopped.
    @discardableResult
    public func process(_ payload: Payload, uniqueId: UInt64? = nil) async throws -> FrameReport {
        try await withCheckedThrowingContinuation { continuation in
            results.submit(continuation) { source.push(payload, uniqueId: uniqueId) }
        }
    }

    /// Changes settings of a processor (nil: the only one). Frames handed over before see the old
    /// ones, frames handed over after see the new ones.
    ///
    /// - Throws: `ControllerError` when the worker refuses, `ProcessNotResponding` when it does not answer.
    public func configure(_ changes: Structure, processor: String? = nil) async throws {
        let processors = controller.configuration.stages[0].processors
        guard let name = processor ?? (processors.count == 1 ? processors[0].name : nil) else {
            throw ControllerError(
                .configuration, "the worker has several processors; say which one to configure")
        }
        let controller = controller
        try await answered("configure") {
            try await controller.configure(processor: name, changes: changes)
        }
    }

    /// Sets the worker's counters to zero.
    ///
    /// - Throws: `ProcessNotResponding` when it does not answer.
    public func resetStats() async throws {
        let controller = controller
        try await answered("resetStats") { try await controller.resetStatistics() }
    }

    /// The worker's statistics, every key with `prefix` before it. After `stop`, and when the worker
    /// does not answer, those that came last.
    public func getStats(prefix: String = "") async -> [FlatStatistic] {
        do {
            let record = try await controller.statistics()
            state.withLock { $0.lastStatistics = Self.flat(record.stages) }
        } catch {
            // The worker is gone: the last ones stand, as the ancestor has it.
        }
        return withPrefix(prefix)
    }

    /// Finishes every frame that was handed over, stops the worker and returns its last statistics.
    ///
    /// - Throws: `ControllerError` when the worker could not be started before.
    @discardableResult
    public func stop(prefix: String = "") async throws -> [FlatStatistic] {
        source.end()
        if let run = state.withLock({ $0.run }) {
            let summary = try await run.value
            state.withLock { state in
                state.summary = summary
                state.lastStatistics = Self.flat(summary.stages)
            }
        }
        return withPrefix(prefix)
    }

    /// The account of all frames; nil before `stop` has returned.
    public var summary: RunSummary? { state.withLock { $0.summary } }

    private func withPrefix(_ prefix: String) -> [FlatStatistic] {
        state.withLock { $0.lastStatistics }.map {
            FlatStatistic(key: prefix + $0.key, value: $0.value, unit: $0.unit)
        }
    }

    private static func flat(_ stages: [StageSummary]) -> [FlatStatistic] {
        let processors = stages.flatMap(\.processors)
        return processors.flatMap { processor in
            let label = processors.count > 1 ? processor.name + "." : ""
            return processor.statistics.map {
                FlatStatistic(
                    key: label + $0.key, value: $0.value.statisticValue,
                    unit: StatisticUnit(rawValue: $0.unit))
            }
        }
    }

    /// Waits for an answer, at most `waitTime`.
    private func answered<Value: Sendable>(
        _ command: String, _ ask: @escaping @Sendable () async throws -> Value
    ) async throws {
        let workerId = workerId
        try await withCheckedThrowingContinuation { continuation in
            let once = FirstAnswer(continuation)
            Task {
                do {
                    _ = try await ask()
                    once.resume(.success(()))
                } catch {
                    once.resume(.failure(error))
                }
            }
            Task {
                try await Task.sleep(for: Self.waitTime)
                once.resume(.failure(ProcessNotResponding(workerId: workerId, command: command)))
            }
        }
    }
}

/// A continuation for several who may answer: the first one does.
private final class FirstAnswer: Sendable {
    private let continuation: Mutex<CheckedContinuation<Void, any Error>?>

    init(_ continuation: CheckedContinuation<Void, any Error>) {
        self.continuation = Mutex(continuation)
    }

    func resume(_ result: Result<Void, any Error>) {
        continuation.withLock { $0.take() }?.resume(with: result)
    }
}

/// The frames that were handed over and have no result yet, by their serial number.
private final class PendingResults: Sendable {
    private struct State {
        var waiting: [UInt64: CheckedContinuation<FrameReport, any Error>] = [:]
        var hasEnded = false
    }

    private let state = Mutex(State())

    /// Keeps a continuation under the number that `push` gives the frame; nil: it takes no more.
    func submit(
        _ continuation: CheckedContinuation<FrameReport, any Error>, push: () -> UInt64?
    ) {
        let isKept = state.withLock { state in
            guard !state.hasEnded, let number = push() else { return false }
            state.waiting[number] = continuation
            return true
        }
        if !isKept { continuation.resume(throwing: Self.over) }
    }

    /// Gives a frame's result to who waits for it.
    func resolve(_ report: FrameReport) {
        state.withLock { $0.waiting.removeValue(forKey: report.key.frameId) }?
            .resume(returning: report)
    }

    /// The run is over: who still waits gets an error.
    func end() {
        let left = state.withLock { state in
            state.hasEnded = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in left.values { continuation.resume(throwing: Self.over) }
    }

    private static var over: ControllerError {
        ControllerError(.state, "the worker was stopped; it takes no more frames")
    }
}
