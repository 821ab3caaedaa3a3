import ArgumentParser
import ControllerRuntime
import Foundation
import TestSupport
import Testing

@testable import Commands

@Suite struct ReferenceTests {
    private func text(of name: String) throws -> String {
        try String(contentsOfFile: Checkout.path + "/Docs/Reference/\(name)", encoding: .utf8)
    }

    @Test func `every key of the configuration is in the reference`() throws {
        let text = try text(of: "Configuration.md")
        let rows = PipelineFile.keys + PipelineFile.stageKeys + PipelineFile.poolKeys
        for key in rows { #expect(text.contains("\n| `\(key)` |"), "\(key)") }
        for key in PipelineFile.statisticsKeys + PipelineFile.memoryKeys
            + PipelineFile.journalKeys
        {
            #expect(text.contains("`\(key)`"), "\(key)")
        }
    }

    @Test func `every command is in the reference`() throws {
        let text = try text(of: "Commands.md")
        for group in SluiceCommand.configuration.groupedSubcommands {
            for command in group.subcommands {
                let name = try #require(command.configuration.commandName)
                #expect(text.contains("\n## \(name)\n"), "\(name)")
            }
        }
    }

    @Test func `the example of the reference is read`() throws {
        let text = try text(of: "Configuration.md")
        let start = try #require(text.range(of: "```yaml\n"))
        let end = try #require(text.range(of: "\n```", range: start.upperBound..<text.endIndex))
        let plan = try PipelineFile.parse(
            String(text[start.upperBound..<end.lowerBound]), file: "example.yaml")
        try plan.checkStages()
        #expect(plan.configuration.stages.map(\.from) == [nil, "correct"])
    }

    @Test(arguments: [
        [], ["run"], ["stats"], ["configure"], ["reset-stats"], ["stop"], ["status"], ["verify"],
        ["processors"], ["new-processor"], ["simulate"], ["ledger"], ["retry"], ["events"],
        ["wait-event"], ["export"], ["spool"], ["spool", "ls"], ["spool", "verify"],
        ["spool", "drain"], ["keys"], ["keys", "generate"], ["keys", "public"], ["keys", "show"],
    ])
    func `help is everywhere`(command: [String]) async {
        #expect(await SluiceProgram.run(command + ["--help"]) == 0)
    }

    @Test(arguments: [["frobnicate"], ["run", "--wokers", "3"], ["status"], ["run"]])
    func `wrong usage ends with 2`(arguments: [String]) async {
        #expect(await SluiceProgram.run(arguments) == 2)
    }
}
