import ControllerRuntime
import Foundation
import TestSupport
import Testing

@Suite("Draining", .timeLimit(.minutes(1)))
struct DrainTests {
    /// Checks the account of a run that was told to stop.
    private func expectEnd(_ run: RunUnderWay, now: Bool) async throws {
        let summary = try await run.end()
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == (now ? .stopped : .drained))
        if !now { #expect(summary.processed == summary.accepted, "\(summary.failures)") }
        #expect(
            summary.processed + (summary.dropped["stopped"] ?? 0) == summary.accepted,
            "\(summary.dropped)")
    }

    @Test("works while a worker is being replaced", arguments: [false, true])
    func replacing(now: Bool) async throws {
        let run = try RunUnderWay(milliseconds: "20")
        try await run.controller.waitUntilStarted()
        try await run.killWorker(1)
        try await run.wait(for: "worker-gone")
        run.controller.stop(now: now)
        try await expectEnd(run, now: now)
    }

    @Test("works while all workers of a stage are in back-off", arguments: [false, true])
    func backOff(now: Bool) async throws {
        let folder = try TemporaryFolder()
        let worker = try #require(BuiltProducts.executable("FaultyWorker"))
        let gate = folder.file("closed")
        let script = try folder.write(
            "#!/bin/sh\n[ -e '\(gate)' ] && exit 1\nexec '\(worker)'\n", to: "worker")
        #expect(chmod(script, 0o755) == 0)
        let run = try RunUnderWay(folder: folder, executable: script)
        try await run.controller.waitUntilStarted()
        try await run.wait { $0.ledger.processed > 20 }
        try folder.write("", to: "closed")
        try await run.killWorker(0)
        try await run.killWorker(1)
        // The lives that were killed, and two that came to nothing.
        try await run.wait(for: "worker-gone", count: 4)
        run.controller.stop(now: now)
        if !now { #expect(unlink(gate) == 0) }
        try await expectEnd(run, now: now)
    }

    @Test("works while workers are starting", arguments: [false, true])
    func starting(now: Bool) async throws {
        let run = try RunUnderWay(["misdeed": "hang", "hook": "start"])
        try await run.wait(for: "worker-ready", count: 2)
        run.controller.stop(now: now)
        let summary = try await run.end()
        expectBalance(summary, accepted: 0)
        #expect(summary.end == (now ? .stopped : .drained))
    }

    @Test("that is asked for twice is done once", arguments: [false, true])
    func twice(now: Bool) async throws {
        let run = try RunUnderWay(milliseconds: "50")
        try await run.controller.waitUntilStarted()
        try await run.wait { $0.ledger.inFlight >= 16 }
        run.controller.stop()
        run.controller.stop(now: now)
        try await expectEnd(run, now: now)
        #expect(try run.journal("run-drain").count == (now ? 2 : 1))
    }

    @Test("can be cut short while the workers stop, and loses nothing then")
    func stopping() async throws {
        let run = try RunUnderWay(
            ["misdeed": "hang", "hook": "stop"], stopTimeLimit: .seconds(3600))
        try await run.controller.waitUntilStarted()
        try await run.wait { $0.ledger.processed > 20 }
        run.controller.stop()
        try await run.wait { $0.state == .stopping }
        run.controller.stop(now: true)
        try await expectEnd(run, now: false)
    }

    @Test("of a stage that can't go on ends balanced, and so does a second stop")
    func stageFailed() async throws {
        let run = try RunUnderWay(["misdeed": "exit1"])
        try await run.controller.waitUntilStarted()
        run.controller.stop()
        run.controller.stop(now: true)
        let summary = try await run.end()
        expectBalance(summary, accepted: summary.accepted)
    }
}
