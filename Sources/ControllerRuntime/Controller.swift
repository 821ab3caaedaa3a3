public import NDArrays

/// Runs a pipeline: spawns workers, hands out the frames of a source, accounts for every one.
///
/// One controller does one run. Every method may be called from any thread or task.
public final class Controller: Sendable {
    /// The configuration of the run.
    public let configuration: RunConfiguration

    /// A controller of a run over `source`; nothing is started yet.
    public init(_ configuration: RunConfiguration, source: any FrameSource) {
        self.configuration = configuration
    }

    /// Does the run from spawning the workers to the certificate, and returns its summary.
    ///
    /// - Throws: `ControllerError` when it could not be started; what goes wrong later is in the summary.
    public func run() async throws -> RunSummary { throw ControllerError(.state, "not built") }

    /// Ends the run: drains what was accepted, or with `now` drops it, accounted for as `stopped`.
    /// Returns at once; `run` returns when it is done. A second call with `now` hastens the first.
    public func stop(now: Bool = false) {}

    /// Where the run stands.
    public func status() async -> RunStatus? { nil }

    /// Fresh statistics from all workers.
    ///
    /// - Throws: `ControllerError` when the run is not going.
    public func statistics() async throws -> RunStatisticsRecord { throw ControllerError(.state, "not built") }

    /// Changes settings of the processors called `processor` (in `stage`, or in the only stage that
    /// has one), on all workers at one frame boundary; returns the new version of the configuration.
    ///
    /// - Throws: `ControllerError` when a worker refuses; nothing has changed then.
    @discardableResult
    public func configure(
        processor: String, stage: String? = nil, changes: Structure
    ) async throws -> UInt64 { throw ControllerError(.state, "not built") }

    /// Sets the counters of all processors to zero; the ledger stays.
    public func resetStatistics() async throws {}
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
