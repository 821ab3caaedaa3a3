import Foundation
import Statistics
import Telemetry
import TestSupport
import Testing

@testable import ControllerRuntime
@testable import RunTelemetry

@Suite struct RunMetricsTests {
    /// A run of one stage, with frames of every outcome and statistics that a processor declared.
    private static let record: RunStatisticsRecord = {
        var histogram = DurationHistogram()
        for frame in 0..<100 { histogram.record(nanoseconds: 1_000_000 + UInt64(frame) * 1000) }
        var ledger = LedgerCounts()
        ledger.accepted = 100
        ledger.processed = 97
        ledger.failed = 1
        ledger.dropped = ["overload": 2]
        let processor = ProcessorSummary(
            name: "Peaks", processorId: 0,
            statistics: [
                StatisticSummary(key: "nReceived", value: .unsigned(98), unit: "count"),
                StatisticSummary(key: "processedRate", value: .real(49), unit: "1/s"),
                StatisticSummary(
                    key: "nPeaks", value: .unsigned(7), unit: "count", isCounter: true,
                    description: "Peaks found in all images"),
                StatisticSummary(key: "energy", value: .real(1.5), unit: "keV"),
                StatisticSummary(key: "unknown", value: .real(.nan), unit: ""),
            ], frameTimes: FrameTimesSummary(histogram))
        return RunStatisticsRecord(
            timestamp: 1_795_235_200, objectId: 1, ledger: ledger,
            stages: [
                StageSummary(
                    name: "main", ledger: ledger, outputs: 97, files: 97, processors: [processor],
                    latency: LatencySummary(histogram))
            ],
            workers: [
                WorkerSummary(
                    id: 0, processId: 4712, stage: "main", replacements: 2,
                    counters: ["nReceived": 98, "nBytesIn": 1000, "processingTime": 0.1])
            ])
    }()

    private static let status = RunStatus(
        runId: "tyuy3jwr", state: .running, reason: "", processId: 4711, elapsedSeconds: 2,
        frameCount: nil, ledger: record.ledger, framesPerSecond: 50, bytesPerSecond: 1,
        remainingSeconds: nil,
        stages: [
            StageStatus(
                name: "main", ledger: record.ledger, queued: 3, held: "the disk is full",
                heldSeconds: 1)
        ], workers: [])

    private static let exporter = DestinationStatus(
        name: "graphite", state: "retrying", lastError: "refused", queued: 5, queuedBytes: 500,
        delivered: 10, retried: 3, dropped: ["full": 1], refused: 0)

    private static var set: ResultSet {
        var set = RunMetrics.results(of: record, runId: "tyuy3jwr")
        set.results += RunMetrics.results(of: status)
        set.results += RunMetrics.results(of: [exporter], runId: "tyuy3jwr")
        return set
    }

    private static func result(_ name: String) throws -> MetricResult {
        try #require(set.results.first { $0.name == name })
    }

    @Test func `a processor has its own statistics, and the times of its frames`() throws {
        let result = try Self.result("processor")
        #expect(result.fields.map(\.name) == ["nReceived", "processedRate", "nPeaks", "energy"])
        #expect(result.fields.map(\.kind) == [.counter, .gauge, .counter, .gauge])
        #expect(result.fields.map(\.isDerived) == [false, true, false, false])
        let times = try #require(result.distributions.first)
        #expect(times.count == 100 && times.isAlsoInFields && times.unit == "s")
        #expect(abs(times.sum - 0.10495) < 1e-9)
        #expect(times.quantiles.map(\.part) == [0, 0.5, 0.9, 0.99, 0.999, 1])
        // 1.048576 ms lies between the 49th and the 50th.
        #expect(times.buckets.first { $0.upperBound == 0.001048576 }?.cumulativeCount == 49)
        #expect(times.buckets.last?.cumulativeCount == 100)
    }

    @Test func `times of frames come through a stored record as they were`() throws {
        let bytes = try JSONEncoder().encode(FrameTimesSummary(DurationHistogram()))
        let empty = try JSONDecoder().decode(FrameTimesSummary.self, from: bytes)
        #expect(empty.count == 0 && empty.quantiles.isEmpty && empty.counts.allSatisfy { $0 == 0 })
        let processor = Self.record.stages[0].processors[0]
        let stored = try JSONEncoder().encode(processor.frameTimes)
        #expect(
            try JSONDecoder().decode(FrameTimesSummary.self, from: stored) == processor.frameTimes)
    }

    @Test(arguments: [1e300, -1e300, .infinity, .nan])
    func `numbers of a damaged record end nothing`(number: Double) throws {
        var record = Self.record
        record.timestamp = number
        record.workers[0].counters = ["nReceived": number]
        let set = RunMetrics.results(of: record, runId: "x")
        let limit: Int64 = number.isNaN ? 0 : number > 0 ? .max : .min
        #expect(set.timestampNanoseconds == limit)
        let worker = try #require(set.results.last { $0.name == "worker" })
        #expect(worker.fields.last?.value == .int(limit))
        for form in [RecordForm.documents, .lines(InfluxRender(), maximumBytes: 10_000)] {
            var maker = try RecordMaker(form)
            let made = maker.take(RecordMaker.event(of: worker, timestamp: number)) + maker.endSet()
            #expect(made.count == 1)
        }
    }

    @Test(arguments: [
        ("idle", true), ("connected", true), ("retrying", false), ("blocked", false),
    ])
    func `an exporter is up again when it takes what it is given, whatever it said before`(
        state: String, isUp: Bool
    ) {
        var exporter = Self.exporter
        exporter.state = state
        let result = RunMetrics.results(of: [exporter], runId: "x")[0]
        #expect(result.fields.first { $0.name == "up" }?.value == .bool(isUp))
    }

    @Test func `latency is a histogram with buckets, and its quantiles are a summary beside it`() {
        let page = PrometheusRender.page(of: Self.set)
        for line in [
            "# TYPE sluice_stage_latency_seconds histogram",
            "sluice_stage_latency_seconds_bucket{run=\"tyuy3jwr\",stage=\"main\",le=\"0.001048576\"} 49",
            "sluice_stage_latency_seconds_bucket{run=\"tyuy3jwr\",stage=\"main\",le=\"+Inf\"} 100",
            "# TYPE sluice_stage_latency_quantiles_seconds summary",
        ] { #expect(page.contains("\(line)\n"), "\(line) in \(page)") }
    }

    @Test func `the help text of a processor's own statistic is what it declares`() {
        let page = PrometheusRender.page(of: Self.set)
        #expect(page.contains("# HELP sluice_processor_peaks_total Peaks found in all images\n"))
        #expect(page.contains("# HELP sluice_processor_energy_electronvolts "))
    }

    @Test func `every reason to drop frames is counted from the beginning`() {
        let reasons = Self.set.results.filter { $0.name == "stage.dropped" }.map {
            ($0.meta["reason"] ?? "", $0.fields[0].value)
        }
        #expect(reasons.map(\.0) == ["overload", "sample", "stage-failed", "stopped"])
        #expect(reasons.map(\.1) == [2, 0, 0, 0])
    }

    @Test func `the page of metrics names every measurement and field`() throws {
        let text = try String(
            contentsOfFile: "\(Checkout.path)/Docs/Reference/Metrics.md", encoding: .utf8)
        for result in Self.set.results {
            #expect(text.contains("| `\(result.name)` |"), "\(result.name)")
            let own = ["nPeaks", "energy"]
            for name in result.fields.map(\.name) where !own.contains(name) {
                #expect(text.contains("`\(name)`"), "\(result.name).\(name)")
            }
            for key in result.meta.tags.map(\.key) {
                #expect(text.contains("`\(key)`"), "\(key) of \(result.name)")
            }
        }
    }

    @Test(.enabled(if: Promtool.isThere, PrometheusServer.hint))
    func `promtool finds nothing to say of the page or the alert rules`() throws {
        let page = try Promtool.check(metrics: PrometheusRender.page(of: Self.set))
        #expect(page.status == 0 && page.output.isEmpty, "\(page.output)")
        let rules = try Promtool.check(rules: Checkout.path + "/Docs/Monitoring/alerts.yaml")
        #expect(rules.status == 0, "\(rules.output)")
    }

    @Test(arguments: ["alerts.yaml", "grafana-dashboard.json"])
    func `alert rules and dashboard ask for metrics that there are`(file: String) throws {
        let page = PrometheusRender.page(of: Self.set)
        let text = try String(
            contentsOfFile: "\(Checkout.path)/Docs/Monitoring/\(file)", encoding: .utf8)
        let names = text.matches(of: #/sluice_[a-z_]+/#).map { String($0.output) }
        #expect(names.count > 5)
        for name in names {
            #expect(page.contains("\n\(name){"), "\(name)")
        }
    }
}
