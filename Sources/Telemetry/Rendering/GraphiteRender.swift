/// Lines for Graphite: `path value seconds`.
///
/// A path is the tags of the host, the measurement, the other tags (`excludedTags` left out) and the field,
/// joined by dots. A component has letters, digits and `_-:+=@%#~^&$` of its own; everything else in it,
/// dots and blanks too, becomes `_`, and so does a component that would be empty. The tagged form is
/// `measurement.field;key=value;…` with the keys sorted.
///
/// Booleans are 1 and 0. Text, NaN and infinity are left out and counted, for carbon ignores the one and
/// spoils averages with the other; so are values of a time before 1970, which carbon would store at its own.
public struct GraphiteRender: LineRender {
    /// How tags are written.
    public enum Form: Sendable, Hashable {
        /// As components of the path.
        case plain
        /// After the path, as Graphite 1.1 and later know it.
        case tagged
    }

    /// The longest component of a path, in bytes: with `.wsp` it is the name of a file.
    public static let maximumComponentByteCount = 250

    /// How tags are written.
    public var form: Form
    /// What all paths begin with: components with dots between, empty ones left out.
    public var prefix: String
    /// The keys of tags that are not written, such as `run` where every run would make new files.
    public var excludedTags: Set<String>

    /// The rules; without arguments plain paths with all tags.
    public init(form: Form = .plain, prefix: String = "", excludedTags: Set<String> = []) {
        self.form = form
        self.prefix = prefix
        self.excludedTags = excludedTags
    }

    public func render(_ rset: ResultSet, meta: Meta, into lines: inout RenderedLines) {
        let end = Array(" \(rset.timestampNanoseconds.wholeSeconds)".utf8)
        let beginning = prefix.split(separator: ".").map { component(String($0)) }
        for result in rset.results {
            let path = path(of: result, meta: meta, after: beginning)
            let before = lines.counts.lines
            for field in result.allFields {
                guard rset.timestampNanoseconds >= 0, let value = text(of: field.value) else {
                    lines.counts.skippedValues += 1
                    continue
                }
                let name = component(field.name)
                guard !field.name.isEmpty, path.isShort,
                    name.utf8.count <= Self.maximumComponentByteCount
                else {
                    lines.counts.refusedNames += 1
                    continue
                }
                lines.append(path.start)
                lines.append(name)
                lines.append(path.tags)
                lines.append(UInt8(ascii: " "))
                lines.append(value)
                lines.append(end)
                lines.endLine()
            }
            if lines.counts.lines == before { lines.counts.emptyResults += 1 }
        }
    }

    /// What stands before and behind the field.
    private struct Path {
        var start: [UInt8]
        var tags: [UInt8]
        var isShort: Bool
    }

    private func path(of result: MetricResult, meta: Meta, after beginning: [String]) -> Path {
        let all = meta.merging(result.meta).tags.filter { !excludedTags.contains($0.key) }
        var components = beginning
        switch form {
        case .plain:
            let ofHost = Set(meta.tags.map(\.key))
            components += all.filter { ofHost.contains($0.key) }.map(valueComponent)
            components.append(component(result.name))
            components += all.filter { !ofHost.contains($0.key) }.map(valueComponent)
        case .tagged: components.append(component(result.name))
        }
        var tags: [UInt8] = []
        if form == .tagged {
            for (key, value) in sortedTags(all) {
                tags += Array(";\(key)=\(value)".utf8)
            }
        }
        return Path(
            start: Array((components.joined(separator: ".") + ".").utf8), tags: tags,
            isShort: components.allSatisfy {
                $0.utf8.count <= Self.maximumComponentByteCount
            })
    }

    private func valueComponent(_ tag: Meta.Tag) -> String { component(tag.value.plainText) }

    private func text(of value: MetricValue) -> String? {
        switch value {
        case .int(let value): String(value)
        case .float(let value): value.isFinite ? value.plainDecimal : nil
        case .bool(let value): value ? "1" : "0"
        case .string: nil
        }
    }

    /// A component of a path.
    private func component(_ text: String) -> String {
        if text.isEmpty { return "_" }
        if text.utf8.allSatisfy(Self.isPlain) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            let isKept =
                scalar.isASCII
                ? Self.isPlain(UInt8(scalar.value))
                : scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            result.unicodeScalars.append(isKept ? scalar : "_")
        }
        return result
    }

    /// Whether a byte of ASCII stays in a component: letters, digits and what neither carbon nor the
    /// queries of Graphite give a meaning.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "+"),
            UInt8(ascii: "="), UInt8(ascii: "@"), UInt8(ascii: "%"), UInt8(ascii: "#"),
            UInt8(ascii: "~"), UInt8(ascii: "^"), UInt8(ascii: "&"), UInt8(ascii: "$"):
            true
        default: false
        }
    }

    /// The tags as Graphite takes them, sorted by their keys; of two that become the same key the later
    /// one stays.
    private func sortedTags(_ tags: [Meta.Tag]) -> [(String, String)] {
        var byKey: [String: String] = [:]
        for tag in tags {
            let key = tagText(tag.key, without: ";!^=")
            var value = tagText(tag.value.plainText, without: ";")
            if value.hasPrefix("~") { value = "_" + value.dropFirst() }
            if key.isEmpty || value.isEmpty { continue }
            byKey[key == "name" ? "name_" : key] = value
        }
        return byKey.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// The text with `_` for blanks, controls and the forbidden characters.
    private func tagText(_ text: String, without forbidden: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let isForbidden =
                scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
                || forbidden.unicodeScalars.contains(scalar)
            result.unicodeScalars.append(isForbidden ? "_" : scalar)
        }
        return result
    }
}

extension MetricValue {
    /// The value in a tag: numbers without exponents.
    var plainText: String {
        if case .float(let value) = self { return value.plainDecimal }
        return description
    }
}
