import NDArrays
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

@Suite struct QuarantineWriterTests {
    @Test(
        .enabled(if: SmallDisk.isPermitted, SmallDisk.hint), .timeLimit(.minutes(1)))
    func `nothing half written stays on a full disk`() throws {
        let folder = try TemporaryFolder()
        let disk = try SmallDisk(at: folder.file("quarantine"))
        try disk.fill(leaving: 4096)
        let bytes = [UInt8](repeating: 7, count: 100_000)
        let kept = bytes.withUnsafeBytes { bytes in
            QuarantineWriter(folder: disk.path, runId: "3275a6wx") { true }.keep(
                job(of: 100_000, bytes: bytes))
        }
        #expect(kept.problem?.contains("No space left") == true)
        #expect(try disk.files().filter { $0.hasSuffix(".part") }.isEmpty)
    }

    private func job(of byteCount: UInt64, bytes: UnsafeRawBufferPointer?) -> QuarantineJob {
        QuarantineJob(
            place: 0, key: FrameKey(frameId: 38), stage: "again", stageIndex: 0, attempts: 3,
            reason: "it is bad",
            frame: FrameDescriptor(
                uniqueId: 38, payload: .bytes(typeName: "x"),
                location: .inline(byteOffset: 0, byteCount: byteCount)), bytes: bytes)
    }

    /// The worker that writes the TIFF may be killed, too: by the frame, or by what killed the others.
    @Test(.timeLimit(.minutes(1)))
    func `what a worker has staged and not finished goes when there is no TIFF`() throws {
        let folder = try TemporaryFolder()
        let staged = ".000038-0.again.tiff.3275a6wx.quarantine.38-0.0.part"
        _ = try folder.write([UInt8](), to: staged)
        _ = try folder.write([UInt8](), to: ".000038-0.again.tiff.another.quarantine.38-0.0.part")
        let writer = QuarantineWriter(folder: folder.path, runId: "3275a6wx") { true }
        let kept = writer.keep(job(of: 0, bytes: nil))
        #expect(kept.problem?.contains("there is no TIFF") == true)
        #expect(
            try folder.files() == [
                ".000038-0.again.tiff.another.quarantine.38-0.0.part", "000038.again.json",
            ])
    }
}
