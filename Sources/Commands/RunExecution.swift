internal import ArgumentParser
internal import ControllerRuntime
internal import RunTelemetry

/// A run in this process, from the source to the exit code, with what is said about it.
struct RunExecution {
    /// The plan; its configuration is complete.
    var plan: RunPlan
    /// Print errors only.
    var isQuiet: Bool
    /// Where the summary goes besides the run directory; nil: nowhere.
    var summaryPath: String?

    /// Does the run. `begin` is told of the source before anything starts, and says what is worth
    /// saying.
    ///
    /// - Throws: `CommandError` when it could not be started.
    func run(
        _ begin: ((SourceInformation) throws -> Void)? = nil
    ) async throws -> RunSummary {
        guard let specification = plan.source else { throw CommandError("there is no source") }
        let source = try specification.makeSource()
        var configuration = plan.configuration
        // Earlier stages may have written their files before the frame failed.
        if specification.isOfRun { configuration.acceptsIdenticalOutputs = true }
        try begin?(source.information)
        configuration.configurationHoldsSecret = plan.holdsSecret
        let telemetry = try plan.telemetry.map { plan in
            configuration.statisticsPeriod = min(
                configuration.statisticsPeriod, plan.configuration.period)
            do {
                return try RunTelemetry(plan.configuration)
            } catch {
                throw CommandError("telemetry: \(error)")
            }
        }
        let controller = try Controller(configuration, source: source, observer: telemetry)
        do {
            try await telemetry?.start(controller)
        } catch {
            _ = await telemetry?.finish()
            throw CommandError("telemetry: \(error)")
        }
        let signals = try stopOnSignals(controller)
        let live = Output.isTerminal && !isQuiet ? LiveLine(of: controller) : nil
        let summary: RunSummary
        do {
            summary = try await controller.run()
        } catch {
            await live?.end()
            _ = await telemetry?.finish()
            throw CommandError(error)
        }
        await live?.end()
        for problem in await telemetry?.finish() ?? [] { Output.error(problem) }
        withExtendedLifetime(signals) {}
        return summary
    }

    /// The first signal drains, the next one stops at once.
    private func stopOnSignals(_ controller: Controller) throws -> SignalWatch {
        let isQuiet = isQuiet
        return try SignalWatch { count in
            if count == 1 {
                if !isQuiet {
                    Output.error("finishing the accepted frames; Ctrl-C again stops at once")
                }
                controller.stop()
            } else {
                if !isQuiet { Output.error("stopping at once") }
                controller.stop(now: true)
            }
        }
    }

    /// Says how the run ended and throws its exit code.
    func tell(_ summary: RunSummary) throws {
        if !isQuiet {
            Output.lines(
                SummaryText.lines(of: summary, directory: plan.configuration.runDirectory))
        }
        if !summary.certificate.balanced {
            Output.error(
                "the ledger of run \(summary.runId) does not balance: this is a fault of Sluice, "
                    + "please report it with the run directory")
        }
        for problem in summary.problems { Output.error(problem) }
        let code = Outcome.exitCode(of: summary)
        try RunSummaryFile.write(summary, to: summaryPath)
        if code == Outcome.stageFailed { Output.error(summary.reason) }
        if code != Outcome.success { throw ExitCode(code) }
    }
}
