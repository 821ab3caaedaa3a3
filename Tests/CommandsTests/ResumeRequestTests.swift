import ArgumentParser
import Foundation
import NDArrays
import TestSupport
import Testing

@testable import Commands
@testable import ControllerRuntime

@Suite("Taking up a run") struct ResumeRequestTests {
    private let folder: TemporaryFolder
    private let run: String
    private static let begun = [
        "--source", "sim:count=5,seed=3", "--processor", "P:x=1", "--processor", "Q",
    ]

    init() throws {
        folder = try TemporaryFolder()
        run = folder.path + "/run"
        try store(Self.begun)
    }

    /// Leaves a run directory of a run that was asked for so and is over.
    private func store(_ arguments: [String], startedIn: String? = nil) throws {
        var plan = try RunOptions.parse(arguments).plan()
        if let startedIn { plan.startedIn = startedIn }
        try? FileManager.default.removeItem(atPath: run)
        try RunDirectory(creating: run).write(configuration: PipelineText.text(of: plan))
    }

    private func request(_ arguments: [String]) throws -> RunRequest {
        try RunOptions.parse(arguments).request()
    }

    private func message(_ arguments: [String]) -> String {
        do {
            _ = try request(arguments)
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test func `the run directory is enough, wherever it is given`() throws {
        let stored = try StoredRun(ended: run).plan
        for arguments in [
            ["--run-dir", run, "--resume"], [run, "--resume"], [run, "--resume", "--run-dir", run],
            Self.begun + ["--run-dir", run, "--resume"],
            ["--source", "sim:seed=3,count=5", "--run-dir", run, "--resume"],
            [run + "/configuration.yaml", "--run-dir", run, "--resume"],
        ] {
            let request = try request(arguments)
            #expect(
                request.plan.source == stored.source || arguments.contains("sim:seed=3,count=5"))
            #expect(request.plan.configuration.stages == stored.configuration.stages)
            #expect(request.plan.configuration.resumes)
            #expect(request.plan.configuration.reopenedOutcomes == [])
            #expect(request.runDirectory == run)
            #expect(request.folder == nil)
        }
    }

    @Test func `what no output depends on may differ`() throws {
        let request = try request([
            run, "--resume", "--workers", "3", "--in-flight", "2", "--rate", "9", "--plane",
            "inline", "--log-level", "debug", "--policy", "round-robin", "--set", "P.x=1",
            "--overload", "block",
        ])
        let configuration = request.plan.configuration
        #expect(configuration.stages[0].workerCount == 3 && configuration.stages[0].inFlight == 2)
        #expect(configuration.rateLimit == 9 && configuration.plane == .inline)
        #expect(configuration.stages[0].policy == .roundRobin)
    }

    @Test(arguments: [
        (["--set", "P.x=2"], "main.P.x was 1 and is 2 now"),
        (["--set", "P.y=2"], "main.P.y was not set and is 2 now"),
        (["--source", "sim:count=5"], "the source's seed was 3 and is 1 now"),
        (["--source", "sim:count=6,seed=3"], "the source's count was 5 and is 6 now"),
        (["--source", "tiff:a.tif"], "the source was sim and is tiff now"),
        (["--processor", "P:x=1"], "the chain of stage main was P, Q and is P now"),
        (["--processor", "Q", "--processor", "P:x=1"], "was P, Q and is Q, P now"),
        (
            ["--processor", "P:x=1", "--processor", "Q", "--worker", "mine"],
            "the worker of stage main was sluice-worker and is mine now"
        ),
        (["--overload", "sample=1/2"], "overload of stage main was block and is sample=1/2 now"),
        (["--set", "P.x=2", "--source", "sim"], "the source's count was 5 and is 100 now; the"),
    ])
    func `what it does to frames may not`(arguments: [String], expected: String) {
        let message = message([arguments, ["--run-dir", run, "--resume"]].flatMap { $0 })
        #expect(message.contains(expected), "\(message)")
        #expect(message.contains("only --run-dir \(run) --resume"))
    }

    @Test func `stages are compared, and paths that are the same in other words are`() throws {
        try folder.write(
            """
            source: {tiff: [a.tif, b.tif]}
            stages:
              - {name: a, processors: [P]}
              - {name: b, from: a, worker: bin/mine, processors: [P]}
            """, to: "p.yaml")
        let file = folder.path + "/p.yaml"
        try store([file])
        let place = ["--run-dir", run, "--resume"]
        #expect(message([file] + place) == "no error")
        func changed(_ old: String, _ new: String) throws -> String {
            try folder.write(
                folder.text(of: "p.yaml").replacingOccurrences(of: old, with: new), to: "q.yaml")
            return message([folder.path + "/q.yaml"] + place)
        }
        #expect(try changed("bin/mine", "./bin/mine") == "no error")
        #expect(
            try changed("bin/mine", WorkingFolder.current + "/bin/mine") == "no error")
        #expect(try changed("bin/mine", "other").contains("of stage b was bin/mine and is other"))
        #expect(
            try changed("from: a", "from: source").contains("from of stage b was a and is source"))
        #expect(try changed("name: b", "name: c").contains("the stages was a, b and is a, c"))
        #expect(try changed("[a.tif, b.tif]", "[b.tif, a.tif]").contains("is b.tif, a.tif now"))
    }

    @Test func `what does not fit is refused and says how`() throws {
        #expect(message(["--resume"]).contains("write sluice run --run-dir RUN --resume"))
        #expect(message(Self.begun + ["--resume"]).contains("--resume needs the run directory"))
        #expect(
            message(["--run-dir", folder.path + "/no", "--resume"]).contains("no run directory"))
        #expect(
            message(["--run-dir", folder.path, "--resume"]).contains("is no run directory"))
        #expect(
            message([run, "--resume", "--worker", "x"]).contains("sluice retry may change them"))
        #expect(message([run]).contains("take its run up with sluice run \(run) --resume"))
        #expect(message([folder.path]).contains("is a folder: give a configuration file"))
        #expect(message([run, "--resume", "--run-dir", "x"]).contains("the run directory once"))
    }

    @Test func `a run that goes on is not taken up`() throws {
        let path = folder.path + "/live"
        let directory = try RunDirectory(creating: path)
        let message = message([path, "--resume"])
        #expect(message.contains("goes on (process \(getpid()))"), "\(message)")
        withExtendedLifetime(directory) {}
    }

    @Test func `a run that was interrupted is not begun again`() throws {
        #expect(!message(Self.begun + ["--run-dir", run]).contains("--resume"))
        try folder.write("", to: "run/ledger")
        let message = message(Self.begun + ["--run-dir", run])
        #expect(message.contains("take it up with --resume"), "\(message)")
    }

    @Test func `paths are taken from the folder in which the run was started`() throws {
        let other = folder.path + "/other"
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        try store(Self.begun, startedIn: other)
        #expect(try request([run, "--resume"]).folder == other)
        // The whole command means the present folder, which is another.
        let repeated = Self.begun + ["--run-dir", run, "--resume"]
        #expect(message(repeated).contains("was started in \(other)"))
        // Once that folder is gone, the person says where it is by going there.
        try FileManager.default.removeItem(atPath: other)
        #expect(message([run, "--resume"]).contains("that folder is not there any more"))
        #expect(try request(repeated).folder == nil)
    }

    @Test func `the newest configuration counts`() throws {
        var stored = try StoredRun(ended: run)
        var plan = stored.plan
        plan.configuration.stages[0].processors[0].settings["x"] = .scalar(.string("7"))
        #expect(try stored.keep(plan) == run + "/configuration-2.yaml")
        stored = try StoredRun(ended: run)
        #expect(stored.plan == plan)
        #expect(try stored.keep(plan) == run + "/configuration-3.yaml")
    }

    @Test(arguments: [
        ("failed:", "names no run directory"), ("failed", "names no run directory"),
        ("failed:r,outcom=failed", "no setting outcom; did you mean outcome?"),
        ("failed:r,outcome=faild", "can't be `faild`; did you mean failed?"),
        ("failed:r,outcome=failed+", "can't be ``"),
        ("failed:r,outcome=processed", "can't be `processed`; there are failed, quarantined"),
        ("failed:r,outcome=failed,outcome=failed", "twice"),
        ("failed:/nowhere/run", "there is no run directory /nowhere/run"),
        ("faild:r", "did you mean failed?"),
    ])
    func `a source of an earlier run is checked`(source: String, expected: String) {
        let message: String
        do {
            _ = try SourceSpecification.parse(source).makeSource()
            message = "no error"
        } catch {
            message = error.message
        }
        #expect(message.contains(expected), "\(message)")
    }

    @Test func `frames of an earlier run go through its pipeline where none is given`() throws {
        let plan = try request(["--source", "failed:\(run)", "--workers", "2"]).plan
        #expect(plan.configuration.stages[0].processors.map(\.name) == ["P", "Q"])
        #expect(plan.configuration.stages[0].workerCount == 2)
        #expect(plan.source?.kind == "failed" && plan.configuration.runDirectory != run)
        let other = try request(["--source", "failed:\(run)", "--processor", "R"]).plan
        #expect(other.configuration.stages[0].processors.map(\.name) == ["R"])
        // A run over its own frames has no beginning.
        try store(["--source", "failed:\(run)", "--processor", "P"])
        let source = try SourceSpecification.parse("failed:\(run)")
        #expect(throws: CommandError.self) { try source.makeSource() }
    }

    @Test func `a worker is replaced where it is clear which`() throws {
        var configuration = RunConfiguration(stages: [
            StageConfiguration(name: "a", processors: [], workerExecutable: "x"),
            StageConfiguration(name: "b", processors: [], workerExecutable: "x"),
        ])
        try PlanOptions.replace(worker: "b=bin/y", from: "/here", in: &configuration)
        #expect(configuration.stages.map(\.workerExecutable) == ["x", "/here/bin/y"])
        #expect(throws: CommandError.self) {
            try PlanOptions.replace(worker: "z", from: nil, in: &configuration)
        }
        try PlanOptions.replace(worker: "b=x", from: "/here", in: &configuration)
        try PlanOptions.replace(worker: "bin/z", from: nil, in: &configuration)
        #expect(configuration.stages.map(\.workerExecutable) == ["bin/z", "bin/z"])
    }
}
