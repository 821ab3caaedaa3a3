internal import ControllerRuntime
internal import NDArrays

/// The small language of `--processor`, `--source`, `--set` and `configure`.
///
/// `key=value,key=value`. A value ends at the next comma. One with commas, quotes or blanks at its
/// ends is quoted: `"…"` with `\"`, `\\`, `\n`, `\t`, or `'…'`, in which every character stands for
/// itself. A list is `[a, b]`. Quotes count only at the beginning of a value.
enum SettingText {
    /// `Name` or `Name:key=value,…`.
    static func processor(_ text: String) throws(CommandError) -> ProcessorConfiguration {
        let (first, rest) = text.divided(at: ":")
        let name = String(first).trimmed
        let isName = name.allSatisfy { $0.isLetter || $0.isNumber || "_-.".contains($0) }
        guard !name.isEmpty, isName else {
            throw CommandError(
                "`\(text)` is no processor: write Name or Name:key=value,key=value")
        }
        guard let rest else { return ProcessorConfiguration(name) }
        let settings = try settings(rest, of: name)
        return ProcessorConfiguration(name, settings: settings)
    }

    /// `key=value,key=value`, each key once; `owner` is what an error names.
    static func settings(
        _ text: Substring, of owner: String
    ) throws(CommandError) -> Structure {
        var scanner = SettingScanner(text, owner: owner)
        var settings = Structure()
        while let item = try scanner.nextSetting() {
            if settings[item.key] != nil {
                throw CommandError("\(owner) has the setting \(item.key) twice: give it once")
            }
            settings[item.key] = .scalar(.string(item.value))
        }
        return settings
    }

    /// `path,path`, each quoted where it has commas.
    static func paths(_ text: Substring, of owner: String) throws(CommandError) -> [String] {
        var scanner = SettingScanner(text, owner: owner)
        var paths: [String] = []
        while let path = try scanner.nextItem() { paths.append(path) }
        return paths
    }

    /// `key=value` as one word of a command line: the value is the rest of the word as it is, or
    /// quoted as above.
    static func assignment(
        _ text: String, of owner: String
    ) throws(CommandError) -> (key: String, value: String) {
        let (first, rest) = text.divided(at: "=")
        guard let rest, !first.isEmpty else {
            throw CommandError("`\(text)` is no setting of \(owner): write key=value")
        }
        let key = String(first).trimmed
        let quote = rest.unicodeScalars.first
        guard quote == "\"" || quote == "'" else { return (key, String(rest)) }
        var scanner = SettingScanner(rest, owner: owner)
        let value = try scanner.nextItem() ?? ""
        guard scanner.isAtEnd else {
            throw CommandError(
                "there is text after the quoted value of \(key) in `\(text)`: quote all of it")
        }
        return (key, value)
    }

    /// A value as it may stand in `key=value,…`: quoted where it has to be.
    static func quoted(_ value: String) -> String {
        let scalars = value.unicodeScalars
        let beginsLikeQuoted = scalars.first.map { "\"'[".unicodeScalars.contains($0) } ?? true
        let needsQuotes =
            beginsLikeQuoted || value != value.trimmed || scalars.contains(",")
            || scalars.contains { Character($0).isNewline }
        guard needsQuotes else { return value }
        var text = "\""
        for scalar in scalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}

/// Reads settings one after the other, by Unicode scalars: an accent after a comma, which the two are one
/// `Character` with, does not make the comma a letter.
struct SettingScanner {
    private let text: Substring
    private let owner: String
    private var place: Substring.Index
    private var isAfterComma = false

    init(_ text: Substring, owner: String) {
        self.text = text
        self.owner = owner
        place = text.startIndex
    }

    /// Whether everything was read.
    var isAtEnd: Bool { place == text.endIndex && !isAfterComma }

    /// The next `key=value`, nil after the last one.
    mutating func nextSetting() throws(CommandError) -> (key: String, value: String)? {
        guard try begin("key=value") else { return nil }
        let start = place
        while let next, next != "=", next != "," { advance() }
        let key = String(text[start..<place]).trimmed
        guard next == "=" else {
            throw CommandError("`\(key)` of \(owner) has no value: write \(key)=VALUE")
        }
        guard !key.isEmpty else {
            throw CommandError("\(owner) has a value without a key before the =: write key=value")
        }
        advance()
        return (key, try value(of: key))
    }

    /// The next value, nil after the last one.
    mutating func nextItem() throws(CommandError) -> String? {
        guard try begin("a value") else { return nil }
        return try value(of: owner)
    }

    private var next: Unicode.Scalar? {
        place < text.endIndex ? text.unicodeScalars[place] : nil
    }

    private mutating func advance() { place = text.unicodeScalars.index(after: place) }

    private mutating func skipBlanks() {
        while next == " " || next == "\t" { advance() }
    }

    /// False at the end; a comma must be followed by something.
    private mutating func begin(_ expected: String) throws(CommandError) -> Bool {
        skipBlanks()
        if next == "," || (isAfterComma && next == nil) {
            throw CommandError(
                "\(owner) has a comma with nothing beside it: write \(expected) there")
        }
        isAfterComma = false
        return next != nil
    }

    private mutating func value(of key: String) throws(CommandError) -> String {
        skipBlanks()
        switch next {
        case "\"", "'":
            let value = try quotedValue(of: key)
            try end(of: key, "after its closing quote")
            return value
        case "[":
            let value = try bracketedValue(of: key)
            try end(of: key, "after its closing bracket")
            return value
        default:
            let start = place
            while let next, next != "," { advance() }
            let value = String(text[start..<place]).trimmed
            try end(of: key, "")
            return value
        }
    }

    private mutating func end(of key: String, _ position: String) throws(CommandError) {
        skipBlanks()
        guard let next else { return }
        guard next == "," else {
            throw CommandError(
                "the value of \(key) goes on \(position) (`\(text[place...])`): quote all of it")
        }
        advance()
        isAfterComma = true
    }

    private mutating func quotedValue(of key: String) throws(CommandError) -> String {
        let quote = next
        advance()
        var value = ""
        while let character = next {
            advance()
            if character == quote { return value }
            guard character == "\\", quote == "\"" else {
                value.unicodeScalars.append(character)
                continue
            }
            let escaped = next
            switch escaped {
            case "\"", "\\": value.unicodeScalars.append(escaped ?? "\\")
            case "n": value.append("\n")
            case "t": value.append("\t")
            default:
                throw CommandError(
                    "the value of \(key) has the unknown escape "
                        + "\\\(escaped.map { String($0) } ?? ""): there are \\\" \\\\ \\n \\t; "
                        + "in single quotes a backslash is a backslash"
                )
            }
            advance()
        }
        throw CommandError("the quote of the value of \(key) is not closed")
    }

    /// The text from `[` to the matching `]`, both included; the worker takes it apart.
    private mutating func bracketedValue(of key: String) throws(CommandError) -> String {
        let start = place
        var depth = 0
        var quote: Unicode.Scalar?
        var isItemStart = true
        while let character = next {
            advance()
            if let open = quote {
                if character == open { quote = nil }
                continue
            }
            switch character {
            case "[": depth += 1
            case "]":
                depth -= 1
                if depth == 0 { return String(text[start..<place]) }
            case "\"", "'": if isItemStart { quote = character }
            default: break
            }
            isItemStart = character == "[" || character == "," || character == " "
        }
        throw CommandError(
            "the [ of \(key) is not closed: a list is [a, b]; quote a text that begins with [")
    }
}

extension String {
    /// What is before the first such scalar, and what behind it; nil where there is none. A scalar that joins
    /// itself to the one before, as an accent does, does not hide it.
    func divided(at sign: Unicode.Scalar) -> (first: Substring, rest: Substring?) {
        guard let place = unicodeScalars.firstIndex(of: sign) else { return (self[...], nil) }
        return (self[..<place], self[unicodeScalars.index(after: place)...])
    }

    /// The text without blanks at both ends.
    var trimmed: String {
        let start = unicodeScalars.drop { $0 == " " || $0 == "\t" }
        guard let last = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return String(start[...last])
    }
}
