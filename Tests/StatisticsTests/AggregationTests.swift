import Testing

@testable import Statistics

struct AggregationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var aggregation: Aggregation
        var values: [StatisticValue]
        var result: StatisticValue?
        var testDescription: String { "\(aggregation) of \(values)" }

        init(_ aggregation: Aggregation, _ values: [StatisticValue], _ result: StatisticValue?) {
            self.aggregation = aggregation
            self.values = values
            self.result = result
        }
    }

    static let cases: [Case] = [
        Case(.sum, [], nil),
        Case(.sum, [1, 2, 3], 6),
        Case(.sum, [1, -2], -1),
        Case(.sum, [.signed(3), 2], .signed(5)),
        Case(.sum, [1, 0.5], 1.5),
        Case(.sum, [true, false, true], 2),
        Case(.sum, [.unsigned(.max), 1], .unsigned(.max)),
        Case(.sum, [.signed(.min), .signed(-1)], .signed(.min)),
        Case(.sum, [.signed(-1), .unsigned(.max)], .signed(.max)),
        Case(.sum, [.real(.nan), 2.0], 2.0),
        Case(.sum, ["a", "b"], "b"),
        Case(.minimum, [3, 1, 2], 1),
        Case(.minimum, [3, -1, 0.5], -1),
        Case(.minimum, [.real(.nan), 4.0], 4.0),
        Case(.minimum, ["b", "a"], "a"),
        Case(.minimum, [true, false], false),
        Case(.maximum, [3, 1, 2], 3),
        Case(.maximum, [.unsigned(.max), .unsigned(.max - 1)], .unsigned(.max)),
        Case(.maximum, [.unsigned(.max), .signed(-1)], .unsigned(.max)),
        Case(.maximum, ["b", 1, "c"], 1),
        Case(.maximum, ["b", "a"], "b"),
        Case(.mean, [1, 2, 3], 2.0),
        Case(.mean, [true, false], 0.5),
        Case(.mean, [.real(.nan), 4.0, 6], 5.0),
        Case(.mean, ["x"], "x"),
        Case(.last, [1, "x", 0.5], 0.5),
        Case(.last, [], nil),
    ]

    @Test(arguments: cases)
    func `values of several workers become one by rule`(_ example: Case) {
        #expect(example.aggregation.combine(example.values) == example.result)
    }

    @Test func `literals take the kind that fits`() {
        #expect(StatisticValue(integerLiteral: 5) == .unsigned(5))
        #expect(-5 as StatisticValue == .signed(-5))
        #expect(0.5 as StatisticValue == .real(0.5))
        #expect(StatisticValue(Int8(-1)).kind == .signed)
        #expect(StatisticValue(UInt64.max) == .unsigned(.max))
        #expect(("text" as StatisticValue).doubleValue == nil)
        #expect((true as StatisticValue).doubleValue == 1)
    }

    @Test func `a sum is a counter unless its unit is a rate`() {
        #expect(StatisticDeclaration(key: "nFilesSaved", kind: .unsigned).isCounter)
        let rate = StatisticDeclaration(key: "rate", kind: .real, unit: .framesPerSecond)
        #expect(!rate.isCounter)
        #expect(!StatisticDeclaration(key: "x", kind: .real, aggregation: .mean).isCounter)
        #expect(StatisticUnit.megabytesPerSecond.isRate && !StatisticUnit("furlong").isRate)
    }

    @Test func `a stage adds its workers up processor by processor`() {
        let saved = StatisticDeclaration(key: "nFilesSaved", kind: .unsigned, unit: .count)
        let state = StatisticDeclaration(key: "state", kind: .text, aggregation: .last)
        func snapshot(_ worker: Int, at time: UInt64, _ text: String) -> WorkerSnapshot {
            var (first, second) = (ProcessorCounters(), ProcessorCounters())
            first.received = 10
            first.processed = 8
            first.filtered = 2
            first.lastFrameId = UInt64(worker)
            first.recordProcessing(nanoseconds: 100)
            second.received = 8
            second.processed = 7
            second.failed = 1
            second.outputs = 14
            second.bytesOut = 1400
            second.recordProcessing(nanoseconds: 50)
            return WorkerSnapshot(
                workerId: worker, timestampNanoseconds: time, resetNanoseconds: 0,
                processors: [
                    ProcessorStatistics(
                        processorName: "A", processorId: 0, counters: first, queueDepth: 3),
                    ProcessorStatistics(
                        processorName: "B", processorId: 1, counters: second,
                        userStatistics: [
                            Statistic(saved, 7), Statistic(state, StatisticValue(text)),
                        ]),
                ])
        }
        let stage = StageStatistics(
            name: "save", aggregating: [snapshot(0, at: 9, "late"), snapshot(1, at: 5, "early")])
        #expect(stage.workerCount == 2)
        #expect(stage.processors.map(\.processorName) == ["A", "B"])
        #expect(stage.queueDepth == 6)
        #expect(stage.processors[1].userValue("nFilesSaved") == 14)
        #expect(stage.processors[1].userValue("state") == "late")
        let counters = stage.counters
        #expect((counters.received, counters.processed) == (20, 14))
        #expect((counters.filtered, counters.failed, counters.outputs) == (4, 2, 28))
        #expect(counters.received == counters.processed + counters.filtered + counters.failed)
        #expect(counters.processingNanoseconds == 300)
        #expect(counters.lastFrameId == 1)
        #expect(stage.processors[0].counters.durations.count == 2)
    }
}
