public import Journal
public import NDArrays

/// One processor of a stage with its settings.
public struct ProcessorConfiguration: Sendable, Hashable {
    /// Class name, as the worker executable offers it.
    public var name: String
    /// Settings; texts are parsed by the kind of the setting, in the worker.
    public var settings: Structure

    /// A processor with its settings.
    public init(_ name: String, settings: Structure = Structure()) {
        self.name = name
        self.settings = settings
    }
}

/// How a stage picks the worker for a frame.
public enum DispatchPolicy: Sendable, Hashable {
    /// The worker with the fewest frames in flight.
    case leastLoaded
    /// One after the other; one without credit is passed over.
    case roundRobin
    /// By frame id, or by the value of an attribute: equal values go to the same worker.
    case hash(attribute: String?)
}

/// How pixels get to the workers.
public enum PixelPlane: String, Sendable, Hashable, CaseIterable {
    /// Through shared pools of slots.
    case shared
    /// Inside the messages, for where shared memory is not to be had.
    case inline
}

/// When output files and the records of a run are forced to the disk: what of them is there after the
/// machine lost power. A crash of programs alone never costs anything.
public enum Durability: String, Sendable, Hashable, CaseIterable {
    /// When the system likes to, as a rule within half a minute.
    case none
    /// Each file before it is given its name.
    case file
    /// Everything once, at the end of the run, before its summary says that it is done.
    case run
}

/// A pool of workers with the same chain of processors.
public struct StageConfiguration: Sendable, Hashable {
    /// The most workers of one stage: each costs a process and three descriptors.
    public static let maximumWorkerCount = 1024
    /// The most frames that one worker may have in flight: they wait in its pipe, not elsewhere.
    public static let maximumInFlight = 1024

    /// The most frames that may wait for the workers of a stage.
    public static let maximumQueueLimit = 65_536

    /// Name, unique in the run.
    public var name: String
    /// Name of the stage whose outputs it takes; nil: the source.
    public var from: String?
    /// Number of worker processes.
    public var workerCount: Int
    /// The chain, in order.
    public var processors: [ProcessorConfiguration]
    /// Path of the worker executable; nil: `sluice-worker` beside the running executable or in PATH.
    public var workerExecutable: String?
    /// Most frames of one worker in flight.
    public var inFlight: Int
    /// How workers are picked.
    public var policy: DispatchPolicy
    /// What is done with frames for which there is no room; nil, the standard: `block`.
    public var overload: OverloadPolicy?
    /// Frames that may wait for its workers, at least 1. Nil: for a stage that drops as many as its workers
    /// may have in flight; for one that blocks enough that they are always busy.
    public var queueLimit: Int?
    /// Bytes of one output slot; 0: room for the first frame's shape in float64. Larger outputs go inline.
    public var outputSlotByteCount: Int
    /// Time that a worker has to be ready after it was spawned.
    public var startTimeLimit: Duration
    /// Time that a worker has to finish and leave after `stop`; then it is killed.
    public var stopTimeLimit: Duration
    /// Time that a worker may take for one frame; then it is killed and the frame charged. A worker that
    /// has frames, is in none of them and gives none back for that long is killed, too. Nil: no limit.
    public var frameTimeLimit: Duration?
    /// Most bytes of memory of its own that a worker may take (shared frames are not its own); then it is
    /// killed. Nil: no limit.
    public var memoryLimit: Int?
    /// Time that a worker has to answer a command; then it is taken for hung and killed. One that is
    /// idle is asked every second whether it is there. Nil: no limit, and idle workers are not asked.
    public var responseTimeLimit: Duration?
    /// Workers that a frame may take down before it is quarantined, at least 1.
    public var maximumAttempts: Int
    /// Lives in a row in which a worker finished no frame, at least 1; then the stage fails. Lives that a
    /// frame took that was quarantined for it count as that one frame, of which there may be as many.
    public var maximumFruitlessLives: Int

    /// How many lives may be fruitless unless somebody says otherwise: as many as a frame may take at least.
    package static func standardFruitlessLives(maximumAttempts: Int) -> Int {
        max(10, maximumAttempts)
    }

    /// A stage with the standard limits; `maximumFruitlessLives` nil: 10, or `maximumAttempts` where that is
    /// more.
    public init(
        name: String, from: String? = nil, workerCount: Int = 1,
        processors: [ProcessorConfiguration], workerExecutable: String? = nil, inFlight: Int = 8,
        policy: DispatchPolicy = .leastLoaded, overload: OverloadPolicy? = nil,
        queueLimit: Int? = nil, outputSlotByteCount: Int = 0,
        startTimeLimit: Duration = .seconds(30), stopTimeLimit: Duration = .seconds(30),
        frameTimeLimit: Duration? = .seconds(300), memoryLimit: Int? = nil,
        responseTimeLimit: Duration? = .seconds(10), maximumAttempts: Int = 3,
        maximumFruitlessLives: Int? = nil
    ) {
        self.name = name
        self.from = from
        self.workerCount = workerCount
        self.processors = processors
        self.workerExecutable = workerExecutable
        self.inFlight = inFlight
        self.policy = policy
        self.overload = overload
        self.queueLimit = queueLimit
        self.outputSlotByteCount = outputSlotByteCount
        self.startTimeLimit = startTimeLimit
        self.stopTimeLimit = stopTimeLimit
        self.frameTimeLimit = frameTimeLimit
        self.memoryLimit = memoryLimit
        self.responseTimeLimit = responseTimeLimit
        self.maximumAttempts = maximumAttempts
        self.maximumFruitlessLives =
            maximumFruitlessLives
            ?? Self.standardFruitlessLives(maximumAttempts: maximumAttempts)
    }
}

/// How a run keeps its journal.
public struct JournalPolicy: Sendable, Hashable {
    /// When its events are forced to the disk. After every event, the run waits for the disk at each of them.
    public var durability: JournalDurability
    /// When it goes on in another file, and how many are kept; nil: one file of any size.
    public var rotation: JournalRotation?

    /// The standard: the system writes within seconds, a file has up to 64 MiB (some 300 000 events, which every
    /// editor opens), and all are kept.
    public init(
        durability: JournalDurability = .none,
        rotation: JournalRotation? = JournalRotation(maximumByteCount: 64 << 20)
    ) {
        self.durability = durability
        self.rotation = rotation
    }
}

/// Everything a run needs to know, except its source.
public struct RunConfiguration: Sendable, Hashable {
    /// The stages; the first takes the source's frames unless it says otherwise.
    public var stages: [StageConfiguration]
    /// Folder that the run leaves behind; nil: nothing is left, and nobody can ask from outside.
    public var runDirectory: String?
    /// The configuration as text, stored in the run directory as `configuration.yaml`.
    public var configurationText: String
    /// Whether secrets stand in `configurationText`, so that only the owner of the file may read it.
    public var configurationHoldsSecret = false
    /// How pixels get to workers.
    public var plane: PixelPlane
    /// Slots of the source's pool; 0: enough for all frames in flight.
    public var inputSlotCount: Int
    /// Bytes of an input slot; 0: what the source says.
    public var inputSlotByteCount: Int
    /// Most bytes of pools and queued pixels together, for the whole run; what can't be had is refused at
    /// start. 0: 4 GiB, or three quarters of what the machine can give where that is less.
    public var maximumMemoryByteCount: Int
    /// Most frames per second taken from the source; nil: as many as there are.
    public var rateLimit: Double?
    /// Time between two gatherings of statistics.
    public var statisticsPeriod: Duration
    /// Lowest level of the workers' log lines: `trace` … `critical`.
    public var logLevel: String
    /// Longest time that a stage may be held because the place of its files can't take them, and that the
    /// ledger may be without room; then the run ends. Nil: for ever.
    public var stallTimeLimit: Duration?
    /// When output files and the ledger are forced to the disk.
    public var durability: Durability
    /// How the journal is kept.
    public var journal = JournalPolicy()
    /// Whether the run in `runDirectory` is taken up where its ledger ends, instead of a new one begun.
    public var resumes = false
    /// With `resumes`: frames that ended so are done again, besides dropped ones, which always are. Only
    /// `failed`, `quarantined` and `dropped` can be.
    public var reopenedOutcomes: Set<FrameReport.Outcome> = []
    /// Whether a name that is taken by a file with the very same bytes counts as written. A file that
    /// another frame of the run has written does not.
    public var acceptsIdenticalOutputs = false

    /// A run with the standard limits.
    public init(
        stages: [StageConfiguration], runDirectory: String? = nil, configurationText: String = "",
        plane: PixelPlane = .shared, inputSlotCount: Int = 0, inputSlotByteCount: Int = 0,
        maximumMemoryByteCount: Int = 0, rateLimit: Double? = nil,
        statisticsPeriod: Duration = .seconds(1), logLevel: String = "info",
        stallTimeLimit: Duration? = .seconds(600), durability: Durability = .none
    ) {
        self.stages = stages
        self.runDirectory = runDirectory
        self.configurationText = configurationText
        self.plane = plane
        self.inputSlotCount = inputSlotCount
        self.inputSlotByteCount = inputSlotByteCount
        self.maximumMemoryByteCount = maximumMemoryByteCount
        self.rateLimit = rateLimit
        self.statisticsPeriod = statisticsPeriod
        self.logLevel = logLevel
        self.stallTimeLimit = stallTimeLimit
        self.durability = durability
    }
}
