internal import NDArrays
internal import WorkerProtocol

/// A stage while it runs.
final class Stage {
    let index: Int
    let configuration: StageConfiguration
    /// Its workers.
    var workers: [Worker] = []
    /// Places of the stages that take its outputs.
    var consumers: [Int] = []
    /// Where outputs go that somebody takes; nil when nobody does.
    var outputPool: SlotPool?
    /// Frames that may wait without holding up the stage before it by their slots.
    var waitingCap = Int.max
    /// Memory for outputs that come inside messages.
    var inlineMemory = InlineMemory(limit: .max)
    /// Whether outputs are described in results.
    var wantsOutputs = false
    /// Slots leased with every frame.
    var leaseCount = 0
    /// Frames that wait for any worker.
    var queue = IndexQueue()
    /// Frames that wait, also for one certain worker.
    var waitingCount = 0
    /// Whether its files can be written.
    var hold = StageHold()
    var board: CreditBoard
    var ledger = Ledger()
    /// What it does where it has no room, and whether what is before it waits then.
    let overload: OverloadPolicy
    let waits: Bool
    /// Whether a stage behind it may let its outputs go.
    var outputsMayBeLetGo = false
    /// Entries that have ended; of a first stage those that the intake has to know of.
    var endedCount: UInt64 = 0
    /// Outputs handed on, files committed, pixel bytes in and out.
    var outputCount: UInt64 = 0
    var fileCount: UInt64 = 0
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0
    /// Version of the configuration that new dispatches are stamped with.
    var version = firstVersion
    /// The highest version that frames were stamped with: one that was taken back, because a worker
    /// could not apply it, is not used again, for workers remember it.
    var lastVersion = firstVersion
    /// The version of the configuration that the run began with.
    static let firstVersion: UInt64 = 1
    /// Changes told to a new worker one by one, as many as it remembers for frames that are given out
    /// again. Older ones are part of what it starts with, so a run with many changes needs no more
    /// memory than one with few.
    static let maximumChangeCount = 255
    /// Changes that were accepted, in order, without those in the base: a new worker gets them after
    /// `start`.
    private(set) var changes: [ConfigureCommand] = []
    /// The version that workers start with now, and its processors.
    private(set) var baseVersion = firstVersion
    private var baseProcessors: [ProcessorSpecification]

    /// The stage at a place of the configuration; `isLive`: its run's source does not wait for a sample.
    init(index: Int, configuration: StageConfiguration, isLive: Bool = false) {
        self.index = index
        self.configuration = configuration
        baseProcessors = configuration.processors.map {
            ProcessorSpecification(name: $0.name, settings: $0.settings)
        }
        overload = configuration.overload ?? .block
        waits =
            switch overload {
            case .block: true
            case .sample: !isLive
            case .dropOldest, .dropNewest: false
            }
        board = CreditBoard(
            workerCount: configuration.workerCount, credit: configuration.inFlight)
    }

    /// Open frames of which one may have cost a worker; see `Engine+Suspects.swift`.
    var suspectCount = 0

    /// Its name.
    var name: String { configuration.name }

    /// What its workers may take.
    var watchLimits: WorkerWatch.Limits {
        WorkerWatch.Limits(
            frameTime: configuration.frameTimeLimit?.nanoseconds,
            responseTime: configuration.responseTimeLimit?.nanoseconds)
    }

    /// Frames that its workers may have in flight.
    var credit: Int { configuration.workerCount * configuration.inFlight }

    /// Frames that may wait for its workers: enough to keep all of them busy, few enough that memory
    /// stays bounded. What happens then says `overload`.
    var maximumWaitingCount: Int {
        min(configuration.queueLimit ?? (waits ? 64 + 4 * credit : credit), waitingCap)
    }

    /// What its workers are told to make.
    var startCommand: StartCommand {
        StartCommand(configurationVersion: baseVersion, processors: baseProcessors)
    }

    // MARK: Versions

    /// Stamps dispatches with a change from now on.
    func accept(_ change: ConfigureCommand) {
        version = change.version
        lastVersion = change.version
        changes.append(change)
        guard changes.count > Self.maximumChangeCount else { return }
        let oldest = changes.removeFirst()
        baseVersion = oldest.version
        for field in oldest.changes.fields {
            baseProcessors[Int(oldest.processorIndex)].settings[field.name] = field.value
        }
    }

    /// Goes back to the version before the last change, which is `change`.
    func takeBack(_ change: ConfigureCommand) {
        changes.removeAll { $0.version >= change.version }
        version = changes.last?.version ?? baseVersion
    }

    /// Whether frames may see this version: it was not taken back, and workers remember it.
    func isValid(_ version: UInt64) -> Bool {
        version == baseVersion || changes.contains { $0.version == version }
    }
}
