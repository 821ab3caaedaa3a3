/// Everything known of one processor: of one in a worker, or of all with the same place in a stage.
public struct ProcessorStatistics: Sendable, Hashable {
    /// The class name of the processor.
    public var processorName: String
    /// Its place in the pipeline, from 0.
    public var processorId: Int
    /// The framework's counters.
    public var counters: ProcessorCounters
    /// Frames that wait for it now.
    public var queueDepth: UInt64
    /// The processor's own statistics, in the order of their declaration.
    public var userStatistics: [Statistic]

    /// The statistics of one processor.
    public init(
        processorName: String, processorId: Int, counters: ProcessorCounters = .init(),
        queueDepth: UInt64 = 0, userStatistics: [Statistic] = []
    ) {
        self.processorName = processorName
        self.processorId = processorId
        self.counters = counters
        self.queueDepth = queueDepth
        self.userStatistics = userStatistics
    }

    /// The processor's own statistic of that key; nil when it has none.
    public func userValue(_ key: String) -> StatisticValue? {
        userStatistics.first { $0.declaration.key == key }?.value
    }
}

/// What a worker reports of all its processors at one moment.
public struct WorkerSnapshot: Sendable, Hashable {
    /// The place of the worker in the run, from 0; a replacement keeps it.
    public var workerId: Int
    /// How many workers had this place before, from 0: a replacement has a higher one.
    public var incarnation: Int
    /// When the snapshot was taken: nanoseconds of the worker's monotonic clock.
    public var timestampNanoseconds: UInt64
    /// When counting began, at `start` or the last `resetStats`: nanoseconds of the same clock.
    public var resetNanoseconds: UInt64
    /// The processors of the worker, in the order of the chain.
    public var processors: [ProcessorStatistics]

    /// A snapshot of a worker.
    public init(
        workerId: Int, incarnation: Int = 0, timestampNanoseconds: UInt64,
        resetNanoseconds: UInt64, processors: [ProcessorStatistics]
    ) {
        self.workerId = workerId
        self.incarnation = incarnation
        self.timestampNanoseconds = timestampNanoseconds
        self.resetNanoseconds = resetNanoseconds
        self.processors = processors
    }

    /// The time since counting began, in nanoseconds; 0 when the clock says it has not begun.
    public var intervalNanoseconds: UInt64 {
        timestampNanoseconds > resetNanoseconds ? timestampNanoseconds - resetNanoseconds : 0
    }
}
