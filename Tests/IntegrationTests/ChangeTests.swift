import ControllerRuntime
import NDArrays
import TestSupport
import Testing

@Suite("A change of configuration, of real workers", .timeLimit(.minutes(1)))
struct ChangeTests {
    /// Ends the run and checks its account.
    private func expectGoodEnd(_ run: RunUnderWay) async throws {
        run.controller.stop()
        let summary = try await run.end()
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.processed == summary.accepted, "\(summary.failures)")
        #expect(summary.end == .drained)
    }

    @Test("that can't be applied is refused with the reason, and the next one is made")
    func applyingThrows() async throws {
        let run = try RunUnderWay()
        try await run.controller.waitUntilStarted()
        let error = await #expect(throws: ControllerError.self) {
            try await run.change(["misdeed": "throw", "hook": "configure", "tag": "7"])
        }
        #expect(error?.code == .processor)
        #expect(error?.reason.contains("told to throw in configure") == true)
        #expect(try run.journal("configure", "taken-back", "told to throw").count == 1)
        // Version 2 was taken back, and is not used again.
        #expect(try await run.change(["tag": "8"]) == 3)
        #expect(try run.journal("configure", "applied").count == 1)
        #expect(try run.journal("worker-gone").isEmpty)
        try await expectGoodEnd(run)
    }

    @Test("that one of two workers can't apply is taken back by the other one, too")
    func oneThrows() async throws {
        let folder = try TemporaryFolder()
        let run = try RunUnderWay(folder: folder)
        try await run.controller.waitUntilStarted()
        await #expect(throws: ControllerError.self) {
            try await run.change([
                "misdeed": "throw", "hook": "configure", "tag": "7", "once": folder.file("marker"),
            ])
        }
        #expect(try await run.change(["tag": "8"]) == 3)
        try await expectGoodEnd(run)
    }

    @Test(
        "over which a worker dies is refused, and the run goes on",
        arguments: [("configure", "apply"), ("validate", "validate")])
    func dies(hook: String, verb: String) async throws {
        let run = try RunUnderWay()
        try await run.controller.waitUntilStarted()
        let error = await #expect(throws: ControllerError.self) {
            try await run.change(["misdeed": "exit1", "hook": hook, "tag": "7"])
        }
        #expect(error?.reason.contains("ended when it was to \(verb) the change") == true)
        #expect(error?.reason.contains("exited with code 1") == true, "\(error?.reason ?? "")")
        #expect(try await run.change(["tag": "8"]) == (hook == "validate" ? 2 : 3))
        try await expectGoodEnd(run)
    }

    @Test("that a worker refuses to validate changes nothing")
    func refused() async throws {
        let run = try RunUnderWay()
        try await run.controller.waitUntilStarted()
        let error = await #expect(throws: ControllerError.self) {
            try await run.change(["misdeed": "throw", "hook": "validate"])
        }
        #expect(error?.reason.contains("told to throw in validate") == true)
        #expect(try run.journal("configure", "refused").count == 1)
        #expect(try await run.change(["tag": "8"]) == 2)
        try await expectGoodEnd(run)
    }

    @Test("asked for twice at once is made one after the other")
    func twoAtOnce() async throws {
        let run = try RunUnderWay()
        try await run.controller.waitUntilStarted()
        async let first = run.change(["tag": "7"])
        async let second = run.change(["tag": "8"])
        let versions = try await [first, second]
        #expect(versions.sorted() == [2, 3])
        let steps = try run.journal("configure").map { line in
            line.contains("accepted") ? "accepted" : "applied"
        }
        #expect(steps == ["accepted", "applied", "accepted", "applied"])
        try await expectGoodEnd(run)
    }

    /// A run of one worker with eight long frames before the change that was accepted.
    private func changeBehindFrames(
        _ settings: KeyValuePairs<String, String>
    ) async throws -> (RunUnderWay, Task<UInt64, any Error>) {
        let run = try RunUnderWay(workers: 1, milliseconds: "100")
        try await run.controller.waitUntilStarted()
        try await run.wait { $0.workers[0].inFlight == 8 }
        let copy = settings
        let change = Task { try await run.change(copy) }
        try await run.wait(for: "configure", "accepted")
        return (run, change)
    }

    @Test("outlives a worker that ends in a frame before it: its replacement applies it")
    func replaced() async throws {
        let (run, change) = try await changeBehindFrames(["tag": "7"])
        try await run.killWorker(0)
        #expect(try await change.value == 2)
        #expect(try run.journal("worker-gone").count == 1)
        try await expectGoodEnd(run)
    }

    @Test("is taken back when the replacement of such a worker can't apply it")
    func replacementThrows() async throws {
        let (run, change) = try await changeBehindFrames(["misdeed": "throw", "hook": "configure"])
        try await run.killWorker(0)
        let error = await #expect(throws: ControllerError.self) { try await change.value }
        #expect(error?.reason.contains("told to throw in configure") == true)
        try await expectGoodEnd(run)
    }

    @Test("waits for a worker while the only one is being replaced")
    func nobodyThere() async throws {
        let run = try RunUnderWay(workers: 1)
        try await run.controller.waitUntilStarted()
        try await run.killWorker(0)
        try await run.wait(for: "worker-gone")
        #expect(try await run.change(["tag": "7"]) == 2)
        try await expectGoodEnd(run)
    }

    @Test("is told when the run ends before it, once and clearly", arguments: [false, true])
    func runEnds(now: Bool) async throws {
        let (run, change) = try await changeBehindFrames(["tag": "7"])
        let second = Task { try await run.change(["tag": "8"]) }
        run.controller.stop(now: now)
        let summary = try await run.end()
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == (now ? .stopped : .drained))
        let results = [await change.result, await second.result]
        for case .failure(let error) in results {
            let error = try #require(error as? ControllerError)
            #expect(error.code == .state)
        }
        if now {
            #expect(throws: ControllerError.self) { try results[0].get() }
            #expect(try run.journal("configure", "taken-back", "the run ended").count == 1)
        }
    }

    @Test("that workers are applying when the run ends does not say that nothing has changed")
    func endsWhileApplying() async throws {
        // Behind the eight frames that it has the worker validates, while it has all others: applying
        // comes behind those, and nothing behind applying.
        let run = try RunUnderWay(workers: 1, milliseconds: "100", frames: 12)
        try await run.controller.waitUntilStarted()
        try await run.wait { $0.workers[0].inFlight == 8 }
        let error = await #expect(throws: ControllerError.self) {
            try await run.change([
                "misdeed": "sleep", "hook": "configure", "seconds": "2", "tag": "7",
            ])
        }
        let reason = error?.reason ?? ""
        #expect(error?.code == .state)
        #expect(reason.contains("frames handed out since then may have version 2"), "\(reason)")
        #expect(reason.contains("sluice ledger"), "\(reason)")
        #expect(!reason.contains("nothing has changed"), "\(reason)")
        let summary = try await run.end()
        expectBalance(summary, accepted: 12)
        #expect(summary.end == .completed)
        #expect(try run.journal("configure", "\"step\":\"accepted\"").count == 1)
        #expect(try run.journal("configure", "taken-back", "the run ended").count == 1)
    }

    @Test("reaches a worker that starts after hundreds of them")
    func many() async throws {
        let run = try RunUnderWay(workers: 2)
        try await run.controller.waitUntilStarted()
        for tag in 1...300 { try await run.change(["tag": "\(tag)"]) }
        try await run.killWorker(0)
        try await run.wait(for: "worker-start", count: 3)
        #expect(try await run.change(["tag": "301"]) == 302)
        #expect(try run.journal("worker-gone").count == 1)
        try await expectGoodEnd(run)
    }
}
