/// Text that is not to be seen: a password, a token, a connection string. Whatever prints it, a log or a
/// debugger's `dump`, shows three stars.
public struct Secret: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The text itself, for whom it is meant.
    let text: String

    /// A secret.
    public init(_ text: String) { self.text = text }

    /// A secret that stands in the program.
    public init(stringLiteral value: String) { text = value }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Three stars.
    public var description: String { "***" }

    /// Three stars.
    public var debugDescription: String { "***" }

    /// Nothing inside.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
