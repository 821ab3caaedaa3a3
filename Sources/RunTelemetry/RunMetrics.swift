public import ControllerRuntime
internal import Statistics
public import Telemetry

/// A run's statistics as results: one for the run, one for every stage, processor and worker, and one for
/// every reason for which frames were dropped.
public enum RunMetrics {
    /// Tags that are no part of Graphite's paths unless somebody wants them there: with the run in it every run
    /// would begin series of its own, in files of their full size.
    public static let tagsOutsidePaths: Set<String> = ["run"]

    /// The results of a gathering of run `runId`.
    public static func results(of record: RunStatisticsRecord, runId: String) -> ResultSet {
        let run: Meta = ["run": .string(runId)]
        var results = [MetricResult("run", meta: run, fields: fields(of: record.ledger))]
        results += dropped(record.ledger, "run.dropped", run)
        for stage in record.stages {
            var meta = run
            meta["stage"] = .string(stage.name)
            results.append(result(of: stage, meta))
            results += dropped(stage.ledger, "stage.dropped", meta)
            for processor in stage.processors { results.append(result(of: processor, meta)) }
        }
        for worker in record.workers { results.append(result(of: worker, run)) }
        return ResultSet(
            timestampNanoseconds: Int64(nearest: record.timestamp * 1e9),
            results: results)
    }

    /// The destinations of the run itself, for the page of Prometheus.
    static func results(of exporters: [DestinationStatus], runId: String) -> [MetricResult] {
        exporters.map { exporter in
            MetricResult(
                "exporter", meta: ["run": .string(runId), "exporter": .string(exporter.name)],
                fields: [
                    gauge(
                        "queued", .int(Int64(clamping: exporter.queued)), "count",
                        "Records that wait"),
                    gauge(
                        "queuedBytes", .int(Int64(clamping: exporter.queuedBytes)), "B",
                        "Bytes of the records that wait"),
                    counter("delivered", exporter.delivered, "Records that were taken"),
                    counter("retried", exporter.retried, "Tries that failed and were made again"),
                    counter(
                        "dropped", exporter.dropped.values.reduce(0, +),
                        "Records lost because the queue was full"),
                    counter("refused", exporter.refused, "Records that can never be taken"),
                    gauge(
                        "up", .bool(!["retrying", "blocked"].contains(exporter.state)), "",
                        "1 while the destination takes what it is given"),
                ])
        }
    }

    /// What a moment of a run shows beside its statistics, for the page of Prometheus.
    static func results(of status: RunStatus) -> [MetricResult] {
        let run: Meta = ["run": .string(status.runId)]
        var results = [
            MetricResult(
                "run", meta: run,
                fields: [
                    gauge(
                        "elapsed", .float(status.elapsedSeconds), "s", "Time since the run began"),
                    gauge(
                        "draining", .bool(status.state != .running && status.state != .starting),
                        "",
                        "1 when no new frames are accepted"),
                ])
        ]
        for stage in status.stages {
            var meta = run
            meta["stage"] = .string(stage.name)
            results.append(
                MetricResult(
                    "stage", meta: meta,
                    fields: [
                        gauge(
                            "queued", .int(Int64(stage.queued)), "count",
                            "Frames that wait for a worker"),
                        gauge(
                            "held", .bool(stage.held != nil), "",
                            "1 while the place of its files takes none"),
                    ]))
        }
        return results
    }

    // MARK: Parts

    private static func fields(of ledger: LedgerCounts) -> [MetricResult.Field] {
        [
            counter("accepted", ledger.accepted, "Frames whose entry was opened"),
            counter("processed", ledger.processed, "Frames that went through"),
            counter("filtered", ledger.filtered, "Frames that a processor took out on purpose"),
            counter("failed", ledger.failed, "Frames that could not be read, processed or written"),
            counter("quarantined", ledger.quarantined, "Frames that took down too many workers"),
            counter("rejected", ledger.rejected, "Frames that were never accepted"),
            gauge(
                "inFlight", .int(Int64(clamping: ledger.inFlight)), "count",
                "Frames without outcome yet"),
        ]
    }

    /// The reasons for which frames are dropped, each with none: `increase` of Prometheus does not see what a
    /// counter has when it comes up.
    private static let dropReasons: [String: UInt64] = [
        "overload": 0, "sample": 0, "stage-failed": 0, "stopped": 0,
    ]

    private static func dropped(
        _ ledger: LedgerCounts, _ name: String, _ meta: Meta
    ) -> [MetricResult] {
        let counts = dropReasons.merging(ledger.dropped) { _, count in count }
        return counts.sorted { $0.key < $1.key }.map { reason, count in
            var meta = meta
            meta["reason"] = .string(reason)
            return MetricResult(
                name, meta: meta, fields: [counter("frames", count, "Frames dropped on purpose")])
        }
    }

    private static func result(of stage: StageSummary, _ meta: Meta) -> MetricResult {
        var fields = fields(of: stage.ledger)
        fields.append(counter("outputs", stage.outputs, "Frames handed on"))
        fields.append(counter("files", stage.files, "Files with their final names"))
        return MetricResult(
            "stage", meta: meta, fields: fields, distributions: latency(stage.latency))
    }

    private static func latency(_ latency: LatencySummary) -> [MetricDistribution] {
        guard let count = latency.count, count > 0, let sum = latency.sum else { return [] }
        let quantiles: [(Double, Double?)] = [
            (0.5, latency.p50), (0.99, latency.p99), (0.999, latency.p999), (1, latency.maximum),
        ]
        return [
            MetricDistribution(
                "latency", unit: "s", summary: "Time of frames from accept to close", count: count,
                sum: sum,
                quantiles: quantiles.compactMap { part, value in
                    value.map { MetricDistribution.Quantile(part, $0) }
                }, buckets: buckets(latency.counts ?? []))
        ]
    }

    private static func result(of processor: ProcessorSummary, _ meta: Meta) -> MetricResult {
        var meta = meta
        meta["processor"] = .string(processor.name)
        meta["processorId"] = .string("\(processor.processorId)")
        return MetricResult(
            "processor", meta: meta,
            fields: processor.statistics.compactMap { statistic in
                // NaN says that nothing is known.
                if case .real(let value) = statistic.value, value.isNaN { return nil }
                let key = StatisticKey(rawValue: statistic.key)
                return MetricResult.Field(
                    statistic.key, MetricValue(statistic.value),
                    kind: key?.isCounter ?? statistic.isCounter ?? false ? .counter : .gauge,
                    unit: statistic.unit, summary: key?.summary ?? statistic.description ?? "",
                    isDerived: key?.isDerived ?? false)
            }, distributions: processor.frameTimes.map { [distribution(of: $0)] } ?? [])
    }

    private static func distribution(of times: FrameTimesSummary) -> MetricDistribution {
        MetricDistribution(
            "frameTime", unit: StatisticUnit.seconds.rawValue, summary: "Time spent on a frame",
            count: times.count, sum: times.sum,
            quantiles: zip(FrameTimesSummary.parts, times.quantiles).map {
                MetricDistribution.Quantile($0, $1)
            },
            buckets: buckets(times.counts), isAlsoInFields: true)
    }

    private static func buckets(_ counts: [UInt64]) -> [MetricDistribution.Bucket] {
        zip(FrameTimesSummary.exponents, counts).map { exponent, count in
            MetricDistribution.Bucket(upTo: Double(UInt64(1) << UInt64(exponent)) / 1e9, count)
        }
    }

    private static func result(of worker: WorkerSummary, _ run: Meta) -> MetricResult {
        var meta = run
        meta["stage"] = .string(worker.stage)
        meta["worker"] = .string("\(worker.id)")
        var fields = [
            counter("restarts", UInt64(worker.replacements), "How often the worker was replaced")
        ]
        for (key, value) in worker.counters.sorted(by: { $0.key < $1.key }) {
            let known = StatisticKey(rawValue: key)
            fields.append(
                MetricResult.Field(
                    key,
                    known?.unit == .seconds ? .float(value) : .int(Int64(nearest: value)),
                    kind: .counter, unit: known?.unit.rawValue ?? "",
                    summary: known?.summary ?? ""))
        }
        return MetricResult("worker", meta: meta, fields: fields)
    }

    private static func counter(
        _ name: String, _ value: UInt64, _ summary: String
    ) -> MetricResult.Field {
        MetricResult.Field(
            name, .int(Int64(clamping: value)), kind: .counter, unit: "count", summary: summary)
    }

    private static func gauge(
        _ name: String, _ value: MetricValue, _ unit: String, _ summary: String
    ) -> MetricResult.Field {
        MetricResult.Field(name, value, kind: .gauge, unit: unit, summary: summary)
    }
}

extension Int64 {
    /// The nearest whole number to one that comes from a file and may be anything; 0 for NaN.
    init(nearest value: Double) {
        let whole = value.rounded()
        self = Int64(exactly: whole) ?? (whole > 0 ? .max : whole < 0 ? .min : 0)
    }
}

extension MetricValue {
    /// The value of a stored statistic; whole numbers too large for 64 bits with a sign are held at the
    /// largest.
    init(_ value: JSONScalar) {
        self =
            switch value {
            case .unsigned(let value): .int(Int64(clamping: value))
            case .signed(let value): .int(value)
            case .real(let value): .float(value)
            case .text(let value): .string(value)
            case .boolean(let value): .bool(value)
            }
    }
}
