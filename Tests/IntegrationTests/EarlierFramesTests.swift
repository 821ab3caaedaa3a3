import ControllerRuntime
import Foundation
import TestSupport
import Testing

@Suite("Frames that did not go through", .timeLimit(.minutes(2)))
struct EarlierFramesTests {
    private let interruption: Interruption
    private var folder: TemporaryFolder { interruption.folder }

    init() throws { interruption = try Interruption() }

    /// A run of 30 frames with a faulty processor before the one that writes.
    private func run(_ fault: String, _ options: String...) async throws -> CommandRun {
        let faulty: String = try #require(BuiltProducts.executable("FaultyWorker"))
        return try await interruption.sluice(
            [
                "run", "--source", "sim:count=30,shape=8x8", "--worker", faulty, "--run-dir", "run",
                "--workers", "2", "--processor", "Faulty:\(fault)", "--processor",
                "AdOutputFileProcessor:outputDirectory=out",
            ] + options)
    }

    private func summary(_ directory: String) throws -> RunSummary {
        try #require(try RunDirectory.summary(at: folder.file(directory)))
    }

    @Test("are the source of another run, and get the names that they would have had")
    func failed() async throws {
        #expect(try await run("misdeed=throw,frames=[3,5,20]").exitCode == 1)
        #expect(try folder.files(in: "out").count == 27)
        // Through the same pipeline: the frames are numbered anew, so 3 is now the third of them.
        let again = try await interruption.sluice(
            ["run", "--source", "failed:run", "--run-dir", "again"])
        #expect(again.exitCode == 1, "\(again.error)")
        expectBalance(try summary("again"), accepted: 3)
        #expect(try summary("again").failures.map(\.uniqueId) == [20])
        // And what failed there, through another one.
        let rest = try await interruption.sluice([
            "run", "--source", "failed:again", "--run-dir", "rest", "--processor",
            "AdOutputFileProcessor:outputDirectory=out",
        ])
        #expect(rest.exitCode == 0, "\(rest.error)")
        expectBalance(try summary("rest"), accepted: 1)
        #expect(
            try folder.files(in: "out")
                == (1...30).map { String(repeating: "0", count: 6 - "\($0)".count) + "\($0).tiff" })
        let calm = try await interruption.sluice([
            "run", "--source", "sim:count=30,shape=8x8", "--run-dir", "calm", "--quiet",
            "--processor", "AdOutputFileProcessor:outputDirectory=expected",
        ])
        #expect(calm.exitCode == 0)
        for name in ["000003.tiff", "000005.tiff", "000020.tiff"] {
            let (found, wanted) = (try folder.bytes(of: "out/\(name)"), "expected/\(name)")
            // Attributes that the faulty processor sets are in the files of `out` only for the first
            // two; pixels, which are at the end, are the same.
            #expect(found.suffix(128) == (try folder.bytes(of: wanted)).suffix(128))
        }
    }

    @Test("are those that a policy let go, too, where dropped ones are asked for")
    func letGo() async throws {
        #expect(try await run("misdeed=none", "--overload", "sample=1/3").exitCode == 0)
        let again = try await interruption.sluice([
            "run", "--source", "failed:run,outcome=dropped", "--run-dir", "again", "--processor",
            "AdOutputFileProcessor:outputDirectory=out",
        ])
        #expect(again.exitCode == 0, "\(again.error)")
        expectBalance(try summary("again"), accepted: 20)
        #expect(try folder.files(in: "out").count == 30)
        let retry = try await interruption.sluice(["retry", "run", "--outcome", "dropped"])
        #expect(retry.exitCode == 0, "\(retry.error)")
        #expect(retry.output.contains("except what an overload policy let go"))
    }

    @Test("are none where all went through")
    func none() async throws {
        #expect(try await run("misdeed=none").exitCode == 0)
        let again = try await interruption.sluice(
            ["run", "--source", "failed:run,outcome=failed+quarantined", "--run-dir", "again"])
        #expect(again.exitCode == 0, "\(again.error)")
        let line = again.output.split(separator: "\n").first
        #expect(line == "no frame of run ended failed or quarantined: there is nothing to do")
        expectBalance(try summary("again"), accepted: 0)
    }

    @Test("may have written the files of earlier stages already")
    func earlierStages() async throws {
        let faulty: String = try #require(BuiltProducts.executable("FaultyWorker"))
        try folder.write(
            """
            source: {sim: {count: 12, shape: 8x8}}
            stages:
              - name: first
                worker: \(faulty)
                processors: [{AdOutputFileProcessor: {outputDirectory: first}}]
              - name: second
                from: first
                worker: \(faulty)
                processors:
                  - Faulty: {misdeed: throw, frames: "[4]"}
                  - AdOutputFileProcessor: {outputDirectory: second}
            """, to: "pipeline.yaml")
        let run = try await interruption.sluice(["run", "pipeline.yaml", "--run-dir", "run"])
        #expect(run.exitCode == 1, "\(run.error)")
        #expect(try folder.files(in: "first").count == 12)
        let again = try await interruption.sluice([
            "run", "--source", "failed:run", "--run-dir", "again", "--set",
            "second.Faulty.misdeed=none",
        ])
        #expect(again.exitCode == 0, "\(again.error)\(again.output)")
        expectBalance(try summary("again"), accepted: 1)
        #expect(try folder.files(in: "first").count == 12)
        #expect(try folder.files(in: "second").count == 12)
    }

    @Test("are refused while their run goes on, or when its source is another")
    func refused() async throws {
        for number in 1...5 { try folder.writeTIFF("in/\(number).tif", width: 8, height: 8) }
        try folder.write("no image", to: "in/3.tif")
        let run = try await CommandRun.sluiceRun("tiff:in", "PassThrough", in: folder)
        #expect(run.exitCode == 1)
        let again = ["run", "--source", "failed:run", "--quiet", "--processor", "PassThrough"]
        try folder.writeTIFF("in/0.tif", width: 8, height: 8)
        expectRefusal(
            try await interruption.sluice(again + ["--run-dir", "a"]), naming: "5 files", "6 files")
        try FileManager.default.removeItem(atPath: folder.file("in/0.tif"))
        let repeated = try await interruption.sluice(again + ["--run-dir", "b"])
        #expect(repeated.exitCode == 1, "\(repeated.error)")
        expectBalance(try summary("b"), accepted: 1)
        #expect(try summary("b").failures.map(\.uniqueId) == [3])
    }

    @Test("are done again in place, with a setting that is put right")
    func retry() async throws {
        let fault = "misdeed=segfault,frames=[7]"
        #expect(try await run(fault).exitCode == 1)
        #expect(try summary("run").quarantined == 1)
        // The worker dies of it again: nothing is lost, and the frame stays where it is.
        let vain = try await interruption.sluice(["retry", "run"])
        #expect(vain.exitCode == 1, "\(vain.error)")
        #expect(
            vain.output.contains("1 frame ended quarantined and is done again"), "\(vain.output)")
        expectBalance(try summary("run"), accepted: 30)
        #expect(try summary("run").quarantined == 1)
        #expect(try !folder.files(in: "run").contains("configuration-2.yaml"))
        let refused = try await interruption.sluice(
            ["retry", "run", "--set", "Faulty.misdeed=nonsense", "--quiet"])
        expectRefusal(refused, naming: "nonsense")
        #expect(try !folder.files(in: "run").contains("configuration-2.yaml"))
        let good = try await interruption.sluice(
            ["retry", "run", "--set", "Faulty.misdeed=none", "--workers", "1"])
        #expect(good.exitCode == 0, "\(good.error)")
        expectBalance(try summary("run"), accepted: 30)
        #expect(try summary("run").processed == 30)
        #expect(try folder.files(in: "out").count == 30)
        #expect(try folder.text(of: "run/configuration-2.yaml").contains("misdeed: none"))
        let rows = try await interruption.sluice(["ledger", "run", "--id", "7", "--format", "json"])
        #expect(rows.output.contains("\"outcome\":\"processed\""), "\(rows.output)")
        #expect(!rows.output.contains("\"outcome\":\"quarantined\""), "\(rows.output)")
        #expect(try await interruption.sluice(["verify", "run"]).exitCode == 0)
        let nothing = try await interruption.sluice(["retry", "run"])
        #expect(nothing.exitCode == 0)
        #expect(nothing.output.contains("no frame ended quarantined, there is nothing to do"))
    }

    @Test(
        "stay as they are when a retry is refused",
        arguments: [
            ["--set", "Faulty.misdeed=nonsense"], ["--worker", "/nowhere/worker"],
            ["--worker", "/bin/true"], ["--set", "AdOutputFileProcessor.outputDirectory=/proc/no"],
        ])
    func refusedRetry(options: [String]) async throws {
        #expect(try await run("misdeed=segfault,frames=[7]").exitCode == 1)
        let ledger = try folder.bytes(of: "run/ledger")
        let summary = try folder.bytes(of: "run/summary.json")
        let refused = try await interruption.sluice(["retry", "run"] + options)
        #expect(refused.exitCode == 2, "\(refused.output)")
        #expect(try folder.bytes(of: "run/summary.json") == summary)
        #expect(try folder.bytes(of: "run/ledger") == ledger)
        #expect(try await interruption.sluice(["verify", "run"]).exitCode == 0)
        let again = try await interruption.sluice(["retry", "run", "--set", "Faulty.misdeed=none"])
        #expect(again.exitCode == 0, "\(again.error)")
        #expect(again.output.contains("1 frame ended quarantined and is done again"))
    }

    @Test("may be those that failed, too")
    func retryFailed() async throws {
        #expect(try await run("misdeed=throw,frames=[3,5,20]").exitCode == 1)
        let nothing = try await interruption.sluice(["retry", "run"])
        #expect(nothing.output.contains("there is nothing to do"), "\(nothing.output)")
        let good = try await interruption.sluice(
            ["retry", "run", "--outcome", "failed", "--set", "Faulty.misdeed=none"])
        #expect(good.exitCode == 0, "\(good.error)")
        #expect(good.output.hasPrefix("run \(try summary("run").runId): 3 frames ended"))
        expectBalance(try summary("run"), accepted: 30)
        #expect(try folder.files(in: "out").count == 30)
        expectRefusal(
            try await interruption.sluice(["retry", "run", "--outcome", "faild"]),
            naming: "did you mean failed?")
    }

    @Test(
        "may be done again where another run has written the very same file, and no other",
        arguments: [true, false])
    func writtenElsewhere(isSame: Bool) async throws {
        #expect(try await run("misdeed=throw,frames=[3,5]").exitCode == 1)
        let elsewhere = try await interruption.sluice(
            ["run", "--source", "failed:run", "--run-dir", "again", "--set", "Faulty.misdeed=none"])
        #expect(elsewhere.exitCode == 0, "\(elsewhere.error)")
        let name = "out/000005.tiff"
        if !isSame {
            // As many bytes, of which one is another.
            var bytes = try folder.bytes(of: name)
            bytes[bytes.count - 1] ^= 1
            try folder.write(bytes, to: name)
        }
        let before = try folder.bytes(of: name)
        let retried = try await interruption.sluice(
            ["retry", "run", "--outcome", "failed", "--set", "Faulty.misdeed=none"])
        #expect(retried.exitCode == (isSame ? 0 : 1), "\(retried.output)")
        let summary = try summary("run")
        expectBalance(summary, accepted: 30)
        #expect(summary.processed == (isSame ? 30 : 29), "\(summary.failures)")
        if !isSame {
            #expect(summary.failures.map(\.uniqueId) == [5])
            #expect(summary.failures[0].reason.contains("exists already and is not overwritten"))
        }
        #expect(try folder.bytes(of: name) == before)
        #expect(try folder.files(in: "out").count == 30)
        #expect(try await interruption.sluice(["verify", "run"]).exitCode == 0)
    }

    @Test("are not done again before the run that has them was taken up")
    func retryInterrupted() async throws {
        #expect(try await run("misdeed=throw,frames=[3,5,20]").exitCode == 1)
        try FileManager.default.removeItem(atPath: folder.file("run/summary.json"))
        expectRefusal(
            try await interruption.sluice(["retry", "run", "--outcome", "failed"]),
            naming: "take it up first")
    }
}
