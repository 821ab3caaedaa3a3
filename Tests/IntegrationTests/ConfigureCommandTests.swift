import ControllerRuntime
import Foundation
import TestSupport
import Testing

@Suite("sluice configure, of a change that takes long", .timeLimit(.minutes(2)))
struct ConfigureCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Waits until the journal has so many lines that tell of a change that was applied.
    private func waitUntilApplied(_ count: Int) throws {
        for _ in 0..<10_000_000 {
            let text = (try? folder.text(of: "run/journal.jsonl")) ?? ""
            if text.split(separator: "\"step\":\"applied\"").count > count { return }
        }
        Issue.record("no change \(count) was applied")
    }

    @Test("waits for the answer and says so, and gives up when told to")
    func waits() async throws {
        let run = try CommandRun.start(
            [
                "timeout", "-k", "2", "60", try #require(BuiltProducts.executable("sluice")), "run",
                "--source", "sim:count=1000000,shape=8x8,rate=20", "--run-dir", "run", "--worker",
                try #require(BuiltProducts.executable("FaultyWorker")), "--processor", "Faulty",
            ], in: folder)
        for _ in 0..<10_000_000 {
            let text = (try? folder.text(of: "run/journal.jsonl")) ?? ""
            if text.contains("\"run-start\"") { break }
        }
        let slow = ["configure", "run", "Faulty", "misdeed=sleep", "hook=configure", "seconds=3"]
        let first = try await CommandRun.sluice(slow, in: folder)
        #expect(first.exitCode == 0, "\(first.error)")
        #expect(first.output.contains("version 2"), "\(first.output)")
        #expect(first.error.contains("sluice: waiting for the workers"), "\(first.error)")
        #expect(first.error.split(separator: "\n").count == 1, "\(first.error)")
        // The settings of now make it slow again; whoever does not wait changes nothing about that.
        let second = try await CommandRun.sluice(
            ["configure", "run", "Faulty", "tag=8", "--time-limit", "100ms"], in: folder)
        expectRefusal(second, naming: "within 100ms", "still under way", "run/journal.jsonl")
        try waitUntilApplied(2)
        expectRefusal(
            try await CommandRun.sluice(
                ["configure", "run", "Faulty", "tag=9", "--time-limit", "0s"], in: folder),
            naming: "--time-limit is 0s")
        let quick = try await CommandRun.sluice(
            ["configure", "run", "Faulty", "seconds=0", "tag=9", "--time-limit", "1min"],
            in: folder)
        #expect(quick.exitCode == 0, "\(quick.error)")
        #expect(quick.output.contains("version 4"), "\(quick.output)")
        #expect(quick.error.isEmpty, "\(quick.error)")
        let stopped = try await CommandRun.sluice(["stop", "run", "--now"], in: folder)
        #expect(stopped.exitCode == 0, "\(stopped.error)")
        _ = try await run.end()
    }
}
