import ControllerRuntime
import Foundation
import NDArrays
import Synchronization
import TestSupport
import Testing

/// Collects what became of frames, in the order in which they ended.
private final class Outcomes: Sendable {
    private let reports = Mutex<[FrameReport]>([])

    func take(_ report: FrameReport) { reports.withLock { $0.append(report) } }

    func ids(_ outcome: FrameReport.Outcome, in stage: String = "only") -> [UInt64] {
        reports.withLock { $0 }.filter { $0.stage == stage && $0.outcome == outcome }
            .map(\.key.frameId)
    }
}

@Suite("A pipeline that is too slow", .timeLimit(.minutes(2)))
struct OverloadTests {
    private func slow(_ milliseconds: Int) -> ProcessorConfiguration {
        Scenario.processor("Slow", ["milliseconds": "\(milliseconds)"])
    }

    /// Runs stages over frames that come as fast as they can.
    private func run(
        _ stages: StageConfiguration..., frames: Int, isLive: Bool = true,
        plane: PixelPlane = .shared, runDirectory: String? = nil
    ) async throws -> (summary: RunSummary, outcomes: Outcomes) {
        let outcomes = Outcomes()
        let controller = try Controller(
            RunConfiguration(stages: stages, runDirectory: runDirectory, plane: plane),
            source: CountingSource(count: frames, isLive: isLive),
            frameHandler: { outcomes.take($0) })
        let summary = try await controller.run()
        expectBalance(summary, accepted: UInt64(frames))
        return (summary, outcomes)
    }

    /// What the workers of a stage say that they got.
    private func received(_ summary: RunSummary, by stage: String = "only") -> Double {
        summary.workers.filter { $0.stage == stage }.reduce(0) {
            $0 + ($1.counters["nReceived"] ?? 0)
        }
    }

    @Test(
        "drops the newest frames: the first ones are processed, in order",
        arguments: [PixelPlane.shared, .inline])
    func dropNewest(plane: PixelPlane) async throws {
        let (summary, outcomes) = try await run(
            Scenario.stage(
                worker: "FaultyWorker", slow(5), inFlight: 2, overload: .dropNewest,
                queueLimit: 3),
            frames: 2000, plane: plane)
        let processed = outcomes.ids(.processed)
        #expect(Array(processed.prefix(5)) == [1, 2, 3, 4, 5])
        #expect(processed == processed.sorted())
        #expect(summary.processed == UInt64(processed.count))
        #expect(summary.dropped == ["overload": 2000 - summary.processed])
        #expect(summary.stages[0].ledger.dropped == summary.dropped)
        #expect(received(summary) == Double(summary.processed), "a dropped frame was dispatched")
        #expect(Set(processed + outcomes.ids(.dropped)) == Set(1...2000))
        #expect(summary.failures == [])
    }

    @Test(
        "drops the oldest frames that wait: the last ones are processed, in order",
        arguments: [DispatchPolicy.leastLoaded, .hash(attribute: nil)])
    func dropOldest(policy: DispatchPolicy) async throws {
        let (summary, outcomes) = try await run(
            Scenario.stage(
                worker: "FaultyWorker", slow(5), inFlight: 2, policy: policy,
                overload: .dropOldest, queueLimit: 3),
            frames: 2000)
        let processed = outcomes.ids(.processed)
        #expect(processed.first == 1 || outcomes.ids(.dropped).contains(1))
        #expect(Array(processed.suffix(3)) == [1998, 1999, 2000])
        #expect(processed == processed.sorted())
        #expect(summary.dropped == ["overload": 2000 - summary.processed])
        #expect(received(summary) == Double(summary.processed), "a dropped frame was dispatched")
    }

    @Test("does not drop what a worker had that died")
    func retried() async throws {
        let folder = try TemporaryFolder()
        let (summary, outcomes) = try await run(
            Scenario.stage(
                worker: "FaultyWorker",
                Scenario.processor(
                    "Faulty", ["misdeed": "kill", "once": folder.path + "/marker"]),
                slow(5), inFlight: 4, overload: .dropOldest, queueLimit: 2),
            frames: 1000)
        #expect(summary.workers[0].replacements == 1)
        let died = try #require(outcomes.ids(.processed).first)
        #expect(!outcomes.ids(.dropped).contains(died))
        #expect(Array(outcomes.ids(.processed).suffix(2)) == [999, 1000])
        #expect(summary.processed + (summary.dropped["overload"] ?? 0) == 1000)
    }

    @Test("lets a preview drop without holding up the stage that sees everything")
    func preview() async throws {
        let folder = try TemporaryFolder()
        let (summary, outcomes) = try await run(
            Scenario.stage(named: "all", workers: 2, Scenario.processor("PixelSum")),
            Scenario.stage(
                named: "preview", worker: "FaultyWorker", slow(20), inFlight: 1,
                overload: .dropOldest, queueLimit: 2),
            Scenario.stage(
                named: "tenth", Scenario.processor("PixelSum"),
                overload: .sample(everyNth: 10)),
            frames: 3000, runDirectory: folder.path + "/run")
        #expect(summary.processed == 3000 && summary.dropped == [:])
        let stages = summary.stages.map(\.ledger)
        #expect(stages[0].processed == 3000)
        #expect(stages[1].processed + (stages[1].dropped["overload"] ?? 0) == 3000)
        #expect(stages[1].processed < 3000)
        #expect(outcomes.ids(.processed, in: "preview").last == 3000)
        #expect(stages[2].dropped["sample"] == 2700)
        #expect(outcomes.ids(.processed, in: "tenth").allSatisfy { $0 % 10 == 1 })
        try expectJournal(folder, tells: stages[1].droppedTotal + stages[2].droppedTotal)
        let report = try RunVerification.verify(runDirectory: folder.path + "/run")
        #expect(report.problems == [])
    }

    /// The journal has few lines for many drops, and their counts add up.
    private func expectJournal(_ folder: TemporaryFolder, tells count: UInt64) throws {
        let lines = try folder.text(of: "run/journal.jsonl").split(separator: "\n")
        #expect(!lines.contains { $0.contains("\"frame-dropped\"") })
        var sum: UInt64 = 0
        for line in lines where line.contains("\"frames-dropped\"") {
            let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let context = try #require(event?["context"] as? [String: Any])
            sum += try #require(context["count"] as? UInt64)
        }
        #expect(sum == count)
        #expect(lines.count < 60)
    }

    @Test(
        "drops between two stages, and the first goes on",
        arguments: [OverloadPolicy.dropOldest, .dropNewest])
    func laterStage(policy: OverloadPolicy) async throws {
        let (summary, outcomes) = try await run(
            Scenario.stage(named: "all", Scenario.processor("PassThrough")),
            Scenario.stage(
                named: "look", from: "all", worker: "FaultyWorker", slow(10), inFlight: 1,
                overload: policy, queueLimit: 2),
            frames: 1000, isLive: false)
        #expect(summary.stages[0].ledger.processed == 1000)
        let look = summary.stages[1].ledger
        #expect(look.accepted == 1000 && look.processed < 1000)
        #expect(look.dropped == ["overload": 1000 - look.processed])
        // Nothing else becomes of a frame: in the run's account it is dropped, too.
        #expect(summary.dropped == look.dropped)
        // The one keeps what came last, the other what came first: in flight and in the queue.
        let ids = outcomes.ids(.processed, in: "look")
        #expect(policy == .dropOldest ? ids.last == 1000 : ids.starts(with: [1, 2, 3]))
    }

    @Test("samples a batch by frame id, and waits for what it takes")
    func sampledBatch() async throws {
        let (summary, outcomes) = try await run(
            Scenario.stage(
                worker: "FaultyWorker", slow(2), inFlight: 1, overload: .sample(everyNth: 7)),
            frames: 500, isLive: false)
        #expect(outcomes.ids(.processed) == stride(from: 1, through: 500, by: 7).map { $0 })
        #expect(summary.dropped == ["sample": 500 - summary.processed])
    }

    @Test("a batch is not dropped from: such a policy is refused at the start")
    func refused() async throws {
        let stage = try Scenario.stage(Scenario.processor("PixelSum"), overload: .dropNewest)
        let error = await #expect(throws: ControllerError.self) {
            _ = try await Scenario.run(stage, frames: 5)
        }
        #expect(error?.reason.contains("use block, or sample=1/n") == true)
    }

    @Test("a live source goes by the clock, and what was dropped is in the summary")
    func liveSimulator() async throws {
        let folder = try TemporaryFolder()
        let worker = try #require(BuiltProducts.executable("FaultyWorker"))
        let run = try await CommandRun.sluiceRun(
            "sim:count=400,shape=16x16,pattern=zero,rate=2000,live=true", "Slow:milliseconds=5",
            options: ["--worker", worker, "--overload", "drop-newest", "--in-flight", "2"],
            in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        #expect(run.output.contains("main dropped "), "\(run.output)")
        #expect(run.output.contains("ledger balanced: 400 accepted"))
        #expect(!run.output.contains("did not go through"))
    }
}
