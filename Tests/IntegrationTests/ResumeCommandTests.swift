import ControllerRuntime
import Foundation
import TestSupport
import Testing

@Suite("A run that is taken up again", .timeLimit(.minutes(3)))
struct ResumeCommandTests {
    private let interruption: Interruption
    private var folder: TemporaryFolder { interruption.folder }

    init() throws { interruption = try Interruption() }

    private func numbers(of line: some StringProtocol) -> [Int] {
        line.split { !$0.isNumber }.compactMap { Int($0) }
    }

    @Test("after kill -9 does what is missing, at any number of workers", arguments: [1, 2, 3])
    func killed(workers: Int) async throws {
        let tree = try await Interruption.undisturbed { _ in Interruption.oneStage }
        #expect(tree.count == 60)
        try await interruption.kill(
            interruption.command(Interruption.oneStage, "--rate", "150", "--workers", "2"),
            afterFiles: 15 + workers)
        let resumed = try await interruption.sluice(
            ["run", "--run-dir", "run", "--resume", "--workers", "\(workers)"])
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        let line = try #require(resumed.output.split(separator: "\n").first)
        #expect(line.hasPrefix("run ") && line.contains(" of 60 frames were done"), "\(line)")
        #expect(line.hasSuffix("going on"))
        try await interruption.expectWhole(tree, accepted: 60)
    }

    @Test("after kill -9 in a pipeline of two stages", arguments: [1, 2, 3])
    func twoStages(workers: Int) async throws {
        let tree = try await Interruption.undisturbed { try Interruption.twoStages(in: $0) }
        #expect(tree.count == 200)
        let pipeline = try Interruption.twoStages(in: folder)
        try await interruption.kill(
            interruption.command(pipeline, "--rate", "100", "--workers", "2"), afterFiles: 60)
        let resumed = try await interruption.sluice(
            interruption.command(pipeline, "--resume", "--workers", "\(workers)"))
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        try await interruption.expectWhole(tree, accepted: 40)
    }

    @Test("again and again, however often it is killed")
    func manyLives() async throws {
        let tree = try await Interruption.undisturbed { _ in Interruption.oneStage }
        try await interruption.kill(
            interruption.command(Interruption.oneStage, "--rate", "150"), afterFiles: 10)
        for count in [20, 30, 40] {
            try await interruption.kill(
                ["run", "run", "--resume", "--rate", "150", "--workers", "2"], afterFiles: count)
        }
        // As if it had been killed while it wrote its summary.
        try "{".write(
            toFile: folder.file("run/.summary.json.4711.part"), atomically: false, encoding: .utf8)
        _ = try folder.write([0], to: "run/quarantine/.000007.tiff.run.quarantine.7.0.part")
        _ = try folder.write([0], to: "run/quarantine/000007.main.json.part")
        let resumed = try await interruption.sluice(["run", "run", "--resume"])
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        #expect(try folder.files(in: "run").allSatisfy { !$0.hasSuffix(".part") })
        #expect(try folder.files(in: "run/quarantine").isEmpty)
        try await interruption.expectWhole(tree, accepted: 60)
    }

    @Test(
        "after it was killed before it had begun begins", arguments: ["", "SLUI", "SLUICELG", nil])
    func unbegun(ledger: String?) async throws {
        let tree = try await Interruption.undisturbed { _ in Interruption.oneStage }
        let whole = try await interruption.sluice(interruption.command(Interruption.oneStage))
        #expect(whole.exitCode == 0, "\(whole.error)")
        for name in ["out", "run/summary.json", "run/ledger"] {
            try FileManager.default.removeItem(atPath: folder.file(name))
        }
        if let ledger { _ = try folder.write(ledger, to: "run/ledger") }
        let runId = try folder.text(of: "run/lock").split(separator: "\n")[1]
        // Frames were handed out: what became of them nobody knows, and nothing is touched.
        try await refuses(naming: "says that the run began")
        _ = try folder.write("{}\n", to: "run/journal.jsonl")
        try await refuses(naming: "journal")
        // Killed when its journal was there, and the first record of its ledger was not yet.
        let defined = #"{"timestamp":1.5,"seq":1,"name":"run-define","context":{}}"#
        _ = try folder.write("\(defined)\n", to: "run/journal.jsonl")
        // What no run has made stays, and so does all else.
        _ = try folder.write("mine", to: "run/notes.txt")
        try await refuses(naming: "ledger")
        try FileManager.default.removeItem(atPath: folder.file("run/notes.txt"))
        // A worker of that life may have staged a file.
        _ = try folder.write("half", to: "out/.000001.tiff.\(runId).main.1.0.part")
        // As if it had been killed while it wrote its configuration again.
        _ = try folder.write("{", to: "run/.configuration.yaml.4711.part")
        let resumed = try await interruption.sluice(["run", "run", "--resume"])
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        #expect(resumed.output.hasPrefix("the run in run was killed before it had begun"))
        #expect(try folder.text(of: "run/lock").contains("\n\(runId)\n"))
        try await interruption.expectWhole(tree, accepted: 60)
    }

    /// A resume is refused, and every file of the run directory is as it was.
    private func refuses(naming word: String) async throws {
        let before = try folder.files(in: "run").sorted()
        let journal = try folder.bytes(of: "run/journal.jsonl")
        expectRefusal(try await interruption.sluice(["run", "run", "--resume"]), naming: word)
        #expect(try folder.files(in: "run").sorted() == before)
        #expect(try folder.bytes(of: "run/journal.jsonl") == journal)
    }

    @Test("before it had begun is refused without harm when it can't begin")
    func unbegunAndRefused() async throws {
        let whole = try await interruption.sluice(interruption.command(Interruption.oneStage))
        #expect(whole.exitCode == 0, "\(whole.error)")
        for name in ["out", "run/summary.json", "run/ledger", "run/journal.jsonl"] {
            try FileManager.default.removeItem(atPath: folder.file(name))
        }
        let configuration = try folder.bytes(of: "run/configuration.yaml")
        _ = try folder.write("no folder", to: "out")
        let refused = try await interruption.sluice(["run", "run", "--resume"])
        #expect(refused.exitCode == 2, "\(refused.error)")
        #expect(try folder.bytes(of: "run/configuration.yaml") == configuration)
        try FileManager.default.removeItem(atPath: folder.file("out"))
        let resumed = try await interruption.sluice(["run", "run", "--resume"])
        #expect(resumed.exitCode == 0, "\(resumed.error)")
    }

    @Test("while its first configuration was written is begun by the same command")
    func killedBeforeItsConfiguration() async throws {
        _ = try folder.write("4711\nabcdefgh\n", to: "run/lock")
        _ = try folder.write("{", to: "run/.configuration.yaml.4711.part")
        expectRefusal(
            try await interruption.sluice(["run", "run", "--resume"]), naming: "without --resume")
        let run = try await interruption.sluice(interruption.command(Interruption.oneStage))
        #expect(run.exitCode == 0, "\(run.error)")
    }

    @Test("after it was stopped does the rest", arguments: [[], ["--now"]])
    func stopped(options: [String]) async throws {
        let tree = try await Interruption.undisturbed { _ in Interruption.oneStage }
        let watch = try FolderWatch(making: folder.file("out"))
        let program: String = try #require(BuiltProducts.executable("sluice"))
        let started = try CommandRun.start(
            [program] + interruption.command(Interruption.oneStage, "--rate", "20"), in: folder)
        try watch.wait(for: 10, suffix: ".tiff")
        watch.close()
        let stop = try await interruption.sluice(["stop", "run"] + options)
        #expect(stop.exitCode == 0, "\(stop.error)")
        _ = try await started.end()
        #expect(try interruption.tree().count < 60)
        let resumed = try await interruption.sluice(["run", "run", "--resume"])
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        try await interruption.expectWhole(tree, accepted: 60)
    }

    @Test("when it was over says that nothing is missing, and leaves everything as it is")
    func finished() async throws {
        let run = try await interruption.sluice(interruption.command(Interruption.oneStage))
        #expect(run.exitCode == 0)
        let ledger = try folder.bytes(of: "run/ledger")
        let resumed = try await interruption.sluice(["run", "run", "--resume"])
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        let lines = resumed.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.first?.hasSuffix("all 60 frames were done, nothing is missing") == true)
        #expect(resumed.output.contains("60 accepted = 60 processed"))
        #expect(try folder.bytes(of: "run/ledger") == ledger)
        // The same to whoever repeats the command without it.
        let again = try await interruption.sluice(interruption.command(Interruption.oneStage))
        expectRefusal(again, naming: "holds an earlier run")
    }

    @Test("says that nothing is missing, too, when a policy let frames go")
    func letGo() async throws {
        let run = try await interruption.sluice(
            interruption.command(Interruption.oneStage, "--overload", "sample=1/3"))
        #expect(run.exitCode == 0, "\(run.error)")
        let resumed = try await interruption.sluice(["run", "run", "--resume"])
        let line = resumed.output.split(separator: "\n").first ?? ""
        #expect(line.hasSuffix("all 60 frames were done, nothing is missing"), "\(line)")
    }

    @Test("cuts a torn end of its ledger and says so", arguments: 1...4 as ClosedRange<UInt64>)
    func torn(seed: UInt64) async throws {
        let tree = try await Interruption.undisturbed { _ in Interruption.oneStage }
        try await interruption.kill(
            interruption.command(Interruption.oneStage, "--rate", "150", "--workers", "2"),
            afterFiles: 20)
        var random = SeededNumbers(seed: seed)
        let whole = try folder.bytes(of: "run/ledger")
        let garbage = (0..<Int.random(in: 1...7, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        // Fewer bytes than the head of a record: whatever they are, they are no record.
        try folder.write(whole + garbage, to: "run/ledger")
        let asked = try await interruption.sluice(["ledger", "run", "--limit", "100000"])
        #expect(asked.exitCode == 0)
        #expect(asked.error.contains("in the middle of a record"), "\(asked.error)")
        let resumed = try await interruption.sluice(["run", "run", "--resume"])
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        let line = resumed.output.split(separator: "\n").first ?? ""
        #expect(line.contains("bytes of a torn record cut, going on"), "\(line)")
        try await interruption.expectWhole(tree, accepted: 60)
    }

    @Test(
        "of which the ledger lost its end does those frames again, with the same files",
        arguments: 1...6 as ClosedRange<UInt64>)
    func truncated(seed: UInt64) async throws {
        let tree = try await Interruption.undisturbed { _ in Interruption.oneStage }
        try await interruption.kill(
            interruption.command(Interruption.oneStage, "--rate", "150", "--workers", "2"),
            afterFiles: 20)
        var random = SeededNumbers(seed: seed)
        let whole = try folder.bytes(of: "run/ledger")
        // The first record says which run it is; without it there is nothing to take up.
        let head = 16 + Int(whole[8]) + Int(whole[9]) << 8
        let count = Int.random(in: head...whole.count, using: &random)
        try folder.write(whole[..<count], to: "run/ledger")
        let resumed = try await interruption.sluice(["run", "run", "--resume", "--workers", "2"])
        #expect(
            resumed.exitCode == 0, "\(count) of \(whole.count): \(resumed.error)\(resumed.output)")
        try await interruption.expectWhole(tree, accepted: 60)
    }

    @Test("must be the same run")
    func another() async throws {
        try await interruption.kill(
            interruption.command(Interruption.oneStage, "--rate", "150"), afterFiles: 10)
        let place = ["run", "--run-dir", "run", "--resume"]
        expectRefusal(
            try await interruption.sluice(
                place + ["--source", "sim:count=60,shape=32x32,seed=5"]),
            naming: "the source's seed was 4 and is 5 now")
        expectRefusal(
            try await interruption.sluice(
                place + ["--set", "AdOutputFileProcessor.compression=lzw"]),
            naming: "main.AdOutputFileProcessor.compression was not set and is lzw now")
        expectRefusal(
            try await interruption.sluice(interruption.command(Interruption.oneStage)),
            naming: "was interrupted: take it up with --resume")
        let resumed = try await interruption.sluice(place + ["--quiet"])
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        #expect(resumed.output.isEmpty)
    }

    @Test("must have the same files before it")
    func otherFiles() async throws {
        for number in 10..<40 { try folder.writeTIFF("in/\(number).tif", width: 32, height: 32) }
        let pipeline = [
            "--source", "tiff:in", "--processor", "AdOutputFileProcessor:outputDirectory=out",
        ]
        try await interruption.kill(
            interruption.command(pipeline, "--rate", "100"), afterFiles: 5)
        try folder.writeTIFF("in/05.tif", width: 32, height: 32)
        let refused = try await interruption.sluice(["run", "run", "--resume"])
        expectRefusal(
            refused, naming: "30 files from 10.tif to 39.tif", "31 files from 05.tif to 39.tif")
        try FileManager.default.removeItem(atPath: folder.file("in/05.tif"))
        let resumed = try await interruption.sluice(["run", "run", "--resume"])
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        #expect(try interruption.tree().count == 30)
    }

    @Test("finds its files from any folder")
    func otherFolder() async throws {
        let tree = try await Interruption.undisturbed { _ in Interruption.oneStage }
        try await interruption.kill(
            interruption.command(Interruption.oneStage, "--rate", "150"), afterFiles: 10)
        let elsewhere = try TemporaryFolder()
        let place = folder.file("run")
        let resumed = try await CommandRun.sluice(
            ["run", place, "--resume", "--summary", "s.json"], in: elsewhere)
        #expect(resumed.exitCode == 0, "\(resumed.error)")
        #expect(try elsewhere.files().filter { !$0.hasPrefix(".") } == ["s.json"])
        try await interruption.expectWhole(tree, accepted: 60)
    }
}
