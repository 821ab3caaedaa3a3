import CLinux
import Glibc
import NDArrays
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

/// CRC32C of bytes.
func checksum(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { cl_crc32c(0, $0.baseAddress, $0.count) }
}

@Suite("The check of a finished run")
struct RunVerificationTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private let pixels: [UInt8] = (0..<200).map { UInt8($0) }

    private func staged(
        _ name: String, _ bytes: [UInt8]? = nil, hasChecksum: Bool = true, mayReplace: Bool = false
    ) -> StagedFile {
        let bytes = bytes ?? pixels
        return StagedFile(
            stagedPath: "staged", finalPath: "\(folder.path)/\(name)",
            byteCount: UInt64(bytes.count), checksum: hasChecksum ? checksum(bytes) : nil,
            mayReplace: mayReplace)
    }

    private func closing(
        _ frame: UInt64, _ fate: FrameFate = .processed, files: UInt32 = 0
    ) -> Closing {
        Closing(
            key: FrameKey(frameId: frame), fileCount: files, stage: 0, fate: fate)
    }

    private func intent(_ frame: UInt64, _ files: StagedFile...) -> LedgerRecord {
        .intent(closing(frame, files: UInt32(files.count)), files: files)
    }

    private func closed(_ closings: Closing...) -> LedgerRecord {
        .closings(ClosingBatch(time: 1, highestFrameId: 9, closings: closings))
    }

    private let run = LedgerRecord.run(
        LedgerRun(
            runId: "abc", source: "sim", fingerprint: "1", frameCount: nil,
            stages: [.init(name: "save", from: nil)]))

    private func accounts(
        accepted: UInt64 = 1, processed: UInt64 = 1, failed: UInt64 = 0, inFlight: UInt64 = 0
    ) -> [LedgerRecord] {
        ["", "save"].map {
            .account(
                LedgerAccount(
                    stage: $0, accepted: accepted, processed: processed, failed: failed,
                    inFlight: inFlight))
        }
    }

    private func verify(_ records: [LedgerRecord], cut: Int = 0) throws -> VerificationReport {
        let path = RunDirectory.path(of: .ledger, in: folder.path)
        let name = String(path.dropFirst(folder.path.count + 1))
        try folder.write(Array(ledgerBytes(records).dropLast(cut)), to: name)
        return try RunVerification.verify(runDirectory: folder.path)
    }

    @Test("finds nothing wrong with a good run")
    func good() throws {
        try folder.write(pixels, to: "a.tiff")
        let report = try verify(
            [run, intent(1, staged("a.tiff")), closed(closing(1, files: 1))] + accounts())
        #expect(report.isClean, "\(report.problems)")
        #expect(report.runId == "abc")
        #expect(report.wholeFiles == 1)
        #expect(report.statement.hasPrefix("1 accepted = 1 processed"))
    }

    @Test("names a file that is missing, has changed or has another size")
    func altered() throws {
        var changed = pixels
        changed[100] ^= 1
        try folder.write(changed, to: "changed")
        try folder.write(Array(pixels.dropLast()), to: "shorter")
        try folder.write(pixels + [0], to: "longer")
        var records = [run]
        for (index, name) in ["missing", "changed", "shorter", "longer"].enumerated() {
            let frame = UInt64(index + 1)
            records += [intent(frame, staged(name)), closed(closing(frame, files: 1))]
        }
        let report = try verify(records + accounts(accepted: 4, processed: 4))
        #expect(report.wholeFiles == 0)
        #expect(report.problems.count == 4)
        let expected = [
            "missing (frame 1) is missing", "changed (frame 2) has changed",
            "shorter (frame 3) has 199 bytes", "longer (frame 4) has 201 bytes",
        ]
        for text in expected {
            #expect(report.problems.contains { $0.contains(text) }, "\(report.problems)")
        }
    }

    @Test(
        "waits for nobody where a pipe or a folder has the name of a file", .timeLimit(.minutes(1)))
    func noFile() throws {
        #expect(mkfifo(folder.path + "/pipe", 0o600) == 0)
        #expect(mkdir(folder.path + "/folder", 0o700) == 0)
        var records = [run]
        for (index, name) in ["pipe", "folder"].enumerated() {
            let frame = UInt64(index + 1)
            records += [intent(frame, staged(name)), closed(closing(frame, files: 1))]
        }
        let report = try verify(records + accounts(accepted: 2, processed: 2))
        #expect(report.wholeFiles == 0)
        #expect(report.problems.count == 2)
        #expect(report.problems.allSatisfy { $0.contains("is no file any more") })
    }

    @Test("finds an end that was cut off behind the account of the run")
    func cutAccounts() throws {
        let records = [run, closed(closing(1))] + accounts()
        #expect(try verify(records).isClean)
        let cut = try verify(records, cut: 3)
        #expect(cut.problems.contains { $0.contains("in the middle of a record") })
        #expect(cut.problems.contains { $0.contains("no account of stage save") })
        let short = try verify(records.dropLast())
        #expect(short.problems == ["the ledger has no account of stage save"])
    }

    @Test("checks the size alone where the worker gave no checksum")
    func withoutChecksum() throws {
        try folder.write(pixels.reversed(), to: "a")
        let report = try verify(
            [run, intent(1, staged("a", hasChecksum: false)), closed(closing(1, files: 1))]
                + accounts())
        #expect(report.isClean, "\(report.problems)")
    }

    @Test("finds an account that does not balance, or is not that of the frames")
    func unbalanced() throws {
        let report = try verify(
            [run, closed(closing(1), closing(2, .failed))]
                + accounts(accepted: 3, processed: 1, failed: 1))
        #expect(report.problems.contains { $0.contains("the run does not balance") })
        #expect(report.problems.contains { $0.contains("stage save does not balance") })
        let other = try verify([run, closed(closing(1))] + accounts(accepted: 2, processed: 2))
        #expect(other.problems.contains { $0.contains("is not that of its frames") })
        let open = try verify([run] + accounts(processed: 0, inFlight: 1))
        #expect(open.problems.contains { $0.contains("1 frames of stage save have no outcome") })
    }

    @Test("survives an account whose numbers can't be added")
    func overflow() throws {
        let report = try verify([run] + accounts(accepted: 1, processed: .max, failed: 2))
        #expect(report.problems.contains { $0.contains("does not balance") })
    }

    @Test("says in one sentence that a run did not end in order, and how it goes on")
    func noEnd() throws {
        try folder.write(pixels, to: "a")
        let records = [
            run, intent(1, staged("a")), closed(closing(1, files: 1)), intent(2, staged("b")),
        ]
        let report = try verify(records, cut: 3)
        #expect(report.wholeFiles == 1)
        #expect(report.problems.count == 1)
        let sentence = try #require(report.problems.first)
        #expect(sentence.contains("did not end in order"))
        #expect(sentence.contains("--resume"))
        #expect(sentence.contains("bytes of a record are not whole"))
        #expect(try verify([run]).problems.count == 1)
        #expect(try verify([]).problems.count == 1)
    }

    @Test("finds files without an intent, intents without an end, and frames that are not closed")
    func halfDone() throws {
        let report = try verify(
            [run, closed(closing(1, files: 1)), intent(2, staged("b"))] + accounts())
        #expect(report.problems.contains { $0.contains("frame 1 left files without an intent") })
        #expect(report.problems.contains { $0.contains("frame 2 were announced and never") })
    }

    @Test("takes the frame that got the name, whoever else wanted it")
    func nameTaken() throws {
        try folder.write(pixels, to: "a")
        let report = try verify(
            [
                run, intent(1, staged("a")), intent(2, staged("a", [1, 2])),
                closed(closing(1, files: 1)), closed(closing(2, .failed)),
            ] + accounts(accepted: 2, processed: 1, failed: 1))
        #expect(report.isClean, "\(report.problems)")
    }

    @Test("takes the last frame where names may be replaced")
    func replaced() throws {
        try folder.write(pixels, to: "a")
        let report = try verify(
            [
                run, intent(1, staged("a", [1, 2], mayReplace: true)),
                closed(closing(1, files: 1)), intent(2, staged("a", mayReplace: true)),
                closed(closing(2, files: 1)),
            ] + accounts(accepted: 2, processed: 2))
        #expect(report.isClean, "\(report.problems)")
        #expect(report.wholeFiles == 1)
    }

    @Test("refuses a folder without a ledger, and a ledger that is damaged")
    func noLedger() throws {
        #expect(throws: ControllerError.self) {
            try RunVerification.verify(runDirectory: folder.path)
        }
        let path = RunDirectory.path(of: .ledger, in: folder.path)
        var bytes = ledgerBytes([run] + accounts())
        bytes[20] ^= 1
        try folder.write(bytes, to: String(path.dropFirst(folder.path.count + 1)))
        let error = #expect(throws: ControllerError.self) {
            try RunVerification.verify(runDirectory: folder.path)
        }
        #expect(error?.reason.contains("is damaged at byte 8") == true)
    }
}
