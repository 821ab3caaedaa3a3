internal import Journal

/// A pattern of names as a shell has it: `*` is any text, `?` any one character, `[a-c]` one of a set, `[!a-c]`
/// none of it; all else stands for itself, and a point for a hyphen, too: `worker.*` means `worker-gone`, as
/// events of the journal have hyphens. The whole name must fit. Characters are Unicode scalars; matching takes
/// time in proportion to the length of the pattern times that of the name at most.
public struct NamePattern: Sendable, Equatable, CustomStringConvertible {
    private enum Token: Sendable, Equatable {
        case anyText
        case anyOne
        case one(Unicode.Scalar)
        case set([ClosedRange<Unicode.Scalar>], isNegated: Bool)
    }

    /// The longest pattern, in bytes.
    public static let maximumByteCount = 1024

    /// The pattern as it was given.
    public let description: String
    private let tokens: [Token]

    /// Reads a pattern; refuses one that is empty or longer than 1024 bytes. A `[` that no `]` closes stands
    /// for itself.
    public init(_ text: String) throws(RoutingError) {
        guard (1...Self.maximumByteCount).contains(text.utf8.count) else {
            throw .invalidOption(
                "pattern of names", problem: "has \(text.utf8.count) bytes",
                advice: "use 1 to \(Self.maximumByteCount)")
        }
        description = text
        var rest = Array(text.unicodeScalars)[...]
        var tokens: [Token] = []
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*": if tokens.last != .anyText { tokens.append(.anyText) }
            case "?": tokens.append(.anyOne)
            case "[":
                if let (set, after) = Self.set(rest) {
                    tokens.append(set)
                    rest = after
                } else {
                    tokens.append(.one(scalar))
                }
            default: tokens.append(.one(scalar))
            }
        }
        self.tokens = tokens
    }

    /// The set whose `[` is just before, and what follows its `]`; nil where there is no `]`.
    private static func set(
        _ scalars: ArraySlice<Unicode.Scalar>
    ) -> (Token, ArraySlice<Unicode.Scalar>)? {
        var rest = scalars
        let isNegated = rest.first == "!"
        if isNegated { rest.removeFirst() }
        // A ] at the very beginning belongs to the set.
        guard let end = rest.dropFirst().firstIndex(of: "]") else { return nil }
        let after = rest[(end + 1)...]
        rest = rest[..<end]
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        while let first = rest.popFirst() {
            if rest.first == "-", let last = rest.dropFirst().first {
                rest = rest.dropFirst(2)
                if first <= last { ranges.append(first...last) }
            } else {
                ranges.append(first...first)
            }
        }
        return (.set(ranges, isNegated: isNegated), after)
    }

    /// Whether the whole name fits.
    public func matches(_ name: String) -> Bool {
        Wildcards.match(
            tokens, Array(name.unicodeScalars), isAny: { $0 == .anyText }, fits: Self.fits)
    }

    private static func fits(_ token: Token, _ scalar: Unicode.Scalar) -> Bool {
        switch token {
        case .anyText: false
        case .anyOne: true
        case .one("."): scalar == "." || scalar == "-"
        case .one(let wanted): wanted == scalar
        case .set(let ranges, let isNegated):
            ranges.contains { $0.contains(scalar) } != isNegated
        }
    }
}
