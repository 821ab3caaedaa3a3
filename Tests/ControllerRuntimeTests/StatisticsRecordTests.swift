import Statistics
import Testing

// Records are made from internal parts of the engine.
@testable import ControllerRuntime

@Suite("A record of statistics as a line of JSON")
struct StatisticsRecordTests {
    private var record: RunStatisticsRecord {
        var counts = LedgerCounts()
        counts.accepted = .max
        counts.dropped = ["stopped": 2, "a \"quoted\" reason": 3]
        counts.inFlight = 7
        var latencies = DurationHistogram()
        latencies.record(nanoseconds: 250_000_000)
        let latency = LatencySummary(latencies)
        let values: [JSONScalar] = [
            .unsigned(.max), .signed(.min), .real(1.5), .real(.nan), .text("µ\n\""), .boolean(true),
        ]
        let statistics = values.enumerated().map {
            StatisticSummary(
                key: "key\($0.offset)", value: $0.element, unit: "MBps",
                isCounter: [nil, true, false][$0.offset % 3],
                description: $0.offset == 1 ? "What \"it\" is" : nil)
        }
        var frameTimes = DurationHistogram()
        for nanoseconds: UInt64 in [900, 1_000_000, 3_000_000_000] {
            frameTimes.record(nanoseconds: nanoseconds)
        }
        let stage = StageSummary(
            name: "save", ledger: counts, outputs: 3, files: 4,
            processors: [
                ProcessorSummary(
                    name: "P", processorId: 1, statistics: statistics,
                    frameTimes: FrameTimesSummary(frameTimes)),
                ProcessorSummary(name: "Q", processorId: 2, statistics: []),
            ],
            latency: latency)
        let worker = WorkerSummary(
            id: 1, processId: 42, stage: "save", replacements: 2,
            counters: ["nReceived": 20, "processingTime": 1.5])
        return RunStatisticsRecord(
            timestamp: 1_795_234_569.893209, objectId: 9, ledger: counts, stages: [stage],
            workers: [worker])
    }

    @Test("reads back as it was, a NaN as null")
    func roundTrip() throws {
        let line = try record.jsonLine()
        #expect(!line.contains(UInt8(ascii: "\n")))
        #expect(String(decoding: line, as: UTF8.self).contains(#""nReceived":20,"#))
        let back = try JSON.decode(RunStatisticsRecord.self, from: line)
        var expected = record
        let values = back.stages[0].processors[0].statistics.map(\.value)
        guard case .real(let number) = values[3], number.isNaN else {
            Issue.record("\(values[3])")
            return
        }
        expected.stages[0].processors[0].statistics[3].value = .real(0)
        var read = back
        read.stages[0].processors[0].statistics[3].value = .real(0)
        #expect(read == expected)
    }

    @Test("keeps whole numbers real where the statistic is", arguments: [true, false])
    func wholeReals(isOwnEncoder: Bool) throws {
        var record = record
        record.stages[0].processors[1].statistics = [
            StatisticSummary(key: "processedRate", value: .real(0), unit: "1/s"),
            StatisticSummary(key: "processingTime", value: .real(-3), unit: "s"),
            StatisticSummary(key: "sum", value: .real(2), unit: "", isReal: true),
            StatisticSummary(key: "nReceived", value: .unsigned(2), unit: "count"),
            StatisticSummary(key: "lastFrameId", value: .unsigned(2), unit: ""),
            StatisticSummary(key: "peak", value: .signed(-2), unit: "s"),
        ]
        let bytes =
            isOwnEncoder ? try record.jsonLine() : try JSON.encode(record, isPretty: false)
        let back = try JSON.decode(RunStatisticsRecord.self, from: bytes)
        #expect(
            back.stages[0].processors[1].statistics == record.stages[0].processors[1].statistics)
    }

    @Test("says the same as Foundation's encoder")
    func sameAsEncoder() throws {
        let line = try JSON.decode(RunStatisticsRecord.self, from: record.jsonLine())
        let encoded = try JSON.decode(
            RunStatisticsRecord.self, from: JSON.encode(record, isPretty: false))
        #expect(try JSON.encode(line, isPretty: false) == JSON.encode(encoded, isPretty: false))
    }
}
