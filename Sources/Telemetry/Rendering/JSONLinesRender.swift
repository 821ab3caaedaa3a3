internal import Journal

/// JSON, one object for each result, from which `parse` makes the same result again.
///
/// `time` is in nanoseconds since the Unix epoch; `tags` and `fields` are objects in order, `fields` a list
/// of pairs where a name occurs twice. Whole numbers have no point, others always have one or an exponent.
/// JSON has no NaN and no infinity: they are the objects `{"float":"NaN"}`, `{"float":"Infinity"}` and
/// `{"float":"-Infinity"}`. What is said of the fields stands behind them, as far as it differs from the
/// default: `counters` and `derived` are lists of names, `units` and `summaries` objects.
public struct JSONLinesRender: LineRender {
    /// Whether what is said of fields (counter or not, units, meanings) is written; without it the lines are
    /// about half as long.
    public var describesFields: Bool

    /// The rules; without arguments everything is written.
    public init(describesFields: Bool = true) { self.describesFields = describesFields }

    public func render(_ rset: ResultSet, meta: Meta, into lines: inout RenderedLines) {
        for result in rset.results {
            let value = JournalValue.object(
                object(result, meta: meta, nanoseconds: rset.timestampNanoseconds))
            do {
                lines.append(try value.json())
                lines.endLine()
            } catch {
                // Containers nest four deep at most, the limit is 64.
                lines.dropLine()
                lines.counts.emptyResults += 1
            }
        }
    }

    private func object(
        _ result: MetricResult, meta: Meta, nanoseconds: Int64
    ) -> [JournalField] {
        var fields = [
            JournalField("time", .int(nanoseconds)), JournalField("name", .string(result.name)),
            JournalField(
                "tags",
                .object(meta.merging(result.meta).tags.map { JournalField($0.key, $0.value.json) })
            ),
        ]
        let names = Set(result.fields.map(\.name))
        if names.count == result.fields.count {
            fields.append(
                JournalField(
                    "fields", .object(result.fields.map { JournalField($0.name, $0.value.json) })))
        } else {
            fields.append(
                JournalField(
                    "fields", .array(result.fields.map { [.string($0.name), $0.value.json] })))
        }
        if describesFields { fields += descriptions(result.fields, isUnique: names.count) }
        if !result.distributions.isEmpty {
            fields.append(
                JournalField("distributions", .array(result.distributions.map(\.json))))
        }
        return fields
    }

    /// What is said of the fields, by name, or by place where a name occurs twice.
    private func descriptions(
        _ fields: [MetricResult.Field], isUnique count: Int
    ) -> [JournalField] {
        func key(_ place: Int) -> String {
            count == fields.count ? fields[place].name : String(place)
        }
        func list(_ name: String, _ condition: (MetricResult.Field) -> Bool) -> JournalField? {
            let found = fields.indices.filter { condition(fields[$0]) }
            return found.isEmpty
                ? nil : JournalField(name, .array(found.map { .string(key($0)) }))
        }
        func object(_ name: String, _ text: (MetricResult.Field) -> String) -> JournalField? {
            let found = fields.indices.filter { !text(fields[$0]).isEmpty }
            return found.isEmpty
                ? nil
                : JournalField(
                    name,
                    .object(found.map { JournalField(key($0), .string(text(fields[$0]))) }))
        }
        return [
            list("counters") { $0.kind == .counter }, list("derived") { $0.isDerived },
            object("units") { $0.unit }, object("summaries") { $0.summary },
        ].compactMap(\.self)
    }
}

extension MetricValue {
    /// The value in JSON; the rule for numbers that are not finite is that of `JSONLinesRender`.
    var json: JournalValue {
        switch self {
        case .int(let value): .int(value)
        case .float(let value): value.isFinite ? .double(value) : ["float": .string(jsonText)]
        case .string(let value): .string(value)
        case .bool(let value): .bool(value)
        }
    }
}

extension MetricDistribution {
    fileprivate var json: JournalValue {
        var fields = [JournalField("name", .string(name))]
        if !unit.isEmpty { fields.append(JournalField("unit", .string(unit))) }
        if !summary.isEmpty { fields.append(JournalField("summary", .string(summary))) }
        fields.append(JournalField("count", .uint(count)))
        fields.append(JournalField("sum", MetricValue.float(sum).json))
        if !quantiles.isEmpty {
            let pairs = quantiles.map { quantile -> JournalValue in
                [MetricValue.float(quantile.part).json, MetricValue.float(quantile.value).json]
            }
            fields.append(JournalField("quantiles", .array(pairs)))
        }
        if !buckets.isEmpty {
            let pairs = buckets.map { bucket -> JournalValue in
                [MetricValue.float(bucket.upperBound).json, .uint(bucket.cumulativeCount)]
            }
            fields.append(JournalField("buckets", .array(pairs)))
        }
        if isAlsoInFields { fields.append(JournalField("isAlsoInFields", .bool(true))) }
        return .object(fields)
    }
}
