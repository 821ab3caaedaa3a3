internal import Journal

extension RunStatisticsRecord {
    /// The record as one line of JSON, without the newline: what `JSONDecoder` reads as this type.
    ///
    /// Written by the journal's encoder, for a record comes ten times a second and more: JSONEncoder
    /// took most of the committer's time.
    ///
    /// - Throws: `JournalError`, never for a record.
    package func jsonLine() throws -> [UInt8] {
        let value: JournalValue = [
            "timestamp": .init(timestamp), "objectId": .init(objectId), "ledger": ledger.json,
            "stages": .array(stages.map(\.json)), "workers": .array(workers.map(\.json)),
        ]
        return Array(try value.json().utf8)
    }
}

extension LedgerCounts {
    fileprivate var json: JournalValue {
        [
            "accepted": .init(accepted), "processed": .init(processed), "filtered": .init(filtered),
            "failed": .init(failed), "quarantined": .init(quarantined),
            "dropped": .object(
                dropped.sorted { $0.key < $1.key }.map { JournalField($0.key, .init($0.value)) }),
            "inFlight": .init(inFlight), "rejected": .init(rejected),
        ]
    }
}

extension StageSummary {
    fileprivate var json: JournalValue {
        [
            "name": .init(name), "ledger": ledger.json, "outputs": .init(outputs),
            "files": .init(files), "processors": .array(processors.map(\.json)),
            "latency": latency.json,
        ]
    }
}

extension LatencySummary {
    fileprivate var json: JournalValue {
        [
            "p50": .orNull(p50), "p99": .orNull(p99), "p99.9": .orNull(p999),
            "maximum": .orNull(maximum), "count": count.map { .init($0) } ?? .null,
            "sum": .orNull(sum),
            "counts": counts.map { .array($0.map { .init($0) }) } ?? .null,
        ]
    }
}

extension ProcessorSummary {
    fileprivate var json: JournalValue {
        var fields = [
            JournalField("name", .init(name)), JournalField("processorId", .init(processorId)),
            JournalField("statistics", .array(statistics.map(\.json))),
        ]
        if let frameTimes { fields.append(JournalField("frameTimes", frameTimes.json)) }
        return .object(fields)
    }
}

extension StatisticSummary {
    fileprivate var json: JournalValue {
        var fields = [
            JournalField("key", .init(key)), JournalField("value", value.json),
            JournalField("unit", .init(unit)),
        ]
        if let isCounter { fields.append(JournalField("isCounter", .init(isCounter))) }
        if let isReal { fields.append(JournalField("isReal", .init(isReal))) }
        if let description { fields.append(JournalField("description", .init(description))) }
        return .object(fields)
    }
}

extension FrameTimesSummary {
    fileprivate var json: JournalValue {
        [
            "count": .init(count), "sum": .init(sum),
            "quantiles": .array(quantiles.map { .init($0) }),
            "counts": .array(counts.map { .init($0) }),
        ]
    }
}

extension WorkerSummary {
    fileprivate var json: JournalValue {
        [
            "id": .init(id), "processId": .init(processId), "stage": .init(stage),
            "replacements": .init(replacements),
            "counters": .object(
                counters.sorted { $0.key < $1.key }.map {
                    JournalField($0.key, .count(orSeconds: $0.value))
                }),
        ]
    }
}

extension JSONScalar {
    fileprivate var json: JournalValue {
        switch self {
        case .unsigned(let value): .init(value)
        case .signed(let value): .init(value)
        case .real(let value): .orNull(value)
        case .text(let value): .init(value)
        case .boolean(let value): .init(value)
        }
    }
}

extension JournalValue {
    /// A counter as a whole number, and what has a fraction (seconds) as it is.
    fileprivate static func count(orSeconds value: Double) -> JournalValue {
        UInt64(exactly: value).map { .init($0) } ?? .orNull(value)
    }

    /// A number, null when there is none or it is not finite.
    fileprivate static func orNull(_ value: Double?) -> JournalValue {
        guard let value, value.isFinite else { return .null }
        return .double(value)
    }
}
