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

    private func intent(
        _ name: String, frame: UInt64 = 1, bytes: [UInt8]? = nil, hasChecksum: Bool = true,
        mayReplace: Bool = false
    ) -> LedgerRecord {
        let bytes = bytes ?? pixels
        return .intent(
            key: FrameKey(frameId: frame), stage: "save",
            file: StagedFile(
                stagedPath: "staged", finalPath: "\(folder.path)/\(name)",
                byteCount: UInt64(bytes.count), checksum: hasChecksum ? checksum(bytes) : nil,
                mayReplace: mayReplace))
    }

    private func finished(_ name: String) -> LedgerRecord {
        .finished(finalPath: "\(folder.path)/\(name)")
    }

    private func account(
        _ stage: String = "", accepted: UInt64 = 1, processed: UInt64 = 1, failed: UInt64 = 0,
        inFlight: UInt64 = 0
    ) -> LedgerRecord {
        .account(
            stage: stage, accepted: accepted, processed: processed, filtered: 0, failed: failed,
            quarantined: 0, dropped: 0, inFlight: inFlight)
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
        let report = try verify([
            .run(runId: "abc"), intent("a.tiff"), finished("a.tiff"), account(), account("save"),
        ])
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
        let names = ["missing", "changed", "shorter", "longer"]
        var records: [LedgerRecord] = []
        for (index, name) in names.enumerated() {
            records += [intent(name, frame: UInt64(index + 1)), finished(name)]
        }
        let report = try verify(records + [account(accepted: 4, processed: 4)])
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

    @Test("checks the size alone where the worker gave no checksum")
    func withoutChecksum() throws {
        try folder.write(pixels.reversed(), to: "a")
        let report = try verify([intent("a", hasChecksum: false), finished("a"), account()])
        #expect(report.isClean, "\(report.problems)")
    }

    @Test("finds an account that does not balance, of the run or of a stage")
    func unbalanced() throws {
        let report = try verify([
            account(accepted: 3, processed: 1, failed: 1), account("save", inFlight: 1),
        ])
        #expect(report.problems.contains { $0.contains("the run does not balance") })
        #expect(report.problems.contains { $0.contains("stage save does not balance") })
        #expect(report.problems.contains { $0.contains("1 frames of stage save have no outcome") })
    }

    @Test("survives an account whose numbers can't be added")
    func overflow() throws {
        let report = try verify([account(accepted: 1, processed: .max, failed: 2)])
        #expect(report.problems.contains { $0.contains("does not balance") })
    }

    @Test("says that a run without an end did not end in order")
    func noEnd() throws {
        try folder.write(pixels, to: "a")
        let torn = try verify([intent("a"), finished("a"), account()], cut: 3)
        #expect(torn.wholeFiles == 1)
        #expect(torn.problems.count == 2)
        #expect(torn.problems.contains { $0.contains("in the middle of a record") })
        #expect(torn.problems.contains { $0.contains("no account") })
        #expect(try verify([]).problems.count == 1)
    }

    @Test("finds a file that was never announced")
    func noIntent() throws {
        let report = try verify([finished("a"), account()])
        #expect(report.problems == ["\(folder.path)/a was finished without an intent"])
    }

    @Test("takes the frame that got the name, whoever else wanted it")
    func nameTaken() throws {
        try folder.write(pixels, to: "a")
        let failure = LedgerRecord.outcome(
            key: FrameKey(frameId: 2), stage: "save", uniqueId: 2, fate: 3, reason: "taken")
        let report = try verify([
            intent("a"), intent("a", frame: 2, bytes: [1, 2]), finished("a"), failure,
            account(accepted: 2, processed: 1, failed: 1),
        ])
        #expect(report.isClean, "\(report.problems)")
    }

    @Test("takes the second frame where the first could not be given the name")
    func firstFailed() throws {
        try folder.write(pixels, to: "a")
        let failure = LedgerRecord.outcome(
            key: FrameKey(frameId: 1), stage: "save", uniqueId: 1, fate: 3, reason: "no folder")
        let report = try verify([
            intent("a", bytes: [1, 2]), failure, intent("a", frame: 2), finished("a"),
            account(accepted: 2, processed: 1, failed: 1),
        ])
        #expect(report.isClean, "\(report.problems)")
    }

    @Test("takes the last frame where names may be replaced")
    func replaced() throws {
        try folder.write(pixels, to: "a")
        let report = try verify([
            intent("a", bytes: [1, 2], mayReplace: true), finished("a"),
            intent("a", frame: 2, mayReplace: true), finished("a"),
            account(accepted: 2, processed: 2),
        ])
        #expect(report.isClean, "\(report.problems)")
        #expect(report.wholeFiles == 1)
    }

    @Test("refuses a folder without a ledger, and a ledger that is damaged")
    func noLedger() throws {
        #expect(throws: ControllerError.self) {
            try RunVerification.verify(runDirectory: folder.path)
        }
        let path = RunDirectory.path(of: .ledger, in: folder.path)
        var bytes = ledgerBytes([.run(runId: "abc"), account()])
        bytes[20] ^= 1
        try folder.write(bytes, to: String(path.dropFirst(folder.path.count + 1)))
        let error = #expect(throws: ControllerError.self) {
            try RunVerification.verify(runDirectory: folder.path)
        }
        #expect(error?.reason.contains("is damaged at byte 8") == true)
    }
}
