import Testing

@testable import Statistics

private func counters(processed: UInt64, bytesIn: UInt64 = 0) -> ProcessorCounters {
    var counters = ProcessorCounters()
    counters.received = processed
    counters.processed = processed
    counters.bytesIn = bytesIn
    return counters
}

private func run(at time: UInt64, reset: UInt64 = 0, processed: UInt64) -> PipelineStatistics {
    PipelineStatistics(
        timestampNanoseconds: time, resetNanoseconds: reset,
        stages: [
            StageStatistics(
                name: "s", workerCount: 1,
                processors: [
                    ProcessorStatistics(
                        processorName: "P", processorId: 0,
                        counters: counters(processed: processed))
                ])
        ])
}

struct RateAndReportTests {
    let second: UInt64 = 1_000_000_000

    @Test func `rates are growth over time and never negative`() {
        let (low, high) = (counters(processed: 10), counters(processed: 30, bytesIn: 4_000_000))
        let rates = ProcessorRates(from: low, to: high, overNanoseconds: 2 * second)
        #expect((rates.processed, rates.bytesIn, rates.failed) == (10, 2_000_000, 0))
        #expect(ProcessorRates(from: low, to: high, overNanoseconds: 0) == ProcessorRates())
        #expect(ProcessorRates(from: high, to: low, overNanoseconds: second).processed == 0)
    }

    @Test func `rates of a snapshot begin anew after a reset or replacement`() {
        func snapshot(at time: UInt64, reset: UInt64, incarnation: Int = 0, _ count: UInt64)
            -> WorkerSnapshot
        {
            WorkerSnapshot(
                workerId: 0, incarnation: incarnation, timestampNanoseconds: time * second,
                resetNanoseconds: reset * second,
                processors: [
                    ProcessorStatistics(
                        processorName: "P", processorId: 0, counters: counters(processed: count))
                ])
        }
        let old = snapshot(at: 10, reset: 0, 100)
        #expect(old.ratesSinceReset(processorId: 0).processed == 10)
        #expect(old.ratesSinceReset(processorId: 1) == ProcessorRates())
        #expect(snapshot(at: 12, reset: 0, 160).rates(since: old, processorId: 0).processed == 30)
        #expect(snapshot(at: 12, reset: 11, 5).rates(since: old, processorId: 0).processed == 5)
        let new = snapshot(at: 3, reset: 1, incarnation: 1, 8)
        #expect(new.rates(since: old, processorId: 0).processed == 4)
        #expect(old.rates(since: old, processorId: 0) == ProcessorRates())
        #expect(snapshot(at: 9, reset: 9, 1).intervalNanoseconds == 0)
    }

    @Test func `a report has rates since the reset and since the report before`() {
        let first = run(at: 10 * second, processed: 100)
        let report = PipelineReport(run(at: 12 * second, processed: 160), since: first)
        #expect(report.total.value(of: .processedRate) == .real(160 / 12))
        #expect(report.total.value(of: .intervalProcessedRate) == 30.0)
        #expect(report.stages[0].total.value(of: .intervalProcessedRate) == 30.0)
        #expect(report.stages[0].processors[0].value(of: .intervalProcessedRate) == 30.0)
        let afterReset = PipelineReport(
            run(at: 14 * second, reset: 13 * second, processed: 7), since: first)
        #expect(afterReset.total.value(of: .intervalProcessedRate) == 7.0)
        #expect(PipelineReport(first).total.value(of: .intervalProcessedRate) == 10.0)
        #expect(PipelineReport(first, since: first).total.value(of: .intervalProcessedRate) == 0.0)
    }

    @Test func `the flattened form has the ancestor's keys, units and a prefix`() throws {
        var counted = counters(processed: 4, bytesIn: 2_000_000)
        counted.failed = 1
        for _ in 0..<4 { counted.recordProcessing(nanoseconds: 32) }
        let saved = StatisticDeclaration(key: "nFilesSaved", kind: .unsigned, unit: .count)
        let time = StatisticDeclaration(key: "processingTime", kind: .real, unit: .seconds)
        let worker = WorkerSnapshot(
            workerId: 0, timestampNanoseconds: 2 * second, resetNanoseconds: 0,
            processors: [
                ProcessorStatistics(
                    processorName: "P", processorId: 0, counters: counted,
                    userStatistics: [Statistic(saved, 4), Statistic(time, 0.25)])
            ])
        let flat = worker.flattened(prefix: "w-")
        let values = Dictionary(uniqueKeysWithValues: flat.map { ($0.key, $0) })
        #expect(values["w-nProcessed"]?.value == 4)
        #expect(values["w-nErrors"]?.value == 1)
        #expect(values["w-nFailed"]?.value == 1)
        #expect(
            values["w-processedRate"]
                == FlatStatistic(
                    key: "w-processedRate", value: 2.0, unit: .perSecond))
        #expect(values["w-dataInRateMBps"]?.value == 1.0)
        #expect(values["w-processingTimeP99"]?.value == .real(32 / 1e9))
        #expect(values["w-nFilesSaved"]?.value == 4)
        #expect(values["w-processingTime"]?.value == 0.25)
        #expect(values["w-lastFrameId"] == nil)
        #expect(flat.last?.key == "w-processingTime")
    }

    @Test func `keys of several processors in one worker are told apart`() {
        func keys(_ names: String...) -> [String] {
            WorkerSnapshot(
                workerId: 0, timestampNanoseconds: 1, resetNanoseconds: 0,
                processors: names.enumerated().map {
                    ProcessorStatistics(processorName: $0.element, processorId: $0.offset)
                }
            ).flattened(prefix: "x.").map(\.key).filter { $0.hasSuffix("nReceived") }
        }
        #expect(keys("A") == ["x.nReceived"])
        #expect(keys("A", "B") == ["x.A.nReceived", "x.B.nReceived"])
        #expect(keys("A", "A") == ["x.A-0.nReceived", "x.A-1.nReceived"])
    }

    @Test func `every framework key has a meaning and is spelled once`() {
        #expect(Set(StatisticKey.allCases.map(\.rawValue)).count == StatisticKey.allCases.count)
        for key in StatisticKey.allCases { #expect(key.summary.hasSuffix(".")) }
    }
}
