internal import ControllerRuntime
internal import Statistics

/// Statistics of stages and processors as tables for people.
enum StatisticsText {
    /// Accounts of stages, counters of processors, then what processors count themselves.
    static func lines(stages: [StageSummary], workers: [WorkerSummary]) -> [String] {
        var lines = stageTable(stages, workers: workers).lines()
        for stage in stages where stage.ledger.droppedTotal > 0 {
            lines.append("\(stage.name) dropped \(AccountText.drops(stage.ledger))")
        }
        let processors = processorTable(stages)
        if !processors.isEmpty { lines += [""] + processors.lines() }
        for stage in stages {
            for processor in stage.processors { lines += ownLines(of: processor, in: stage) }
        }
        return lines
    }

    /// One record of a run's statistics.
    static func lines(of record: RunStatisticsRecord) -> [String] {
        [AccountText.line(record.ledger), ""]
            + lines(stages: record.stages, workers: record.workers)
    }

    private static func stageTable(
        _ stages: [StageSummary], workers: [WorkerSummary]
    ) -> TextTable {
        var table = TextTable([
            ("stage", .left), ("workers", .right), ("accepted", .right), ("processed", .right),
            ("filtered", .right), ("failed", .right), ("quarantined", .right), ("dropped", .right),
            ("in flight", .right), ("outputs", .right), ("files", .right), ("p50", .right),
            ("p99", .right),
        ])
        for stage in stages {
            let ledger = stage.ledger
            table.add([
                stage.name, "\(workers.count { $0.stage == stage.name })", "\(ledger.accepted)",
                "\(ledger.processed)", "\(ledger.filtered)", "\(ledger.failed)",
                ledger.quarantined == 0 ? "" : "\(ledger.quarantined)",
                ledger.droppedTotal == 0 ? "" : "\(ledger.droppedTotal)",
                ledger.inFlight == 0 ? "" : "\(ledger.inFlight)", "\(stage.outputs)",
                "\(stage.files)", time(stage.latency.p50), time(stage.latency.p99),
            ])
        }
        return table
    }

    private static func processorTable(_ stages: [StageSummary]) -> TextTable {
        var table = TextTable([
            ("stage", .left), ("processor", .left), ("received", .right), ("processed", .right),
            ("filtered", .right), ("failed", .right), ("missed", .right), ("frames/s", .right),
            ("MB/s", .right), ("mean time", .right), ("p99 time", .right),
        ])
        for stage in stages {
            for processor in stage.processors {
                let values = Dictionary(
                    processor.statistics.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
                func text(_ key: StatisticKey) -> String { values[key.rawValue]?.text ?? "" }
                func rate(_ key: StatisticKey) -> String {
                    values[key.rawValue]?.number.map(NumberText.rate) ?? ""
                }
                func seconds(_ key: StatisticKey) -> String {
                    time(values[key.rawValue]?.number)
                }
                table.add([
                    stage.name, processor.name, text(.received), text(.processed), text(.filtered),
                    text(.failed), text(.missed), rate(.receivedRate), rate(.dataInRate),
                    seconds(.processingTimeMean), seconds(.processingTimeP99),
                ])
            }
        }
        return table
    }

    /// What a processor counts itself, by key, value and unit.
    private static func ownLines(
        of processor: ProcessorSummary, in stage: StageSummary
    ) -> [String] {
        let framework = Set(StatisticKey.allCases.map(\.rawValue))
        let own = processor.statistics.filter { !framework.contains($0.key) }
        if own.isEmpty { return [] }
        var table = TextTable([("key", .left), ("value", .right), ("unit", .left)])
        for statistic in own {
            table.add([statistic.key, statistic.value.text, statistic.unit])
        }
        return ["", "\(stage.name), \(processor.name)"] + table.lines(indent: 2, hasHeader: false)
    }

    private static func time(_ seconds: Double?) -> String {
        seconds.map(NumberText.duration(seconds:)) ?? ""
    }
}

extension JSONScalar {
    /// The value as people read it.
    var text: String {
        switch self {
        case .unsigned(let value): "\(value)"
        case .signed(let value): "\(value)"
        case .real(let value): NumberText.plain(value)
        case .text(let value): value
        case .boolean(let value): value ? "yes" : "no"
        }
    }

    /// The value as a number, nil for texts.
    var number: Double? {
        switch self {
        case .unsigned(let value): Double(value)
        case .signed(let value): Double(value)
        case .real(let value): value
        case .boolean(let value): value ? 1 : 0
        case .text: nil
        }
    }
}

/// An account of frames in words.
enum AccountText {
    /// `120 (overload), 9000 (sample)`: what was dropped, by reason.
    static func drops(_ ledger: LedgerCounts) -> String {
        ledger.dropped.sorted { $0.key < $1.key }.map { "\($0.value) (\($0.key))" }
            .joined(separator: ", ")
    }

    /// `120 frames accepted: 100 processed, 5 filtered, 3 failed, 2 dropped (stopped), 10 in
    /// flight`; what is zero is left out.
    static func line(_ ledger: LedgerCounts, frameCount: Int? = nil) -> String {
        var parts = ["\(ledger.processed) processed"]
        func add(_ count: UInt64, _ word: String) {
            if count > 0 { parts.append("\(count) \(word)") }
        }
        add(ledger.filtered, "filtered")
        add(ledger.failed, "failed")
        add(ledger.quarantined, "quarantined")
        for (reason, count) in ledger.dropped.sorted(by: { $0.key < $1.key }) {
            add(count, "dropped (\(reason))")
        }
        add(ledger.inFlight, "in flight")
        let of = frameCount.map { " of \($0)" } ?? ""
        let rejected = ledger.rejected > 0 ? "; \(ledger.rejected) rejected" : ""
        return
            "\(ledger.accepted)\(of) frames accepted: \(parts.joined(separator: ", "))\(rejected)"
    }
}
