/// Comma separated values (RFC 4180, lines ended by a line feed alone): one line for each field.
///
/// The columns are `time` (nanoseconds since the Unix epoch), `name`, one for each of `tagKeys`, `tags` with
/// the other tags (`key=value;…`), `field`, `value` and `unit`; `header` names them. Cells with a comma, a
/// quote or a line break are quoted. Floating-point numbers that are not finite are `NaN`, `Infinity` and
/// `-Infinity`; a tag that a result has not is an empty cell.
public struct CSVRender: LineRender {
    /// The tags that have a column of their own, in order.
    public var tagKeys: [String]

    /// The rules; the tags of `ResultSet(_:run:…)` have columns.
    public init(tagKeys: [String] = ["run", "stage", "processor"]) { self.tagKeys = tagKeys }

    public var header: String {
        (["time", "name"] + tagKeys + ["tags", "field", "value", "unit"]).map(Self.cell)
            .joined(separator: ",") + "\n"
    }

    public func render(_ rset: ResultSet, meta: Meta, into lines: inout RenderedLines) {
        for result in rset.results {
            let all = meta.merging(result.meta)
            let others = all.tags.filter { !tagKeys.contains($0.key) }
                .map { "\($0.key)=\($0.value)" }.joined(separator: ";")
            let cells =
                ["\(rset.timestampNanoseconds)", result.name]
                + tagKeys.map { all[$0]?.description ?? "" } + [others]
            let start = Array((cells.map(Self.cell).joined(separator: ",") + ",").utf8)
            let fields = result.allFields
            for field in fields {
                lines.append(start)
                lines.append(Self.cell(field.name))
                lines.append(UInt8(ascii: ","))
                lines.append(Self.cell(field.value.jsonText))
                lines.append(UInt8(ascii: ","))
                lines.append(Self.cell(field.unit))
                lines.endLine()
            }
            if fields.isEmpty { lines.counts.emptyResults += 1 }
        }
    }

    private static func cell(_ text: String) -> String {
        let isSpecial = text.utf8.contains { byte in
            byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"") || byte == 0x0A || byte == 0x0D
        }
        guard isSpecial else { return text }
        var quoted = "\""
        for character in text.unicodeScalars {
            if character == "\"" { quoted += "\"" }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "\""
    }
}

extension MetricValue {
    /// The value with the names that JSON readers have for numbers that are not finite.
    var jsonText: String {
        guard case .float(let value) = self, !value.isFinite else { return description }
        return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
    }
}
