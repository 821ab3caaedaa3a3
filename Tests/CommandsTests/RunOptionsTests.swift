import ArgumentParser
import ControllerRuntime
import Foundation
import NDArrays
import TestSupport
import Testing

@testable import Commands

@Suite struct RunOptionsTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write(
            """
            source: {sim: {count: 5}}
            stages:
              - {name: a, workers: 1, processors: [{P: {x: 1}}, Q]}
              - {name: b, from: a, worker: mine, processors: [{P: {x: 2}}]}
            """, to: "p.yaml")
    }

    private func plan(_ arguments: [String]) throws -> RunPlan {
        try RunOptions.parse(arguments).plan()
    }

    private func message(_ arguments: [String]) -> String {
        do {
            _ = try plan(arguments)
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test func `an overload policy is for the stages that name none`() throws {
        try folder.write(
            """
            source: {sim: {count: 5}}
            stages:
              - {name: a, processors: [P]}
              - {name: b, from: source, overload: block, processors: [P]}
            """, to: "overload.yaml")
        let plan = try plan([folder.path + "/overload.yaml", "--overload", "sample=1/3"])
        #expect(plan.configuration.stages.map(\.overload) == [.sample(everyNth: 3), .block])
    }

    private func setting(_ plan: RunPlan, _ stage: Int, _ processor: Int = 0) -> String? {
        guard
            case .scalar(let value)? = plan.configuration.stages[stage].processors[processor]
                .settings["x"]
        else { return nil }
        return value.description
    }

    @Test func `options alone make one stage`() throws {
        let plan = try plan([
            "--source", "sim:count=5", "--processor", "P:x=1", "--processor", "Q", "--workers", "3",
            "--worker", "w", "--run-dir", "r", "--rate", "5", "--in-flight", "2", "--policy",
            "hash:id", "--plane", "inline", "--log-level", "debug",
        ])
        let stage = plan.configuration.stages[0]
        #expect(plan.configuration.stages.count == 1 && stage.name == "main")
        #expect(stage.workerCount == 3 && stage.workerExecutable == "w" && stage.inFlight == 2)
        #expect(stage.policy == .hash(attribute: "id"))
        #expect(stage.processors.map(\.name) == ["P", "Q"])
        #expect(plan.configuration.runDirectory == "r" && plan.configuration.rateLimit == 5)
        #expect(plan.configuration.plane == .inline && plan.configuration.logLevel == "debug")
    }

    @Test func `options win over the file`() throws {
        let file = folder.path + "/p.yaml"
        let plan = try plan([
            file, "--workers", "4", "--workers", "b=2", "--set", "a.P.x=7", "--set", "Q.x=8",
            "--worker", "other", "--source", "tiff:z.tif",
        ])
        #expect(plan.configuration.stages.map(\.workerCount) == [4, 2])
        #expect(plan.configuration.stages.map(\.workerExecutable) == ["other", "mine"])
        #expect(setting(plan, 0) == "7" && setting(plan, 1) == "2" && setting(plan, 0, 1) == "8")
        #expect(plan.source?.kind == "tiff")
    }

    @Test func `the stored configuration is what ran`() throws {
        let plan = try plan([folder.path + "/p.yaml", "--set", "a.P.x=7", "--run-dir", "r"])
        var again = try PipelineFile.parse(plan.configuration.configurationText, file: "c.yaml")
        again.configuration.configurationText = plan.configuration.configurationText
        again.configuration.runDirectory = "r"
        #expect(again == plan)
    }

    @Test func `a run without a directory gets one of its own`() throws {
        let first = try plan(["--source", "sim", "--processor", "P"]).configuration.runDirectory
        let second = try plan(["--source", "sim", "--processor", "P"]).configuration.runDirectory
        let name = try #require(first)
        #expect(name.wholeMatch(of: /runs\/\d{8}-\d{6}-[a-z0-9]{4}/) != nil, "\(name)")
        #expect(first != second)
    }

    @Test(arguments: [
        ([], "there is nothing to do"),
        (["--processor", "P"], "there is no source"),
        (["--source", "sim"], "there is nothing to do"),
        (["FILE", "--processor", "P"], "the processors are in"),
        (["nix.yaml"], "can't read the configuration nix.yaml: No such file or directory"),
        (["FILE", "--workers", "0"], "--workers is 0"),
        (["FILE", "--workers", "c=2"], "unknown stage c"),
        (["FILE", "--set", "P.x=1"], "in several places; write stage.P.x"),
        (["FILE", "--set", "a.R.x=1"], "the processor R, which is not there"),
        (["FILE", "--set", "x=1"], "write --set stage.processor.key=value"),
        (["FILE", "--set", "a.P.x"], "write key=value"),
        (["FILE", "--rate", "0"], "--rate is 0.0"),
        (["FILE", "--in-flight", "0"], "--in-flight is 0"),
        (["FILE", "--policy", "best"], "--policy is best"),
        (["FILE", "--overload", "sample=10"], "--overload is sample=10: it must be block, drop"),
        (["FILE", "--plane", "x"], "--plane is x"),
        (["FILE", "--frame-time-limit", "soon"], "--frame-time-limit is soon"),
        (["FILE", "--memory-limit", "0"], "--memory-limit is 0"),
        (["FILE", "--log-level", "loud"], "--log-level is loud"),
    ])
    func `what does not fit is refused`(arguments: [String], expected: String) {
        let message = message(arguments.map { $0 == "FILE" ? folder.path + "/p.yaml" : $0 })
        #expect(message.contains(expected), "\(message)")
    }

    @Test func `a file that is no text, or too long, is refused`() throws {
        try Data([0xFF, 0xFE, 0x00]).write(to: URL(fileURLWithPath: folder.path + "/b.yaml"))
        #expect(message([folder.path + "/b.yaml"]).contains("no UTF-8 text"))
        try folder.write(String(repeating: "# x\n", count: 300_000), to: "c.yaml")
        #expect(message([folder.path + "/c.yaml"]).contains("1200000 bytes"))
    }

    @Test func `the folder of the summary must be there before a run`() {
        #expect(throws: CommandError.self) {
            try RunSummaryFile.check(folder.path + "/none/s.json")
        }
        #expect(throws: CommandError.self) { try RunSummaryFile.check(folder.path) }
        #expect(throws: Never.self) { try RunSummaryFile.check("s.json") }
        #expect(throws: Never.self) { try RunSummaryFile.check(nil) }
    }
}
