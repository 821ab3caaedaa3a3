internal import ArgumentParser
internal import ControllerRuntime

/// `sluice run`: a run from the source to the certificate.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Process the frames of a source.",
        usage: """
            sluice run --source <kind:rest> --processor <Name:key=value,…> … [<options>]
            sluice run <pipeline.yaml> [--set <stage.processor.key=value>] [<options>]
            sluice run --run-dir <RUN> --resume [<options>]
            """,
        discussion: """
            Ctrl-C ends the run when the accepted frames are finished; a second one stops at once. \
            A run that was interrupted, even by kill -9, is taken up with --resume.

            Example:
              sluice run --source 'tiff:scan/*.tif' --workers 2 --processor PixelStatistics \
            --processor 'AdOutputFileProcessor:outputDirectory=out'
            """)

    @OptionGroup var options: RunOptions

    func run() async throws {
        var request = try options.request()
        try RunSummaryFile.check(options.summary)
        let summary = options.summary.map {
            request.folder == nil ? $0 : WorkingFolder.path($0, in: WorkingFolder.current)
        }
        try request.enterFolder()
        let execution = RunExecution(
            plan: request.plan, isQuiet: options.quiet, summaryPath: summary)
        let found = try request.resumed.flatMap {
            try Self.find(in: request.runDirectory ?? $0.directory, isQuiet: options.quiet)
        }
        if let found, let summary = found.completed {
            if !options.quiet { Output.line(found.nothingMissing) }
            return try execution.tell(summary)
        }
        let plan = request.plan
        try execution.tell(
            try await execution.run { source in
                guard !options.quiet else { return }
                if let line = found?.line(of: source) { Output.line(line) }
                if let line = try EarlierFrames.emptyLine(plan.source, source) {
                    Output.line(line)
                }
            })
    }
}

extension RunCommand {
    /// What an interrupted run has done; nil when it was killed before it began, which is told.
    private static func find(in directory: String, isQuiet: Bool) throws -> FoundRun? {
        let start: RunDirectory.Start
        do {
            start = try RunDirectory.start(of: directory)
        } catch {
            throw CommandError(error)
        }
        guard start == .unbegun else { return try FoundRun(in: directory) }
        if !isQuiet {
            Output.line("the run in \(directory) was killed before it had begun: it begins now")
        }
        return nil
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
