/// The unit of a statistic: an open set, spelled as the field spells it.
public struct StatisticUnit: RawRepresentable, Sendable, Hashable, CustomStringConvertible,
    ExpressibleByStringLiteral
{
    /// The spelling in files and on the wire; empty where there is no unit.
    public let rawValue: String

    /// A unit of that spelling.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A unit of that spelling.
    public init(stringLiteral value: String) { rawValue = value }

    /// The spelling.
    public var description: String { rawValue }

    /// No unit: text, ids, ratios.
    public static let none: StatisticUnit = ""
    /// A number of things.
    public static let count: StatisticUnit = "count"
    /// Bytes.
    public static let bytes: StatisticUnit = "B"
    /// Seconds.
    public static let seconds: StatisticUnit = "s"
    /// Nanoseconds.
    public static let nanoseconds: StatisticUnit = "ns"
    /// Events per second.
    public static let perSecond: StatisticUnit = "Hz"
    /// Frames per second.
    public static let framesPerSecond: StatisticUnit = "fps"
    /// Bytes per second.
    public static let bytesPerSecond: StatisticUnit = "B/s"
    /// 10⁶ bytes per second.
    public static let megabytesPerSecond: StatisticUnit = "MBps"

    /// Whether this is one of the units above that is a quantity per time.
    public var isRate: Bool {
        switch self {
        case .perSecond, .framesPerSecond, .bytesPerSecond, .megabytesPerSecond: true
        default: false
        }
    }
}

/// How the values that several workers have for one statistic become one; the raw value is the code
/// on the wire. The exact rules are at `aggregate(_:)`.
public enum Aggregation: UInt8, Sendable, Hashable, CaseIterable {
    /// All values added.
    case sum = 0
    /// The smallest value.
    case minimum = 1
    /// The largest value.
    case maximum = 2
    /// The arithmetic mean, every worker weighing the same.
    case mean = 3
    /// The value with the latest time stamp.
    case last = 4
}

/// What a processor says beforehand about one of its statistics.
public struct StatisticDeclaration: Sendable, Hashable {
    /// The key, in the field's spelling (`nFilesSaved`).
    public var key: String
    /// The kind of its values.
    public var kind: StatisticKind
    /// The unit of its values.
    public var unit: StatisticUnit
    /// How the values of several workers become one.
    public var aggregation: Aggregation
    /// Whether it only grows between resets, so that what a worker counted stays in the total when
    /// that worker is gone.
    public var isCounter: Bool
    /// One sentence for people.
    public var description: String

    /// A declaration; `isCounter` nil means: yes for a sum whose unit is not a rate.
    public init(
        key: String, kind: StatisticKind, unit: StatisticUnit = .none,
        aggregation: Aggregation = .sum, isCounter: Bool? = nil, description: String = ""
    ) {
        self.key = key
        self.kind = kind
        self.unit = unit
        self.aggregation = aggregation
        self.isCounter = isCounter ?? (aggregation == .sum && !unit.isRate)
        self.description = description
    }
}

/// A statistic with its value.
public struct Statistic: Sendable, Hashable {
    /// What it is.
    public var declaration: StatisticDeclaration
    /// What it was when it was asked for.
    public var value: StatisticValue

    /// A statistic with its value.
    public init(_ declaration: StatisticDeclaration, _ value: StatisticValue) {
        self.declaration = declaration
        self.value = value
    }
}
