/// What kind of value a statistic has; the raw value is its code on the wire.
public enum StatisticKind: UInt8, Sendable, Hashable, CaseIterable {
    /// A number that is never negative: counts, bytes.
    case unsigned = 0
    /// A whole number of either sign.
    case signed = 1
    /// A floating-point number: seconds, rates.
    case real = 2
    /// Text.
    case text = 3
    /// True or false.
    case boolean = 4
}

/// The value of one statistic at one moment.
public enum StatisticValue: Sendable, Hashable {
    /// A number that is never negative.
    case unsigned(UInt64)
    /// A whole number of either sign.
    case signed(Int64)
    /// A floating-point number; NaN says "nothing is known" and is left out of every aggregate.
    case real(Double)
    /// Text.
    case text(String)
    /// True or false.
    case boolean(Bool)

    /// The kind of this value.
    public var kind: StatisticKind {
        switch self {
        case .unsigned: .unsigned
        case .signed: .signed
        case .real: .real
        case .text: .text
        case .boolean: .boolean
        }
    }

    /// The value as a number (true is 1, false 0; rounded above 2⁵³); nil for text.
    public var doubleValue: Double? {
        switch self {
        case .unsigned(let value): Double(value)
        case .signed(let value): Double(value)
        case .real(let value): value
        case .text: nil
        case .boolean(let value): value ? 1 : 0
        }
    }

    /// The value as an unsigned number; nil for text, NaN, negative numbers and fractions.
    public var unsignedValue: UInt64? {
        switch self {
        case .unsigned(let value): value
        case .signed(let value): UInt64(exactly: value)
        case .real(let value): UInt64(exactly: value)
        case .text: nil
        case .boolean(let value): value ? 1 : 0
        }
    }

    /// An unsigned value for integers that are not negative, a signed one for the others, clamped
    /// to 64 bits.
    public init(_ value: some BinaryInteger) {
        if value >= 0 {
            self = .unsigned(UInt64(clamping: value))
        } else {
            self = .signed(Int64(clamping: value))
        }
    }

    /// A real value.
    public init(_ value: Double) { self = .real(value) }

    /// A text value.
    public init(_ value: String) { self = .text(value) }

    /// A boolean value.
    public init(_ value: Bool) { self = .boolean(value) }
}

extension StatisticValue: ExpressibleByIntegerLiteral {
    /// `5` is `.unsigned(5)`, `-5` is `.signed(-5)`.
    public init(integerLiteral value: Int64) { self.init(value) }
}

extension StatisticValue: ExpressibleByFloatLiteral {
    /// `0.5` is `.real(0.5)`.
    public init(floatLiteral value: Double) { self = .real(value) }
}

extension StatisticValue: ExpressibleByStringLiteral {
    /// `"on"` is `.text("on")`.
    public init(stringLiteral value: String) { self = .text(value) }
}

extension StatisticValue: ExpressibleByBooleanLiteral {
    /// `true` is `.boolean(true)`.
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
}

extension StatisticValue: CustomStringConvertible {
    /// The bare value, as a table shows it.
    public var description: String {
        switch self {
        case .unsigned(let value): "\(value)"
        case .signed(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(let value): value
        case .boolean(let value): "\(value)"
        }
    }
}
