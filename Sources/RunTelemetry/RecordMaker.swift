internal import Foundation
internal import Journal
package import Telemetry

/// What statistics and events become at a destination.
package enum RecordForm {
    /// Lines of a format, several in a record of at most so many bytes.
    case lines(any LineRender, maximumBytes: Int)
    /// An object each.
    case documents
}

/// Makes records of statistics and events: lines put together to chunks, or documents.
package struct RecordMaker {
    private let chunks: ChunkedRender?
    /// The results of the set that is under way, for lines.
    private var set = ResultSet(timestampNanoseconds: 0)

    /// A maker of records of that form.
    ///
    /// - Throws: `RenderError` for a negative limit.
    package init(_ form: RecordForm) throws {
        switch form {
        case .documents: chunks = nil
        case .lines(let format, let maximumBytes):
            func chunked(_ format: some LineRender) throws -> ChunkedRender {
                try ChunkedRender(format, options: .init(maxItems: 0, maxBytes: maximumBytes))
            }
            chunks = try chunked(format)
        }
    }

    /// Lines that were left out so far, because none so long may be.
    package var oversizeCount: UInt64 { chunks?.counts.render.oversizeDropped ?? 0 }

    /// The records of an event; those of a result in lines come with `endSet`.
    package mutating func take(_ event: TelemetryEvent) -> [ExportData] {
        guard chunks != nil else { return [.value(.object(Self.document(of: event)))] }
        let time = Int64(nearest: event.timestamp * 1e9)
        guard event.isResult else {
            return records(ResultSet(timestampNanoseconds: time, results: [Self.note(of: event)]))
        }
        set.timestampNanoseconds = time
        set.results.append(Self.result(of: event))
        return []
    }

    /// The records of the results that came since the last call.
    package mutating func endSet() -> [ExportData] {
        defer { set.results.removeAll() }
        return set.results.isEmpty ? [] : records(set)
    }

    private func records(_ set: ResultSet) -> [ExportData] {
        guard let chunks else { return [] }
        chunks.process(set)
        let last = chunks.flush()
        return (chunks.takeChunks() + (last.map { [$0] } ?? [])).map { .bytes($0.bytes) }
    }

    // MARK: Forms

    /// Beginning of the names under which statistics go through the router; the measurement follows.
    static let statisticsPrefix = "statistics."

    /// What a table, a document or a line of JSON holds: when, what, of what, which values.
    static func document(of event: TelemetryEvent) -> [JournalField] {
        [
            JournalField("time", .string(TimeText.of(event.timestamp))),
            JournalField("name", event.name.map { .string($0) } ?? .null),
            JournalField("event", event.seq.map { .init($0) } ?? .null),
            JournalField("tags", .object(event.context)),
            JournalField("fields", event.data),
        ]
    }

    /// The event that a result goes through the router as.
    static func event(of result: MetricResult, timestamp: Double) -> TelemetryEvent {
        TelemetryEvent(
            name: statisticsPrefix + result.name, timestamp: timestamp,
            data: .object(
                (result.fields
                    + result.distributions.lazy.filter { !$0.isAlsoInFields }.flatMap(\.fields))
                    .map { JournalField($0.name, JournalValue($0.value)) }),
            context: result.meta.tags.map { JournalField($0.key, JournalValue($0.value)) })
    }

    /// The result that such an event is.
    static func result(of event: TelemetryEvent) -> MetricResult {
        let name = event.name ?? ""
        let measurement =
            name.hasPrefix(statisticsPrefix) ? String(name.dropFirst(statisticsPrefix.count)) : name
        return MetricResult(measurement, meta: meta(event.context), fields: fields(event.data))
    }

    /// An event of the journal as a result: one measurement for all, with the name as a tag.
    static func note(of event: TelemetryEvent) -> MetricResult {
        var meta = meta(event.context)
        meta["name"] = .string(event.name ?? "")
        var all = fields(event.data)
        all.append(MetricResult.Field("seq", .int(Int64(clamping: event.seq ?? 0))))
        return MetricResult("event", meta: meta, fields: all)
    }

    private static func meta(_ context: [JournalField]) -> Meta {
        var meta = Meta()
        for field in context {
            if let value = MetricValue(field.value) { meta[field.key] = value }
        }
        return meta
    }

    private static func fields(_ data: JournalValue) -> [MetricResult.Field] {
        guard case .object(let fields) = data else {
            return MetricValue(data).map { [MetricResult.Field("value", $0)] } ?? []
        }
        return fields.compactMap { field in
            MetricValue(field.value).map { MetricResult.Field(field.key, $0) }
        }
    }
}

extension TelemetryEvent {
    /// Whether it is a result of statistics: events of the journal are numbered.
    var isResult: Bool { seq == nil }
}

/// Times as they stand in documents and tables.
enum TimeText {
    /// `2026-11-21T05:05:00.123456Z`: UTC with microseconds, cut off, not rounded.
    static func of(_ seconds: Double) -> String {
        let microseconds = Int64(nearest: (seconds * 1e6).rounded(.down))
        let (whole, part) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let date = Date(timeIntervalSince1970: Double(part < 0 ? whole - 1 : whole))
        let style = Date.ISO8601FormatStyle(timeZone: .gmt)
        let text = date.formatted(style).dropLast()
        let fraction = String(part < 0 ? part + 1_000_000 : part)
        return text + "." + String(repeating: "0", count: 6 - fraction.count) + fraction + "Z"
    }
}

extension JournalValue {
    /// The value of a metric.
    init(_ value: MetricValue) {
        self =
            switch value {
            case .int(let value): .int(value)
            case .float(let value): .double(value)
            case .string(let value): .string(value)
            case .bool(let value): .bool(value)
            }
    }
}

extension MetricValue {
    /// The value of a field; lists and objects as JSON, nil for `null` and for what JSON can't hold (a list with a
    /// number that is not finite).
    init?(_ value: JournalValue) {
        switch value {
        case .null: return nil
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .uint(let value): self = .int(Int64(clamping: value))
        case .double(let value): self = .float(value)
        case .string(let value): self = .string(value)
        case .array, .object:
            guard let text = try? value.json() else { return nil }
            self = .string(text)
        }
    }
}
