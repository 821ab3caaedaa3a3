internal import ArgumentParser
internal import ControllerRuntime

/// `sluice verify`.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check that a run's ledger balances and that every output is there and whole.")

    @OptionGroup var argument: RunArgument

    func run() throws {
        let report: VerificationReport
        var run = argument.run
        do {
            switch RunDirectory.state(of: argument.run) {
            case .missing: throw ControlClientError.missing(path: argument.run)
            case .foreign: throw ControlClientError.foreign(path: argument.run)
            case .running:
                throw CommandError(
                    "the run in \(argument.run) goes on: verify it when it has ended")
            case .ended:
                run = try Self.enterFolder(of: run)
                report = try RunVerification.verify(runDirectory: run)
            }
        } catch {
            throw CommandError(error)
        }
        Output.lines(VerificationText.lines(of: report))
        if !report.isClean { throw ExitCode(Outcome.framesFailed) }
    }

    /// Goes where the run was started, from which its relative paths are taken, and returns the path of
    /// the run directory there. A run that does not say, or whose folder is gone, is checked from here.
    private static func enterFolder(of run: String) throws(CommandError) -> String {
        let file = RunDirectory.path(of: .configuration, in: run)
        guard FileKind.exists(file), let folder = try RunPlan.read(file: file).startedIn,
            folder != WorkingFolder.current, FileKind.isFolder(folder)
        else { return run }
        let path = WorkingFolder.path(run, in: WorkingFolder.current)
        try WorkingFolder.enter(folder)
        return path
    }
}

/// What a check of a run found, for people.
enum VerificationText {
    /// How many problems are shown; more of them say nothing new.
    static let maximumProblemCount = 100

    /// The account, the files and everything that is wrong.
    static func lines(of report: VerificationReport) -> [String] {
        var lines = [
            "run \(report.runId): \(report.statement)",
            "\(report.wholeFiles) output files are there and whole",
        ]
        if report.isClean { return lines + ["nothing is wrong"] }
        lines.append(
            report.problems.count == 1 ? "1 problem:" : "\(report.problems.count) problems:")
        lines += report.problems.prefix(maximumProblemCount).map { "  \($0)" }
        let more = report.problems.count - maximumProblemCount
        if more > 0 { lines.append("  and \(more) more") }
        return lines
    }
}
