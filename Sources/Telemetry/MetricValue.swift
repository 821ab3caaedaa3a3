/// A value of a metric or of a tag.
public enum MetricValue: Sendable, Hashable {
    /// A whole number.
    case int(Int64)
    /// A floating-point number; it may be NaN or infinite, which each format treats by its own rule.
    case float(Double)
    /// Text.
    case string(String)
    /// `true` or `false`; never taken for a whole number.
    case bool(Bool)
}

extension MetricValue: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByStringLiteral
{
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .int(value) }

    /// A floating-point number.
    public init(floatLiteral value: Double) { self = .float(value) }

    /// `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// Text.
    public init(stringLiteral value: String) { self = .string(value) }
}

extension MetricValue: CustomStringConvertible {
    /// The value as text: whole numbers in decimal, floating-point numbers in the shortest form that is
    /// read back as the same number.
    public var description: String {
        switch self {
        case .int(let value): "\(value)"
        case .float(let value): "\(value)"
        case .string(let value): value
        case .bool(let value): "\(value)"
        }
    }
}
