import NDArrays
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

private func claim(_ id: UInt64, _ scope: String = "key-run") -> FrameClaim {
    FrameClaim(scope: scope, key: FrameKey(frameId: id))
}

@Suite struct ClaimRegisterTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `a register holds what a set holds`(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var register = ClaimRegister()
        var set: Set<UInt64> = []
        for _ in 0..<5000 {
            let id = UInt64.random(in: 0..<400, using: &random)
            if UInt64.random(in: 0..<3, using: &random) > 0 {
                let isNew = set.insert(id).inserted
                #expect(register.enter(claim(id), stage: 1) == (isNew ? .entered : .taken))
            } else {
                set.remove(id)
                register.remove(claim(id), stage: 1)
            }
        }
        for id in 0..<410 as Range<UInt64> {
            #expect(register.contains(claim(id), stage: 1) == set.contains(id))
        }
        for id in set { register.remove(claim(id), stage: 1) }
        #expect(register == ClaimRegister())
    }

    @Test func `stages, senders and branches do not get in each other's way`() {
        var register = ClaimRegister()
        #expect(register.enter(claim(5), stage: 0) == .entered)
        #expect(register.enter(claim(5), stage: 1) == .entered)
        #expect(register.enter(claim(5, "key-other"), stage: 0) == .entered)
        let child = FrameClaim(scope: "key-run", key: FrameKey(frameId: 5, branch: 1))
        #expect(register.enter(child, stage: 0) == .entered)
        #expect(register.enter(claim(5), stage: 0) == .taken)
        register.remove(claim(5), stage: 1)
        #expect(register.contains(claim(5), stage: 0))
    }

    @Test func `long rows need one word, and their order does not matter`() {
        var register = ClaimRegister()
        for id in (0..<100_000 as Range<UInt64>).reversed() {
            #expect(register.enter(claim(id), stage: 0) == .entered)
        }
        #expect(register.wordCount <= 2)
        #expect(register.enter(claim(.max), stage: 0) == .entered)
        #expect(register.enter(claim(.max), stage: 0) == .taken)
    }

    @Test func `somebody who makes up ids fills no memory, and opens no gap`() {
        var register = ClaimRegister()
        for id in 0..<10 as Range<UInt64> {
            #expect(
                register.enter(claim(id * 1000), stage: 0, maximumWordCount: 10) == .entered)
        }
        #expect(register.enter(claim(50_500), stage: 0, maximumWordCount: 10) == .full)
        #expect(register.enter(claim(0, "other"), stage: 0, maximumWordCount: 10) == .full)
        // What came before is still known, and words that are there take more.
        #expect(register.enter(claim(9000), stage: 0, maximumWordCount: 10) == .taken)
        #expect(register.enter(claim(9001), stage: 0, maximumWordCount: 10) == .entered)
        // A ledger that is read again forgets nothing.
        #expect(register.enter(claim(50_500), stage: 0, maximumWordCount: .max) == .entered)
    }
}

@Suite struct ReplayedClaimTests {
    private static let stages = [
        LedgerRun.Stage(name: "a", from: nil), LedgerRun.Stage(name: "b", from: "a"),
    ]

    private func script() -> ReplayScript { ReplayScript(Self.stages) }

    private func take(_ id: UInt64, _ stage: UInt16 = 0, by script: inout ReplayScript) {
        script.replay.take(
            .claims(EntryId(key: FrameKey(frameId: id), stage: stage), [claim(id + 100)]))
    }

    @Test func `a claim counts when its frame went through, and not before`() throws {
        var script = script()
        take(1, by: &script)
        #expect(!script.replay.claimed.contains(claim(101), stage: 0))
        try script.close("1")
        #expect(script.replay.claimed.contains(claim(101), stage: 0))
        take(2, by: &script)
        try script.close("2", 0, .failed, reason: "no room")
        take(3, by: &script)
        try script.close("3", 0, .filtered)
        #expect(!script.replay.claimed.contains(claim(102), stage: 0))
        #expect(script.replay.claimed.contains(claim(103), stage: 0))
        #expect(script.replay.problems == [])
    }

    @Test func `a commit that was undone leaves its claim free`() throws {
        var script = script()
        take(1, by: &script)
        script.replay.take(
            .intent(Closing(key: FrameKey(frameId: 1), stage: 0, fate: .processed), files: []))
        script.replay.take(.undone(key: FrameKey(frameId: 1), stage: 0))
        script.resume()
        #expect(!script.replay.claimed.contains(claim(101), stage: 0))
        take(1, by: &script)
        try script.close("1")
        #expect(script.replay.claimed.contains(claim(101), stage: 0))
        #expect(script.replay.problems == [])
    }

    @Test func `a frame that is half done is known by its claim, and one done again is free`()
        throws
    {
        var script = script()
        take(1, by: &script)
        try script.close("1", 0, outputs: 1)
        take(2, by: &script)
        try script.close("2", 0, outputs: 1)
        script.replay.take(
            .claims(EntryId(key: try #require(FrameKey("2/0")), stage: 1), [claim(7)]))
        try script.close("2/0", 1, .failed, reason: "no room")
        script.resume([.failed])
        let beginning = LedgerResumption(life: 2, time: 0, tornByteCount: 0, reopened: [.failed])
        let resumption = Resumption(script.replay, beginning)
        for id in [1, 2] as [UInt64] {
            #expect(resumption.claims(FrameKey(frameId: id), stage: 0) == [claim(id + 100)])
            #expect(resumption.claimed.contains(claim(id + 100), stage: 0))
        }
        #expect(!resumption.claimed.contains(claim(7), stage: 1))
    }

    @Test func `a ledger in which a frame was accepted twice is told of`() throws {
        var script = script()
        for id in ["1", "2"] {
            script.replay.take(
                .claims(EntryId(key: try #require(FrameKey(id)), stage: 0), [claim(9)]))
            try script.close(id)
        }
        #expect(script.replay.problems.count == 1)
        #expect(script.replay.problems.first?.contains("is a replay") == true)
    }
}
