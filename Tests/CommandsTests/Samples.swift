import Statistics

@testable import ControllerRuntime

/// Values of a run to show and to send.
enum Samples {
    static var ledger: LedgerCounts {
        var ledger = LedgerCounts()
        ledger.accepted = 120
        ledger.processed = 100
        ledger.filtered = 5
        ledger.failed = 3
        ledger.dropped = ["stopped": 2]
        ledger.inFlight = 10
        return ledger
    }

    static var status: RunStatus {
        RunStatus(
            runId: "abcd2345", state: .running, reason: "", processId: 4711, elapsedSeconds: 2.5,
            frameCount: 200, ledger: ledger, framesPerSecond: 412.3, bytesPerSecond: 864_000_000,
            remainingSeconds: 3.2,
            stages: [StageStatus(name: "save", ledger: ledger, queued: 4)],
            workers: [
                WorkerStatus(
                    id: 0, stage: "save", processId: 4712, state: "started", inFlight: 6, credit: 8,
                    load: 0.87),
                WorkerStatus(
                    id: 1, stage: "save", processId: 4713, state: "started", inFlight: 4, credit: 8,
                    load: 0.85),
            ])
    }

    static var stage: StageSummary {
        StageSummary(
            name: "save", ledger: ledger, outputs: 100, files: 100,
            processors: [
                ProcessorSummary(
                    name: "PixelStatistics", processorId: 0,
                    statistics: [
                        StatisticSummary(key: "nReceived", value: .unsigned(120), unit: ""),
                        StatisticSummary(key: "processingTime", value: .real(0.8125), unit: "s"),
                        StatisticSummary(key: "minimum", value: .signed(-3), unit: "counts"),
                        StatisticSummary(key: "mode", value: .text("fast"), unit: ""),
                    ])
            ],
            latency: latency)
    }

    static var latency: LatencySummary {
        var histogram = DurationHistogram()
        for milliseconds in 1...1000 {
            histogram.record(nanoseconds: UInt64(milliseconds) * 1_000_000)
        }
        return LatencySummary(histogram)
    }

    static var worker: WorkerSummary {
        WorkerSummary(
            id: 0, processId: 4712, stage: "save", replacements: 0,
            counters: ["nReceived": 120, "nProcessed": 110])
    }

    static var statistics: RunStatisticsRecord {
        RunStatisticsRecord(
            timestamp: 1_764_000_000.25, objectId: 3, ledger: ledger, stages: [stage],
            workers: [worker])
    }
}
