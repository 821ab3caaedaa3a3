/// One typed value: of an attribute, of a field of a structure, or of a setting.
public enum ScalarValue: Sendable, Hashable {
    case boolean(Bool)
    case int8(Int8)
    case int16(Int16)
    case int32(Int32)
    case int64(Int64)
    case uint8(UInt8)
    case uint16(UInt16)
    case uint32(UInt32)
    case uint64(UInt64)
    case float32(Float)
    case float64(Double)
    case string(String)

    /// The element type of a number or boolean, nil for a string.
    public var elementType: ElementType? {
        switch self {
        case .boolean: .boolean
        case .int8: .int8
        case .int16: .int16
        case .int32: .int32
        case .int64: .int64
        case .uint8: .uint8
        case .uint16: .uint16
        case .uint32: .uint32
        case .uint64: .uint64
        case .float32: .float32
        case .float64: .float64
        case .string: nil
        }
    }

    /// The value as float64, nil for a string; booleans are 0 and 1, large 64-bit integers are
    /// rounded.
    public var doubleValue: Double? {
        switch self {
        case .boolean(let value): value ? 1 : 0
        case .float32(let value): Double(value)
        case .float64(let value): value
        case .uint64(let value): Double(value)
        case .string: nil
        case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32: int64Value.map(Double.init)
        }
    }

    /// The value as a signed 64-bit integer; nil for strings, floating point, and what does not
    /// fit.
    public var int64Value: Int64? {
        switch self {
        case .boolean(let value): value ? 1 : 0
        case .int8(let value): Int64(value)
        case .int16(let value): Int64(value)
        case .int32(let value): Int64(value)
        case .int64(let value): value
        case .uint8(let value): Int64(value)
        case .uint16(let value): Int64(value)
        case .uint32(let value): Int64(value)
        case .uint64(let value): Int64(exactly: value)
        case .float32, .float64, .string: nil
        }
    }
}

extension ScalarValue: CustomStringConvertible {
    /// The value as text; numbers in the shortest form that reads back the same.
    public var description: String {
        switch self {
        case .boolean(let value): value ? "true" : "false"
        case .int8(let value): "\(value)"
        case .int16(let value): "\(value)"
        case .int32(let value): "\(value)"
        case .int64(let value): "\(value)"
        case .uint8(let value): "\(value)"
        case .uint16(let value): "\(value)"
        case .uint32(let value): "\(value)"
        case .uint64(let value): "\(value)"
        case .float32(let value): "\(value)"
        case .float64(let value): "\(value)"
        case .string(let value): value
        }
    }
}

/// A value that may be made of others: what a structure payload and a processor's settings hold.
public indirect enum StructureValue: Sendable, Hashable {
    /// One typed value.
    case scalar(ScalarValue)
    /// Values in order, which need not be of one kind.
    case list([StructureValue])
    /// Named values.
    case structure(Structure)
}

/// Named, typed values in order: a payload that is not an image, and the settings of a processor.
public struct Structure: Sendable, Hashable {
    /// One name with its value.
    public struct Field: Sendable, Hashable {
        /// Name, unique in its structure.
        public let name: String
        /// The value.
        public var value: StructureValue

        /// A field called `name`.
        public init(name: String, value: StructureValue) {
            self.name = name
            self.value = value
        }
    }

    /// The fields in the order they were added.
    public private(set) var fields: [Field]

    /// A structure with no fields.
    public init() { fields = [] }

    /// A structure of these pairs; a later pair replaces an earlier one of the same name.
    public init(_ pairs: KeyValuePairs<String, StructureValue>) {
        self.init()
        for (name, value) in pairs { self[name] = value }
    }

    /// A structure of these fields in this order, nil when a name comes twice. Takes time
    /// proportional to the number of fields.
    public init?(uniqueFields fields: [Field]) {
        guard Set(fields.map(\.name)).count == fields.count else { return nil }
        self.fields = fields
    }

    /// The value called `name`, nil when there is none; setting nil removes the field.
    public subscript(name: String) -> StructureValue? {
        get { fields.first { $0.name == name }?.value }
        set {
            let position = fields.firstIndex { $0.name == name }
            switch (position, newValue) {
            case (let position?, let value?): fields[position].value = value
            case (let position?, nil): fields.remove(at: position)
            case (nil, let value?): fields.append(Field(name: name, value: value))
            case (nil, nil): break
            }
        }
    }
}
