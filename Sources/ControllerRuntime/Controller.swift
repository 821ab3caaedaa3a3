internal import Journal
public import NDArrays
internal import Pipes
internal import Synchronization

/// Runs a pipeline: spawns workers, hands out the frames of a source, accounts for every one.
///
/// One controller does one run. Every method may be called from any thread or task.
public final class Controller: Sendable {
    /// The configuration of the run.
    public let configuration: RunConfiguration
    private let source: any FrameSource
    private let frameHandler: (@Sendable (FrameReport) -> Void)?
    private let observer: (any RunObserver)?
    private let mailbox: EngineMailbox
    private let hasRun = Mutex(false)

    /// A controller of a run over `source`; nothing is started yet.
    ///
    /// `frameHandler` is told of every frame that ends in a last stage, with copies of its outputs, on
    /// a thread of the controller: frames wait while it works. `observer` is told of statistics and events.
    ///
    /// - Throws: `ControllerError(.resources)` when the system has no descriptors left.
    public init(
        _ configuration: RunConfiguration, source: any FrameSource,
        observer: (any RunObserver)? = nil,
        frameHandler: (@Sendable (FrameReport) -> Void)? = nil
    ) throws(ControllerError) {
        self.configuration = configuration
        self.source = source
        self.frameHandler = frameHandler
        self.observer = observer
        do throws(PipeError) {
            mailbox = try EngineMailbox()
        } catch {
            throw ControllerError(.resources, "the controller can't be made: \(error)")
        }
    }

    /// Does the run from spawning the workers to the certificate, and returns its summary.
    ///
    /// - Throws: `ControllerError` when it could not be started; what goes wrong later is in the summary.
    public func run() async throws -> RunSummary {
        let isFirst = hasRun.withLock { hasRun in
            defer { hasRun = true }
            return !hasRun
        }
        guard isFirst else {
            throw ControllerError(.state, "a controller does one run; make another for the next")
        }
        ProcessSignals.ignoreBrokenPipe()
        let directory = try openRunDirectory()
        do {
            return try await run(in: directory)
        } catch {
            directory?.discard()
            throw error
        }
    }

    private func openRunDirectory() throws(ControllerError) -> RunDirectory? {
        guard let path = configuration.runDirectory else {
            if !configuration.resumes { return nil }
            throw ControllerError(
                .configuration, "a run is taken up in its run directory: give its path")
        }
        guard configuration.resumes else { return try RunDirectory(creating: path) }
        switch try RunDirectory.start(of: path) {
        case .unbegun: return try RunDirectory(creating: path, replacesUnbegun: true)
        case .begun: return try RunDirectory(resuming: path)
        }
    }

    private func run(in directory: RunDirectory?) async throws -> RunSummary {
        var resumption: Resumption?
        if let directory, directory.isResumed {
            resumption = try RunRecovery(directory, configuration, source.information).recover()
        } else {
            try directory?.write(
                configuration: configuration.configurationText,
                isPrivate: configuration.configurationHoldsSecret)
        }
        let writer = try directory.map {
            try JournalWriter(
                path: $0.path(of: .journal), durability: configuration.journal.durability,
                rotation: configuration.journal.rotation)
        }
        let server = try directory.map { try ControlServer(in: $0, handler: self) }
        var journal: any JournalSink =
            if let writer, let server {
                AnnouncedJournal(journal: writer, server: server)
            } else {
                UnkeptJournal()
            }
        if let observer { journal = ObservedJournal(journal: journal, observer: observer) }
        let result: Result<RunSummary, any Error>
        do {
            result = .success(try await runEngine(directory, journal, resumption))
        } catch {
            result = .failure(error)
        }
        await server?.close()
        var summary = try result.get()
        do throws(ControllerError) {
            try directory?.write(summary)
        } catch {
            // The frames are done and their files have their names: what is left to do is to say so.
            summary.problems.append(error.reason)
        }
        return summary
    }

    private func runEngine(
        _ directory: RunDirectory?, _ journal: any JournalSink, _ resumption: Resumption?
    ) async throws -> RunSummary {
        let paths = directory.map {
            RecordPaths(
                ledger: $0.path(of: .ledger), statistics: $0.path(of: .statistics),
                log: $0.path(of: .log))
        }
        let runId = directory?.runId ?? EngineLaunch.makeRunId()
        observer?.runBegan(runId: runId)
        let launch = EngineLaunch(
            configuration: configuration, source: source, mailbox: mailbox, journal: journal,
            runId: runId, paths: paths, resumption: resumption,
            removeSummary: { () throws(ControllerError) in try directory?.removeSummary() },
            observer: observer, frameHandler: frameHandler)
        return try await withCheckedThrowingContinuation { continuation in
            do {
                _ = try NamedThread(name: "engine", stackByteCount: 4 << 20) {
                    continuation.resume(with: launch.run())
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// Ends the run: drains what was accepted, or with `now` drops it, accounted for as `stopped`.
    /// Returns at once; `run` returns when it is done. A second call with `now` hastens the first.
    public func stop(now: Bool = false) { _ = mailbox.post(.stop(now: now)) }

    /// Returns when all workers have started and frames are taken.
    ///
    /// - Throws: `ControllerError` when that can't be.
    public func waitUntilStarted() async throws { try await ask { .started($0) } }

    /// Where the run stands; nil when it is over.
    public func status() async -> RunStatus? {
        var status = await withCheckedContinuation { continuation in
            let posted = mailbox.post(.status { continuation.resume(returning: $0) })
            if !posted { continuation.resume(returning: nil) }
        }
        status?.exporters = observer?.exporters ?? []
        return status
    }

    /// Fresh statistics from all workers.
    ///
    /// - Throws: `ControllerError` when the run is not going.
    public func statistics() async throws -> RunStatisticsRecord {
        try await ask { .statistics($0) }
    }

    /// Changes settings of the processors called `processor` (in `stage`, or in the only stage that
    /// has one), on all workers at one frame boundary; returns the new version of the configuration
    /// when all workers have applied it, each after the frames that it had already. While all workers
    /// are being replaced it waits for one. Changes that are asked for at the same time are made one
    /// after the other.
    ///
    /// - Throws: `ControllerError` when a worker refuses the change, can't apply it or ends over it, and
    ///   when the run ends before; the settings of before are then valid again.
    @discardableResult
    public func configure(
        processor: String, stage: String? = nil, changes: Structure
    ) async throws -> UInt64 {
        try await ask {
            .configure(
                ConfigureRequest(
                    stage: stage, processor: processor, changes: changes, completion: $0))
        }
    }

    /// Sets the counters of all processors to zero; the ledger stays.
    ///
    /// - Throws: `ControllerError` when the run is not going, or the hook of a processor fails.
    public func resetStatistics() async throws {
        try await ask { .resetStatistics($0) }
    }

    private func ask<Value: Sendable>(
        _ request: (@escaping @Sendable (Result<Value, ControllerError>) -> Void) -> EngineRequest
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let posted = mailbox.post(request { continuation.resume(with: $0) })
            if !posted {
                continuation.resume(
                    throwing: ControllerError(.state, "the run is over; nothing can be asked of it")
                )
            }
        }
    }
}

/// The journal of a run, followed over its control socket.
private struct AnnouncedJournal: JournalSink {
    let journal: JournalWriter
    let server: ControlServer

    func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent {
        let event = try journal.record(entry)
        server.announce(event: event.seq)
        return event
    }
}

/// Statistics of a run at one moment.
public struct RunStatisticsRecord: Sendable, Hashable, Codable {
    /// Seconds since the POSIX epoch.
    public var timestamp: Double
    /// Serial number of the gathering in the run, from 1.
    public var objectId: UInt64
    /// The run's account.
    public var ledger: LedgerCounts
    /// The stages with their processors.
    public var stages: [StageSummary]
    /// The workers with their counters.
    public var workers: [WorkerSummary]
}
