internal import ArgumentParser
internal import ControllerRuntime
internal import Foundation

/// `sluice retry`: frames of a run that did not go through, once more.
struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Do the quarantined frames of a run again, in its run directory.",
        discussion: """
            The run must be complete. Its configuration is used, with what is changed here: a worker \
            that was put right, or a setting. Other frames, and their files, stay as they are.

            Example:
              sluice retry runs/today --worker .build/release/MyWorker
            """)

    @OptionGroup var argument: RunArgument

    @Option(
        help: ArgumentHelp(
            "Do frames that ended so again, too: failed or dropped. Can be repeated.",
            valueName: "outcome"), completion: .list(["failed", "dropped"]))
    var outcome: [String] = []

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Change a setting. Can be repeated.", valueName: "stage.processor.key=value"))
    var settings: [String] = []

    @Option(
        help: ArgumentHelp(
            "Another worker executable, or STAGE=EXECUTABLE. Can be repeated.",
            valueName: "executable"), completion: .file())
    var worker: [String] = []

    @Option(
        help: ArgumentHelp(
            "Worker processes: a number, or STAGE=N. Can be repeated.", valueName: "n"))
    var workers: [String] = []

    @Option(
        help: ArgumentHelp("Write the summary (JSON) there, too.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var summary: String?

    @Flag(help: "Print errors only.")
    var quiet = false

    func run() async throws {
        let outcomes = try EarlierFrames.outcomes(outcome, of: "--outcome").union([.quarantined])
        let stored = try StoredRun(ended: argument.run)
        let isGoingOn = try goesOn()
        try RunSummaryFile.check(summary)
        var request = try request(stored, outcomes)
        let summaryPath = summary.map {
            request.folder == nil ? $0 : WorkingFolder.path($0, in: WorkingFolder.current)
        }
        try request.enterFolder()
        let directory = request.runDirectory ?? argument.run
        let found = try FoundRun(in: directory)
        let count = try Self.count(outcomes, in: directory)
        if !quiet {
            Output.line(
                isGoingOn
                    ? "run \(found.runId): the retry that did not come to its end goes on"
                    : Self.line(found.runId, count, outcomes))
        }
        if count == 0, !isGoingOn { return }
        let kept = try keepChanges(of: request.plan, in: StoredRun(ended: directory))
        let execution = RunExecution(
            plan: request.plan, isQuiet: quiet, summaryPath: summaryPath)
        let after: RunSummary
        do {
            after = try await execution.run()
        } catch {
            // It did not begin: the changes were refused, and must not be taken for the run's own.
            if let kept { try FileManager.default.removeItem(atPath: kept) }
            throw error
        }
        try execution.tell(after)
    }

    /// Whether an earlier retry was interrupted, so that its frames are open already.
    ///
    /// - Throws: `CommandError` when more is open than that: it would be done with what is changed here.
    private func goesOn() throws(CommandError) -> Bool {
        if let summary = try RunQuestion.summary(at: argument.run), summary.end == .completed {
            return false
        }
        do {
            let last = try LedgerQuery.lastReopenedOutcomes(runDirectory: argument.run)
            if last.contains(.quarantined) { return true }
        } catch {
            throw CommandError(error)
        }
        throw CommandError(
            "the run in \(argument.run) is not complete: take it up first, with sluice run "
                + "--run-dir \(argument.run) --resume")
    }

    /// The run's own plan with the changes.
    private func request(
        _ stored: StoredRun, _ outcomes: Set<FrameReport.Outcome>
    ) throws(CommandError) -> RunRequest {
        var plan = stored.plan
        let folder = try stored.folder()
        for setting in settings {
            try PlanOptions.apply(setting: setting, to: &plan.configuration)
        }
        for count in workers { try PlanOptions.apply(workers: count, to: &plan.configuration) }
        let present = folder == nil ? nil : WorkingFolder.current
        for text in worker {
            try PlanOptions.replace(worker: text, from: present, in: &plan.configuration)
        }
        plan.configuration.runDirectory = stored.directory
        plan.configuration.resumes = true
        plan.configuration.reopenedOutcomes = outcomes
        // Another run may have done them in between, with `--source failed:RUN` into the same folders.
        plan.configuration.acceptsIdenticalOutputs = true
        return RunRequest(plan: plan, folder: folder, resumed: stored)
    }

    /// Keeps the plan beside the earlier ones where it means something else; its path.
    private func keepChanges(
        of plan: RunPlan, in stored: StoredRun
    ) throws(CommandError) -> String? {
        if RunComparison.differences(from: stored.plan, to: plan).isEmpty { return nil }
        let path = try stored.keep(plan)
        if !quiet { Output.line("the changed configuration is \(path)") }
        return path
    }

    private static func count(
        _ outcomes: Set<FrameReport.Outcome>, in directory: String
    ) throws(CommandError) -> UInt64 {
        do {
            return try LedgerQuery.frameIds(
                runDirectory: directory, outcomes: outcomes, isForRetry: true
            ).count
        } catch {
            throw CommandError(error)
        }
    }

    private static func line(
        _ runId: String, _ count: UInt64, _ outcomes: Set<FrameReport.Outcome>
    ) -> String {
        let words = ([.quarantined] + EarlierFrames.outcomes.filter { $0 != .quarantined })
            .filter(outcomes.contains).map(\.rawValue).joined(separator: " or ")
        switch count {
        case 0 where outcomes.contains(.dropped):
            return "run \(runId): no frame ended \(words), except what an overload policy let go: "
                + "there is nothing to do"
        case 0: return "run \(runId): no frame ended \(words), there is nothing to do"
        case 1: return "run \(runId): 1 frame ended \(words) and is done again"
        default: return "run \(runId): \(count) frames ended \(words) and are done again"
        }
    }
}
