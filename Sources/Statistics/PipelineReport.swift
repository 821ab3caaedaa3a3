/// What one report says of a stage.
public struct StageReport: Sendable, Hashable {
    /// The name of the stage.
    public var name: String
    /// How many workers it has now.
    public var workerCount: Int
    /// The stage as if it were one processor.
    public var total: ProcessorReport
    /// Its processors in the order of the chain.
    public var processors: [ProcessorReport]
}

/// What one report says of a run: statistics and rates per processor, per stage and in all.
public struct PipelineReport: Sendable, Hashable {
    /// When it was made: nanoseconds of the controller's monotonic clock.
    public var timestampNanoseconds: UInt64
    /// Time since counting began, in nanoseconds.
    public var runtimeNanoseconds: UInt64
    /// The work done in all stages together; a frame counts in every stage it goes through.
    public var total: ProcessorReport
    /// The stages in the order of the pipeline.
    public var stages: [StageReport]

    /// A report of `current`, with the rates since `earlier`; where there is none, or a reset lies
    /// in between, the rates of the interval are those since counting began.
    public init(_ current: PipelineStatistics, since earlier: PipelineStatistics? = nil) {
        let runtime = current.intervalNanoseconds
        let before = earlier.flatMap {
            $0.resetNanoseconds == current.resetNanoseconds ? $0 : nil
        }
        let interval = before.map {
            current.timestampNanoseconds > $0.timestampNanoseconds
                ? current.timestampNanoseconds - $0.timestampNanoseconds : 0
        }
        func report(
            _ statistics: ProcessorStatistics, before counters: ProcessorCounters?
        ) -> ProcessorReport {
            ProcessorReport(
                statistics, runtimeNanoseconds: runtime,
                interval: interval.map { (counters ?? ProcessorCounters(), $0) })
        }
        timestampNanoseconds = current.timestampNanoseconds
        runtimeNanoseconds = runtime
        total = report(
            ProcessorStatistics(
                processorName: "run", processorId: 0, counters: current.counters,
                queueDepth: current.stages.reduce(0) { $0.addingSaturating($1.queueDepth) }),
            before: before?.counters)
        stages = current.stages.enumerated().map { place, stage in
            let old = before?.stages.first { $0.name == stage.name }
            return StageReport(
                name: stage.name, workerCount: stage.workerCount,
                total: report(
                    ProcessorStatistics(
                        processorName: stage.name, processorId: place, counters: stage.counters,
                        queueDepth: stage.queueDepth),
                    before: old?.counters),
                processors: stage.processors.map { processor in
                    report(
                        processor,
                        before: old?.processors.first {
                            $0.processorId == processor.processorId
                        }?.counters)
                })
        }
    }
}

extension WorkerSnapshot {
    /// One report for each processor of the worker, with the rates since an earlier snapshot.
    public func reports(since earlier: WorkerSnapshot? = nil) -> [ProcessorReport] {
        processors.map { processor in
            var report = ProcessorReport(processor, runtimeNanoseconds: intervalNanoseconds)
            if let earlier {
                report.intervalRates = rates(since: earlier, processorId: processor.processorId)
            }
            return report
        }
    }

    /// Keys, values and units of all processors. Keys of a worker with one processor get the prefix
    /// only, as the ancestor's `getStats(prefix)` has it; with several, the name of the processor
    /// and a dot follow the prefix (name, hyphen and place where a name occurs twice).
    public func flattened(
        prefix: String = "", since earlier: WorkerSnapshot? = nil
    ) -> [FlatStatistic] {
        reports(since: earlier).flatMap { report in
            guard processors.count > 1 else { return report.flattened(prefix: prefix) }
            let name = report.statistics.processorName
            let isUnique = processors.count { $0.processorName == name } == 1
            let label = isUnique ? name : "\(name)-\(report.statistics.processorId)"
            return report.flattened(prefix: "\(prefix)\(label).")
        }
    }
}
