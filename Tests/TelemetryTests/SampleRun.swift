import Statistics
import Telemetry

/// A run with two stages, the second a chain of three with one name twice.
enum SampleRun {
    static func counters(_ frames: UInt64) -> ProcessorCounters {
        var counters = ProcessorCounters()
        counters.received = frames
        counters.processed = frames - 1
        counters.filtered = 1
        counters.outputs = frames - 1
        counters.bytesIn = frames * 1000
        counters.bytesOut = frames * 10
        counters.lastFrameId = frames
        for frame in 0..<frames { counters.recordProcessing(nanoseconds: 1_000_000 + frame * 1000) }
        return counters
    }

    static let files = Statistic(
        StatisticDeclaration(
            key: "nFilesSaved", kind: .unsigned, unit: .count, description: "Files."),
        7)
    static let peak = Statistic(
        StatisticDeclaration(key: "peak", kind: .real, unit: "keV", aggregation: .maximum), 1.5)
    static let unknown = Statistic(
        StatisticDeclaration(key: "unknown", kind: .real, aggregation: .mean), .real(.nan))
    static let note = Statistic(
        StatisticDeclaration(key: "note", kind: .text, aggregation: .last), "on")

    static var report: PipelineReport {
        PipelineReport(
            PipelineStatistics(
                timestampNanoseconds: 3_000_000_000, resetNanoseconds: 1_000_000_000,
                stages: [
                    StageStatistics(
                        name: "main", workerCount: 2,
                        processors: [
                            ProcessorStatistics(
                                processorName: "PixelStatistics", processorId: 0,
                                counters: counters(100), queueDepth: 3,
                                userStatistics: [files, peak, unknown, note])
                        ]),
                    StageStatistics(
                        name: "save", workerCount: 1,
                        processors: ["Dark", "Save", "Dark"].enumerated().map { place, name in
                            ProcessorStatistics(
                                processorName: name, processorId: place, counters: counters(50))
                        }),
                ]))
    }

    static var results: ResultSet {
        ResultSet(report, run: "tyuy3jwr", timestampNanoseconds: 1_795_235_200_000_000_000)
    }
}

extension ResultSet {
    /// The statistics of a run as results: one for the run, one for each stage and one for each processor of
    /// a stage, with the tags `run`, `stage` and `processor`. The fields are those of
    /// `ProcessorReport.flattened()` under their keys, so that they are the same words everywhere.
    ///
    /// A processor whose name occurs twice in a stage has its place behind it (`Correction-2`). Where the
    /// time of single frames is known (for processors, and stages of one), the distribution `frameTime`
    /// says how they lay. A value that is NaN, which says that nothing is known, is left out.
    init(_ report: PipelineReport, run: String, timestampNanoseconds: Int64) {
        let tags: Meta = ["run": .string(run)]
        var results = [
            MetricResult("run", meta: tags, fields: MetricResult.fields(of: report.total))
        ]
        for stage in report.stages {
            var stageTags = tags
            stageTags["stage"] = .string(stage.name)
            let workers = MetricResult.Field(
                "nWorkers", .int(Int64(stage.workerCount)), unit: StatisticUnit.count.rawValue,
                summary: "Workers of the stage now.")
            var result = MetricResult(
                "stage", meta: stageTags, fields: [workers] + MetricResult.fields(of: stage.total))
            if stage.processors.count == 1 {
                result.distributions = [.frameTime(stage.total.statistics.counters.durations)]
            }
            results.append(result)
            for processor in stage.processors {
                let name = processor.statistics.processorName
                let isUnique =
                    stage.processors.count { $0.statistics.processorName == name } == 1
                let label = isUnique ? name : "\(name)-\(processor.statistics.processorId)"
                var tags = stageTags
                tags["processor"] = .string(label)
                results.append(
                    MetricResult(
                        "processor", meta: tags, fields: MetricResult.fields(of: processor),
                        distributions: [
                            .frameTime(processor.statistics.counters.durations)
                        ]))
            }
        }
        self.init(timestampNanoseconds: timestampNanoseconds, results: results)
    }
}

extension MetricResult {
    /// The fields of a processor, or of a stage or run as if it were one.
    fileprivate static func fields(of report: ProcessorReport) -> [Field] {
        let own = report.statistics.userStatistics
        let ownKeys = Set(own.map(\.declaration.key))
        let framework = StatisticKey.allCases.compactMap { key -> Field? in
            guard !ownKeys.contains(key.rawValue), let value = report.value(of: key),
                let known = MetricValue(value)
            else { return nil }
            return Field(
                key.rawValue, known, kind: key.isCounter ? .counter : .gauge,
                unit: key.unit.rawValue, summary: key.summary, isDerived: key.isDerived)
        }
        return framework
            + own.compactMap { statistic in
                let declaration = statistic.declaration
                guard let known = MetricValue(statistic.value) else { return nil }
                return Field(
                    declaration.key, known, kind: declaration.isCounter ? .counter : .gauge,
                    unit: declaration.unit.rawValue, summary: declaration.description)
            }
    }
}

extension MetricValue {
    /// The value of a statistic, whole numbers clamped to 63 bits; nil for NaN, which says that nothing is
    /// known.
    init?(_ value: StatisticValue) {
        switch value {
        case .unsigned(let value): self = .int(Int64(clamping: value))
        case .signed(let value): self = .int(value)
        case .real(let value):
            if value.isNaN { return nil }
            self = .float(value)
        case .text(let value): self = .string(value)
        case .boolean(let value): self = .bool(value)
        }
    }
}

extension MetricDistribution {
    /// The quantiles that are given of times; the errors are those of `DurationHistogram`, 1.6 % at most.
    private static let parts = [0, 0.5, 0.9, 0.99, 0.999, 1]
    /// The bounds are powers of two of a nanosecond, from 1.024 µs to 68.7 s: edges of the histogram, so
    /// that the counts are exact.
    private static let exponents = 10...36

    /// The times of single frames, in seconds.
    static func frameTime(_ durations: DurationHistogram) -> MetricDistribution {
        MetricDistribution(
            "frameTime", unit: StatisticUnit.seconds.rawValue,
            summary: "Time spent on a frame.", count: durations.count,
            sum: Double(durations.sum) / 1e9,
            quantiles: parts.compactMap { part in
                durations.quantile(part).map { Quantile(part, Double($0) / 1e9) }
            },
            buckets: exponents.map { exponent in
                Bucket(
                    upTo: Double(UInt64(1) << UInt64(exponent)) / 1e9,
                    durations.count(belowPowerOfTwo: exponent))
            }, isAlsoInFields: true)
    }
}
