import ControllerRuntime
import Foundation
import Journal
import TestSupport
import Testing

@Suite("A folder that can't take files, through the command", .timeLimit(.minutes(3)))
struct StallTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// 60 frames of 32 KiB, as fast as they are taken.
    private static let fast = "sim:count=60,shape=128x128,pattern=noise"
    /// 120 of them, 200 a second, so that something can happen meanwhile.
    private static let paced = "sim:count=120,shape=128x128,pattern=noise,rate=200"
    private static let save = "AdOutputFileProcessor:outputDirectory="

    private func start(
        _ source: String, into place: String = "out", options: [String] = []
    ) throws -> StartedCommand {
        let command = [
            "timeout", "-k", "2", "60", try #require(BuiltProducts.executable("sluice")), "run",
            "--source", source, "--workers", "2", "--run-dir", "run", "--worker",
            try #require(BuiltProducts.executable("sluice-worker")), "--processor",
            "PixelStatistics", "--processor", Self.save + place,
        ]
        return try CommandRun.start(command + options, in: folder)
    }

    /// Asks for the status until it says that a stage is held, and returns what it says.
    private func waitUntilHeld() async throws -> String {
        for _ in 0..<2000 {
            let answer = try await CommandRun.sluice(["status", "run"], in: folder)
            if answer.output.contains("is held") { return answer.output }
        }
        Issue.record("the run is not held: \((try? folder.text(of: "run/journal.jsonl")) ?? "")")
        return ""
    }

    /// Kills all workers and waits until others have started in their places.
    private func replaceWorkers() async throws {
        let answer = try await CommandRun.sluice(["status", "run", "--format", "json"], in: folder)
        let status = try JSONDecoder().decode(RunStatus.self, from: Data(answer.output.utf8))
        for worker in status.workers { #expect(kill(worker.processId, SIGKILL) == 0) }
        for _ in 0..<10_000 {
            let text = (try? folder.text(of: "run/journal.jsonl")) ?? ""
            if text.split(separator: "\"worker-start\"").count > 2 * status.workers.count { return }
        }
        Issue.record("no worker was replaced")
    }

    /// Reads the journal until an event of that name is in it.
    private func waitFor(_ name: String) throws {
        for _ in 0..<10_000_000 {
            let text = (try? folder.text(of: "run/journal.jsonl")) ?? ""
            if text.contains("\"\(name)\"") { return }
        }
        Issue.record("the journal has no \(name)")
    }

    /// The run has lost nothing: every file is there once and is what it is without a stall, the
    /// ledger balances, nothing is left over, and the journal tells of the pause.
    ///
    /// A frame that was staged when the folder went away is processed again, and counted again (`mayRepeat`);
    /// what a worker did that was killed, it may not have told (`mayLack`).
    private func expectWhole(
        _ run: CommandRun, _ source: String, in place: String = "out", mayRepeat: Bool = false,
        mayLack: Bool = false
    ) async throws {
        #expect(run.exitCode == 0, "\(run.output) \(run.error)")
        let reference = try await CommandRun.sluice(
            [
                "run", "--source", source, "--run-dir", "reference", "--worker",
                try #require(BuiltProducts.executable("sluice-worker")), "--processor",
                "PixelStatistics", "--processor", Self.save + "expected",
            ], in: folder)
        #expect(reference.exitCode == 0, "\(reference.error)")
        let expected = try folder.files(in: "expected")
        let found = try folder.files(in: place).filter { $0 != ".ballast" }
        #expect(found == expected)
        for name in expected {
            #expect(
                try folder.bytes(of: "\(place)/\(name)") == folder.bytes(of: "expected/\(name)"),
                "\(name)")
        }
        let summary = try #require(try RunDirectory.summary(at: folder.path + "/run"))
        expectBalance(summary, accepted: UInt64(expected.count))
        #expect(summary.processed == UInt64(expected.count))
        #expect(summary.stages.map(\.files) == [UInt64(expected.count)])
        #expect(summary.bytesIn == UInt64(expected.count) * 32_768)
        for processor in summary.stages[0].processors {
            let counted = processor.statistics.first { $0.key == "nProcessed" }?.value
            guard case .unsigned(let count)? = counted else {
                Issue.record("no count of \(processor.name): \(String(describing: counted))")
                continue
            }
            #expect(mayLack || count >= expected.count)
            #expect(mayRepeat || count <= expected.count)
        }
        let events = try JournalReader.events(path: folder.file("run/journal.jsonl"))
        let held = events.filter { $0.name == "stage-held" }
        #expect(!held.isEmpty)
        #expect(held.allSatisfy { $0["stage"] == "main" })
        #expect(events.contains { $0.name == "stage-resumed" })
        let verified = try await CommandRun.sluice(["verify", "run"], in: folder)
        #expect(verified.exitCode == 0, "\(verified.output)")
    }

    // MARK: Full, read-only, vanished

    @Test(
        "a full disk holds the run until there is room, and costs no frame",
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint),
        arguments: [
            [], ["--policy", "hash", "--durability", "file"],
            ["--policy", "round-robin", "--plane", "inline"],
        ])
    func fullDisk(options: [String]) async throws {
        let disk = try SmallDisk(at: folder.file("out"), megabytes: 4)
        try disk.fill(leaving: 700_000)
        let run = try start(Self.fast, options: options)
        let status = try await waitUntilHeld()
        #expect(status.contains("stage main is held"), "\(status)")
        #expect(status.contains("No space left on device"), "\(status)")
        #expect(status.contains(": running"), "\(status)")
        // What could be written is there and whole; nothing is there in part.
        let before = try disk.files().filter { !$0.hasPrefix(".") }
        #expect(before.count > 5 && before.count < 30)
        try disk.clear()
        try await expectWhole(run.end(), Self.fast)
        if Python.isThere {
            let script = """
                import sys, glob, tifffile
                print(len([tifffile.imread(p) for p in glob.glob(sys.argv[1] + '/*.tiff')]))
                """
            #expect(try Python.lines(script, [disk.path]) == ["60"])
        }
        withExtendedLifetime(disk) {}
    }

    @Test(
        "a disk that becomes read-only holds the run until it is writable again",
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint))
    func readOnly() async throws {
        let disk = try SmallDisk(at: folder.file("out"), megabytes: 8)
        let run = try start(Self.paced)
        try waitFor("run-start")
        // It is refused while a file is being written.
        var tries = 0
        while try !disk.remount("ro"), tries < 1000 { tries += 1 }
        let status = try await waitUntilHeld()
        #expect(status.contains("Read-only file system"), "\(status)")
        #expect(try disk.remount("rw"))
        try await expectWhole(run.end(), Self.paced, mayRepeat: true)
        withExtendedLifetime(disk) {}
    }

    @Test("a folder that is moved away holds the run until it is back, and is not made again")
    func vanished() async throws {
        let run = try start(Self.paced)
        try waitFor("run-start")
        #expect(rename(folder.file("out"), folder.file("away")) == 0)
        let status = try await waitUntilHeld()
        #expect(status.contains("No such file or directory"), "\(status)")
        // Workers that take the place of lost ones don't make it either.
        try await replaceWorkers()
        #expect(try !folder.files().contains("out"))
        #expect(rename(folder.file("away"), folder.file("out")) == 0)
        try await expectWhole(run.end(), Self.paced, mayRepeat: true, mayLack: true)
    }

    // MARK: Ends

    @Test(
        "a run that is held for too long ends balanced, says what to do, and has exit code 3",
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint))
    func tooLong() async throws {
        let disk = try SmallDisk(at: folder.file("out"), megabytes: 4)
        try disk.fill(leaving: 300_000)
        let run = try await start(Self.fast, options: ["--stall-time-limit", "300ms"]).end()
        #expect(run.exitCode == 3, "\(run.output)")
        #expect(run.error.contains("stallTimeLimit"), "\(run.error)")
        #expect(run.error.contains("No space left on device"), "\(run.error)")
        #expect(run.error.contains("--resume"), "\(run.error)")
        let summary = try #require(try RunDirectory.summary(at: folder.path + "/run"))
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == .stageFailed)
        #expect(summary.failed == 0)
        #expect(summary.processed + (summary.dropped["stage-failed"] ?? 0) == summary.accepted)
        #expect(try disk.files().count == Int(summary.processed))
        #expect(try disk.files().allSatisfy { !$0.hasPrefix(".") })
        withExtendedLifetime(disk) {}
    }

    @Test(
        "a stop waits for room; a second one ends at once",
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint))
    func stops() async throws {
        let disk = try SmallDisk(at: folder.file("out"), megabytes: 4)
        try disk.fill(leaving: 300_000)
        let run = try start(Self.fast, options: ["--stall-time-limit", "none"])
        _ = try await waitUntilHeld()
        let stopped = try await CommandRun.sluice(["status", "run"], in: folder)
        #expect(stopped.output.contains("is held"))
        let pid = try #require(
            stopped.output.firstMatch(of: /process (\d+)/).flatMap { Int32($0.1) })
        #expect(kill(pid, SIGINT) == 0)
        try waitFor("run-drain")
        let draining = try await waitUntilHeld()
        #expect(draining.contains(": draining"), "\(draining)")
        #expect(kill(pid, SIGINT) == 0)
        let ended = try await run.end()
        #expect(ended.exitCode == 1, "\(ended.output)")
        let summary = try #require(try RunDirectory.summary(at: folder.path + "/run"))
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == .stopped)
        #expect(summary.dropped["stopped"] ?? 0 > 0)
        withExtendedLifetime(disk) {}
    }

    // MARK: Stages before it

    @Test(
        "the stages before one that is held, and the source, only wait",
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint))
    func backPressure() async throws {
        let disk = try SmallDisk(at: folder.file("out"), megabytes: 16)
        try disk.fill(leaving: 100_000)
        let controller = try Controller(
            RunConfiguration(stages: [
                Scenario.stage(named: "pass", workers: 2, Scenario.processor("PassThrough")),
                Scenario.stage(
                    named: "save", from: "pass",
                    Scenario.processor("AdOutputFileProcessor", ["outputDirectory": disk.path])),
            ]), source: CountingSource(count: 2000))
        async let run = controller.run()
        try await controller.waitUntilStarted()
        var status = await controller.status()
        while status?.stages.last?.held == nil { status = await controller.status() }
        let held = try #require(status)
        #expect(held.stages[0].held == nil)
        #expect(held.ledger.accepted < 2000)
        try disk.clear()
        let summary = try await run
        expectBalance(summary, accepted: 2000)
        #expect(summary.processed == 2000, "\(summary.failures)")
        #expect(summary.stages.map(\.files) == [0, 2000])
        #expect(try disk.files().count == 2000)
    }

    // MARK: Names

    @Test("a name is given without replacing where renameat2 can't, through the commit")
    func withoutRenameat2() async throws {
        try folder.write(
            """
            #include <errno.h>
            int renameat2(int a, const char *b, int c, const char *d, unsigned e) {
                errno = EINVAL;
                return -1;
            }
            """, to: "shim.c")
        let compiled = try await CommandRun.start(
            ["cc", "-shared", "-fPIC", "-o", "shim.so", "shim.c"], in: folder
        ).end()
        #expect(compiled.exitCode == 0, "\(compiled.error)")
        try folder.write("mine", to: "out/000002.tiff")
        let run = try await CommandRun.start(
            [
                "LD_PRELOAD=\(folder.file("shim.so"))", "timeout", "60",
                try #require(BuiltProducts.executable("sluice")), "run", "--source",
                "sim:count=4,shape=32x32", "--run-dir", "run", "--worker",
                try #require(BuiltProducts.executable("sluice-worker")), "--processor",
                Self.save + "out",
            ], in: folder
        ).end()
        #expect(run.exitCode == 1, "\(run.output)")
        #expect(run.output.contains("is not overwritten"), "\(run.output)")
        #expect(try folder.text(of: "out/000002.tiff") == "mine")
        #expect(
            try folder.files(in: "out")
                == ["000001.tiff", "000002.tiff", "000003.tiff", "000004.tiff"])
        var status = stat()
        #expect(stat(folder.file("out/000001.tiff"), &status) == 0 && status.st_nlink == 1)
    }
}
