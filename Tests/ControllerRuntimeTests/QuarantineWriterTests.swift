import NDArrays
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

@Suite struct QuarantineWriterTests {
    /// The worker that writes the TIFF may be killed, too: by the frame, or by what killed the others.
    @Test(.timeLimit(.minutes(1)))
    func `what a worker has staged and not finished goes when there is no TIFF`() throws {
        let folder = try TemporaryFolder()
        let staged = ".000038-0.again.tiff.3275a6wx.quarantine.38-0.0.part"
        _ = try folder.write([UInt8](), to: staged)
        _ = try folder.write([UInt8](), to: ".000038-0.again.tiff.another.quarantine.38-0.0.part")
        let writer = QuarantineWriter(folder: folder.path, runId: "3275a6wx") { true }
        let frame = FrameDescriptor(
            uniqueId: 38, payload: .bytes(typeName: "x"), location: .inline(byteOffset: 0, byteCount: 0))
        let kept = writer.keep(
            QuarantineJob(
                place: 0, key: FrameKey(frameId: 38), stage: "again", stageIndex: 0, attempts: 3,
                reason: "it is bad", frame: frame, bytes: nil))
        #expect(kept.problem?.contains("there is no TIFF") == true)
        #expect(
            try folder.files() == [
                ".000038-0.again.tiff.another.quarantine.38-0.0.part", "000038.again.json",
            ])
    }
}
