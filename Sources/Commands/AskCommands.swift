internal import ArgumentParser
internal import ControllerRuntime
internal import Foundation
internal import NDArrays

/// The run directory that a command is about.
struct RunArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp("Run directory.", valueName: "RUN"), completion: .directory)
    var run: String
}

/// How a command prints what it learnt.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json
}

/// How `sluice stats` prints statistics.
enum StatisticsFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json, prometheus, graphite, influx, csv
}

/// `sluice status`.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show where a run stands, or how it ended.")

    @OptionGroup var argument: RunArgument

    @Option(help: "table or json.")
    var format = OutputFormat.table

    func run() throws {
        switch try RunQuestion.status(of: argument.run) {
        case .running(let status):
            switch format {
            case .table: Output.lines(StatusText.lines(of: status))
            case .json: Output.line(try JSONText.of(status))
            }
        case .ended(let summary):
            switch format {
            case .table:
                Output.line("run \(summary.runId) has ended (\(summary.end.rawValue))")
                Output.lines([""] + SummaryText.lines(of: summary, directory: argument.run))
            case .json: Output.line(try JSONText.of(summary))
            }
        }
    }
}

/// `sluice stats`.
struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show the statistics of a run; of one that has ended, the last ones.")

    @OptionGroup var argument: RunArgument

    @Option(help: "table, json (one line a record), prometheus, graphite, influx or csv.")
    var format = StatisticsFormat.table

    @Flag(help: "Go on every second until the run ends.")
    var watch = false

    func run() throws {
        guard watch else {
            try show(RunQuestion.statistics(of: argument.run), isRepeated: false)
            return
        }
        while true {
            let record = try RunQuestion.statistics(of: argument.run)
            guard try show(record, isRepeated: Output.isTerminal), record.isLive else { return }
            Thread.sleep(forTimeInterval: 1)
        }
    }

    /// False: nobody reads the output any more.
    @discardableResult
    private func show(
        _ answer: RunQuestion.StatisticsAnswer, isRepeated: Bool
    ) throws -> Bool {
        switch format {
        case .json: return Output.line(try JSONText.line(of: answer.record))
        case .prometheus, .graphite, .influx, .csv:
            let text = MetricsText.text(
                of: answer.record, runId: try RunQuestion.runId(of: argument.run), format: format)
            return Output.line(text.last == "\n" ? String(text.dropLast()) : text)
        case .table:
            let clear = isRepeated ? "\u{1B}[H\u{1B}[2J" : ""
            let note = answer.isLive ? [] : ["the run has ended; its last statistics:", ""]
            let lines = note + StatisticsText.lines(of: answer.record)
            return Output.line(clear + lines.joined(separator: "\n"))
        }
    }
}

/// `sluice configure`.
struct ConfigureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "configure",
        abstract: "Change settings of a processor while the run goes on.",
        discussion: """
            All workers change at the same frame, or none does: a wrong key or value is refused \
            and nothing changes. The answer comes when all have changed, each after the frames that \
            it had already.
            """)

    @OptionGroup var argument: RunArgument

    @Argument(help: ArgumentHelp("Name of the processor, or STAGE.NAME.", valueName: "PROCESSOR"))
    var processor: String

    @Argument(help: ArgumentHelp("New values.", valueName: "key=value"))
    var settings: [String]

    @Option(
        help: ArgumentHelp(
            "How long to wait for the answer, e.g. 5min: without it, until there is one.",
            valueName: "time"))
    var timeLimit: String?

    func run() throws {
        let limit = try timeLimit.map { text throws(CommandError) in
            guard let limit = QuantityText.duration(text), limit > .zero else {
                throw CommandError(
                    "--time-limit is \(text): it must be a time above 0, for example 30s or 5min")
            }
            return limit
        }
        var changes = Structure()
        for text in settings {
            let (key, value) = try SettingText.assignment(text, of: processor)
            guard changes[key] == nil else {
                throw CommandError("\(key) is given twice: give it once")
            }
            changes[key] = .scalar(.string(value))
        }
        let parts = processor.split(separator: ".", maxSplits: 1).map(String.init)
        let answer = try RunQuestion.askPatiently(
            argument.run,
            .configure(
                processor: parts.last ?? processor, stage: parts.count == 2 ? parts[0] : nil,
                changes: changes), timeLimit: limit,
            line: "waiting for the workers, each of which first finishes the frames that it has; "
                + "Ctrl-C ends the waiting, not the change",
            givingUp: "the change was not answered within \(timeLimit ?? ""); it is still under "
                + "way, and the configure lines of \(argument.run)/journal.jsonl tell how it ends")
        if case .configured(let version) = answer {
            Output.line("\(processor) has changed; this is version \(version) of the configuration")
        }
    }
}

/// `sluice reset-stats`.
struct ResetStatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset-stats",
        abstract: "Set the counters of all processors to zero; the ledger stays.")

    @OptionGroup var argument: RunArgument

    func run() throws { _ = try RunQuestion.ask(argument.run, .resetStatistics) }
}

/// `sluice stop`.
struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "End a run: finish what was accepted, or with --now drop it.",
        discussion: "Returns when the run is over and says how it ended.")

    @OptionGroup var argument: RunArgument

    @Flag(help: "Do not finish the accepted frames; the ledger says what was left undone.")
    var now = false

    func run() throws {
        try RunQuestion.stop(argument.run, now: now)
        guard let summary = try RunQuestion.summary(at: argument.run) else { return }
        Output.line(
            "run \(summary.runId) has ended (\(summary.end.rawValue)): "
                + summary.certificate.statement)
    }
}
