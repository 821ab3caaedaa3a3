import DataProcessing
import NDArrays
import TestSupport
import Testing
import WorkerProtocol
import WorkerRuntime

/// Says what every frame was called elsewhere; takes odd ones out and fails every third.
private final class Claiming: UserDataProcessor {
    override static var summary: String { "Claims." }

    override func process(_ frame: Frame) throws -> Frame? {
        claim(FrameClaim(scope: "key-run", key: FrameKey(frameId: frame.key.frameId + 100)))
        if frame.key.frameId % 3 == 0 { throw Refused() }
        return frame.key.frameId % 2 == 1 ? nil : frame
    }

    struct Refused: Error {}
}

@Suite struct ClaimTests {
    @Test(arguments: [2, 3] as [UInt16])
    func `claims go with results, and without a controller that knows them the frame fails`(
        version: UInt16
    ) throws {
        let worker = try InProcessWorker([Claiming.self])
        let client = worker.client
        _ = try client.greet(Hello(versions: 1...version, runId: "r", stageName: "s"))
        #expect(try client.start([.init(name: "Claiming", settings: Structure())]) == .success)
        for id in [4, 5, 6, 8] as [UInt64] {
            let (command, bytes) = try inlineFrame(id)
            let (result, _) = try client.result(of: client.process(command, payload: bytes))
            let expected = [FrameClaim(scope: "key-run", key: FrameKey(frameId: id + 100))]
            switch (id, version) {
            case (6, _):
                #expect(result.claims == [])
                guard case .failed(0, _) = result.outcome else {
                    Issue.record("\(result.outcome)")
                    continue
                }
            case (_, 2):
                #expect(result.claims == [])
                guard case .failed(_, let reason) = result.outcome else {
                    Issue.record("\(result.outcome)")
                    continue
                }
                #expect(reason.contains("can't tell a replay"))
            default:
                #expect(result.claims == expected)
                #expect(result.outcome == (id == 5 ? .filtered : .processed))
            }
        }
        client.hangUp()
        #expect(worker.join() == .orphaned)
    }
}
