package import NDArrays
package import Wire

/// Codes of values on the wire: the pvData codes of `ElementType` for numbers and booleans, then
/// strings, lists and structures.
private enum ValueCode {
    static let string: UInt8 = 11
    static let list: UInt8 = 12
    static let structure: UInt8 = 13
    static let none: UInt8 = 255
}

extension ByteWriter {
    /// A typed value: its code and its bytes; nil is code 255.
    package mutating func writeScalar(_ value: ScalarValue?) {
        guard let value else { return writeUInt8(ValueCode.none) }
        writeUInt8(value.elementType?.rawValue ?? ValueCode.string)
        switch value {
        case .boolean(let value): writeBool(value)
        case .int8(let value): writeInt8(value)
        case .int16(let value): writeInt16(value)
        case .int32(let value): writeInt32(value)
        case .int64(let value): writeInt64(value)
        case .uint8(let value): writeUInt8(value)
        case .uint16(let value): writeUInt16(value)
        case .uint32(let value): writeUInt32(value)
        case .uint64(let value): writeUInt64(value)
        case .float32(let value): writeFloat(value)
        case .float64(let value): writeDouble(value)
        case .string(let value): writeLongText(value)
        }
    }

    /// A value that may nest, at most `ProtocolLimits.maximumDepth` deep.
    package mutating func writeValue(_ value: StructureValue, depth: Int = 0) {
        switch value {
        case .scalar(let scalar): writeScalar(scalar)
        case .list(let values):
            writeUInt8(ValueCode.list)
            guard isWithin(depth) else { return }
            writeCount(
                values.count, maximum: ProtocolLimits.maximumFieldCount, field: "list count")
            for value in values { writeValue(value, depth: depth + 1) }
        case .structure(let structure):
            writeUInt8(ValueCode.structure)
            writeStructure(structure, depth: depth)
        }
    }

    /// The fields of a structure: their number, then name and value of each.
    package mutating func writeStructure(_ structure: Structure, depth: Int = 0) {
        guard isWithin(depth) else { return }
        writeCount(
            structure.fields.count, maximum: ProtocolLimits.maximumFieldCount,
            field: "field count")
        for field in structure.fields {
            writeName(field.name)
            writeValue(field.value, depth: depth + 1)
        }
    }

    /// Refuses what nests deeper than a reader takes.
    private mutating func isWithin(_ depth: Int) -> Bool {
        let limit = ProtocolLimits.maximumDepth
        check(depth, maximum: limit - 1, field: "depth")
        return depth < limit
    }
}

extension ByteReader {
    /// A typed value, nil for code 255.
    package mutating func readScalar() throws(WireError) -> ScalarValue? {
        try readScalar(code: try readUInt8())
    }

    private mutating func readScalar(code: UInt8) throws(WireError) -> ScalarValue? {
        if code == ValueCode.none { return nil }
        if code == ValueCode.string { return .string(try readLongText()) }
        guard let type = ElementType(rawValue: code) else {
            throw error(.unknownValue(field: "value code", value: UInt64(code)))
        }
        return switch type {
        case .boolean: .boolean(try readBool())
        case .int8: .int8(try readInt8())
        case .int16: .int16(try readInt16())
        case .int32: .int32(try readInt32())
        case .int64: .int64(try readInt64())
        case .uint8: .uint8(try readUInt8())
        case .uint16: .uint16(try readUInt16())
        case .uint32: .uint32(try readUInt32())
        case .uint64: .uint64(try readUInt64())
        case .float32: .float32(try readFloat())
        case .float64: .float64(try readDouble())
        }
    }

    /// A value that may nest, at most `ProtocolLimits.maximumDepth` deep.
    package mutating func readValue(depth: Int = 0) throws(WireError) -> StructureValue {
        let code = try readUInt8()
        switch code {
        case ValueCode.list:
            try checkDepth(depth)
            let count = try readCount(
                elementByteCount: 2, maximum: ProtocolLimits.maximumFieldCount, field: "list count")
            var values: [StructureValue] = []
            for _ in 0..<count { values.append(try readValue(depth: depth + 1)) }
            return .list(values)
        case ValueCode.structure:
            return .structure(try readStructure(depth: depth))
        default:
            guard let scalar = try readScalar(code: code) else {
                throw error(.unknownValue(field: "value code", value: UInt64(code)))
            }
            return .scalar(scalar)
        }
    }

    /// The fields of a structure; a name that comes twice is refused.
    package mutating func readStructure(depth: Int = 0) throws(WireError) -> Structure {
        try checkDepth(depth)
        let count = try readCount(
            elementByteCount: 6, maximum: ProtocolLimits.maximumFieldCount, field: "field count")
        var fields: [Structure.Field] = []
        for _ in 0..<count {
            let name = try readName()
            fields.append(Structure.Field(name: name, value: try readValue(depth: depth + 1)))
        }
        guard let structure = Structure(uniqueFields: fields) else {
            throw error(.unknownValue(field: "field name (it comes twice)", value: UInt64(count)))
        }
        return structure
    }

    private func checkDepth(_ depth: Int) throws(WireError) {
        let limit = ProtocolLimits.maximumDepth
        guard depth < limit else {
            throw error(
                .valueOutOfRange(
                    field: "depth", value: UInt64(depth), maximum: UInt64(limit - 1)))
        }
    }
}
