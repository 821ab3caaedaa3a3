import NDArrays
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

@Suite("Frame ids as ranges")
struct FrameIdRangesTests {
    @Test("hold what a set holds, in the fewest ranges", arguments: [1, 2, 3] as [UInt64])
    func likeASet(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var ranges = FrameIdRanges()
        var set: Set<UInt64> = []
        for _ in 0..<3000 {
            let id = UInt64.random(in: 0..<300, using: &random)
            if Bool.random(using: &random) {
                ranges.insert(id)
                set.insert(id)
            } else {
                ranges.remove(id)
                set.remove(id)
            }
            #expect(ranges.count == UInt64(set.count))
        }
        for id in 0..<310 as Range<UInt64> { #expect(ranges.contains(id) == set.contains(id)) }
        #expect(ranges.ranges.flatMap { Array($0) } == set.sorted())
        for (before, after) in zip(ranges.ranges, ranges.ranges.dropFirst()) {
            #expect(before.upperBound + 1 < after.lowerBound)
        }
    }

    @Test("take the highest id, and stay one range for ids nearly in order")
    func edges() {
        var ranges = FrameIdRanges()
        for id in [UInt64.max, 0, .max - 1, 1, .max] { ranges.insert(id) }
        #expect(ranges.ranges == [0...1, .max - 1 ... .max])
        #expect(ranges.count == 4)
        ranges.remove(.max)
        #expect(ranges.contains(.max - 1) && !ranges.contains(.max))
        var stream = FrameIdRanges()
        for start in stride(from: 1 as UInt64, to: 1000, by: 3) {
            for id in [start + 2, start, start + 1] { stream.insert(id) }
        }
        #expect(stream.ranges == [1...999])
    }
}

/// Records of a run with these stages.
struct ReplayScript {
    var replay = LedgerReplay(keepsOutcomes: true)

    init(_ stages: [LedgerRun.Stage]) {
        replay.take(
            .run(
                LedgerRun(
                    runId: "r", source: "s", fingerprint: "f", frameCount: nil, stages: stages)))
    }

    mutating func close(
        _ key: String, _ stage: UInt16 = 0, _ fate: FrameFate = .processed, outputs: UInt32 = 0,
        files: UInt32 = 0, reason: String = ""
    ) throws {
        let key = try #require(FrameKey(key))
        if fate > .processed {
            replay.take(
                .reason(
                    FrameReason(
                        key: key, stage: stage, uniqueId: 0, fate: fate, source: "",
                        reason: reason)))
        }
        let closing = Closing(
            key: key, bytesIn: 10, bytesOut: 1, outputCount: outputs, fileCount: files,
            stage: stage, fate: fate)
        replay.take(
            .closings(ClosingBatch(time: 0, highestFrameId: key.frameId, closings: [closing])))
    }

    mutating func resume(_ reopened: Set<FrameFate> = [.dropped]) {
        replay.take(
            .resumed(
                LedgerResumption(
                    life: replay.lives + 1, time: 0, tornByteCount: 0, reopened: reopened)))
    }
}

@Suite("The replay of a ledger")
struct LedgerReplayTests {
    private let one = [LedgerRun.Stage(name: "a", from: nil)]
    private let chain = [
        LedgerRun.Stage(name: "a", from: nil), LedgerRun.Stage(name: "b", from: "a"),
        LedgerRun.Stage(name: "c", from: "a"),
    ]

    @Test("what policies let go counts where nothing else became of a frame, and is not kept")
    func letGo() throws {
        var script = ReplayScript([
            LedgerRun.Stage(name: "a", from: nil), LedgerRun.Stage(name: "b", from: nil),
        ])
        func closings(_ id: UInt64, _ fates: [(FrameFate, OverloadReason?)]) -> [Closing] {
            fates.enumerated().map { stage, fate in
                Closing(
                    key: FrameKey(frameId: id), stage: UInt16(stage), fate: fate.0,
                    overload: fate.1)
            }
        }
        let all =
            closings(1, [(.processed, nil), (.dropped, .sample)])
            + closings(2, [(.dropped, .overload), (.dropped, .sample)])
            + closings(3, [(.dropped, .sample), (.failed, nil)])
            + closings(4, [(.dropped, .overload)])
        script.replay.take(.closings(ClosingBatch(time: 0, highestFrameId: 4, closings: all)))
        #expect(script.replay.closed.ranges == [1...3])
        #expect(script.replay.roots.processed == 1 && script.replay.roots.failed == 1)
        #expect(script.replay.roots.dropped == ["overload": 1])
        #expect(
            script.replay.stages.map(\.dropped) == [["overload": 2, "sample": 1], ["sample": 2]])
        #expect(script.replay.unclean.keys.sorted() == [3])
        #expect(script.replay.frameIds([.dropped]).ranges == [2...2])
        #expect(script.replay.frameIds([.dropped, .failed, .processed]).ranges == [1...3])
        #expect(script.replay.frameIds([.dropped], isForRetry: true).ranges == [])
        // Another life has nothing to do for them.
        script.resume([.dropped])
        #expect(script.replay.closed.ranges == [1...3])
        #expect(script.replay.open[4]?.entries.count == 1)
        #expect(script.replay.problems == [])
    }

    @Test("closes a source frame with the last frame that came out of it")
    func closing() throws {
        var script = ReplayScript(chain)
        try script.close("1", outputs: 2)
        for (key, stage) in [("1/0", 1), ("1/1", 1), ("1/0", 2)] {
            try script.close(key, UInt16(stage))
            #expect(script.replay.closed.count == 0)
        }
        try script.close("1/1", 2, .failed, reason: "no")
        #expect(script.replay.closed.ranges == [1...1])
        #expect(script.replay.open.isEmpty)
        #expect(script.replay.roots.failed == 1)
        #expect(script.replay.stages.map(\.processed) == [1, 2, 1])
        #expect(script.replay.stages.map(\.bytesIn) == [10, 20, 20])
        #expect(script.replay.frameIds([.failed]).ranges == [1...1])
        #expect(script.replay.problems == [])
    }

    @Test("opens again what is to be done again, and no more")
    func reopening() throws {
        var script = ReplayScript(one)
        try script.close("1")
        try script.close("2", 0, .failed, reason: "no")
        try script.close("3", 0, .dropped, reason: "stopped")
        try script.close("4", 0, .filtered)
        #expect(script.replay.roots.dropped == ["stopped": 1])
        script.resume()
        #expect(script.replay.closed.ranges == [1...2, 4...4])
        #expect(script.replay.roots.dropped == [:])
        script.resume([.dropped, .failed])
        #expect(script.replay.closed.ranges == [1...1, 4...4])
        #expect(script.replay.roots.failed == 0)
        #expect(script.replay.stages[0].closed == 2)
        try script.close("2")
        try script.close("3")
        #expect(script.replay.closed.ranges == [1...4])
        #expect(script.replay.roots.processed == 3)
        #expect(script.replay.problems == [])
        #expect(script.replay.frameIds([.processed]).ranges == [1...3])
        #expect(script.replay.frameIds([.filtered, .failed]).ranges == [4...4])
    }

    @Test("of a frame that is half done knows what is complete")
    func halfDone() throws {
        var script = ReplayScript(chain)
        try script.close("5", outputs: 1, files: 1)
        try script.close("5/0", 1)
        try script.close("6", outputs: 0)
        script.resume()
        let resumption = Resumption(
            script.replay,
            LedgerResumption(life: 2, time: 0, tornByteCount: 0, reopened: [.dropped]))
        #expect(resumption.closed.ranges == [6...6])
        let root = FrameKey(frameId: 5)
        let child = try #require(root.child(0))
        #expect(resumption.isClosed(root, stage: 0))
        #expect(!resumption.isComplete(root, stage: 0))
        #expect(resumption.isComplete(child, stage: 1))
        #expect(!resumption.isClosed(child, stage: 2))
        #expect(resumption.outputCount(root, stage: 0) == 1)
        #expect(script.replay.lives == 2)
        #expect(resumption.stages.map(\.closed) == [2, 1, 0])
        #expect(resumption.roots.closed == 1)
    }

    @Test("keeps intents until they are closed or undone")
    func intents() throws {
        var script = ReplayScript(one)
        for id in 1...3 as ClosedRange<UInt64> {
            let closing = Closing(key: FrameKey(frameId: id), stage: 0, fate: .processed)
            script.replay.take(.intent(closing, files: []))
        }
        try script.close("1")
        script.replay.take(.undone(key: FrameKey(frameId: 2), stage: 0))
        #expect(script.replay.intents.keys.map(\.key.frameId) == [3])
    }

    @Test("keeps the changes that hold, and never gives a version twice")
    func changes() {
        var script = ReplayScript(one)
        for version in 2...4 as ClosedRange<UInt64> {
            script.replay.take(
                .change(
                    stage: 0,
                    ConfigureCommand(
                        version: version, baseVersion: version - 1, phase: .prepare,
                        processorIndex: 0)))
        }
        script.replay.take(.changeTakenBack(stage: 0, version: 3))
        #expect(script.replay.changes[0].commands.map(\.version) == [2])
        #expect(script.replay.changes[0].lastVersion == 4)
    }

    @Test("says what can't be instead of trapping")
    func contradictions() throws {
        var script = ReplayScript(one)
        try script.close("1")
        try script.close("1")
        try script.close("2", 7)
        script.replay.take(.changeTakenBack(stage: 9, version: 3))
        #expect(script.replay.problems.count == 3)
        var orphan = ReplayScript(chain)
        try orphan.close("1/0", 1)
        try orphan.close("1", outputs: 1)
        #expect(!orphan.replay.problems.isEmpty)
    }

    @Test("holds little for a long run")
    func memory() throws {
        var script = ReplayScript(one)
        for id in 1...20_000 as ClosedRange<UInt64> { try script.close("\(id ^ 1)") }
        #expect(script.replay.open.isEmpty)
        #expect(script.replay.closed.ranges.count <= 3)
        #expect(script.replay.stages[0].processed == 20_000)
    }
}
