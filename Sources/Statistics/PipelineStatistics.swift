/// The statistics of one stage: its processors, each over all workers.
public struct StageStatistics: Sendable, Hashable {
    /// The name of the stage.
    public var name: String
    /// How many workers it has now.
    public var workerCount: Int
    /// Its processors in the order of the chain, over all its workers.
    public var processors: [ProcessorStatistics]

    /// The statistics of a stage.
    public init(name: String, workerCount: Int = 0, processors: [ProcessorStatistics] = []) {
        self.name = name
        self.workerCount = workerCount
        self.processors = processors
    }

    /// The stage as if it were one processor; see `ProcessorCounters.chain(_:)`.
    public var counters: ProcessorCounters { .chain(processors.map(\.counters)) }

    /// Frames that wait in the stage now.
    public var queueDepth: UInt64 {
        processors.reduce(0) { $0.addingSaturating($1.queueDepth) }
    }

    /// The statistics of a stage from snapshots of its workers, at most one of each.
    public init(name: String, aggregating snapshots: [WorkerSnapshot]) {
        self.init(
            name: name, workerCount: snapshots.count,
            processors: aggregate(
                snapshots.map {
                    Contribution(
                        standing: .live, timestampNanoseconds: $0.timestampNanoseconds,
                        processors: $0.processors)
                }))
    }
}

/// The statistics of all stages of a run at one moment.
public struct PipelineStatistics: Sendable, Hashable {
    /// When they were put together: nanoseconds of the controller's monotonic clock.
    public var timestampNanoseconds: UInt64
    /// When counting began, at the start or the last reset: nanoseconds of the same clock.
    public var resetNanoseconds: UInt64
    /// The stages, in the order of the pipeline.
    public var stages: [StageStatistics]

    /// The statistics of a run.
    public init(
        timestampNanoseconds: UInt64, resetNanoseconds: UInt64, stages: [StageStatistics]
    ) {
        self.timestampNanoseconds = timestampNanoseconds
        self.resetNanoseconds = resetNanoseconds
        self.stages = stages
    }

    /// The work done in all stages together. A frame that went through two stages counts twice
    /// here; it is the ledger that counts every frame once.
    public var counters: ProcessorCounters {
        stages.reduce(into: ProcessorCounters()) { $0.merge($1.counters) }
    }

    /// The time since counting began, in nanoseconds.
    public var intervalNanoseconds: UInt64 {
        timestampNanoseconds > resetNanoseconds ? timestampNanoseconds - resetNanoseconds : 0
    }
}

/// What one worker, or the predecessors of one, add to a stage.
struct Contribution {
    /// Which of its values still say something.
    enum Standing {
        /// The worker runs: everything counts.
        case live
        /// It ended and has no successor: all but its queue; gauges only if no worker is live.
        case finished
        /// It has a successor: only what adds up or is an extreme.
        case predecessor
    }

    var standing: Standing
    var timestampNanoseconds: UInt64
    var processors: [ProcessorStatistics]
}

/// The pure aggregation: processors with the same place become one, in the order of their places.
/// Counters add up over all contributions; queues over live ones. An own statistic goes by its
/// declaration: a counter, a minimum or a maximum over all; `last` by time stamp and other sums and
/// means over the live ones, or, when none is live, over those that ended without a successor.
func aggregate(_ contributions: [Contribution]) -> [ProcessorStatistics] {
    let hasLive = contributions.contains { $0.standing == .live }
    var builders: [Int: ProcessorAggregate] = [:]
    for contribution in contributions {
        for processor in contribution.processors {
            builders[
                processor.processorId, default: ProcessorAggregate(processor.processorName)
            ].add(processor, of: contribution, hasLive: hasLive)
        }
    }
    return builders.sorted { $0.key < $1.key }.map { $0.value.result(processorId: $0.key) }
}

/// Gathers one processor of a stage over the workers.
private struct ProcessorAggregate {
    struct Values {
        var declaration: StatisticDeclaration
        var timed: [(time: UInt64, value: StatisticValue)] = []
    }

    var name: String
    var counters = ProcessorCounters()
    var queueDepth: UInt64 = 0
    var places: [String: Int] = [:]
    var values: [Values] = []

    init(_ name: String) { self.name = name }

    mutating func add(_ other: ProcessorStatistics, of source: Contribution, hasLive: Bool) {
        counters.merge(other.counters)
        if source.standing == .live { queueDepth = queueDepth.addingSaturating(other.queueDepth) }
        for statistic in other.userStatistics {
            let declaration = statistic.declaration
            guard declaration.counts(source.standing, hasLive: hasLive) else { continue }
            let place = places[declaration.key] ?? values.count
            if place == values.count {
                places[declaration.key] = place
                values.append(Values(declaration: declaration))
            }
            values[place].timed.append((source.timestampNanoseconds, statistic.value))
        }
    }

    func result(processorId: Int) -> ProcessorStatistics {
        ProcessorStatistics(
            processorName: name, processorId: processorId, counters: counters,
            queueDepth: queueDepth,
            userStatistics: values.compactMap { gathered in
                let aggregation = gathered.declaration.aggregation
                let ordered =
                    aggregation == .last
                    ? gathered.timed.sorted { $0.time < $1.time } : gathered.timed
                return aggregation.combine(ordered.map(\.value)).map {
                    Statistic(gathered.declaration, $0)
                }
            })
    }
}

extension StatisticDeclaration {
    /// Whether a value of a worker of that standing goes into the aggregate.
    fileprivate func counts(_ standing: Contribution.Standing, hasLive: Bool) -> Bool {
        switch (aggregation, standing) {
        case (_, .live), (.minimum, _), (.maximum, _): true
        case (.sum, .finished): isCounter || !hasLive
        case (.sum, .predecessor): isCounter
        case (.mean, .finished), (.last, .finished): !hasLive
        case (.mean, .predecessor), (.last, .predecessor): false
        }
    }
}
