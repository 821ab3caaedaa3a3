/// A value in the context of an event: what JSON can say, with objects that keep their order.
public enum JournalValue: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A whole number of either sign.
    case int(Int64)
    /// A whole number above the range of `int`; a small one equals the `int` it is read back as.
    case uint(UInt64)
    /// A floating-point number; one that is not finite is written as the string "NaN", "Infinity"
    /// or "-Infinity", because JSON has no such numbers.
    case double(Double)
    /// Text.
    case string(String)
    /// A list.
    case array([JournalValue])
    /// Keys and values in order; a key should occur once.
    case object([JournalField])

    /// Whether both say the same; whole numbers are compared by value, whatever their case.
    public static func == (left: JournalValue, right: JournalValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.uint(let a), .uint(let b)): a == b
        case (.int(let a), .uint(let b)), (.uint(let b), .int(let a)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a == b
        default: false
        }
    }
}

/// A key with its value.
public struct JournalField: Sendable, Equatable {
    /// The key.
    public var key: String
    /// Its value.
    public var value: JournalValue

    /// A key with its value.
    public init(_ key: String, _ value: JournalValue) {
        self.key = key
        self.value = value
    }
}

extension JournalValue: ExpressibleByNilLiteral {
    /// `nil` is `null`.
    public init(nilLiteral: ()) { self = .null }
}

extension JournalValue: ExpressibleByBooleanLiteral {
    /// `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension JournalValue: ExpressibleByIntegerLiteral {
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .int(value) }
}

extension JournalValue: ExpressibleByFloatLiteral {
    /// A floating-point number.
    public init(floatLiteral value: Double) { self = .double(value) }
}

extension JournalValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    /// Text.
    public init(stringLiteral value: String) { self = .string(value) }
}

extension JournalValue: ExpressibleByArrayLiteral {
    /// A list.
    public init(arrayLiteral elements: JournalValue...) { self = .array(elements) }
}

extension JournalValue: ExpressibleByDictionaryLiteral {
    /// An object with the keys in the order they are written.
    public init(dictionaryLiteral elements: (String, JournalValue)...) {
        self = .object(elements.map { JournalField($0.0, $0.1) })
    }
}

extension JournalValue {
    /// A whole number, clamped to the range of 64 bits.
    public init(_ value: some BinaryInteger) {
        if let signed = Int64(exactly: value) {
            self = .int(signed)
        } else if value < 0 {
            self = .int(.min)
        } else {
            self = .uint(UInt64(clamping: value))
        }
    }

    /// A floating-point number.
    public init(_ value: Double) { self = .double(value) }

    /// Text.
    public init(_ value: String) { self = .string(value) }

    /// `true` or `false`.
    public init(_ value: Bool) { self = .bool(value) }

    /// The value of the first field of that key; nil when this is no object or has no such key.
    public subscript(key: String) -> JournalValue? {
        guard case .object(let fields) = self else { return nil }
        return fields.first { $0.key == key }?.value
    }
}
