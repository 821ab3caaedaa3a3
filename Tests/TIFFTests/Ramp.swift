import NDArrays

/// An array of this layout whose bytes are a ramp, so that every element is another one.
func ramp(_ layout: ArrayLayout, uniqueId: UInt64 = 7) -> NDArray {
    var array = NDArray(layout: layout, uniqueId: uniqueId)
    array.withUnsafeMutableBytes { bytes in
        switch layout.elementType {
        case .boolean: for index in bytes.indices { bytes[index] = UInt8(index % 3 == 0 ? 1 : 0) }
        case .int8, .uint8: for index in bytes.indices { bytes[index] = UInt8(index * 37 & 255) }
        case .int16, .uint16: fill(bytes) { UInt16(truncatingIfNeeded: $0 &* 977 &- 300) }
        case .int32, .uint32: fill(bytes) { UInt32(truncatingIfNeeded: $0 &* 70_000_001 &- 5) }
        case .int64, .uint64:
            fill(bytes) { UInt64(truncatingIfNeeded: $0 &* 7_000_000_000_000_001 &- 5) }
        case .float32: fill(bytes) { Float($0) * 1.1e10 - 3 }
        case .float64: fill(bytes) { Double($0) * 1.1e300 / 1e5 - 3 }
        }
    }
    return array
}

private func fill<Value: BitwiseCopyable>(
    _ bytes: UnsafeMutableRawBufferPointer, _ value: (Int) -> Value
) {
    for index in 0..<bytes.count / MemoryLayout<Value>.size {
        bytes.storeBytes(
            of: value(index), toByteOffset: index * MemoryLayout<Value>.size, as: Value.self)
    }
}
