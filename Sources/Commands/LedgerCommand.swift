internal import ArgumentParser
internal import ControllerRuntime
internal import NDArrays

/// How `sluice ledger` prints rows.
enum LedgerFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json, csv
}

/// `sluice ledger`: what became of frames.
struct LedgerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Show what became of frames: when, in which stage, by which worker, and why.",
        discussion: """
            One row for every frame and stage, in the order in which they ended. It can be asked \
            while the run goes on, and of a run that was killed.

            Example:
              sluice ledger runs/today --outcome failed --format csv
            """)

    @OptionGroup var argument: RunArgument

    @Option(
        help: ArgumentHelp(
            "The frame with this id and everything that came out of it: 17, or 17/0 for an output.",
            valueName: "n"))
    var id: String?

    @Option(help: ArgumentHelp("Frames with this id of the source.", valueName: "n"))
    var uniqueId: UInt64?

    @Option(
        help: ArgumentHelp(
            "Frames that ended so: \(LedgerFilter.outcomeWords). Can be repeated.",
            valueName: "outcome"), completion: .list(LedgerFilter.outcomes.map(\.rawValue)))
    var outcome: [String] = []

    @Option(help: ArgumentHelp("Rows of this stage.", valueName: "name"))
    var stage: String?

    @Option(help: ArgumentHelp("Show at most so many rows.", valueName: "n"))
    var limit: Int?

    @Option(help: "table, json (one line a row) or csv.")
    var format = LedgerFormat.table

    func run() throws {
        let filter = try filter()
        try check()
        var printer = LedgerPrinter(
            format: format, width: Output.isTerminal ? Output.terminalWidth : nil)
        var count = 0
        let notes: LedgerNotes?
        do {
            notes = try LedgerQuery.forEachRow(runDirectory: argument.run) { row in
                guard filter.takes(row) else { return }
                if let limit, count >= limit { throw EnoughRows() }
                count += 1
                guard try printer.print(row) else { throw EnoughRows() }
            }
        } catch is EnoughRows {
            notes = nil
        } catch {
            throw CommandError(error)
        }
        printer.end()
        if count == 0 { Output.error("no frame of \(argument.run) fits") }
        for line in notes.map(remarks) ?? [] { Output.error(line) }
    }

    /// Thrown to end the way through the ledger: the rows that were asked for are there, or nobody
    /// reads them any more.
    private struct EnoughRows: Error {}

    private func filter() throws(CommandError) -> LedgerFilter {
        var filter = LedgerFilter(uniqueId: uniqueId, stage: stage)
        if let id {
            guard let key = FrameKey(id) else {
                throw CommandError(
                    "--id is \(id): it must be a frame as 17, or an output of one as 17/0")
            }
            filter.frame = key
        }
        for word in outcome {
            guard let value = LedgerFilter.outcomes.first(where: { $0.rawValue == word }) else {
                throw CommandError(
                    "--outcome is \(word)"
                        + nearestNameHint(for: word, in: LedgerFilter.outcomes.map(\.rawValue)))
            }
            filter.outcomes.insert(value)
        }
        if let limit, limit < 1 {
            throw CommandError("--limit is \(limit): it must be a number of rows, from 1 up")
        }
        return filter
    }

    /// Refuses what is no run directory, and a stage that its configuration does not have.
    private func check() throws(CommandError) {
        switch RunDirectory.state(of: argument.run) {
        case .missing: throw CommandError(ControlClientError.missing(path: argument.run))
        case .foreign: throw CommandError(ControlClientError.foreign(path: argument.run))
        case .running, .ended: break
        }
        guard let stage else { return }
        let file = RunDirectory.path(of: .configuration, in: argument.run)
        let names = try RunPlan.read(file: file).configuration.stages.map(\.name)
        guard names.contains(stage) else {
            throw CommandError(
                "--stage names the unknown stage \(stage)\(nearestNameHint(for: stage, in: names))")
        }
    }

    /// What is missing in what was shown.
    private func remarks(_ notes: LedgerNotes) -> [String] {
        if case .running = RunDirectory.state(of: argument.run) {
            return [
                "the run in \(argument.run) goes on: these are the frames that have ended so far"
            ]
        }
        var lines: [String] = []
        if notes.tornByteCount > 0 {
            lines.append(
                "the ledger ends in the middle of a record (\(notes.tornByteCount) bytes are left "
                    + "out)")
        }
        if notes.account == nil {
            lines.append(
                "the run in \(argument.run) was interrupted: frames without a row have no outcome "
                    + "yet; sluice run --run-dir \(argument.run) --resume does them")
        }
        return lines
    }
}

/// Which rows are asked for; nil and empty: all.
struct LedgerFilter: Hashable {
    /// Outcomes that a frame may have, in the order in which people are told them.
    static let outcomes: [FrameReport.Outcome] = [
        .processed, .filtered, .failed, .quarantined, .dropped,
    ]
    /// The same for help texts.
    static let outcomeWords = outcomes.map(\.rawValue).joined(separator: ", ")

    /// The frame, with all that came out of it.
    var frame: FrameKey?
    /// The source's id.
    var uniqueId: UInt64?
    /// How it ended.
    var outcomes: Set<FrameReport.Outcome> = []
    /// Where.
    var stage: String?

    /// Whether a row is one of those.
    func takes(_ row: LedgerRow) -> Bool {
        if let frame, !Self.isWithin(row.frame, frame) { return false }
        if let uniqueId, row.uniqueId != uniqueId { return false }
        if !outcomes.isEmpty, !outcomes.contains(row.outcome) { return false }
        if let stage, row.stage != stage { return false }
        return true
    }

    /// Whether `key` is `frame` or came out of it.
    private static func isWithin(_ key: FrameKey, _ frame: FrameKey) -> Bool {
        guard key.frameId == frame.frameId else { return false }
        var current: FrameKey? = key
        while let key = current {
            if key == frame { return true }
            current = key.parent
        }
        return false
    }
}
