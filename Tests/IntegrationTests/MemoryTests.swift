import ControllerRuntime
import Foundation
import NDArrays
import TestSupport
import Testing

@Suite("The memory of a run", .timeLimit(.minutes(2)))
struct MemoryTests {
    private static let limit = 96 << 20
    /// The program itself, its tables and buffers, in a build for debugging.
    private static let program = 48 << 20

    private func pipeline(memory: Int) throws -> String {
        let example = try #require(BuiltProducts.executable("ExampleWorker"))
        let faulty = try #require(BuiltProducts.executable("FaultyWorker"))
        return """
            source: {sim: {count: 60, shape: 2048x2048, pattern: flat}}
            plane: inline
            memory: {maximumBytes: \(memory)}
            stages:
              - {name: split, inFlight: 2, worker: \(example), processors: [SplitProcessor]}
              - {name: slow, from: split, inFlight: 2, worker: \(faulty), processors: [{Slow: {milliseconds: 5}}]}
            """
    }

    /// Anonymous and shared memory of a process, in bytes; nil when it has ended.
    private func residentByteCount(_ processId: Int32) -> Int? {
        guard
            let status = try? String(contentsOfFile: "/proc/\(processId)/status", encoding: .utf8)
        else { return nil }
        let lines = status.split(separator: "\n").filter {
            $0.hasPrefix("RssAnon:") || $0.hasPrefix("RssShmem:")
        }
        if lines.isEmpty { return nil }
        return lines.reduce(0) { sum, line in
            sum + (Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0) << 10
        }
    }

    @Test("stays within its limit when big outputs wait for a slow stage, and nothing is lost")
    func bounded() async throws {
        let folder = try TemporaryFolder()
        try folder.write(pipeline(memory: Self.limit), to: "p.yaml")
        let sluice = try #require(BuiltProducts.executable("sluice"))
        let command = try CommandRun.start(
            [sluice, "run", "p.yaml", "--run-dir", "run", "--quiet"], in: folder)
        var highest = 0
        while let now = residentByteCount(command.processId) {
            highest = max(highest, now)
            await Task.yield()
        }
        let run = try await command.end()
        #expect(run.exitCode == 0, "\(run.error)")
        #expect(highest > Self.limit / 2, "\(highest) bytes: was the limit ever near?")
        #expect(highest < Self.limit + Self.program, "\(highest) bytes")
        let summary = try folder.text(of: "run/summary.json")
        #expect(summary.contains("240 accepted") || summary.contains("60 accepted = 60 processed"))
    }

    @Test("that is too small for the pools is refused at the start, and so is more than there is")
    func refused() async throws {
        let folder = try TemporaryFolder()
        try folder.write(pipeline(memory: 8 << 20), to: "small.yaml")
        let small = try await CommandRun.sluice(["run", "small.yaml"], in: folder)
        #expect(small.exitCode == 2)
        #expect(small.error.contains("the source's pool needs"), "\(small.error)")
        let large = try await CommandRun.sluice(
            ["run", "small.yaml", "--memory", "100TiB"], in: folder)
        #expect(large.exitCode == 2 && large.error.contains("can give only"), "\(large.error)")
    }

    @Test("an output larger than all of it fails its frame and says what to change")
    func tooLarge() async throws {
        let stages = [
            try Scenario.stage(
                named: "split", worker: "ExampleWorker", Scenario.processor("SplitProcessor"),
                inFlight: 1),
            try Scenario.stage(named: "next", from: "split", Scenario.processor("PassThrough")),
        ]
        // Three slots of 2 MiB for the source, and less than one such payload for the rest.
        let configuration = RunConfiguration(
            stages: stages, plane: .inline, inputSlotCount: 3, maximumMemoryByteCount: 7 << 20)
        let controller = try Controller(
            configuration, source: CountingSource(count: 3, side: 1024))
        let summary = try await controller.run()
        expectBalance(summary, accepted: 3)
        #expect(summary.failed == 3)
        #expect(summary.failures.first?.reason.contains("memory.maximumBytes") == true)
    }
}
