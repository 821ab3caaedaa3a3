/// The type of one element of an `NDArray`: areaDetector's ten numeric types, and boolean.
///
/// The raw values are pvData's `ScalarType` codes, as `codec.parameters` of an NTNDArray holds them
/// (boolean 0 … float64 10); they are also the codes on the wire.
public enum ElementType: UInt8, Sendable, CaseIterable, Hashable {
    case boolean = 0
    case int8 = 1
    case int16 = 2
    case int32 = 3
    case int64 = 4
    case uint8 = 5
    case uint16 = 6
    case uint32 = 7
    case uint64 = 8
    case float32 = 9
    case float64 = 10

    /// Bytes of one element; a boolean takes one.
    @inlinable
    public var byteCount: Int {
        switch self {
        case .boolean, .int8, .uint8: 1
        case .int16, .uint16: 2
        case .int32, .uint32, .float32: 4
        case .int64, .uint64, .float64: 8
        }
    }

    /// The name used on the command line and in files: `uint16`, `float32`, `boolean`.
    public var name: String {
        switch self {
        case .boolean: "boolean"
        case .int8: "int8"
        case .int16: "int16"
        case .int32: "int32"
        case .int64: "int64"
        case .uint8: "uint8"
        case .uint16: "uint16"
        case .uint32: "uint32"
        case .uint64: "uint64"
        case .float32: "float32"
        case .float64: "float64"
        }
    }

    /// The type with this name, nil when there is none.
    public init?(name: String) {
        guard let found = ElementType.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// The field of an NTNDArray's `value` union that holds this type, for example `ushortValue`
    /// (pvData: byte, short, int, long with `u` for unsigned).
    public var fieldKey: String {
        switch self {
        case .boolean: "booleanValue"
        case .int8: "byteValue"
        case .int16: "shortValue"
        case .int32: "intValue"
        case .int64: "longValue"
        case .uint8: "ubyteValue"
        case .uint16: "ushortValue"
        case .uint32: "uintValue"
        case .uint64: "ulongValue"
        case .float32: "floatValue"
        case .float64: "doubleValue"
        }
    }
}

extension ElementType: CustomStringConvertible {
    /// The same as `name`.
    public var description: String { name }
}

/// A Swift type that can be an element of an `NDArray`.
public protocol ArrayElement: BitwiseCopyable, Numeric, Comparable, Sendable {
    /// The element type that this Swift type reads and writes.
    static var elementType: ElementType { get }
    /// The value as float64; 64-bit integers above 2^53 are rounded.
    var asDouble: Double { get }
    /// The nearest value of this type: rounded half away from zero and held within its range; NaN
    /// becomes 0 in integer types.
    init(nearest value: Double)
}

extension ArrayElement where Self: BinaryInteger {
    /// The value as float64; above 2^53 it is rounded.
    @inlinable
    public var asDouble: Double { Double(self) }
}

extension ArrayElement where Self: FixedWidthInteger {
    /// Rounds half away from zero and saturates; NaN becomes 0.
    @inlinable
    public init(nearest value: Double) {
        let rounded = value.rounded()
        if rounded.isNaN {
            self = 0
        } else if rounded >= Double(Self.max) {
            self = .max
        } else if rounded <= Double(Self.min) {
            self = .min
        } else {
            self = Self(rounded)
        }
    }
}

extension Int8: ArrayElement { public static var elementType: ElementType { .int8 } }
extension Int16: ArrayElement { public static var elementType: ElementType { .int16 } }
extension Int32: ArrayElement { public static var elementType: ElementType { .int32 } }
extension Int64: ArrayElement { public static var elementType: ElementType { .int64 } }
extension UInt8: ArrayElement { public static var elementType: ElementType { .uint8 } }
extension UInt16: ArrayElement { public static var elementType: ElementType { .uint16 } }
extension UInt32: ArrayElement { public static var elementType: ElementType { .uint32 } }
extension UInt64: ArrayElement { public static var elementType: ElementType { .uint64 } }

extension Float: ArrayElement {
    public static var elementType: ElementType { .float32 }
    /// The value as float64, exactly.
    @inlinable
    public var asDouble: Double { Double(self) }
    /// The nearest float32.
    @inlinable
    public init(nearest value: Double) { self = Float(value) }
}

extension Double: ArrayElement {
    public static var elementType: ElementType { .float64 }
    /// The value itself.
    @inlinable
    public var asDouble: Double { self }
    /// The value itself.
    @inlinable
    public init(nearest value: Double) { self = value }
}

/// Work that is written once for every element type; see `ElementType.accept`.
public protocol ElementVisitor {
    associatedtype Result
    /// Called once with the Swift type of the elements; boolean arrays come as `UInt8`.
    mutating func visit<Element: ArrayElement>(_ type: Element.Type) throws -> Result
}

extension ElementType {
    /// Calls the visitor with the Swift type for this element type (`UInt8` for boolean) and
    /// returns its result.
    @inlinable
    public func accept<Visitor: ElementVisitor>(_ visitor: inout Visitor) throws -> Visitor.Result {
        switch self {
        case .boolean, .uint8: try visitor.visit(UInt8.self)
        case .int8: try visitor.visit(Int8.self)
        case .int16: try visitor.visit(Int16.self)
        case .int32: try visitor.visit(Int32.self)
        case .int64: try visitor.visit(Int64.self)
        case .uint16: try visitor.visit(UInt16.self)
        case .uint32: try visitor.visit(UInt32.self)
        case .uint64: try visitor.visit(UInt64.self)
        case .float32: try visitor.visit(Float.self)
        case .float64: try visitor.visit(Double.self)
        }
    }
}
