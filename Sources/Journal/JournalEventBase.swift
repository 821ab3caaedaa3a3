/// An event as a consumer hands it out: a line of the journal, and what the consumer knows besides.
public protocol JournalEventBase: Sendable, CustomStringConvertible {
    /// The event of a line; `extras` is what `processResponse` gave for its response.
    ///
    /// - Throws: when the line is not of the kind that this consumer is for.
    init(entry: JournalEvent, extras: [JournalField]) throws

    /// The line of the journal.
    var entry: JournalEvent { get }

    /// The mark between the past and the present: an event without a name, whose time is that of its first
    /// use in the program.
    static var sentinel: Self { get }
}

extension JournalEventBase {
    /// When it was recorded, in seconds since the Unix epoch.
    public var timestamp: Double { entry.timestamp }
    /// Its serial number in its journal; 0 for the sentinel.
    public var seq: UInt64 { entry.seq }
    /// What happened; empty for the sentinel.
    public var name: String { entry.name }
    /// The facts, in order.
    public var context: [JournalField] { entry.context }
    /// The value of the first field of that key in the context; nil when there is none.
    public subscript(key: String) -> JournalValue? { entry[key] }

    /// Whether it is the sentinel.
    public var isEmpty: Bool { entry.name.isEmpty }

    /// `1552593547.41198 worker-gone {"cause":"exit 1"}`: the time with five decimals, the name, and the
    /// context with its keys in order, where it has one. The sentinel is `End of historical data stream`.
    public var description: String { entry.text }
}

extension JournalEvent: JournalEventBase {
    /// The mark between the past and the present.
    public static let sentinel = JournalEvent(
        timestamp: wholeMicroseconds(secondsSinceEpoch()), seq: 0, name: "")

    /// The event itself.
    public var entry: JournalEvent { self }

    /// The event itself; what belongs to its response is left out.
    public init(entry: JournalEvent, extras: [JournalField]) { self = entry }

    /// The text of every event that does not make one of its own.
    var text: String {
        if name.isEmpty { return "End of historical data stream" }
        var encoding = JSONEncoding()
        let digits = JSONEncoding.padded(UInt64((wholeMicroseconds(timestamp) * 1e5).rounded()), 6)
        encoding.bytes.append(contentsOf: digits.dropLast(5).utf8)
        encoding.literal(".")
        encoding.bytes.append(contentsOf: "\(digits.suffix(5)) \(name)".utf8)
        if !context.isEmpty {
            encoding.literal(" ")
            do throws(JournalError) {
                try encoding.append(JournalValue.object(context).withKeysInOrder)
            } catch {
                encoding.bytes.append(contentsOf: "(\(error.description))".utf8)
            }
        }
        return String(decoding: encoding.bytes, as: UTF8.self)
    }
}

extension JSONEncoding {
    /// A number with zeros before it up to `width` digits.
    static func padded(_ number: UInt64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension JournalValue {
    /// The same with the keys of every object in order; what is too deep to be written stays as it is.
    var withKeysInOrder: JournalValue { sorted(depth: 0) }

    private func sorted(depth: Int) -> JournalValue {
        guard depth <= JSONEncoding.maximumDepth else { return self }
        switch self {
        case .null, .bool, .int, .uint, .double, .string: return self
        case .array(let elements): return .array(elements.map { $0.sorted(depth: depth + 1) })
        case .object(let fields):
            return .object(
                fields.map { JournalField($0.key, $0.value.sorted(depth: depth + 1)) }
                    .sorted { $0.key < $1.key })
        }
    }
}
