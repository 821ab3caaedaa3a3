/// A pattern for one component of a path, with the wild cards of a shell (POSIX.1 XCU 2.13).
///
/// `*` is any text, `?` one character, `[a-z]` one of a set, `[!a-z]` or `[^a-z]` one outside it, and a
/// backslash takes the next character as it is. A name that begins with a dot matches only a pattern that
/// begins with one. Characters are Unicode scalars, compared by number, not by locale.
struct NamePattern: Hashable, Sendable {
    private enum Token: Hashable, Sendable {
        case character(Unicode.Scalar)
        case one
        case any
        case set([ClosedRange<UInt32>], isNegated: Bool)
    }

    private let tokens: [Token]

    /// Reads a pattern; a bracket that is not closed stands for itself.
    init(_ text: String) {
        var tokens: [Token] = []
        let scalars = Array(text.unicodeScalars)
        var position = 0
        while position < scalars.count {
            switch scalars[position] {
            case "*":
                if tokens.last != .any { tokens.append(.any) }
            case "?":
                tokens.append(.one)
            case "[":
                if let (set, end) = Self.set(scalars, from: position + 1) {
                    tokens.append(set)
                    position = end
                } else {
                    tokens.append(.character("["))
                }
            case "\\" where position + 1 < scalars.count:
                position += 1
                tokens.append(.character(scalars[position]))
            case let scalar:
                tokens.append(.character(scalar))
            }
            position += 1
        }
        self.tokens = tokens
    }

    /// The text that is the only match, without its backslashes; nil when there are wild cards.
    var literal: String? {
        var text = String.UnicodeScalarView()
        for token in tokens {
            guard case .character(let scalar) = token else { return nil }
            text.append(scalar)
        }
        return String(text)
    }

    /// Whether the whole of `name` matches. Takes at most the product of both lengths in steps.
    func matches(_ name: String) -> Bool {
        let scalars = Array(name.unicodeScalars)
        if scalars.first == ".", tokens.first != .character(".") { return false }
        var (token, position) = (0, 0)
        // Where to go on after the last `*` when the text after it did not match: one further.
        var retry: (token: Int, position: Int)?
        while position < scalars.count {
            if token < tokens.count, tokens[token] == .any {
                token += 1
                retry = (token, position)
            } else if token < tokens.count, Self.matches(tokens[token], scalars[position]) {
                (token, position) = (token + 1, position + 1)
            } else if let last = retry {
                retry = (last.token, last.position + 1)
                (token, position) = (last.token, last.position + 1)
            } else {
                return false
            }
        }
        return tokens[token...].allSatisfy { $0 == .any }
    }

    private static func matches(_ token: Token, _ scalar: Unicode.Scalar) -> Bool {
        switch token {
        case .character(let wanted): wanted == scalar
        case .one: true
        case .any: false
        case .set(let ranges, let isNegated):
            ranges.contains { $0.contains(scalar.value) } != isNegated
        }
    }

    /// The set after an opening bracket and the position of its closing one, nil when there is none. A
    /// closing bracket that comes first belongs to the set.
    private static func set(_ scalars: [Unicode.Scalar], from start: Int) -> (Token, Int)? {
        var position = start
        let isNegated = position < scalars.count && ["!", "^"].contains(scalars[position])
        if isNegated { position += 1 }
        let first = position
        var ranges: [ClosedRange<UInt32>] = []
        while position < scalars.count {
            if scalars[position] == "]", position > first {
                return (.set(ranges, isNegated: isNegated), position)
            }
            if scalars[position] == "\\", position + 1 < scalars.count { position += 1 }
            let lower = scalars[position].value
            if position + 2 < scalars.count, scalars[position + 1] == "-",
                scalars[position + 2] != "]"
            {
                let upper = scalars[position + 2].value
                // A range that runs backwards holds nothing, as in a shell.
                if lower <= upper { ranges.append(lower...upper) }
                position += 3
            } else {
                ranges.append(lower...lower)
                position += 1
            }
        }
        return nil
    }
}
