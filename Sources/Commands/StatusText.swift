internal import ControllerRuntime

/// A moment of a run, in several lines (`sluice status`) or in one (the live line).
enum StatusText {
    /// The lines of `sluice status`.
    static func lines(of status: RunStatus) -> [String] {
        var lines = [
            "run \(status.runId): \(status.state.rawValue)"
                + (status.reason.isEmpty ? "" : " (\(status.reason))")
                + " for \(NumberText.duration(seconds: status.elapsedSeconds)), "
                + "process \(status.processId)",
            AccountText.line(status.ledger, frameCount: status.frameCount),
            rate(status, isShort: false),
            "",
        ]
        var stages = TextTable([
            ("stage", .left), ("accepted", .right), ("processed", .right), ("filtered", .right),
            ("failed", .right), ("dropped", .right), ("in flight", .right), ("queued", .right),
        ])
        for stage in status.stages {
            let ledger = stage.ledger
            stages.add([
                stage.name, "\(ledger.accepted)", "\(ledger.processed)", "\(ledger.filtered)",
                "\(ledger.failed)",
                ledger.droppedTotal == 0 ? "" : "\(ledger.droppedTotal)",
                "\(ledger.inFlight)", "\(stage.queued)",
            ])
        }
        var workers = TextTable([
            ("worker", .right), ("stage", .left), ("process", .right), ("state", .left),
            ("in flight", .right), ("load", .right),
        ])
        for worker in status.workers {
            workers.add([
                "\(worker.id)", worker.stage, "\(worker.processId)", worker.state,
                "\(worker.inFlight)/\(worker.credit)", percent(worker.load),
            ])
        }
        lines += stages.lines() + held(status) + [""] + workers.lines()
        if !status.exporters.isEmpty { lines += [""] + exporters(status) }
        return lines
    }

    /// The destinations of statistics and events, with what those that do not answer said last.
    private static func exporters(_ status: RunStatus) -> [String] {
        var table = TextTable([
            ("exporter", .left), ("state", .left), ("delivered", .right), ("waiting", .right),
            ("dropped", .right), ("refused", .right),
        ])
        for exporter in status.exporters {
            let dropped = exporter.dropped.values.reduce(0, +)
            table.add([
                exporter.name, exporter.state, "\(exporter.delivered)", "\(exporter.queued)",
                dropped == 0 ? "" : "\(dropped)",
                exporter.refused == 0 ? "" : "\(exporter.refused)",
            ])
        }
        let errors = status.exporters.filter { !$0.lastError.isEmpty }
        return table.lines() + errors.map { "\($0.name): \($0.lastError)" }
    }

    /// A line for each stage that is held.
    private static func held(_ status: RunStatus) -> [String] {
        status.stages.compactMap { stage in
            guard let reason = stage.held else { return nil }
            let time = NumberText.duration(seconds: stage.heldSeconds ?? 0)
            return "stage \(stage.name) is held for \(time): \(reason)"
        }
    }

    /// One line of at most `width` columns: what matters most first.
    static func line(of status: RunStatus, width: Int) -> String {
        let closed = status.ledger.accepted - min(status.ledger.accepted, status.ledger.inFlight)
        var parts: [String] = []
        if status.state != .running { parts.append(status.state.rawValue) }
        if let stage = status.stages.first(where: { $0.held != nil }) {
            parts.append("held: \(stage.name): \(stage.held ?? "")")
        }
        let of = status.frameCount.map { "/\($0)" } ?? ""
        parts.append("\(closed)\(of) frames")
        parts.append(rate(status, isShort: true))
        let bad = status.ledger.failed + status.ledger.quarantined
        if bad > 0 { parts.append("\(bad) failed") }
        let dropped = status.ledger.droppedTotal
        if dropped > 0 { parts.append("\(dropped) dropped") }
        if let remaining = status.remainingSeconds, status.state == .running {
            parts.append("\(NumberText.duration(seconds: remaining)) left")
        }
        let line = parts.joined(separator: "  ")
        let loads = loads(of: status, width: width - line.count - 2)
        return String((loads.isEmpty ? line : "\(line)  \(loads)").prefix(max(0, width)))
    }

    /// `load 87 85 %` for each worker, or the span of all where that is too long.
    private static func loads(of status: RunStatus, width: Int) -> String {
        let loads = status.workers.map { Int(($0.load * 100).rounded()) }
        guard let lowest = loads.min(), let highest = loads.max() else { return "" }
        let all = "load \(loads.map(String.init).joined(separator: " ")) %"
        if all.count <= width { return all }
        let span = "load \(lowest)–\(highest) %"
        return span.count <= width ? span : ""
    }

    private static func rate(_ status: RunStatus, isShort: Bool) -> String {
        let rate =
            "\(NumberText.rate(status.framesPerSecond)) frames/s"
            + "\(isShort ? "  " : ", ")\(NumberText.rate(status.bytesPerSecond / 1e6)) MB/s"
        guard !isShort, let remaining = status.remainingSeconds else { return rate }
        return "\(rate), about \(NumberText.duration(seconds: remaining)) left"
    }

    private static func percent(_ share: Double) -> String {
        share.isFinite ? "\(Int((share * 100).rounded())) %" : "-"
    }
}
