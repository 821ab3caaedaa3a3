/// What is allowed as the value of a setting, apart from its kind; of a list, of each of its items.
public enum SettingLimit: Sendable, Hashable {
    /// Every value of the kind.
    case any
    /// Numbers from `lower` to `upper`, both included; nil is open.
    case range(lower: Double?, upper: Double?)
    /// One of these.
    case choices([ScalarValue])

    /// Whether a stored value is allowed.
    func allows(_ value: StructureValue) -> Bool {
        switch value {
        case .list(let list): return list.allSatisfy(allows)
        case .structure: return false
        case .scalar(let scalar):
            switch self {
            case .any: return true
            case .choices(let choices): return choices.contains(scalar)
            case .range(let lower, let upper):
                guard let number = scalar.doubleValue else { return false }
                return number >= (lower ?? -.infinity) && number <= (upper ?? .infinity)
            }
        }
    }
}

/// What a processor says about one of its settings, whatever the type of the value.
public protocol SettingDeclaration: Sendable {
    /// The key, unique in a processor.
    var name: String { get }
    /// What kind of value it has.
    var kind: SettingKind { get }
    /// The value where none is given; nil: one has to be given.
    var defaultStructureValue: StructureValue? { get }
    /// What is allowed.
    var limit: SettingLimit { get }
    /// The unit of the value, empty where there is none.
    var unit: String { get }
    /// One sentence for people.
    var summary: String { get }
    /// Whether `configure` may change it while the run is going on.
    var isChangeable: Bool { get }
}

extension SettingDeclaration {
    /// Whether a value has to be given.
    public var isRequired: Bool { defaultStructureValue == nil }

    /// What is allowed, for people: `a whole number from 0 to 65535`, `one of none, lzw`.
    public var allowedText: String {
        switch limit {
        case .any: return kind.name
        case .choices(let choices):
            return "one of " + choices.map(\.description).joined(separator: ", ")
        case .range(let lower, let upper):
            var text = kind.name
            if let lower { text += " from \(Self.number(lower))" }
            if let upper {
                text += lower == nil ? " up to \(Self.number(upper))" : " to \(Self.number(upper))"
            }
            if lower != nil, upper == nil { text += " up" }
            return text + (unit.isEmpty ? "" : " \(unit)")
        }
    }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    /// The value as it is stored, nil when it is of another kind or not allowed.
    func checked(_ value: StructureValue) -> StructureValue? {
        guard let canonical = kind.canonical(value), limit.allows(canonical) else { return nil }
        return canonical
    }
}

/// A setting of a processor: the typed key of a value in its `Configuration`.
///
///     static let threshold = Setting("threshold", default: 60_000, in: 0...65_535, "Above is 0.")
public struct Setting<Value: SettingValue>: SettingDeclaration {
    /// The name.
    public let name: String
    /// What kind of value it has.
    public let kind: SettingKind
    /// The value where none is given; nil: one has to be given.
    public let defaultValue: Value?
    /// What is allowed.
    public let limit: SettingLimit
    /// The unit, empty where there is none.
    public let unit: String
    /// One sentence for people.
    public let summary: String
    /// Whether it may be changed while the run goes on.
    public let isChangeable: Bool

    /// The default as it is stored.
    public var defaultStructureValue: StructureValue? { defaultValue?.structureValue }

    init(
        name: String, kind: SettingKind = Value.settingKind, defaultValue: Value?,
        limit: SettingLimit, unit: String, summary: String, isChangeable: Bool
    ) {
        self.name = name
        self.kind = kind
        self.defaultValue = defaultValue
        self.limit = limit
        self.unit = unit
        self.summary = summary
        self.isChangeable = isChangeable
    }

    /// A setting that may have any value of its type.
    public init(
        _ name: String, default value: Value, unit: String = "", isChangeable: Bool = true,
        _ summary: String
    ) {
        self.init(
            name: name, defaultValue: value, limit: .any, unit: unit, summary: summary,
            isChangeable: isChangeable)
    }

    /// A setting that has to be given.
    public init(
        _ name: String, required type: Value.Type, unit: String = "", isChangeable: Bool = true,
        _ summary: String
    ) {
        self.init(
            name: name, defaultValue: nil, limit: .any, unit: unit, summary: summary,
            isChangeable: isChangeable)
    }
}

extension Setting where Value == Int {
    /// A whole number within a range.
    public init(
        _ name: String, default value: Int, in range: some RangeExpression<Int>, unit: String = "",
        isChangeable: Bool = true, _ summary: String
    ) {
        self.init(
            name: name, defaultValue: value, limit: .range(range), unit: unit, summary: summary,
            isChangeable: isChangeable)
    }
}

extension Setting where Value == Double {
    /// A number within a range, both ends included.
    public init(
        _ name: String, default value: Double, in range: ClosedRange<Double>, unit: String = "",
        isChangeable: Bool = true, _ summary: String
    ) {
        self.init(
            name: name, defaultValue: value,
            limit: .range(lower: range.lowerBound, upper: range.upperBound), unit: unit,
            summary: summary, isChangeable: isChangeable)
    }

    /// A number not below `range`.
    public init(
        _ name: String, default value: Double, in range: PartialRangeFrom<Double>,
        unit: String = "", isChangeable: Bool = true, _ summary: String
    ) {
        self.init(
            name: name, defaultValue: value, limit: .range(lower: range.lowerBound, upper: nil),
            unit: unit, summary: summary, isChangeable: isChangeable)
    }
}

extension Setting where Value == String {
    /// A text that is one of `choices`.
    public init(
        _ name: String, default value: String, choices: [String], isChangeable: Bool = true,
        _ summary: String
    ) {
        self.init(
            name: name, defaultValue: value, limit: .choices(choices.map { .string($0) }), unit: "",
            summary: summary, isChangeable: isChangeable)
    }

    /// The path of a file or folder.
    public init(
        _ name: String, path: String, isChangeable: Bool = true, _ summary: String
    ) {
        self.init(
            name: name, kind: .path, defaultValue: path, limit: .any, unit: "", summary: summary,
            isChangeable: isChangeable)
    }

    /// The path of a file or folder, which has to be given.
    public init(requiredPath name: String, isChangeable: Bool = true, _ summary: String) {
        self.init(
            name: name, kind: .path, defaultValue: nil, limit: .any, unit: "", summary: summary,
            isChangeable: isChangeable)
    }
}

extension SettingLimit {
    /// The numbers of a range of whole numbers.
    static func range(_ range: some RangeExpression<Int>) -> SettingLimit {
        // `relative(to:)` makes every kind of range a half-open one, here within ±2^53, where
        // float64 holds whole numbers exactly.
        let all = -(1 << 53)..<(1 << 53) + 1
        let limits = range.relative(to: all)
        return .range(
            lower: limits.lowerBound == all.lowerBound ? nil : Double(limits.lowerBound),
            upper: limits.upperBound == all.upperBound ? nil : Double(limits.upperBound - 1))
    }
}
