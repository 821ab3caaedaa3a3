import ControllerRuntime
import Foundation
import NDArrays
import Synchronization
import TestSupport
import Testing

/// Gives three frames of one kind of payload that is no image.
private final class OddSource: FrameSource {
    let information = SourceInformation(name: "odd", frameCount: 3, slotByteCount: 64)
    private let left = Mutex(3)
    private let content: FrameAnnouncement.Content

    init(_ content: FrameAnnouncement.Content) { self.content = content }

    func next() throws -> FrameAnnouncement? {
        let hasMore = left.withLock { left in
            left -= 1
            return left >= 0
        }
        return hasMore ? FrameAnnouncement(content, sourceName: "odd/source") : nil
    }

    func fill(_ destination: UnsafeMutableRawBufferPointer) throws {
        destination.copyBytes(from: Array("0123456789".utf8))
    }
}

@Suite("What is kept of a frame in quarantine", .timeLimit(.minutes(1)))
struct QuarantineTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(
        _ source: any FrameSource, frames: String = "[2]", plane: PixelPlane = .shared
    ) async throws -> RunSummary {
        let stage = try Scenario.stage(
            workers: 2, worker: "FaultyWorker",
            Scenario.processor("Faulty", ["misdeed": "exit1", "frames": frames]))
        let configuration = RunConfiguration(
            stages: [stage], runDirectory: folder.path + "/run", plane: plane)
        return try await Controller(configuration, source: source).run()
    }

    private func record(_ name: String) throws -> [String: Any] {
        let bytes = try folder.bytes(of: "run/quarantine/\(name)")
        return try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    @Test(
        "is a TIFF with its attributes and the reason", arguments: [PixelPlane.shared, .inline])
    func image(plane: PixelPlane) async throws {
        let summary = try await run(CountingSource(count: 20), frames: "[7,9]", plane: plane)
        expectBalance(summary, accepted: 20)
        #expect(summary.quarantined == 2 && summary.processed == 18)
        #expect(
            try folder.files(in: "run/quarantine")
                == ["000007", "000009"].flatMap { ["\($0).only.json", "\($0).only.tiff"] })
        let record = try record("000007.only.json")
        #expect(record["frame"] as? String == "7")
        #expect(record["stage"] as? String == "only")
        #expect(record["attempts"] as? Int == 3)
        #expect(record["tiff"] as? String == "000007.only.tiff")
        #expect(record["problem"] == nil)
        let reason = try #require(record["reason"] as? String)
        #expect(reason.contains("3 workers ended") && reason.contains("exited with code 1"))
        // Attributes are texts `name:value` in the file (Docs/TIFF.md).
        let text = try folder.text(of: "run/quarantine/000007.only.tiff")
        #expect(text.contains("SluiceQuarantineReason:\(reason)"))
        let kept = try RunJournal(in: folder).events("frame-kept")
        #expect(kept.map { $0.text("frame") }.sorted { $0 ?? "" < $1 ?? "" } == ["7", "9"])
        #expect(kept.allSatisfy { $0.text("problem") == nil })
        // The file is one that can be processed again.
        let again = try await CommandRun.sluice(
            [
                "run", "--source", "tiff:run/quarantine/000007.only.tiff", "--processor",
                "PixelSum", "--run-dir", "again", "--worker",
                try #require(BuiltProducts.executable("sluice-worker")),
            ], in: folder)
        #expect(again.exitCode == 0, "\(again.error)")
    }

    @Test("is its bytes where it is no image")
    func bytes() async throws {
        let summary = try await run(OddSource(.bytes(byteCount: 10, typeName: "test")))
        #expect(summary.quarantined == 1 && summary.processed == 2)
        #expect(try folder.text(of: "run/quarantine/000002.only.raw") == "0123456789")
        let record = try record("000002.only.json")
        #expect(record["raw"] as? String == "000002.only.raw")
        #expect(record["payload"] as? String == "bytes of test")
        #expect(record["source"] as? String == "odd/source")
        #expect((record["problem"] as? String)?.contains("no image") == true)
    }

    @Test("is its values where it is a structure")
    func structure() async throws {
        let values = Structure(["temperature": .scalar(.float64(4.25))])
        let summary = try await run(OddSource(.structure(values, typeName: "test")))
        #expect(summary.quarantined == 1 && summary.processed == 2)
        let record = try record("000002.only.json")
        #expect((record["structure"] as? String)?.contains("4.25") == true)
        #expect(try folder.files(in: "run/quarantine") == ["000002.only.json"])
    }

    @Test("is the file that it is in, where the source only names it")
    func reference() async throws {
        let simulated = try await CommandRun.sluice(
            ["simulate", "--count", "3", "--shape", "32x32", "--output", "frames"], in: folder)
        try #require(simulated.exitCode == 0, "\(simulated.error)")
        let run = try await CommandRun.sluiceRun(
            "tiff:frames", "Faulty:misdeed=exit1,frames=[2]",
            options: ["--worker", try #require(BuiltProducts.executable("FaultyWorker"))],
            in: folder)
        #expect(run.exitCode == 1, "\(run.error)")
        let record = try record("000002.main.json")
        let reference = try #require(record["reference"] as? [String: Any])
        #expect((reference["path"] as? String)?.contains("frames/") == true)
        #expect(record["tiff"] as? String == "000002.main.tiff", "\(record)")
    }
}
