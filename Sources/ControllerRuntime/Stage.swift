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
    /// The version that workers start with.
    static let firstVersion: UInt64 = 1
    /// Changes that were accepted, in order: a new worker gets them after `start`.
    var changes: [ConfigureCommand] = []

    init(index: Int, configuration: StageConfiguration) {
        self.index = index
        self.configuration = configuration
        board = CreditBoard(
            workerCount: configuration.workerCount, credit: configuration.inFlight)
    }

    /// Its name.
    var name: String { configuration.name }

    /// Waiting frames at which the stages before it pause: enough to keep all its workers busy, few
    /// enough that memory stays bounded.
    var maximumWaitingCount: Int {
        64 + 4 * configuration.workerCount * configuration.inFlight
    }

    /// What its workers are told to make.
    var startCommand: StartCommand {
        StartCommand(
            configurationVersion: 1,
            processors: configuration.processors.map {
                ProcessorSpecification(name: $0.name, settings: $0.settings)
            })
    }
}
