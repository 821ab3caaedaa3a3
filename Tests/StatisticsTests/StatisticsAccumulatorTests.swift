import Testing

@testable import Statistics

/// Declarations with every way to aggregate.
private let saved = StatisticDeclaration(key: "nFilesSaved", kind: .unsigned, unit: .count)
private let rate = StatisticDeclaration(key: "rate", kind: .real, unit: .framesPerSecond)
private let lowest = StatisticDeclaration(key: "lowest", kind: .signed, aggregation: .minimum)
private let highest = StatisticDeclaration(key: "highest", kind: .signed, aggregation: .maximum)
private let load = StatisticDeclaration(key: "load", kind: .real, aggregation: .mean)
private let file = StatisticDeclaration(key: "file", kind: .text, aggregation: .last)

/// A snapshot of a worker with one processor that has processed `count` frames.
private func snapshot(
    _ worker: Int, incarnation: Int = 0, at time: UInt64, reset: UInt64 = 0, count: Int,
    queue: UInt64 = 0, own: [Statistic] = []
) -> WorkerSnapshot {
    var counters = ProcessorCounters()
    for _ in 0..<count { counters.recordProcessing(nanoseconds: 1000) }
    counters.received = UInt64(count)
    counters.processed = UInt64(count)
    return WorkerSnapshot(
        workerId: worker, incarnation: incarnation, timestampNanoseconds: time,
        resetNanoseconds: reset,
        processors: [
            ProcessorStatistics(
                processorName: "P", processorId: 0, counters: counters, queueDepth: queue,
                userStatistics: own)
        ])
}

private func processed(_ accumulator: StatisticsAccumulator) -> UInt64 {
    accumulator.statistics(atNanoseconds: 0).counters.processed
}

struct StatisticsAccumulatorTests {
    @Test func `totals never fall when workers are replaced`() {
        var accumulator = StatisticsAccumulator(stages: ["s"], startNanoseconds: 0)
        var before: UInt64 = 0
        for incarnation in 0..<5 {
            for count in 0..<3 {
                let time = UInt64(incarnation * 10 + count)
                let taken = accumulator.record(
                    snapshot(0, incarnation: incarnation, at: time, count: count), stage: "s")
                #expect(taken)
                let now = processed(accumulator)
                #expect(now >= before)
                before = now
            }
            accumulator.markGone(workerId: 0, incarnation: incarnation, stage: "s")
            #expect(processed(accumulator) == before)
        }
        #expect(before == 10)
        let stage = accumulator.statistics(atNanoseconds: 0).stages[0]
        #expect(stage.workerCount == 0)
        #expect(stage.processors[0].counters.durations.count == 10)
    }

    @Test func `snapshots that are late or of an earlier incarnation are ignored`() {
        var accumulator = StatisticsAccumulator(stages: ["s"], startNanoseconds: 0)
        accumulator.record(snapshot(0, incarnation: 1, at: 20, count: 5), stage: "s")
        for late in [
            snapshot(0, incarnation: 1, at: 19, count: 4), snapshot(0, at: 30, count: 9),
        ] {
            let taken = accumulator.record(late, stage: "s")
            #expect(!taken)
        }
        #expect(processed(accumulator) == 5)
    }

    @Test func `a worker that begins again without saying so loses nothing`() {
        var accumulator = StatisticsAccumulator(stages: ["s"], startNanoseconds: 0)
        accumulator.record(snapshot(0, at: 1, count: 5), stage: "s")
        accumulator.record(snapshot(0, at: 2, count: 1), stage: "s")
        #expect(processed(accumulator) == 6)
    }

    @Test func `a reset forgets everything and what workers counted before it stays out`() {
        var accumulator = StatisticsAccumulator(stages: ["s"], startNanoseconds: 0)
        accumulator.record(snapshot(0, at: 1, count: 5, own: [Statistic(saved, 5)]), stage: "s")
        accumulator.record(snapshot(1, at: 1, count: 7), stage: "s")
        accumulator.markGone(workerId: 1, incarnation: 0, stage: "s")
        accumulator.record(snapshot(1, incarnation: 1, at: 2, count: 1), stage: "s")
        accumulator.reset(atNanoseconds: 10)
        #expect(processed(accumulator) == 0)
        #expect(accumulator.statistics(atNanoseconds: 12).intervalNanoseconds == 2)
        #expect(accumulator.statistics(atNanoseconds: 12).stages[0].workerCount == 2)
        let stale = accumulator.record(snapshot(0, at: 11, count: 6), stage: "s")
        #expect(!stale)
        let fresh = accumulator.record(snapshot(0, at: 12, reset: 11, count: 2), stage: "s")
        #expect(fresh)
        let staleAfterwards = accumulator.record(snapshot(0, at: 11, count: 6), stage: "s")
        #expect(!staleAfterwards)
        accumulator.record(snapshot(1, incarnation: 2, at: 13, reset: 13, count: 3), stage: "s")
        #expect(processed(accumulator) == 5)
    }

    @Test func `own statistics of workers that are gone go by their declaration`() throws {
        var accumulator = StatisticsAccumulator(stages: ["s"], startNanoseconds: 0)
        func own(_ number: Int, _ name: String) -> [Statistic] {
            [
                Statistic(saved, StatisticValue(number)), Statistic(rate, .real(Double(number))),
                Statistic(lowest, StatisticValue(-number)),
                Statistic(highest, StatisticValue(number)),
                Statistic(load, .real(Double(number))), Statistic(file, StatisticValue(name)),
            ]
        }
        func value(_ declaration: StatisticDeclaration) -> StatisticValue? {
            accumulator.statistics(atNanoseconds: 0).stages[0].processors[0]
                .userValue(declaration.key)
        }
        accumulator.record(snapshot(0, at: 90, count: 1, queue: 4, own: own(9, "a")), stage: "s")
        accumulator.record(
            snapshot(0, incarnation: 1, at: 20, count: 1, queue: 2, own: own(3, "b")), stage: "s")
        accumulator.record(snapshot(1, at: 30, count: 1, queue: 1, own: own(5, "c")), stage: "s")
        #expect(value(saved) == 17)
        #expect(value(rate) == 8.0)
        #expect(value(lowest) == -9)
        #expect(value(highest) == 9)
        #expect(value(load) == 4.0)
        #expect(value(file) == "c")
        accumulator.markGone(workerId: 1, incarnation: 0, stage: "s")
        #expect(value(saved) == 17)
        #expect(value(rate) == 3.0)
        #expect(value(load) == 3.0)
        #expect(value(file) == "b")
        #expect(accumulator.statistics(atNanoseconds: 0).stages[0].queueDepth == 2)
        accumulator.markGone(workerId: 0, incarnation: 1, stage: "s")
        #expect(value(load) == 4.0)
        #expect(value(file) == "c")
        #expect(accumulator.statistics(atNanoseconds: 0).stages[0].queueDepth == 0)
    }

    @Test func `stages keep the order of the pipeline and are told apart`() {
        var accumulator = StatisticsAccumulator(stages: ["a", "b"], startNanoseconds: 0)
        accumulator.record(snapshot(0, at: 1, count: 2), stage: "b")
        accumulator.record(snapshot(0, at: 1, count: 3), stage: "a")
        let run = accumulator.statistics(atNanoseconds: 5)
        #expect(run.stages.map(\.name) == ["a", "b"])
        #expect(run.stages.map(\.counters.processed) == [3, 2])
        #expect(run.counters.processed == 5)
    }
}
