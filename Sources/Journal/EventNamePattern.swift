/// Names of events, with `*` for any number of characters and `?` for one: `worker-*`, `frame?-dropped`.
///
/// Names are written with hyphens; a point in a pattern stands for one, so that `worker.*` is the same as
/// `worker-*`.
public struct EventNamePattern: Sendable, Hashable, CustomStringConvertible {
    /// Longest pattern in bytes: twice the longest name, so that each character may have a `*`.
    public static let maximumByteCount = 128

    /// The pattern, as it was given.
    public let text: String
    private let parts: [UInt8]

    /// A pattern; nil where it is empty, too long or has other characters than names (`a`–`z`, `0`–`9`,
    /// hyphen), point, `*` and `?`.
    public init?(_ text: String) {
        var parts: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "?"):
                parts.append(byte)
            case UInt8(ascii: "."): parts.append(UInt8(ascii: "-"))
            case UInt8(ascii: "*"): if parts.last != byte { parts.append(byte) }
            default: return nil
            }
        }
        guard !parts.isEmpty, text.utf8.count <= Self.maximumByteCount else { return nil }
        self.text = text
        self.parts = parts
    }

    /// The pattern, as it was given.
    public var description: String { text }

    /// Whether it has a `*` or `?`, so that several names may match.
    public var isGeneral: Bool {
        parts.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
    }

    /// Whether a name is one of those that are meant.
    public func matches(_ name: String) -> Bool {
        Wildcards.match(
            parts, Array(name.utf8), isAny: { $0 == UInt8(ascii: "*") },
            fits: { $0 == UInt8(ascii: "?") || $0 == $1 })
    }
}
