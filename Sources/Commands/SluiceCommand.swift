internal import ArgumentParser
internal import Pipes
internal import WorkerProtocol

/// The command `sluice`.
struct SluiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract:
            "Detector frames through worker processes: reduced, written, every one accounted for.",
        discussion: """
            `sluice run` processes frames and leaves a run directory (RUN); the other commands \
            ask or change a run by its directory, while it goes on or afterwards.

            Exit codes: 0 every accepted frame was processed, filtered or dropped by policy; 1 \
            some failed, were quarantined or left undone by `stop --now`; 2 usage, configuration, run \
            directory, worker or output folder; 3 a stage or the source could not go on.

            Shell completions: `sluice --generate-completion-script bash` (or zsh, fish).
            """,
        version: SluiceVersion.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Processing",
                subcommands: [
                    RunCommand.self, RetryCommand.self, LedgerCommand.self, VerifyCommand.self,
                ]),
            CommandGroup(
                name: "Asking and changing a run",
                subcommands: [
                    StatusCommand.self, StatsCommand.self, EventsCommand.self,
                    WaitEventCommand.self, ConfigureCommand.self,
                    ResetStatsCommand.self, StopCommand.self,
                ]),
            CommandGroup(
                name: "Telemetry", subcommands: [ExportCommand.self, SpoolCommand.self]),
            CommandGroup(
                name: "Processors and frames",
                subcommands: [
                    ProcessorsCommand.self, NewProcessorCommand.self, SimulateCommand.self,
                    KeysCommand.self,
                ]),
        ])
}

/// The program.
package enum SluiceProgram {
    /// Does what the command line says and returns the exit code of the program. Errors are one
    /// sentence on standard error.
    package static func run(_ arguments: [String]) async -> Int32 {
        ProcessSignals.ignoreBrokenPipe()
        do {
            var command = try SluiceCommand.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return Outcome.success
        } catch let code as ExitCode {
            return code.rawValue
        } catch let error as CommandError {
            Output.error(error.message)
            return error.exitCode
        } catch {
            return report(error)
        }
    }

    /// Help, version and completion scripts go to standard output, wrong usage to standard error.
    private static func report(_ error: any Error) -> Int32 {
        let message = SluiceCommand.fullMessage(for: error)
        if SluiceCommand.exitCode(for: error).isSuccess {
            Output.line(message)
            return Outcome.success
        }
        let prefix = "Error: "
        Output.error(message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count)) : message)
        return Outcome.usage
    }
}
