/// Lines for InfluxDB: `measurement,tag=value,… field=value,… nanoseconds`, one for each result, or several
/// where one would be longer than a line may be: the fields are divided, the rest is the same.
///
/// Tags are sorted by their keys, as the server likes it best; one without a value is left out, and of two
/// that become the same key the later one stays. A control character in a name, a key or the value of a tag
/// becomes `_`, and a backslash is left out where the server would take it for an escape: before a comma, an
/// equals sign, a blank or another backslash, and at the end. `#` at the beginning of a measurement, which
/// would make it a comment, becomes `_`; the key `time`, which the server has for itself, becomes `time_`.
/// NaN and infinity are left out and counted; text is quoted.
public struct InfluxRender: LineRender {
    /// The rules.
    public init() {}

    public func render(_ rset: ResultSet, meta: Meta, into lines: inout RenderedLines) {
        let end = Array(" \(rset.timestampNanoseconds)".utf8)
        for result in rset.results {
            let before = lines.counts.lines
            render(result, meta: meta, end: end, into: &lines)
            if lines.counts.lines == before { lines.counts.emptyResults += 1 }
        }
    }

    private func render(
        _ result: MetricResult, meta: Meta, end: [UInt8], into lines: inout RenderedLines
    ) {
        let fields = result.allFields
        guard let head = head(of: result, meta: meta) else {
            lines.counts.refusedNames += UInt64(fields.count)
            return
        }
        let limit = lines.maximumLineByteCount
        var hasField = false
        for field in fields {
            guard Self.isUsable(field.value) else {
                lines.counts.skippedValues += 1
                continue
            }
            var key: [UInt8] = []
            Self.escape(field.name == "time" ? "time_" : field.name, into: &key)
            guard !key.isEmpty else {
                lines.counts.refusedNames += 1
                continue
            }
            let start = lines.lineByteCount
            lines.append(hasField ? [UInt8(ascii: ",")] : head)
            lines.append(key)
            append(field.value, to: &lines)
            let isTooLong = limit > 0 && lines.lineByteCount + end.count + 1 > limit
            guard isTooLong else {
                hasField = true
                continue
            }
            let text = Array(lines.lineBytes(from: start + (hasField ? 1 : head.count)))
            lines.cutLine(to: start)
            if hasField {
                lines.append(end)
                lines.endLine()
            }
            // Alone in a line of its own, or nowhere.
            hasField = head.count + text.count + end.count + 1 <= limit
            if hasField {
                lines.append(head)
                lines.append(text)
            } else {
                lines.refuse("\(result.name) \(field.name)")
            }
        }
        if hasField {
            lines.append(end)
            lines.endLine()
        }
    }

    private static func isUsable(_ value: MetricValue) -> Bool {
        if case .float(let value) = value { return value.isFinite }
        return true
    }

    /// Measurement and tags with the blank behind them; nil where no name is left.
    private func head(of result: MetricResult, meta: Meta) -> [UInt8]? {
        var head: [UInt8] = []
        let isComment = result.name.utf8.first == UInt8(ascii: "#")
        let name = isComment ? "_" + result.name.dropFirst() : result.name
        Self.escape(name, alsoEquals: false, into: &head)
        guard !head.isEmpty else { return nil }
        var tags: [[UInt8]: [UInt8]] = [:]
        for tag in meta.merging(result.meta).tags {
            var (key, value): ([UInt8], [UInt8]) = ([], [])
            Self.escape(tag.key == "time" ? "time_" : tag.key, into: &key)
            Self.escape(tag.value.description, into: &value)
            if !key.isEmpty, !value.isEmpty { tags[key] = value }
        }
        for (key, value) in tags.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            head.append(UInt8(ascii: ","))
            head += key
            head.append(UInt8(ascii: "="))
            head += value
        }
        head.append(UInt8(ascii: " "))
        return head
    }

    private func append(_ value: MetricValue, to lines: inout RenderedLines) {
        lines.append(UInt8(ascii: "="))
        switch value {
        case .int(let value):
            lines.append(String(value))
            lines.append(UInt8(ascii: "i"))
        case .float(let value): lines.append(value.description)
        case .bool(let value): lines.append(value ? "true" : "false")
        case .string(let value):
            lines.append(UInt8(ascii: "\""))
            for byte in value.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                    lines.append(UInt8(ascii: "\\"))
                }
                lines.append(byte)
            }
            lines.append(UInt8(ascii: "\""))
        }
    }

    /// Adds a name, a key or the value of a tag; in a measurement the equals sign means nothing.
    private static func escape(
        _ text: String, alsoEquals: Bool = true, into bytes: inout [UInt8]
    ) {
        let backslash = UInt8(ascii: "\\")
        let utf8 = Array(text.utf8)
        for (place, byte) in utf8.enumerated() {
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: " "):
                bytes.append(backslash)
                bytes.append(byte)
            case UInt8(ascii: "="):
                if alsoEquals { bytes.append(backslash) }
                bytes.append(byte)
            case backslash:
                let next = place + 1 < utf8.count ? utf8[place + 1] : backslash
                switch next {
                case backslash, UInt8(ascii: ","), UInt8(ascii: " "), UInt8(ascii: "="): break
                default: bytes.append(byte)
                }
            case ..<0x20, 0x7F: bytes.append(UInt8(ascii: "_"))
            default: bytes.append(byte)
            }
        }
    }
}
