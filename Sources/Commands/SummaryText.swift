internal import ControllerRuntime

/// How a run ended, for people.
enum SummaryText {
    /// How many failures the table names; `summary.json` and the journal have more.
    static let maximumFailureCount = 10

    /// The final table; `directory` is where the run's files are, nil when there are none.
    static func lines(of summary: RunSummary, directory: String?) -> [String] {
        var lines = StatisticsText.lines(stages: summary.stages, workers: summary.workers)
        lines += failureLines(summary, directory: directory)
        lines += ["", rateLine(summary)]
        if let end = endLine(summary) { lines.append(end) }
        lines.append(
            "ledger \(summary.certificate.balanced ? "balanced" : "NOT BALANCED"): "
                + summary.certificate.statement)
        if let directory { lines.append("run directory: \(directory)") }
        return lines
    }

    private static func rateLine(_ summary: RunSummary) -> String {
        let megabytes =
            summary.elapsedSeconds > 0 ? Double(summary.bytesIn) / summary.elapsedSeconds / 1e6 : 0
        return "\(summary.accepted) frames in "
            + "\(NumberText.duration(seconds: summary.elapsedSeconds)): "
            + "\(NumberText.rate(summary.framesPerSecond)) frames/s, "
            + "\(NumberText.rate(megabytes)) MB/s; "
            + "in \(NumberText.bytes(Double(summary.bytesIn))), "
            + "out \(NumberText.bytes(Double(summary.bytesOut)))"
    }

    private static func endLine(_ summary: RunSummary) -> String? {
        let why = summary.reason.isEmpty ? "" : ": \(summary.reason)"
        return switch summary.end {
        case .completed: nil
        case .drained: "drained\(why)"
        case .stopped: "stopped at once\(why)"
        case .stageFailed: "a stage could not go on\(why)"
        case .sourceFailed: "the source could not go on\(why)"
        }
    }

    private static func failureLines(_ summary: RunSummary, directory: String?) -> [String] {
        if summary.failures.isEmpty { return [] }
        // What a policy let go is in the table of stages: nobody looks for each of those frames.
        let policies = RunSummary.policyDropReasons
        let dropped = summary.dropped.filter { !policies.contains($0.key) }.values.reduce(0, +)
        let total = summary.failed + summary.quarantined + dropped
        var table = TextTable([
            ("frame", .left), ("stage", .left), ("outcome", .left), ("source", .left),
            ("reason", .left),
        ])
        for failure in summary.failures.prefix(maximumFailureCount) {
            // A reason often begins with the path of the file: it is not shown twice.
            let source = failure.reason.contains(failure.source) ? "" : failure.source
            table.add([
                failure.frame, failure.stage, failure.outcome, source,
                failure.reason.replacing("\n", with: " "),
            ])
        }
        let shown = min(summary.failures.count, maximumFailureCount)
        var lines = ["", "frames that did not go through: \(max(total, UInt64(shown)))"]
        lines += table.lines(indent: 2)
        if total > UInt64(shown) {
            let place = directory.map { " in \($0)/summary.json and journal.jsonl" } ?? ""
            lines.append("  and \(total - UInt64(shown)) more\(place)")
        }
        return lines
    }
}
