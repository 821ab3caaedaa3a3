import ControllerRuntime
import FoundationEssentials
import NDArrays
import Synchronization
import TestSupport
import Testing

/// Gives structures that no message can carry: the name of their type is too long.
private final class UnsendableSource: FrameSource {
    let information = SourceInformation(name: "unsendable", frameCount: nil, slotByteCount: 0)
    private let left: Mutex<Int>

    init(count: Int) { left = Mutex(count) }

    func next() throws -> FrameAnnouncement? {
        let hasMore = left.withLock { left in
            left -= 1
            return left >= 0
        }
        guard hasMore else { return nil }
        return FrameAnnouncement(
            .structure(Structure(), typeName: String(repeating: "x", count: 5000)))
    }

    func fill(_ destination: UnsafeMutableRawBufferPointer) throws {}
}

@Suite("A run at its edges", .timeLimit(.minutes(2)))
struct EdgeTests {
    @Test("refuses a rate that is none", arguments: [0, -1, .nan, .infinity] as [Double])
    func rates(rate: Double) async throws {
        let configuration = RunConfiguration(
            stages: [try Scenario.stage(Scenario.processor("PassThrough"))], rateLimit: rate)
        let controller = try Controller(configuration, source: CountingSource(count: 1))
        let error = await #expect(throws: ControllerError.self) { try await controller.run() }
        #expect(error?.code == .configuration)
        #expect(error?.reason.contains("rate") == true)
    }

    @Test("takes times without end")
    func endlessTimes() async throws {
        var stage = try Scenario.stage(Scenario.processor("PassThrough"))
        stage.startTimeLimit = .seconds(Int64.max)
        stage.stopTimeLimit = .seconds(Int64.max)
        let configuration = RunConfiguration(
            stages: [stage], statisticsPeriod: .seconds(Int64.max))
        let summary = try await Controller(configuration, source: CountingSource(count: 50)).run()
        expectBalance(summary, accepted: 50)
        #expect(summary.end == .completed)
    }

    @Test("refuses slots that no machine can have")
    func endlessSlots() async throws {
        let configurations = [
            RunConfiguration(
                stages: [try Scenario.stage(Scenario.processor("PassThrough"))],
                inputSlotByteCount: .max),
            RunConfiguration(
                stages: [try Scenario.stage(Scenario.processor("PassThrough"))],
                inputSlotCount: .max),
        ]
        for configuration in configurations {
            let controller = try Controller(configuration, source: CountingSource(count: 1))
            let error = await #expect(throws: ControllerError.self) { try await controller.run() }
            #expect(error?.code == .resources)
        }
        var first = try Scenario.stage(named: "a", Scenario.processor("PassThrough"))
        first.outputSlotByteCount = .max
        let second = try Scenario.stage(named: "b", from: "a", Scenario.processor("PassThrough"))
        let error = await #expect(throws: ControllerError.self) {
            try await Scenario.run(first, second, frames: 1)
        }
        #expect(error?.code == .resources)
    }

    @Test("fails frames that can't be sent without waiting for a period to pass")
    func unsendable() async throws {
        let configuration = RunConfiguration(
            stages: [try Scenario.stage(Scenario.processor("PassThrough"), inFlight: 1)],
            statisticsPeriod: .seconds(3600))
        let summary = try await Controller(configuration, source: UnsendableSource(count: 200))
            .run()
        expectBalance(summary, accepted: 200)
        #expect(summary.failed == 200)
        #expect(summary.failures.first?.reason.contains("can't be sent") == true)
    }

    @Test("lets workers that are stopped while they start leave in peace")
    func stoppedWhileStarting() async throws {
        let folder = try TemporaryFolder()
        let configuration = RunConfiguration(
            stages: [try Scenario.stage(workers: 4, Scenario.processor("PassThrough"))],
            runDirectory: folder.path + "/run")
        let controller = try Controller(configuration, source: CountingSource(count: 1000))
        controller.stop()
        let summary = try await controller.run()
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == .drained)
        let journal = try String(
            contentsOf: URL(filePath: folder.path + "/run/journal.jsonl"), encoding: .utf8)
        let ends = journal.split(separator: "\n").filter { $0.contains("worker-gone") }
        #expect(ends.count == 4)
        #expect(ends.allSatisfy { !$0.contains("it answered") && !$0.contains("SIGKILL") })
    }

    @Test("counts no frame as filtered whose outputs were left undone")
    func stoppedBetweenStages() async throws {
        for _ in 0..<3 {
            let configuration = RunConfiguration(stages: [
                try Scenario.stage(named: "first", workers: 2, Scenario.processor("PassThrough")),
                try Scenario.stage(
                    named: "second", from: "first", worker: "FaultyWorker",
                    Scenario.processor("Slow", ["milliseconds": "1"])),
            ])
            let controller = try Controller(configuration, source: CountingSource(count: 1_000_000))
            async let run = controller.run()
            try await controller.waitUntilStarted()
            var status = await controller.status()
            while status?.ledger.processed ?? 0 < 50 { status = await controller.status() }
            controller.stop(now: true)
            let summary = try await run
            expectBalance(summary, accepted: summary.accepted)
            #expect(summary.filtered == 0)
            #expect(summary.end == .stopped)
        }
    }
}
