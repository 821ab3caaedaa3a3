public import Journal

/// The options of one thing in a configuration, with the path to it: reads them by name and type, and says
/// where something is wrong and what to do.
public struct RouteOptions: Sendable {
    /// The path to the options, such as `route.processors[0].sample`.
    public let place: String
    private let fields: [JournalField]

    /// The options of `value`, which must be an object with each key once, each of them one of `known`.
    public init(
        _ value: JournalValue, at place: String, known: [String]
    ) throws(RoutingError) {
        self.place = place
        fields = try Self.fields(value, at: place)
        for field in fields where !known.contains(field.key) {
            throw .configuration(
                place: place, problem: "has the unknown key \(field.key)",
                advice: "known are \(known.joined(separator: ", "))")
        }
    }

    /// The fields of an object, each key once and none empty.
    public static func fields(
        _ value: JournalValue, at place: String
    ) throws(RoutingError) -> [JournalField] {
        guard case .object(let fields) = value else {
            throw .configuration(
                place: place, problem: "is \(value.kind)", advice: "write keys with values there")
        }
        var seen: Set<String> = []
        for field in fields {
            guard !field.key.isEmpty else {
                throw .configuration(
                    place: place, problem: "has an empty key", advice: "name it or remove it")
            }
            guard seen.insert(field.key).inserted else {
                throw .configuration(
                    place: place, problem: "has the key \(field.key) twice", advice: "keep one")
            }
        }
        return fields
    }

    /// The path to an option.
    public func path(_ key: String) -> String { "\(place).\(key)" }

    /// An option of any type; nil where it is not given.
    public func value(_ key: String) -> JournalValue? { fields[key: key] }

    /// An option that must be given.
    public func required(_ key: String) throws(RoutingError) -> JournalValue {
        if let value = value(key) { return value }
        throw .configuration(place: place, problem: "has no \(key)", advice: "it is needed")
    }

    /// A text; nil where it is not given.
    public func string(_ key: String) throws(RoutingError) -> String? {
        guard let value = value(key) else { return nil }
        if case .string(let text) = value { return text }
        throw wrong(key, value, "a text")
    }

    /// A whole number; nil where it is not given.
    public func integer(_ key: String) throws(RoutingError) -> Int? {
        guard let value = value(key) else { return nil }
        if case .int(let number) = value, let number = Int(exactly: number) { return number }
        throw wrong(key, value, "a whole number")
    }

    /// A number; nil where it is not given.
    public func number(_ key: String) throws(RoutingError) -> Double? {
        guard let value = value(key) else { return nil }
        switch value {
        case .int(let number): return Double(number)
        case .uint(let number): return Double(number)
        case .double(let number): return number
        default: throw wrong(key, value, "a number")
        }
    }

    /// A list; nil where it is not given.
    public func array(_ key: String) throws(RoutingError) -> [JournalValue]? {
        guard let value = value(key) else { return nil }
        if case .array(let elements) = value { return elements }
        throw wrong(key, value, "a list")
    }

    /// A list of texts; nil where it is not given.
    public func strings(_ key: String) throws(RoutingError) -> [String]? {
        guard let elements = try array(key) else { return nil }
        var texts: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                throw wrong("\(key)[\(index)]", element, "a text")
            }
            texts.append(text)
        }
        return texts
    }

    /// One of the words that a type has; nil where it is not given.
    public func word<Word: RawRepresentable<String> & CaseIterable>(
        _ key: String, _ type: Word.Type = Word.self
    ) throws(RoutingError) -> Word? {
        guard let text = try string(key) else { return nil }
        if let word = Word(rawValue: text) { return word }
        let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
        throw .configuration(
            place: path(key), problem: "is \(text)", advice: "it may be \(words)")
    }

    /// Says that an option is of another type than is wanted.
    public func wrong(_ key: String, _ value: JournalValue, _ wanted: String) -> RoutingError {
        .configuration(
            place: path(key), problem: "is \(value.kind)", advice: "\(wanted) is wanted")
    }

    /// Runs what may refuse the options, and adds the path to what it says.
    func checked<Value>(_ body: () throws(RoutingError) -> Value) throws(RoutingError) -> Value {
        do {
            return try body()
        } catch {
            throw Self.located(error, at: place)
        }
    }

    /// The error with the path to where it came up.
    static func located(_ error: RoutingError, at place: String) -> RoutingError {
        switch error {
        case .configuration: error
        case .invalidExpression(let expression, let reason):
            .configuration(
                place: place, problem: "has the expression \"\(expression)\" (\(reason))",
                advice: "correct it")
        case .invalidOption(let option, let problem, let advice):
            .configuration(
                place: place, problem: "is refused: \(option) \(problem)", advice: advice)
        default: .configuration(place: place, problem: "is refused", advice: error.description)
        }
    }
}

extension JournalValue {
    /// What kind of value this is, as a sentence wants it.
    var kind: String {
        switch self {
        case .null: "empty"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): "the number \(value)"
        case .uint(let value): "the number \(value)"
        case .double(let value): "the number \(value)"
        case .string(let text): "the text \"\(text.prefix(40))\""
        case .array: "a list"
        case .object: "an object"
        }
    }
}
