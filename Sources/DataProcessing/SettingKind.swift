/// The kinds of value that a setting may have; the raw value is the code on the wire.
public enum SettingKind: UInt8, Sendable, Hashable, CaseIterable {
    /// True or false; as text also yes, no, on and off.
    case boolean = 0
    /// A whole number of 64 bits.
    case integer = 1
    /// A floating-point number.
    case real = 2
    /// Text.
    case text = 3
    /// The path of a file or folder, relative to where the run was started.
    case path = 4
    /// Texts in order.
    case textList = 5
    /// Whole numbers in order.
    case integerList = 6
    /// Floating-point numbers in order.
    case realList = 7

    /// What a value has to be, for people: `true or false`, `a whole number`, `a list of numbers`.
    public var name: String {
        switch self {
        case .boolean: "true or false"
        case .integer: "a whole number"
        case .real: "a number"
        case .text: "text"
        case .path: "a path"
        case .textList: "a list of texts"
        case .integerList: "a list of whole numbers"
        case .realList: "a list of numbers"
        }
    }

    /// The value in the one form that this kind is stored in, nil when it is not of this kind. Text
    /// is parsed, because that is what a command line gives; numbers serve as text.
    func canonical(_ value: StructureValue) -> StructureValue? {
        switch self {
        case .boolean, .integer, .real, .text, .path:
            guard case .scalar(let scalar) = value else { return nil }
            return canonicalScalar(scalar).map(StructureValue.scalar)
        case .textList: return Self.canonicalList(value, of: .text)
        case .integerList: return Self.canonicalList(value, of: .integer)
        case .realList: return Self.canonicalList(value, of: .real)
        }
    }

    private func canonicalScalar(_ value: ScalarValue) -> ScalarValue? {
        switch self {
        case .boolean: Self.boolean(value).map(ScalarValue.boolean)
        case .integer: Self.integer(value).map(ScalarValue.int64)
        case .real: Self.real(value).map(ScalarValue.float64)
        case .text, .path: .string(value.description)
        case .textList, .integerList, .realList: nil
        }
    }

    private static func canonicalList(
        _ value: StructureValue, of element: SettingKind
    ) -> StructureValue? {
        let items: [StructureValue]
        switch value {
        case .list(let list): items = list
        case .scalar(.string(let text)):
            guard let parts = listItems(text) else { return nil }
            items = parts.map { .scalar(.string($0)) }
        case .scalar: items = [value]
        case .structure: return nil
        }
        var canonical: [StructureValue] = []
        for item in items {
            guard let value = element.canonical(item) else { return nil }
            canonical.append(value)
        }
        return .list(canonical)
    }

    private static func boolean(_ value: ScalarValue) -> Bool? {
        switch value {
        case .boolean(let value): return value
        case .string(let text):
            switch text.lowercased() {
            case "true", "yes", "on": return true
            case "false", "no", "off": return false
            default: return nil
            }
        default: return nil
        }
    }

    private static func integer(_ value: ScalarValue) -> Int64? {
        switch value {
        case .boolean: return nil
        case .string(let text):
            if let value = Int64(text) { return value }
            return Double(text).flatMap { Int64(exactly: $0) }
        case .float32(let value): return Int64(exactly: value)
        case .float64(let value): return Int64(exactly: value)
        default: return value.int64Value
        }
    }

    private static func real(_ value: ScalarValue) -> Double? {
        switch value {
        case .boolean: return nil
        case .string(let text):
            guard let value = Double(text), !value.isNaN else { return nil }
            return value
        default: return value.doubleValue.flatMap { $0.isNaN ? nil : $0 }
        }
    }

    /// The items of `[a, 'b, c', "d"]`; text without brackets is one item. Nil when brackets or
    /// quotes do not close.
    static func listItems(_ text: String) -> [String]? {
        let trimmed = text.trimmingSpaces
        guard trimmed.first == "[" else { return trimmed.isEmpty ? [] : [trimmed] }
        guard trimmed.last == "]", trimmed.count >= 2 else { return nil }
        var items: [String] = []
        var current = ""
        var quote: Character?
        var wasQuoted = false
        for character in trimmed.dropFirst().dropLast() {
            if let open = quote {
                if character == open { quote = nil } else { current.append(character) }
            } else if character == "'" || character == "\"", current.trimmingSpaces.isEmpty {
                (quote, wasQuoted, current) = (character, true, "")
            } else if character == "," {
                items.append(wasQuoted ? current : current.trimmingSpaces)
                (current, wasQuoted) = ("", false)
            } else if !(wasQuoted && character == " ") {
                current.append(character)
            }
        }
        guard quote == nil else { return nil }
        let last = wasQuoted ? current : current.trimmingSpaces
        if !items.isEmpty || wasQuoted || !last.isEmpty { items.append(last) }
        return items
    }
}

extension String {
    /// The text without blanks at both ends.
    var trimmingSpaces: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" }
        guard let first = firstIndex(where: { !isBlank($0) }),
            let last = lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(self[first...last])
    }
}

/// A Swift type that a setting may have: Bool, Int, Double, String, and arrays of the last three.
public protocol SettingValue: Sendable, Hashable {
    /// The kind of setting that holds this type.
    static var settingKind: SettingKind { get }
    /// The value as it is stored.
    var structureValue: StructureValue { get }
    /// The value of a stored one, which has been checked to be of this kind; nil for any other.
    init?(structureValue: StructureValue)
}

extension Bool: SettingValue {
    /// The kind of setting that holds this type.
    public static var settingKind: SettingKind { .boolean }
    /// The value as it is stored.
    public var structureValue: StructureValue { .scalar(.boolean(self)) }
    /// The value of a stored one; nil for another kind.
    public init?(structureValue: StructureValue) {
        guard case .scalar(.boolean(let value)) = structureValue else { return nil }
        self = value
    }
}

extension Int: SettingValue {
    /// The kind of setting that holds this type.
    public static var settingKind: SettingKind { .integer }
    /// The value as it is stored.
    public var structureValue: StructureValue { .scalar(.int64(Int64(self))) }
    /// The value of a stored one; nil for another kind.
    public init?(structureValue: StructureValue) {
        guard case .scalar(.int64(let value)) = structureValue else { return nil }
        self.init(exactly: value)
    }
}

extension Double: SettingValue {
    /// The kind of setting that holds this type.
    public static var settingKind: SettingKind { .real }
    /// The value as it is stored.
    public var structureValue: StructureValue { .scalar(.float64(self)) }
    /// The value of a stored one; nil for another kind.
    public init?(structureValue: StructureValue) {
        guard case .scalar(.float64(let value)) = structureValue else { return nil }
        self = value
    }
}

extension String: SettingValue {
    /// The kind of setting that holds this type.
    public static var settingKind: SettingKind { .text }
    /// The value as it is stored.
    public var structureValue: StructureValue { .scalar(.string(self)) }
    /// The value of a stored one; nil for another kind.
    public init?(structureValue: StructureValue) {
        guard case .scalar(.string(let value)) = structureValue else { return nil }
        self = value
    }
}

/// A type whose arrays may be the value of a setting.
public protocol SettingListElement: SettingValue {
    /// The kind of setting that holds an array of this type.
    static var listKind: SettingKind { get }
}

extension Int: SettingListElement { public static var listKind: SettingKind { .integerList } }
extension Double: SettingListElement { public static var listKind: SettingKind { .realList } }
extension String: SettingListElement { public static var listKind: SettingKind { .textList } }

extension Array: SettingValue where Element: SettingListElement {
    /// The kind of setting that holds this type.
    public static var settingKind: SettingKind { Element.listKind }
    /// The value as it is stored.
    public var structureValue: StructureValue { .list(map(\.structureValue)) }
    /// The value of a stored one; nil for another kind.
    public init?(structureValue: StructureValue) {
        guard case .list(let list) = structureValue else { return nil }
        var values: [Element] = []
        for item in list {
            guard let value = Element(structureValue: item) else { return nil }
            values.append(value)
        }
        self = values
    }
}
