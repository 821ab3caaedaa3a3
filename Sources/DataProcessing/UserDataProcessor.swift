/// What is done to a frame: the base class of every processor.
///
/// The hooks are called by one thread, in this order: `init`, `configure` with the whole
/// configuration, `start`, then `process` for every frame, with `configure`, `getStats` and
/// `resetStats` between frames, and `stop`. What a hook throws reaches the person who runs the
/// pipeline.
open class UserDataProcessor {
    /// Makes a processor; the configuration has been checked against `settings`. `logger` and the
    /// other members of the pipeline are set afterwards, before `configure`.
    public required init(configuration: Configuration) throws {}

    // MARK: What the class says of itself

    /// The name in configurations and reports; the name of the class unless overridden.
    open class var processorName: String {
        String(String(describing: self).split(separator: ".").last ?? "")
    }

    /// One sentence for people who choose a processor.
    open class var summary: String { "" }

    /// The settings; a subclass of a processor with settings adds its own to `super.settings`.
    open class var settings: [any SettingDeclaration] { [] }

    /// How many frames one frame may become at most: that many output slots are kept ready. More
    /// are possible (up to 1023), more slowly.
    open class var maximumOutputCount: Int { 1 }

    // MARK: Hooks

    /// Called once before the first frame.
    open func start() throws {}

    /// Called with the whole configuration, before `start` and after every change of it. When it
    /// throws, the configuration before is put back by another call.
    open func configure(_ configuration: Configuration) throws {}

    /// Says by throwing that `configure` would refuse this configuration; changes nothing.
    open func validate(_ configuration: Configuration) throws {}

    /// Does the work on one frame.
    ///
    /// Return the frame as it came, the frame changed, or another from `makeFrame`; nil means that
    /// it is filtered out on purpose. When it throws, this frame fails and the pipeline goes on.
    open func process(_ frame: Frame) throws -> Frame? { frame }

    /// Called once after the last frame.
    open func stop() throws {}

    /// Sets the processor's own statistics to zero. When it throws, the person who asked is told.
    open func resetStats() throws {}

    /// The processor's own statistics by key; called between frames.
    open func getStats() -> [String: StatisticValue] { [:] }

    /// What the statistics of `getStats` are, in the order to be shown (the ancestor's
    /// `getStatsPvaTypes`).
    open func getStatsTypes() -> [StatisticDeclaration] { [] }

    /// The kind of payload that `process` takes; nil takes all. Others fail before `process` is
    /// called.
    open func getInputType() -> PayloadKind? { nil }

    /// The kind of payload that `process` gives; nil is the kind that came in.
    open func getOutputType() -> PayloadKind? { nil }

    // MARK: Members that the pipeline sets

    /// Text for people, on standard error; named after the processor.
    public package(set) var logger = Logger(label: "processor")
    /// The place in the pipeline, from 0: the same in every worker.
    public package(set) var processorId = 0
    /// The name of what this stage reads.
    public package(set) var inputChannel = ""
    /// The name of what this stage writes; empty when nothing follows.
    public package(set) var outputChannel = ""
    /// The field or attribute that holds the source's own id.
    public package(set) var objectIdField = "uniqueId"
    /// Queues of metadata by channel name. Empty as long as a run has no metadata channels.
    public package(set) var metadataQueueMap: [String: MetadataQueue] = [:]
    /// Where the files of frames are written.
    public package(set) var outputFiles: any OutputFileStager = ImmediateOutputFiles()

    /// Names the run and the stage, in all workers alike: what frame ids count in. Not for processors
    /// whose outputs are to be the same in every run.
    package var runName = ""
    /// Whether this is the first life of the first worker of the stage, which says what needs saying once.
    package var isFirstWorker = true

    /// The pipeline around the processor while it is part of one.
    var outlet: ProcessorOutlet?
}

extension UserDataProcessor {
    /// What the pipeline tells a processor after making it.
    package struct Surroundings {
        /// Where text for people goes.
        package var logger: Logger
        /// The place in the pipeline of the first processor.
        package var processorId: Int
        /// What the stage reads.
        package var inputChannel: String
        /// What the stage writes.
        package var outputChannel: String
        /// The field of the source's id.
        package var objectIdField: String
        /// Queues of metadata by channel.
        package var metadataQueueMap: [String: MetadataQueue]
        /// Where files are written.
        package var outputFiles: any OutputFileStager
        /// Names the run and the stage.
        package var runName: String
        /// Whether this is the first life of the first worker of the stage.
        package var isFirstWorker: Bool

        /// Surroundings of a processor at place `processorId`.
        package init(
            logger: Logger = Logger(label: "processor"), processorId: Int = 0,
            inputChannel: String = "", outputChannel: String = "",
            objectIdField: String = "uniqueId", metadataQueueMap: [String: MetadataQueue] = [:],
            outputFiles: any OutputFileStager = ImmediateOutputFiles(), runName: String = "",
            isFirstWorker: Bool = true
        ) {
            self.logger = logger
            self.processorId = processorId
            self.inputChannel = inputChannel
            self.outputChannel = outputChannel
            self.objectIdField = objectIdField
            self.metadataQueueMap = metadataQueueMap
            self.outputFiles = outputFiles
            self.runName = runName
            self.isFirstWorker = isFirstWorker
        }
    }

    /// Sets the members that the pipeline sets; before `configure`.
    package func place(in surroundings: Surroundings) {
        logger = surroundings.logger
        processorId = surroundings.processorId
        inputChannel = surroundings.inputChannel
        outputChannel = surroundings.outputChannel
        objectIdField = surroundings.objectIdField
        metadataQueueMap = surroundings.metadataQueueMap
        outputFiles = surroundings.outputFiles
        runName = surroundings.runName
        isFirstWorker = surroundings.isFirstWorker
    }

    /// The own statistics with their declarations, in the declared order; those that are not
    /// declared follow by name, and of several workers the last value counts.
    package func userStatistics() -> [Statistic] {
        var values = getStats()
        var statistics: [Statistic] = []
        for declaration in getStatsTypes() {
            guard let value = values.removeValue(forKey: declaration.key) else { continue }
            statistics.append(Statistic(declaration, value))
        }
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            let declaration = StatisticDeclaration(key: key, kind: value.kind, aggregation: .last)
            statistics.append(Statistic(declaration, value))
        }
        return statistics
    }
}
