import ControllerRuntime
import Glibc
import NDArrays
import TestSupport
import Testing

/// A way in which a worker goes wrong, and how the controller must call it.
struct Fault: Sendable, CustomTestStringConvertible {
    let misdeed: String
    let settings: [String: String]
    /// What the cause says, one of these.
    let causes: [String]
    /// Whether the frame is charged during which it happens.
    let isCharged: Bool

    init(
        _ misdeed: String, _ settings: [String: String] = [:], causes: String...,
        isCharged: Bool = true
    ) {
        self.misdeed = misdeed
        self.settings = settings
        self.causes = causes
        self.isCharged = isCharged
    }

    var testDescription: String {
        ([misdeed] + settings.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
    }

    /// Everything that can happen to a worker in `process`.
    static let all = [
        Fault("segfault", causes: "signal 11", "signal 4"),
        Fault("abort", causes: "signal 6"),
        Fault("exit0", causes: "exited with code 0"),
        Fault("exit1", causes: "exited with code 1"),
        Fault("kill", ["signal": "9"], causes: "signal 9"),
        Fault("kill", ["signal": "15"], causes: "signal 15"),
        Fault("kill", ["signal": "1"], causes: "signal 1 "),
        Fault("garbage", causes: "what is no message", isCharged: false),
        // Another of its threads may still write behind the half message before the process has ended.
        Fault("halfMessage", causes: "exited with code 0", "what is no message"),
        Fault(
            "outOfPlace", ["message": "welcome"], causes: "answered what was not asked",
            isCharged: false),
        Fault(
            "outOfPlace", ["message": "result"], causes: "frame that it does not have",
            isCharged: false),
        Fault(
            "outOfPlace", ["message": "started"], causes: "frame that it does not have",
            isCharged: false),
        Fault(
            "outOfPlace", ["message": "configured"], causes: "configuration that it was never",
            isCharged: false),
        Fault(
            "outOfPlace", ["message": "staging"], causes: "not a whole path", isCharged: false),
        Fault(
            "outOfPlace", ["message": "reply"], causes: "request that was never sent",
            isCharged: false),
        Fault(
            "outOfPlace", ["message": "description"], causes: "request that was never sent",
            isCharged: false),
        Fault(
            "outOfPlace", ["message": "command"], causes: "which no worker sends", isCharged: false),
        Fault("closeOutput", causes: "closed its output", "exited with code", isCharged: false),
        Fault("closeDescriptors", causes: "closed its", "exited with code", isCharged: false),
        Fault("closeInput", causes: "closed its input", isCharged: false),
        Fault("stopReading", causes: "did nothing with them", isCharged: false),
        Fault("freeze", causes: "busy with frame 20 for longer"),
        Fault("hang", causes: "busy with frame 20 for longer"),
        Fault("spin", causes: "busy with frame 20 for longer"),
        Fault("grow", ["bytes": "\(400 << 20)"], causes: "more than its memory limit"),
    ]
}

@Suite("Every fault of a worker", .timeLimit(.minutes(1)))
struct SupervisionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A stage of faulty workers that do wrong once, with short limits.
    private func stage(
        _ settings: [String: String], workers: Int = 2, once: Bool = true
    ) throws -> StageConfiguration {
        var structure = Structure()
        for (key, value) in settings { structure[key] = .scalar(.string(value)) }
        if once { structure["once"] = .scalar(.string(folder.path + "/marker")) }
        var stage = try Scenario.stage(
            workers: workers, worker: "FaultyWorker",
            ProcessorConfiguration("Faulty", settings: structure))
        stage.frameTimeLimit = .seconds(1)
        stage.responseTimeLimit = .seconds(1)
        stage.memoryLimit = 150 << 20
        return stage
    }

    @Test(
        "is found, named and survived", arguments: [PixelPlane.shared, .inline], Fault.all)
    func survived(plane: PixelPlane, fault: Fault) async throws {
        var settings = fault.settings
        settings["misdeed"] = fault.misdeed
        settings["frames"] = "[20]"
        settings["tag"] = "7"
        var stage = try stage(settings)
        // It grows for a while: on a busy machine longer than the other faults may last.
        if fault.misdeed == "grow" { stage.frameTimeLimit = .seconds(50) }
        let outputs = try await collect(stage, frames: 60, plane: plane)
        expectBalance(outputs.summary, accepted: 60)
        #expect(outputs.summary.end == .completed, "\(outputs.summary.reason)")
        #expect(outputs.summary.processed == 60, "\(outputs.summary.failures)")
        #expect(outputs.firstPixels == (1...60).map { UInt16($0) })
        let journal = try RunJournal(in: folder)
        #expect(journal.losses.count == 1)
        let loss = try #require(journal.losses.first)
        let cause = try #require(loss.text("cause"))
        #expect(fault.causes.contains { cause.contains($0) }, "\(cause)")
        #expect(try #require(loss.number("detectionSeconds")) >= 0)
        // A worker that lives on may have finished the frame, or begun others, before it is killed.
        if fault.isCharged && !cause.contains("what is no message") {
            #expect(loss.text("charged") == "20")
            #expect(loss.number("attempts") == 1)
        }
        let retried = journal.events("frame-retried")
        #expect(
            retried.count { $0.number("charged") == 1 } == (loss.text("charged") == nil ? 0 : 1))
    }

    private struct Outputs {
        var summary: RunSummary
        /// The first pixel of each frame that came out, in order.
        var firstPixels: [UInt16]
    }

    private func collect(
        _ stage: StageConfiguration, frames: Int, plane: PixelPlane
    ) async throws -> Outputs {
        let pixels = Collected<UInt16>()
        let controller = try Controller(
            RunConfiguration(
                stages: [stage], runDirectory: folder.path + "/run", plane: plane),
            source: CountingSource(count: frames)
        ) { report in
            guard case .image(let image)? = report.outputs.first?.payload,
                let first = try? image.elements(of: UInt16.self).first
            else { return }
            pixels.add(first)
        }
        let summary = try await controller.run()
        return Outputs(summary: summary, firstPixels: pixels.values.sorted())
    }

    @Test(
        "in a hook of an idle worker is found by its silence",
        arguments: ["spin", "freeze"], ["getStats", "resetStats", "validate"])
    func idle(misdeed: String, hook: String) async throws {
        let controller = try Controller(
            RunConfiguration(
                stages: [try stage(["misdeed": misdeed, "hook": hook], workers: 1)],
                runDirectory: folder.path + "/run", statisticsPeriod: .milliseconds(100)),
            source: IdleSource())
        async let run = controller.run()
        try await controller.waitUntilStarted()
        let first = await controller.status()?.workers.first?.processId
        switch hook {
        case "resetStats": try await controller.resetStatistics()
        case "validate":
            let error = await #expect(throws: ControllerError.self) {
                try await controller.configure(
                    processor: "Faulty", changes: Structure(["tag": .scalar(.int64(3))]))
            }
            #expect(error?.reason.contains("response time limit") == true)
        default: break
        }
        try await waitForReplacement(of: first, controller)
        controller.stop()
        expectBalance(try await run, accepted: 0)
        let loss = try #require(try RunJournal(in: folder).losses.first)
        #expect(loss.text("cause")?.contains("response time limit") == true)
        #expect(loss.text("charged") == nil)
    }

    @Test("of an idle worker that is stopped from outside is found by a ping")
    func ping() async throws {
        let controller = try Controller(
            RunConfiguration(
                stages: [try stage([:], workers: 1)], runDirectory: folder.path + "/run",
                statisticsPeriod: .seconds(3600)), source: IdleSource())
        async let run = controller.run()
        try await controller.waitUntilStarted()
        let first = try #require(await controller.status()?.workers.first?.processId)
        #expect(kill(first, SIGSTOP) == 0)
        try await waitForReplacement(of: first, controller)
        controller.stop()
        expectBalance(try await run, accepted: 0)
        let loss = try #require(try RunJournal(in: folder).losses.first)
        #expect(loss.text("cause")?.contains("response time limit") == true)
    }

    private func waitForReplacement(of process: Int32?, _ controller: Controller) async throws {
        while true {
            let status = try #require(await controller.status())
            guard let worker = status.workers.first else { continue }
            if worker.processId != process && worker.state == "started" { return }
            await Task.yield()
        }
    }

    @Test("in a hook that throws reaches whoever waits for it, or the journal")
    func throwing() async throws {
        var stage = try stage(["misdeed": "throw", "hook": "resetStats"], workers: 1, once: false)
        stage.processors.append(
            Scenario.processor("Faulty", ["misdeed": "throw", "hook": "stop"]))
        let controller = try Controller(
            RunConfiguration(stages: [stage], runDirectory: folder.path + "/run"),
            source: IdleSource())
        async let run = controller.run()
        try await controller.waitUntilStarted()
        let error = await #expect(throws: ControllerError.self) {
            try await controller.resetStatistics()
        }
        #expect(error?.reason.contains("told to throw in resetStats") == true)
        controller.stop()
        #expect(try await run.end == .drained)
        let stops = try RunJournal(in: folder).events("worker-stop")
        #expect(stops.count == 1)
        #expect(stops.first?.text("problem")?.contains("told to throw in stop") == true)
    }

    @Test("that keeps a replacement from becoming ready costs that life only")
    func neverReady() async throws {
        let worker = try #require(BuiltProducts.executable("FaultyWorker"))
        // The second life never says a word.
        let script = """
            #!/bin/sh
            if mkdir '\(folder.path)/first' 2>/dev/null; then exec '\(worker)'; fi
            if mkdir '\(folder.path)/second' 2>/dev/null; then exec sleep 60; fi
            exec '\(worker)'
            """
        var stage = try stage(["misdeed": "exit1", "frames": "[20]"], workers: 1)
        stage.workerExecutable = try folder.write(script, to: "worker")
        #expect(chmod(folder.path + "/worker", 0o755) == 0)
        stage.startTimeLimit = .seconds(3)
        let summary = try await Scenario.run(
            stage, frames: 60, runDirectory: folder.path + "/run")
        expectBalance(summary, accepted: 60)
        #expect(summary.processed == 60)
        let causes = try RunJournal(in: folder).losses.map { $0.text("cause") ?? "" }
        #expect(causes.count == 2)
        #expect(causes.last?.contains("did not answer the greeting in time") == true)
    }

    @Test("that always comes ends the stage after as many lives as it is given")
    func givenLives() async throws {
        var stage = try stage(["misdeed": "exit1"], workers: 1, once: false)
        stage.maximumFruitlessLives = 2
        stage.maximumAttempts = 100
        let summary = try await Scenario.run(
            stage, frames: 30, runDirectory: folder.path + "/run")
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == .stageFailed)
        #expect(try RunJournal(in: folder).losses.count == 2)
    }

    @Test("that several frames in a row bring costs these frames, not the run")
    func rowOfBadFrames() async throws {
        let stage = try stage(
            ["misdeed": "exit1", "frames": "[5,6,7,8]"], workers: 1, once: false)
        let summary = try await Scenario.run(
            stage, frames: 30, runDirectory: folder.path + "/run")
        expectBalance(summary, accepted: 30)
        #expect(summary.quarantined == 4)
        #expect(summary.processed == 26)
        #expect(try RunJournal(in: folder).losses.count == 12)
    }

    @Test("that every frame brings ends the stage after as many frames as it may lose in a row")
    func nothingButBadFrames() async throws {
        var stage = try stage(["misdeed": "exit1"], workers: 1, once: false)
        stage.maximumFruitlessLives = 4
        let summary = try await Scenario.run(
            stage, frames: 30, runDirectory: folder.path + "/run")
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == .stageFailed)
        #expect(summary.reason.contains("lost 4 frames in a row to the quarantine"))
        #expect(summary.quarantined == 4)
    }

    @Test(
        "that a frame brings is charged to it as often as the stage allows", arguments: [1, 2, 4])
    func attempts(maximum: Int) async throws {
        var stage = try stage(["misdeed": "exit1", "frames": "[5]"], once: false)
        stage.maximumAttempts = maximum
        let summary = try await Scenario.run(
            stage, frames: 30, runDirectory: folder.path + "/run")
        expectBalance(summary, accepted: 30)
        #expect(summary.quarantined == 1)
        #expect(summary.processed == 29)
        let losses = try RunJournal(in: folder).losses
        #expect(losses.map { $0.number("attempts") } == (1...maximum).map(Double.init))
    }

    @Test(
        "of which the frame is not known at once is charged to no other frame",
        arguments: ["garbage", "closeOutput", "closeDescriptors"], [PixelPlane.shared, .inline])
    func suspects(misdeed: String, plane: PixelPlane) async throws {
        let stage = try stage(["misdeed": misdeed, "frames": "[15]"], once: false)
        let summary = try await Scenario.run(
            stage, frames: 40, plane: plane, runDirectory: folder.path + "/run")
        expectBalance(summary, accepted: 40)
        #expect(summary.processed == 39, "\(summary.reason) \(summary.failures)")
        #expect(summary.quarantined == 1)
        #expect(summary.failures.map(\.frame) == ["15"])
        let charged = try RunJournal(in: folder).losses.compactMap { $0.text("charged") }
        #expect(charged == ["15", "15", "15"])
    }

    @Test("that comes with a probability falls on the same frames in every run")
    func dice() async throws {
        var accounts: [UInt64] = []
        for name in ["a", "b"] {
            var stage = try stage(
                [
                    "misdeed": "throw", "probability": "0.3", "seed": "5", "sticky": "true",
                ], once: false)
            stage.name = name
            let summary = try await Scenario.run(stage, frames: 100)
            expectBalance(summary, accepted: 100)
            accounts.append(summary.failed)
        }
        #expect(accounts[0] == accounts[1])
        #expect((10...50).contains(accounts[0]))
    }

    @Test("limits that are none are refused")
    func limits() async throws {
        let changes: [(inout StageConfiguration) -> Void] = [
            { $0.frameTimeLimit = .zero }, { $0.responseTimeLimit = .seconds(-1) },
            { $0.memoryLimit = 0 }, { $0.maximumAttempts = 0 }, { $0.maximumFruitlessLives = 0 },
        ]
        for change in changes {
            var stage = try Scenario.stage(Scenario.processor("PassThrough"))
            change(&stage)
            let error = await #expect(throws: ControllerError.self) {
                try await Scenario.run(stage, frames: 1)
            }
            #expect(error?.code == .configuration)
        }
    }
}
