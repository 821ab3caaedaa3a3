import ControllerRuntime
import Foundation
import TestSupport
import Testing

@Suite("Bad input, through the command", .timeLimit(.minutes(3)))
struct BadInputTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Enough for the controller and a worker, and far below what the absurd files ask for.
    private static let addressSpace = 3 << 30

    /// Good frames and one bad one between them, run with file output.
    private func runAmongGood(_ bad: String, addressSpace: Int? = nil) async throws -> CommandRun {
        for name in ["a", "b", "y", "z"] {
            try folder.writeTIFF("in/\(name).tif", width: 30, height: 20)
        }
        let run = try await CommandRun.sluiceRun(
            "tiff:in/*.tif", "PixelStatistics", "AdOutputFileProcessor:outputDirectory=out",
            options: ["--workers", "2", "--summary", "summary.json"], in: folder,
            addressSpace: addressSpace)
        #expect(run.error.isEmpty, "\(run.error)")
        #expect(run.output.contains("in/\(bad)"), "\(run.output)")
        return run
    }

    /// Four frames went through; the bad one failed for a reason that has `words` and its path in it.
    private func expectOneFailure(_ run: CommandRun, naming words: String...) async throws {
        #expect(run.exitCode == 1)
        #expect(try folder.files(in: "out").count == 4)
        let journal = try folder.text(of: "run/journal.jsonl").split(separator: "\n")
        let told = journal.filter { $0.contains("\"frame-failed\"") }
        #expect(told.count == 1)
        for word in words {
            #expect(run.output.contains(word), "no '\(word)' in \(run.output)")
            #expect(told.first?.contains(word) == true, "no '\(word)' in \(told)")
        }
        let summary = try #require(try RunDirectory.summary(at: folder.path + "/run"))
        expectBalance(summary, accepted: 5)
        #expect(summary.processed == 4)
        #expect(summary.failed == 1)
        let ledger = try folder.text(of: "run/ledger")
        #expect(words.allSatisfy { ledger.contains($0) })
        let verified = try await CommandRun.sluice(["verify", "run"], in: folder)
        #expect(verified.exitCode == 0, "\(verified.output)")
    }

    // MARK: Files

    @Test("a file that is no TIFF fails its frame, with path and reason everywhere")
    func noTIFF() async throws {
        try folder.write(Array("this is a text\n".utf8), to: "in/m.tif")
        let run = try await runAmongGood("m.tif")
        try await expectOneFailure(run, naming: "in/m.tif", "not a TIFF file")
    }

    @Test("an empty file fails its frame")
    func emptyFile() async throws {
        try folder.write([], to: "in/m.tif")
        let run = try await runAmongGood("m.tif")
        try await expectOneFailure(run, naming: "in/m.tif", "empty")
    }

    @Test("a truncated file fails its frame")
    func truncated() async throws {
        try folder.writeTIFF("in/m.tif", width: 30, height: 20, byteCount: 700)
        let run = try await runAmongGood("m.tif")
        try await expectOneFailure(run, naming: "in/m.tif", "ends too early")
    }

    @Test("an image of 0 × 0 fails its frame")
    func noPixels() async throws {
        try folder.writeTIFF("in/m.tif", width: 0, height: 0)
        let run = try await runAmongGood("m.tif")
        try await expectOneFailure(run, naming: "in/m.tif", "0×0")
    }

    @Test(
        "absurd dimensions fail their frame, and nothing is allocated for them",
        arguments: [UInt32(60_000), 200_000, 2_000_000_000, .max])
    func absurd(side: UInt32) async throws {
        try folder.writeTIFF("in/m.tif", width: side, height: side, byteCount: 1000)
        let run = try await runAmongGood("m.tif", addressSpace: Self.addressSpace)
        try await expectOneFailure(run, naming: "in/m.tif")
    }

    @Test("a link that leads nowhere fails its frame: a file that is gone is not passed over")
    func danglingLink() async throws {
        try FileManager.default.createDirectory(
            atPath: folder.path + "/in", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/in/m.tif", withDestinationPath: "nowhere")
        let run = try await runAmongGood("m.tif")
        try await expectOneFailure(run, naming: "in/m.tif", "No such file")
    }

    @Test("a file that can't be read fails its frame")
    func unreadable() async throws {
        // Permissions do not hold for the superuser; this file refuses everybody.
        try FileManager.default.createDirectory(
            atPath: folder.path + "/in", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/in/m.tif", withDestinationPath: "/proc/self/mem")
        let run = try await runAmongGood("m.tif")
        try await expectOneFailure(run, naming: "in/m.tif")
    }

    @Test("shapes may differ within one run")
    func mixedShapes() async throws {
        for side in 1...20 {
            try folder.writeTIFF(
                "in/\(side).tif", width: UInt32(side * 7), height: UInt32(41 - side))
        }
        let run = try await CommandRun.sluiceRun(
            "tiff:in", "PixelStatistics", "AdOutputFileProcessor:outputDirectory=out",
            options: ["--workers", "2"], in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        #expect(try folder.files(in: "out").count == 20)
    }

    @Test("a frame larger than the slot goes its way, or fails; the others are not harmed")
    func largerThanSlot() async throws {
        for name in ["a", "b", "y", "z"] {
            try folder.writeTIFF("in/\(name).tif", width: 30, height: 20)
        }
        try folder.writeTIFF("in/m.tif", width: 3000, height: 2000)
        try folder.writeTIFF("dark.tif", width: 30, height: 20)
        let run = try await CommandRun.sluiceRun(
            "tiff:in/*.tif", "DarkCorrection:dark=dark.tif", "PixelStatistics",
            "AdOutputFileProcessor:outputDirectory=out", in: folder)
        #expect(run.exitCode == 1, "\(run.output) \(run.error)")
        #expect(run.output.contains("3000"), "\(run.output)")
        #expect(try folder.files(in: "out").count == 4)
    }

    // MARK: Sources

    @Test("no file that matches is exit code 2, and leaves nothing")
    func noMatch() async throws {
        let run = try await CommandRun.sluiceRun("tiff:scan/*.tif", "PixelSum", in: folder)
        expectRefusal(run, naming: "scan/*.tif")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/run"))
    }

    @Test("an empty folder is exit code 2")
    func emptyFolder() async throws {
        try FileManager.default.createDirectory(
            atPath: folder.path + "/in", withIntermediateDirectories: true)
        let run = try await CommandRun.sluiceRun("tiff:in", "PixelSum", in: folder)
        expectRefusal(run, naming: "'in'", ".tif")
    }

    @Test("a source that is no file and no folder is exit code 2, and nobody waits for it")
    func pipeAsSource() async throws {
        #expect(mkfifo(folder.path + "/m.tif", 0o600) == 0)
        let run = try await CommandRun.sluiceRun("tiff:m.tif", "PixelSum", in: folder)
        expectRefusal(run, naming: "m.tif")
    }

    // MARK: Processors

    @Test("an unknown processor is refused, and the nearest is named")
    func unknownProcessor() async throws {
        let run = try await CommandRun.sluiceRun("sim:count=3", "PixelStatistic", in: folder)
        expectRefusal(run, naming: "PixelStatistic;", "did you mean PixelStatistics")
    }

    @Test("an unknown key is refused, and the nearest is named")
    func unknownKey() async throws {
        let run = try await CommandRun.sluiceRun(
            "sim:count=3", "AdOutputFileProcessor:compresion=lzw", in: folder)
        expectRefusal(run, naming: "compresion", "compression")
    }

    @Test(
        "a value out of range is refused",
        arguments: [
            "AdOutputFileProcessor:compression=zip", "AdOutputFileProcessor:overwrite=perhaps",
            "AdOutputFileProcessor:outputFileNameFormat={nope:06", "DarkCorrection:clamp=2",
        ])
    func badValue(processor: String) async throws {
        let run = try await CommandRun.sluiceRun("sim:count=3", processor, in: folder)
        expectRefusal(run)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/run"))
    }

    @Test(
        "options out of range are refused",
        arguments: [
            ["--workers", "0"], ["--workers", "1000000"], ["--rate", "-1"], ["--rate", "nan"],
            ["--in-flight", "0"], ["--policy", "random"], ["--summary", "nowhere/x.json"],
        ])
    func badOption(options: [String]) async throws {
        let run = try await CommandRun.sluiceRun(
            "sim:count=3", "PixelSum", options: options, in: folder)
        #expect(run.exitCode == 2)
        #expect(run.error.contains(options[0].dropFirst(2)), "\(run.error)")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/run"))
    }

    // MARK: Output

    @Test(
        "an output directory that can't be made is exit code 2",
        arguments: ["/proc/nowhere/out", "file/out"])
    func outputDirectory(path: String) async throws {
        try folder.write([0], to: "file")
        let run = try await CommandRun.sluiceRun(
            "sim:count=3", "AdOutputFileProcessor:outputDirectory=\(path)", in: folder)
        expectRefusal(run, naming: path)
    }

    @Test("many frames of one name: the ledger is read for the first ones only")
    func manyOfOneName() async throws {
        let same = "AdOutputFileProcessor:outputDirectory=out,outputFileNameFormat=same.tif"
        let run = try await CommandRun.sluiceRun("sim:count=60,shape=4x4", same, in: folder)
        #expect(run.exitCode == 1)
        let rows = try await CommandRun.sluice(
            ["ledger", "run", "--outcome", "failed", "--format", "json"], in: folder)
        let reasons = rows.output.split(separator: "\n")
        #expect(reasons.count == 59)
        #expect(reasons.count { $0.contains("is already the output of frame") } == 20)
        #expect(reasons.count { $0.contains("exists already") } == 39)
        #expect(try await CommandRun.sluice(["verify", "run"], in: folder).exitCode == 0)
    }

    @Test("two frames of one name: the second fails and names both, and nothing is overwritten")
    func sameName() async throws {
        try folder.writeTIFF("in/1.tif", width: 30, height: 20)
        try folder.writeTIFF("in/2.tif", width: 40, height: 20)
        let same = "AdOutputFileProcessor:outputDirectory=out,outputFileNameFormat=same.tif"
        let run = try await CommandRun.sluiceRun("tiff:in", same, in: folder)
        #expect(run.exitCode == 1)
        #expect(try folder.files(in: "out") == ["same.tif"])
        #expect(run.output.contains("frame 1 of this run"), "\(run.output)")
        #expect(run.output.contains("frame 2 (unique id 2)"), "\(run.output)")
        let before = try folder.bytes(of: "out/same.tif")
        let verified = try await CommandRun.sluice(["verify", "run"], in: folder)
        #expect(verified.exitCode == 0, "\(verified.output)")

        let again = try await CommandRun.sluiceRun(
            "tiff:in", same, options: ["--run-dir", "again"], in: folder)
        #expect(again.exitCode == 1)
        #expect(again.output.contains("exists already"), "\(again.output)")
        #expect(try folder.bytes(of: "out/same.tif") == before)

        let told = try await CommandRun.sluiceRun(
            "tiff:in", same + ",overwrite=true", options: ["--run-dir", "told"], in: folder)
        #expect(told.exitCode == 0, "\(told.output)")
        #expect(try folder.files(in: "out") == ["same.tif"])
        let toldVerified = try await CommandRun.sluice(["verify", "told"], in: folder)
        #expect(toldVerified.exitCode == 0, "\(toldVerified.output)")
    }
}
