import Foundation
import Statistics
import Testing

@testable import ControllerRuntime

@Suite("What a run says of itself")
struct SummaryTests {
    private func summary(_ histogram: DurationHistogram = DurationHistogram()) -> RunSummary {
        var counts = LedgerCounts()
        counts.accepted = 3
        counts.processed = 2
        counts.dropped = ["stopped": 1]
        return RunSummary(
            runId: "abc", end: .drained, reason: "stopped on request", accepted: 3, processed: 2,
            filtered: 0, failed: 0, quarantined: 0, rejected: 0, dropped: ["stopped": 1],
            inFlight: 0, elapsedSeconds: 0.5, framesPerSecond: 6, bytesIn: 10, bytesOut: 20,
            latency: LatencySummary(histogram),
            stages: [
                StageSummary(
                    name: "only", ledger: counts, outputs: 1, files: 2,
                    processors: [
                        ProcessorSummary(
                            name: "P", processorId: 1,
                            statistics: [
                                StatisticSummary(key: "a", value: .real(.nan), unit: ""),
                                StatisticSummary(key: "b", value: .real(-.infinity), unit: "s"),
                                StatisticSummary(key: "c", value: .text("x"), unit: ""),
                            ])
                    ], latency: LatencySummary(histogram))
            ],
            workers: [
                WorkerSummary(
                    id: 0, processId: 77, stage: "only", replacements: 0,
                    counters: ["nReceived": 3])
            ], failures: [],
            certificate: Certificate(
                balanced: true, runId: "abc", statement: "3 accepted = …", files: 2))
    }

    private func object(_ value: some Encodable) throws -> [String: Any] {
        let bytes = try JSON.encode(value, isPretty: true)
        let object = try JSONSerialization.jsonObject(with: Data(bytes))
        return try #require(object as? [String: Any])
    }

    @Test("has the keys that programs look for")
    func keys() throws {
        let object = try object(summary())
        #expect(
            Set(object.keys).isSuperset(of: [
                "accepted", "processed", "filtered", "failed", "quarantined", "rejected",
                "dropped", "inFlight", "elapsedSeconds", "framesPerSecond", "bytesIn", "bytesOut",
                "latency", "stages", "workers", "certificate",
            ]))
        #expect((object["dropped"] as? [String: Any])?["stopped"] as? Int == 1)
        let worker = try #require((object["workers"] as? [[String: Any]])?.first)
        #expect(Set(worker.keys).isSuperset(of: ["id", "processId", "counters"]))
        let certificate = try #require(object["certificate"] as? [String: Any])
        #expect(certificate["balanced"] as? Bool == true)
        #expect(object["end"] as? String == "drained")
    }

    @Test("has the three latencies in seconds")
    func latency() throws {
        var histogram = DurationHistogram()
        for _ in 0..<1000 { histogram.record(nanoseconds: 2_000_000) }
        let latency = try #require(try object(summary(histogram))["latency"] as? [String: Any])
        #expect(latency["count"] as? Int == 1000)
        #expect(abs(try #require(latency["sum"] as? Double) - 2) < 1e-9)
        for key in ["p50", "p99", "p99.9", "maximum"] {
            let seconds = try #require(latency[key] as? Double)
            #expect(abs(seconds - 0.002) < 0.002 * 0.07, "\(key) = \(seconds)")
        }
    }

    @Test("has the latency's keys, with null, when there was no frame")
    func noLatency() throws {
        let latency = try #require(try object(summary())["latency"] as? [String: Any])
        #expect(Set(latency.keys) == ["p50", "p99", "p99.9", "maximum", "count", "sum", "counts"])
        #expect(latency.values.allSatisfy { $0 is NSNull })
    }

    @Test("writes numbers that JSON does not know as null")
    func notNumbers() throws {
        let stage = try #require((try object(summary())["stages"] as? [[String: Any]])?.first)
        let processor = try #require((stage["processors"] as? [[String: Any]])?.first)
        let values = try #require(processor["statistics"] as? [[String: Any]]).map { $0["value"] }
        #expect(values[0] is NSNull)
        #expect(values[1] is NSNull)
        #expect(values[2] as? String == "x")
    }

    @Test("is read back as it was written, but for what became null")
    func readBack() throws {
        var written = summary()
        written.stages[0].processors = []
        let bytes = try JSON.encode(written, isPretty: false)
        #expect(try JSON.decode(RunSummary.self, from: bytes) == written)
    }

    @Test("keeps a value's kind through JSON")
    func scalars() throws {
        let values: [JSONScalar] = [
            .unsigned(0), .unsigned(.max), .signed(-1), .signed(.min), .real(0.1), .real(-1e300),
            .text("true"), .text("1"), .text(""), .boolean(true), .boolean(false),
        ]
        let bytes = try JSON.encode(values, isPretty: false)
        #expect(try JSON.decode([JSONScalar].self, from: bytes) == values)
        let odd = try JSON.encode([JSONScalar.real(.nan), .real(.infinity)], isPretty: false)
        #expect(String(decoding: odd, as: UTF8.self) == "[null,null]")
        for value in try JSON.decode([JSONScalar].self, from: odd) {
            guard case .real(let number) = value else {
                Issue.record("\(value)")
                continue
            }
            #expect(number.isNaN)
        }
    }

    @Test("balances only when every accepted frame is somewhere")
    func balance() {
        var counts = LedgerCounts()
        #expect(counts.isBalanced)
        counts.accepted = 15
        counts.processed = 1
        counts.filtered = 2
        counts.failed = 3
        counts.quarantined = 4
        counts.dropped = ["a": 1, "b": 1]
        #expect(!counts.isBalanced)
        counts.inFlight = 3
        counts.rejected = 9
        #expect(counts.isBalanced)
        #expect(counts.droppedTotal == 2)
    }

    @Test("measures rates over half a second and more")
    func rates() {
        var meter = RateMeter()
        let start: UInt64 = 5_000_000_000
        meter.sample(at: start, frames: 100, bytes: 1000)
        #expect(meter.framesPerSecond == 0)
        meter.sample(at: start + 499_999_999, frames: 900, bytes: 9000)
        #expect(meter.framesPerSecond == 0)
        meter.sample(at: start + 500_000_000, frames: 200, bytes: 3000)
        #expect(meter.framesPerSecond == 200)
        #expect(meter.bytesPerSecond == 4000)
        // The same moment, or one before, changes nothing.
        meter.sample(at: start + 500_000_000, frames: 300, bytes: 4000)
        meter.sample(at: start, frames: 300, bytes: 4000)
        #expect(meter.framesPerSecond == 200)
        meter.sample(at: start + 2_500_000_000, frames: 200, bytes: 3000)
        #expect(meter.framesPerSecond == 0)
        #expect(meter.bytesPerSecond == 0)
    }

    @Test("the clock's deadlines never pass the end of time")
    func deadlines() {
        #expect(Duration.seconds(-1).nanoseconds == 0)
        #expect(Duration.nanoseconds(7).nanoseconds == 7)
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        let justOver = Duration(
            secondsComponent: 18_446_744_073, attosecondsComponent: 709_551_616_000_000_000)
        #expect(justOver.nanoseconds == .max)
        #expect(MonotonicClock.time(1000, plus: .max) == .max)
        #expect(MonotonicClock.time(1000, plus: 1) == 1001)
    }
}
