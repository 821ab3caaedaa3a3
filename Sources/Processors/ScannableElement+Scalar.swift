import NDArrays

extension ScannableElement {
    /// A minimum above and a maximum below every value, to begin with.
    static var widestExtremes: (minimum: Self, maximum: Self) {
        switch Self.elementType {
        case .float32, .float64: (Self(nearest: .infinity), Self(nearest: -.infinity))
        case .boolean, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64:
            (Self(nearest: .infinity), Self(nearest: -.infinity))
        }
    }

    /// The value with its type.
    var scalarValue: ScalarValue {
        switch self {
        case let value as Int8: .int8(value)
        case let value as Int16: .int16(value)
        case let value as Int32: .int32(value)
        case let value as Int64: .int64(value)
        case let value as UInt8: .uint8(value)
        case let value as UInt16: .uint16(value)
        case let value as UInt32: .uint32(value)
        case let value as UInt64: .uint64(value)
        case let value as Float: .float32(value)
        default: .float64(asDouble)
        }
    }
}
