internal import ArgumentParser
internal import ControllerRuntime

/// `sluice run`: a run from the source to the certificate.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Process the frames of a source.",
        usage: """
            sluice run --source <kind:rest> --processor <Name:key=value,…> … [<options>]
            sluice run <pipeline.yaml> [--set <stage.processor.key=value>] [<options>]
            """,
        discussion: """
            Ctrl-C ends the run when the accepted frames are finished; a second one stops at once.

            Example:
              sluice run --source 'tiff:scan/*.tif' --workers 2 --processor PixelStatistics \
            --processor 'AdOutputFileProcessor:outputDirectory=out'
            """)

    @OptionGroup var options: RunOptions

    func run() async throws {
        let plan = try options.plan()
        try RunSummaryFile.check(options.summary)
        guard let specification = plan.source else { return }
        let source = try specification.makeSource()
        let controller = try Controller(plan.configuration, source: source)
        let isQuiet = options.quiet
        let signals = try SignalWatch { count in
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
        let live = Output.isTerminal && !isQuiet ? LiveLine(of: controller) : nil
        let summary: RunSummary
        do {
            summary = try await controller.run()
        } catch {
            await live?.end()
            throw CommandError(error)
        }
        await live?.end()
        withExtendedLifetime(signals) {}
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
        try RunSummaryFile.write(summary, to: options.summary)
        if code == Outcome.stageFailed { Output.error(summary.reason) }
        if code != Outcome.success { throw ExitCode(code) }
    }
}

/// The line of a run on a terminal, redrawn a few times a second.
struct LiveLine {
    /// Time between two drawings: at most 5 a second, what an eye can follow.
    static let period: Duration = .milliseconds(250)

    private let task: Task<Void, Never>

    init(of controller: Controller) {
        task = Task {
            while !Task.isCancelled {
                if let status = await controller.status() {
                    // One column stays free: a full line makes some terminals go to the next.
                    let width = Output.terminalWidth - 1
                    Output.redraw(StatusText.line(of: status, width: width))
                }
                do { try await Task.sleep(for: Self.period) } catch { break }
            }
            Output.clearLiveLine()
        }
    }

    /// Removes the line for good.
    func end() async {
        task.cancel()
        await task.value
    }
}

/// The summary that `--summary` asks for.
enum RunSummaryFile {
    /// Refuses, before a run begins, a file whose folder is not there.
    static func check(_ path: String?) throws(CommandError) {
        guard let path else { return }
        guard FileKind.isFolder(FileKind.folder(of: path)) else {
            throw CommandError(
                "--summary \(path): there is no folder \(FileKind.folder(of: path)); make it first")
        }
        if FileKind.isFolder(path) {
            throw CommandError("--summary \(path) is a folder: give the path of a file")
        }
    }

    /// Writes the summary, whole or not at all.
    static func write(_ summary: RunSummary, to path: String?) throws(CommandError) {
        guard let path else { return }
        do {
            try AtomicFile.write(summary.jsonText(), to: path)
        } catch {
            throw CommandError(error)
        }
    }
}
