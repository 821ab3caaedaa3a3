/// What a run is doing at a moment.
public enum RunState: String, Sendable, Hashable, Codable {
    /// Workers are being started.
    case starting
    /// Frames are being processed.
    case running
    /// No new frames are accepted, the accepted ones are being finished.
    case draining
    /// Workers are being stopped.
    case stopping
    /// The run is over.
    case finished
}

/// A moment of a run: what the live line and `sluice status` show.
public struct RunStatus: Sendable, Hashable, Codable {
    /// Name of the run.
    public var runId: String
    /// What it is doing.
    public var state: RunState
    /// Why, when it is not simply running; empty otherwise.
    public var reason: String
    /// Process id of the controller.
    public var processId: Int32
    /// Seconds since the run began.
    public var elapsedSeconds: Double
    /// Number of frames of the source; nil when nobody knows.
    public var frameCount: Int?
    /// The run's account.
    public var ledger: LedgerCounts
    /// Frames closed per second and pixel bytes taken in per second, over the last period.
    public var framesPerSecond: Double
    public var bytesPerSecond: Double
    /// Seconds until the end at this rate; nil when nobody knows.
    public var remainingSeconds: Double?
    /// The stages with their accounts.
    public var stages: [StageStatus]
    /// The workers.
    public var workers: [WorkerStatus]
    /// Where statistics and events go; empty where they go nowhere.
    public var exporters: [DestinationStatus] = []
}

/// One stage at a moment.
public struct StageStatus: Sendable, Hashable, Codable {
    /// Name of the stage.
    public var name: String
    /// Its account.
    public var ledger: LedgerCounts
    /// Frames that wait for a worker.
    public var queued: Int
    /// Why it pauses: the place of its files can't take them; nil while it goes on.
    public var held: String?
    /// Seconds since it pauses; nil while it goes on.
    public var heldSeconds: Double?
}

/// One worker at a moment.
public struct WorkerStatus: Sendable, Hashable, Codable {
    /// Number of the worker in the run, from 0; a replacement keeps it.
    public var id: Int
    /// Name of its stage.
    public var stage: String
    /// Process id; 0 while there is no process.
    public var processId: Int32
    /// `spawned`, `ready`, `started`, `stopping`, `gone`.
    public var state: String
    /// Frames in flight, and the most it may have.
    public var inFlight: Int
    public var credit: Int
    /// Share of the last period that it spent in processors, 0 … 1.
    public var load: Double
}
