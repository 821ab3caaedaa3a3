import ControllerRuntime
import Foundation
import TestSupport
import Testing

@Suite("A run directory on a disk that gets full", .timeLimit(.minutes(3)))
struct FullRunDirectoryTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// 600 frames with their files, 400 a second: a ledger of many pages.
    private static let frames = 600

    private func start(
        _ options: String..., frames: Int = Self.frames, rate: Int = 400
    ) throws -> StartedCommand {
        let command = [
            "timeout", "-k", "2", "60", try #require(BuiltProducts.executable("sluice")), "run",
            "--source", "sim:count=\(frames),shape=16x16,rate=\(rate)", "--workers", "2",
            "--run-dir", "disk/run", "--worker",
            try #require(BuiltProducts.executable("sluice-worker")), "--processor",
            "AdOutputFileProcessor:outputDirectory=out",
        ]
        return try CommandRun.start(command + options, in: folder)
    }

    /// Waits until files get their names.
    private func waitForFiles() throws {
        for _ in 0..<10_000_000 {
            let names = (try? folder.files(in: "out")) ?? []
            if names.contains(where: { !$0.hasPrefix(".") }) { return }
        }
        Issue.record("no file came")
    }

    /// Asks for the status until it says that the ledger can't be written.
    private func waitUntilStalled() async throws {
        for _ in 0..<2000 {
            let answer = try await CommandRun.sluice(["status", "disk/run"], in: folder)
            if answer.output.contains("ledger"), answer.output.contains("can't be written"),
                answer.output.contains("No space left on device")
            {
                return
            }
        }
        Issue.record("the status does not say that the ledger can't be written")
    }

    @Test(
        "holds names and ledger until there is room, and loses nothing",
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint))
    func goesOn() async throws {
        let disk = try SmallDisk(at: folder.file("disk"), megabytes: 4)
        let run = try start()
        try waitForFiles()
        try disk.fillUp()
        try await waitUntilStalled()
        // No file gets its name before the ledger has it.
        let before = try folder.files(in: "out").filter { !$0.hasPrefix(".") }
        #expect(before.count < Self.frames)
        try disk.clear()
        let ended = try await run.end()
        #expect(ended.exitCode == 0, "\(ended.output) \(ended.error)")
        let files = try folder.files(in: "out")
        #expect(files.count == Self.frames)
        #expect(files.allSatisfy { $0.hasSuffix(".tiff") && !$0.hasPrefix(".") })
        #expect(Set(before).isSubset(of: files))
        let summary = try #require(try RunDirectory.summary(at: folder.file("disk/run")))
        expectBalance(summary, accepted: UInt64(Self.frames))
        #expect(summary.processed == UInt64(Self.frames))
        let verified = try await CommandRun.sluice(["verify", "disk/run"], in: folder)
        #expect(verified.exitCode == 0, "\(verified.output)")
        withExtendedLifetime(disk) {}
    }

    @Test(
        "that is full already is refused, and left as it was",
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint))
    func refused() async throws {
        let disk = try SmallDisk(at: folder.file("disk"), megabytes: 4)
        try disk.fillUp()
        let run = try await start().end()
        expectRefusal(run, naming: "No space left on device", "--run-dir")
        try disk.clear()
        let again = try await start(frames: 5).end()
        #expect(again.exitCode == 0, "\(again.error)")
        withExtendedLifetime(disk) {}
    }

    @Test(
        "ends the run after the stall time limit, and what is missing is done when there is room",
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint),
        // While frames come, and when the last ones wait for their names.
        arguments: [(frames: Self.frames, rate: 400, limit: "300ms"), (20, 50, "2s")])
    func tooLong(frames: Int, rate: Int, limit: String) async throws {
        let disk = try SmallDisk(at: folder.file("disk"), megabytes: 4)
        let run = try start("--stall-time-limit", limit, frames: frames, rate: rate)
        try waitForFiles()
        try disk.fillUp()
        let ended = try await run.end()
        #expect(ended.exitCode == 3, "\(ended.output)")
        #expect(ended.error.contains("No space left on device"), "\(ended.error)")
        #expect(ended.error.contains("--resume"), "\(ended.error)")
        let named = try folder.files(in: "out")
        #expect(named.count < frames)
        #expect(named.allSatisfy { !$0.hasPrefix(".") })
        try disk.clear()
        let resumed = try await CommandRun.sluice(
            ["run", "--run-dir", "disk/run", "--resume"], in: folder)
        #expect(resumed.exitCode == 0, "\(resumed.output) \(resumed.error)")
        #expect(try folder.files(in: "out").count == frames)
        let verified = try await CommandRun.sluice(["verify", "disk/run"], in: folder)
        #expect(verified.exitCode == 0, "\(verified.output)")
        withExtendedLifetime(disk) {}
    }
}
