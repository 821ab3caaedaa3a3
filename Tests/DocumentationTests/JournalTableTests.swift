import Foundation
import Testing

@Suite("The table of events in Docs/JournalFormat.md")
struct JournalTableTests {
    @Test("has the names and the context keys that the code records")
    func isTrue() throws {
        var recorded: [String: Set<String>] = [:]
        for folder in ["Sources/ControllerRuntime", "Sources/Journal"] {
            for path in Pages.paths(below: folder, fileExtension: "swift") {
                for event in RecordedEvent.all(in: try Pages.text(path)) {
                    recorded[event.name, default: []].formUnion(event.keys)
                }
            }
        }
        var listed: [String: Set<String>] = [:]
        let header = ["name", "when", "context"]
        for row in try Pages.rows(of: "Docs/JournalFormat.md", header: header) {
            for name in Pages.quoted(row[0]) { listed[name] = Set(Pages.quoted(row[2])) }
        }
        #expect(Set(recorded.keys) == Set(listed.keys))
        for (name, keys) in recorded {
            #expect(listed[name] == keys, "context of \(name)")
        }
    }
}

/// An event that the code records, found in its text.
struct RecordedEvent {
    let name: String
    let keys: Set<String>

    /// The calls `record("name", [ "key": …, ])` in `source`, and `JournalEntry("name", […])`. The name may be
    /// one of two (`? :`), the context the name of a property in the same module.
    static func all(in source: String) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        for match in source.matches(of: /(?:\brecord|JournalEntry)\(/) {
            let arguments = topLevel(source[match.range.upperBound...], until: ")")
            guard let first = arguments.first else { continue }
            let names = first.matches(of: /"([a-z][a-z0-9-]*)"/).map { String($0.output.1) }
            var keys: Set<String> = []
            if arguments.count > 1 {
                let context = arguments[1].drop { $0.isWhitespace }
                keys =
                    context.hasPrefix("[")
                    ? self.keys(context.dropFirst()) : propertyKeys(String(context))
            }
            events += names.map { RecordedEvent(name: $0, keys: keys) }
        }
        return events
    }

    /// The keys of a dictionary literal, without those of literals within it.
    private static func keys(_ literal: Substring) -> Set<String> {
        Set(
            topLevel(literal, until: "]").compactMap {
                $0.prefixMatch(of: /\s*"(\w+)":/).map { String($0.output.1) }
            })
    }

    /// The keys of the literal that a computed property is.
    private static func propertyKeys(_ name: String) -> Set<String> {
        let name = name.filter { $0.isLetter }
        for path in Pages.paths(below: "Sources/ControllerRuntime", fileExtension: "swift") {
            guard let source = try? Pages.text(path),
                let start = source.range(of: "var \(name): KeyValuePairs<String, JournalValue> {"),
                let bracket = source[start.upperBound...].firstIndex(of: "[")
            else { continue }
            return keys(source[source.index(after: bracket)...])
        }
        return []
    }

    /// The parts between commas up to the bracket that closes, whatever lies in inner brackets and texts.
    private static func topLevel(_ text: Substring, until end: Character) -> [Substring] {
        var parts: [Substring] = []
        var (depth, isText) = (0, false)
        var start = text.startIndex
        for index in text.indices {
            let character = text[index]
            if character == "\"" { isText.toggle() }
            if isText { continue }
            if depth == 0, character == end || character == "," {
                parts.append(text[start..<index])
                start = text.index(after: index)
                if character == end { return parts.filter { !$0.allSatisfy(\.isWhitespace) } }
            } else if "([{".contains(character) {
                depth += 1
            } else if ")]}".contains(character) {
                depth -= 1
            }
        }
        return []
    }
}
