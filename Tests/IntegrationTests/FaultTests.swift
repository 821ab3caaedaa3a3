import ControllerRuntime
import NDArrays
import TestSupport
import Testing

@Suite("A worker that goes wrong", .timeLimit(.minutes(2)))
struct FaultTests {
    @Test(
        "loses no frame when it dies once, whatever the way",
        arguments: ["segfault", "abort", "exit0", "exit1", "kill", "garbage", "closeOutput"])
    func diesOnce(misdeed: String) async throws {
        let folder = try TemporaryFolder()
        let summary = try await Scenario.run(
            Scenario.stage(
                workers: 2, worker: "FaultyWorker",
                Scenario.processor(
                    "Faulty",
                    ["misdeed": misdeed, "frames": "[20]", "once": folder.path + "/marker"])),
            frames: 60)
        expectBalance(summary, accepted: 60)
        #expect(summary.processed == 60, "\(summary.failures)")
        #expect(summary.workers.map(\.replacements).reduce(0, +) >= 1)
    }

    @Test("is not given a frame again that killed three", arguments: [PixelPlane.shared, .inline])
    func quarantine(plane: PixelPlane) async throws {
        let summary = try await Scenario.run(
            Scenario.stage(
                workers: 2, worker: "FaultyWorker",
                Scenario.processor("Faulty", ["misdeed": "segfault", "frames": "[7]"])),
            frames: 40, plane: plane)
        expectBalance(summary, accepted: 40)
        #expect(summary.quarantined == 1)
        #expect(summary.processed == 39)
        #expect(summary.failures.first?.frame == "7")
    }

    @Test("fails only the frame for which its processor throws")
    func throwing() async throws {
        let summary = try await Scenario.run(
            Scenario.stage(
                worker: "FaultyWorker",
                Scenario.processor("Faulty", ["misdeed": "throw", "frames": "[3,5]"])),
            frames: 10)
        expectBalance(summary, accepted: 10)
        #expect(summary.failed == 2)
        #expect(summary.processed == 8)
        #expect(summary.failures.map(\.frame) == ["3", "5"])
        #expect(summary.failures[0].reason.contains("told to throw"))
    }

    @Test("ends the stage, balanced, when no life gets a frame done")
    func hopeless() async throws {
        let summary = try await Scenario.run(
            Scenario.stage(
                worker: "FaultyWorker", Scenario.processor("Faulty", ["misdeed": "exit1"])),
            frames: 50)
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == .stageFailed)
        #expect(summary.processed == 0)
        #expect(summary.reason.contains("can't go on"))
    }

    @Test(
        "that can't start says why, and nothing is left",
        arguments: [
            (["misdeed": "throw", "hook": "init"], "told to throw in init"),
            (["misdeed": "throw", "hook": "start"], "told to throw in start"),
            (["misdeed": "exit1", "hook": "start"], "exited with code 1"),
            (["misdeeds": "throw"], "misdeed"),
            (["signal": "65"], "64"),
        ] as [(KeyValuePairs<String, String>, String)])
    func cannotStart(settings: KeyValuePairs<String, String>, expected: String) async throws {
        let folder = try TemporaryFolder()
        let error = await #expect(throws: ControllerError.self) {
            try await Scenario.run(
                Scenario.stage(worker: "FaultyWorker", Scenario.processor("Faulty", settings)),
                frames: 1, runDirectory: folder.path + "/run")
        }
        #expect(error?.reason.contains(expected) == true, "\(error?.reason ?? "")")
        #expect(try folder.files() == [])
    }

    @Test("that does not exist, is no program or no worker is named")
    func noWorker() async throws {
        for (path, expected) in [
            ("/nowhere/worker", "there is no executable"), ("/etc/passwd", "may not be executed"),
            ("/bin/true", "could not be started"), ("/bin/cat", "could not be started"),
        ] {
            var stage = try Scenario.stage(Scenario.processor("PassThrough"))
            stage.workerExecutable = path
            let error = await #expect(throws: ControllerError.self) {
                try await Scenario.run(stage, frames: 1)
            }
            #expect(error?.code == .worker)
            #expect(error?.reason.contains(path) == true, "\(error?.reason ?? "")")
            #expect(error?.reason.contains(expected) == true, "\(error?.reason ?? "")")
        }
    }

    @Test("of which the processor is unknown is told the nearest name")
    func unknownProcessor() async throws {
        let error = await #expect(throws: ControllerError.self) {
            try await Scenario.run(Scenario.stage(Scenario.processor("PixelStatistic")), frames: 1)
        }
        #expect(error?.code == .processor)
        #expect(error?.reason.contains("PixelStatistics") == true, "\(error?.reason ?? "")")
    }
}
