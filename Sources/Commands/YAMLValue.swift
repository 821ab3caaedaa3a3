internal import Foundation
internal import NDArrays
internal import Yams

/// A value of a configuration file, with its place for errors.
struct YAMLValue {
    /// Path of the file, as it was given.
    let file: String
    /// Where it stands: `stages[1].workers`; empty for the whole file.
    let name: String
    let node: Node

    /// A key of a mapping with its value.
    struct Entry {
        let key: String
        let line: Int?
        let value: YAMLValue
    }

    /// Most values of a file, what an alias stands for counted anew each time: thousands of stages,
    /// and aliases of aliases end before they fill the memory.
    static let maximumValueCount = 100_000

    /// The whole text of a file.
    static func parse(_ text: String, file: String) throws(CommandError) -> YAMLValue {
        let node: Node?
        do {
            // The standard encoding is looked up in the environment, each time.
            node = try Yams.compose(yaml: text, .default, .default, .utf8)
        } catch {
            throw Self.syntaxError(error, file: file)
        }
        guard let node else { throw CommandError("\(file) is empty: it needs a source and stages") }
        var left = maximumValueCount
        guard spend(&left, on: node) else {
            throw CommandError(
                "\(file) has more than \(maximumValueCount) values: is it the right file, and do "
                    + "aliases stand for aliases?")
        }
        return YAMLValue(file: file, name: "", node: node)
    }

    /// Takes the number of values in a node from `left`; false when there are not so many.
    private static func spend(_ left: inout Int, on node: Node) -> Bool {
        left -= 1
        guard left >= 0 else { return false }
        switch node {
        case .scalar, .alias: return true
        case .sequence(let sequence): return sequence.allSatisfy { spend(&left, on: $0) }
        case .mapping(let mapping):
            return mapping.allSatisfy { spend(&left, on: $0.key) && spend(&left, on: $0.value) }
        }
    }

    /// An error at this value: file, line, name, reason.
    func error(_ reason: String, line: Int? = nil) -> CommandError {
        let line = (line ?? node.mark?.line).map { ":\($0)" } ?? ""
        return CommandError("\(file)\(line): \(name.isEmpty ? "" : "\(name) ")\(reason)")
    }

    // MARK: - Kinds of value

    /// The entries of a mapping, in order.
    func entries() throws(CommandError) -> [Entry] {
        guard case .mapping(let mapping) = node else {
            throw error("must hold keys and values, as `{key: value}`")
        }
        var entries: [Entry] = []
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else { throw error("has a key that is no text") }
            let path = name.isEmpty ? scalar.string : "\(name).\(scalar.string)"
            entries.append(
                Entry(
                    key: scalar.string, line: key.mark?.line,
                    value: YAMLValue(file: file, name: path, node: value)))
        }
        return entries
    }

    /// The values of a mapping that has only these keys.
    func values(keys: [String]) throws(CommandError) -> [String: YAMLValue] {
        var values: [String: YAMLValue] = [:]
        for entry in try entries() {
            guard keys.contains(entry.key) else {
                throw error(
                    "has the unknown key \(entry.key)"
                        + nearestNameHint(for: entry.key, in: keys), line: entry.line)
            }
            values[entry.key] = entry.value
        }
        return values
    }

    /// The elements of a list.
    func list() throws(CommandError) -> [YAMLValue] {
        guard case .sequence(let sequence) = node else {
            throw error("must be a list, as `[a, b]`")
        }
        return sequence.enumerated().map { index, node in
            YAMLValue(file: file, name: "\(name)[\(index)]", node: node)
        }
    }

    /// A text or number as it stands in the file.
    func text() throws(CommandError) -> String {
        guard case .scalar(let scalar) = node else { throw error("must be one value") }
        if isNull { throw error("has no value: give one or remove the key") }
        return scalar.string
    }

    /// Texts: a list of them, or one.
    func texts() throws(CommandError) -> [String] {
        guard case .sequence = node else { return [try text()] }
        var texts: [String] = []
        for value in try list() { texts.append(try value.text()) }
        return texts
    }

    /// A whole number of `range`.
    func integer(in range: ClosedRange<Int>) throws(CommandError) -> Int {
        let text = try text()
        guard let value = Int(text), range.contains(value) else {
            throw error(
                "is `\(text)`: it must be a whole number from \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return value
    }

    /// What `parse` makes of the text; `expected` says what it has to be.
    func parsed<Value>(
        _ expected: String, _ parse: (String) -> Value?
    ) throws(CommandError) -> Value {
        let text = try text()
        guard let value = parse(text) else { throw error("is `\(text)`: it must be \(expected)") }
        return value
    }

    /// A setting of a processor: texts stay as they are written, because their kind is known only
    /// where they are used.
    func structureValue() throws(CommandError) -> StructureValue {
        switch node {
        case .scalar, .alias: return .scalar(.string(try text()))
        case .sequence:
            var values: [StructureValue] = []
            for value in try list() { values.append(try value.structureValue()) }
            return .list(values)
        case .mapping: return .structure(try structure())
        }
    }

    /// The settings of a processor or source; nothing at all is no settings.
    func structure() throws(CommandError) -> Structure {
        var structure = Structure()
        if isNull { return structure }
        for entry in try entries() { structure[entry.key] = try entry.value.structureValue() }
        return structure
    }

    /// Whether it is one value, and not keys or a list.
    var isScalar: Bool {
        if case .scalar = node { true } else { false }
    }

    /// Whether it holds keys.
    var isMapping: Bool {
        if case .mapping = node { true } else { false }
    }

    /// Whether nothing stands after the key.
    var isNull: Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private static func syntaxError(_ error: any Error, file: String) -> CommandError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return CommandError("\(file):\(mark.line): this is no YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return CommandError(
                "\(file):\(context.mark.line): the key \(duplicates.joined(separator: ", ")) is "
                    + "there twice: keep one")
        case .reader(let problem, _, _, _):
            return CommandError("\(file): this is no text: \(problem)")
        default: return CommandError("\(file): this is no YAML: \(error)")
        }
    }
}
