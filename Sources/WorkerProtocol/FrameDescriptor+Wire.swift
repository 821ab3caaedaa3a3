internal import NDArrays
package import Wire

// There is one descriptor per frame and direction, so its fixed parts are read and written as
// blocks.

extension FrameDescriptor {
    /// Bytes of the fields before the source's name.
    private static let fixedByteCount = 20

    /// Writes the descriptor.
    package func write(to writer: inout ByteWriter) {
        if let fault = timeStamp.fault { writer.refuse(fault) }
        let block = MutableFieldBlock(Self.fixedByteCount, of: &writer)
        block.set(uniqueId, at: 0)
        block.set(timeStamp.secondsPastEpoch, at: 8)
        block.set(timeStamp.nanoseconds, at: 16)
        writer.writeLongText(sourceName)
        let byteCount = writer.writeLocation(location)
        writer.writePayload(payload, byteCount: byteCount)
        writer.writeCount(
            attributes.count, maximum: ProtocolLimits.maximumAttributeCount,
            field: "attribute count")
        if attributes.isEmpty { return }
        for attribute in attributes { writer.writeAttribute(attribute) }
    }

    /// Reads a descriptor.
    package init(from reader: inout ByteReader) throws(WireError) {
        let block = try FieldBlock(Self.fixedByteCount, of: &reader)
        uniqueId = block.value(at: 0)
        timeStamp = TimeStamp(
            secondsPastEpoch: block.value(at: 8), nanoseconds: block.value(at: 16))
        if let fault = timeStamp.fault { throw reader.error(fault) }
        sourceName = try reader.readLongText()
        let byteCount: UInt64?
        (location, byteCount) = try reader.readLocation()
        payload = try reader.readPayload(byteCount: byteCount)
        attributes = try reader.readAttributes()
    }
}

extension TimeStamp {
    /// Why arithmetic with the time stamp could go wrong.
    @inline(__always)
    fileprivate var fault: WireError.Code? {
        if UInt32(bitPattern: nanoseconds) > 999_999_999 {
            return .valueOutOfRange(
                field: "nanoseconds", value: UInt64(UInt32(bitPattern: nanoseconds)),
                maximum: 999_999_999)
        }
        if secondsPastEpoch.magnitude > ProtocolLimits.maximumSeconds.magnitude {
            return .valueOutOfRange(
                field: "seconds", value: secondsPastEpoch.magnitude,
                maximum: ProtocolLimits.maximumSeconds.magnitude)
        }
        return nil
    }
}

extension FrameLocation {
    /// Where the bytes of an inline frame lie in a payload of `payloadByteCount` bytes; nil when
    /// they are not in it, and for the other locations. Any numbers may be asked for.
    package func payloadRange(payloadByteCount: Int) -> Range<Int>? {
        guard case .inline(let byteOffset, let byteCount) = self,
            byteOffset <= UInt64(payloadByteCount),
            byteCount <= UInt64(payloadByteCount) - byteOffset
        else { return nil }
        return Int(byteOffset)..<Int(byteOffset) + Int(byteCount)
    }
}

// MARK: - Parts

/// Bytes of one dimension.
private let dimensionByteCount = 29

/// Why no frame has `byteCount` bytes in one place.
private func fault(ofFrameOf byteCount: UInt64) -> WireError.Code? {
    let maximum = ProtocolLimits.maximumFrameByteCount
    return byteCount > maximum
        ? .valueOutOfRange(field: "frame size", value: byteCount, maximum: maximum) : nil
}

/// Why no payload of a message has `byteCount` bytes from `byteOffset`.
private func fault(ofInline byteOffset: UInt64, _ byteCount: UInt64) -> WireError.Code? {
    let maximum = ProtocolLimits.maximumInlineByteCount
    return byteOffset > maximum || byteCount > maximum - byteOffset
        ? .valueOutOfRange(field: "inline byte count", value: byteCount, maximum: maximum) : nil
}

/// Why `byteCount` bytes cannot be an image of `layout`.
@inline(__always)
private func fault(of layout: borrowing ArrayLayout, byteCount: UInt64) -> WireError.Code? {
    layout.codecName.isEmpty && byteCount != UInt64(layout.byteCount)
        ? .unknownValue(field: "byte count of this layout", value: byteCount) : nil
}

extension ByteWriter {
    /// Writes where a frame lies and returns how many bytes those are, nil when only the reader of
    /// the frame will know.
    mutating func writeLocation(_ location: borrowing FrameLocation) -> UInt64? {
        switch location {
        case .inline(let byteOffset, let byteCount):
            if let fault = fault(ofInline: byteOffset, byteCount) { refuse(fault) }
            let block = MutableFieldBlock(17, of: &self)
            block.set(0 as UInt8, at: 0)
            block.set(byteOffset, at: 1)
            block.set(byteCount, at: 9)
            return byteCount
        case .slot(let pool, let slot, let byteCount):
            if let fault = fault(ofFrameOf: byteCount) { refuse(fault) }
            let block = MutableFieldBlock(15, of: &self)
            block.set(1 as UInt8, at: 0)
            block.set(pool, at: 1)
            block.set(slot, at: 3)
            block.set(byteCount, at: 7)
            return byteCount
        case .reference(let format, let path, let index):
            writeUInt8(2)
            writeName(format)
            writeLongText(path)
            writeUInt64(index)
            return nil
        case .sameAsInput:
            writeUInt8(3)
            return nil
        }
    }

    /// Writes what a frame carries, whose bytes are `byteCount` (nil: nobody knows yet).
    mutating func writePayload(_ payload: borrowing PayloadDescriptor, byteCount: UInt64?) {
        switch payload {
        case .image(let layout?):
            if let byteCount, let fault = fault(of: layout, byteCount: byteCount) { refuse(fault) }
            writeUInt8(0)
            writeLayout(layout)
        case .image(nil):
            if byteCount != nil { refuse(.unknownValue(field: "payload kind here", value: 1)) }
            writeUInt8(1)
        case .bytes(let typeName):
            writeUInt8(2)
            writeName(typeName)
        case .structure(let structure, let typeName):
            writeUInt8(3)
            writeName(typeName)
            writeStructure(structure)
        }
    }

    mutating func writeLayout(_ layout: borrowing ArrayLayout) {
        let head = MutableFieldBlock(2, of: &self)
        head.set(layout.elementType.rawValue, at: 0)
        head.set(layout.colorMode.rawValue, at: 1)
        writeName(layout.codecName)
        let count = layout.dimensions.count
        let block = MutableFieldBlock(1 + count * dimensionByteCount, of: &self)
        block.set(UInt8(truncatingIfNeeded: count), at: 0)
        for position in 0..<count {
            let dimension = layout.dimensions[position]
            let start = 1 + position * dimensionByteCount
            block.set(Int64(dimension.size), at: start)
            block.set(Int64(dimension.offset), at: start + 8)
            block.set(Int64(dimension.fullSize), at: start + 16)
            block.set(Int32(clamping: dimension.binning), at: start + 24)
            block.set(dimension.reverse ? 1 as UInt8 : 0, at: start + 28)
        }
    }

    mutating func writeAttribute(_ attribute: NDAttribute) {
        writeName(attribute.name)
        writeScalar(attribute.value)
        writeLongText(attribute.description)
        writeInt32(attribute.sourceType.rawValue)
        writeLongText(attribute.source)
    }
}

extension ByteReader {
    /// Where a frame lies, and how many bytes those are, nil when only its reader will know.
    fileprivate mutating func readLocation() throws(WireError) -> (FrameLocation, UInt64?) {
        let kind = try readUInt8()
        switch kind {
        case 0:
            let block = try FieldBlock(16, of: &self)
            let (byteOffset, byteCount) = (
                block.value(at: 0) as UInt64, block.value(at: 8) as UInt64
            )
            if let fault = fault(ofInline: byteOffset, byteCount) { throw error(fault) }
            return (.inline(byteOffset: byteOffset, byteCount: byteCount), byteCount)
        case 1:
            let block = try FieldBlock(14, of: &self)
            let byteCount: UInt64 = block.value(at: 6)
            if let fault = fault(ofFrameOf: byteCount) { throw error(fault) }
            return (
                .slot(pool: block.value(at: 0), slot: block.value(at: 2), byteCount: byteCount),
                byteCount
            )
        case 2:
            let format = try readName()
            let path = try readLongText()
            return (.reference(format: format, path: path, index: try readUInt64()), nil)
        case 3: return (.sameAsInput, nil)
        default: throw error(.unknownValue(field: "location kind", value: UInt64(kind)))
        }
    }

    fileprivate mutating func readPayload(
        byteCount: UInt64?
    ) throws(WireError) -> PayloadDescriptor {
        let kind = try readUInt8()
        switch kind {
        case 0:
            let layout = try readLayout()
            if let byteCount, let fault = fault(of: layout, byteCount: byteCount) {
                throw error(fault)
            }
            return .image(layout)
        case 1 where byteCount == nil: return .image(nil)
        case 2: return .bytes(typeName: try readName())
        case 3:
            let typeName = try readName()
            return .structure(try readStructure(), typeName: typeName)
        default: throw error(.unknownValue(field: "payload kind here", value: UInt64(kind)))
        }
    }

    private mutating func readLayout() throws(WireError) -> ArrayLayout {
        let codes = try FieldBlock(2, of: &self)
        let typeCode: UInt8 = codes.value(at: 0)
        guard let elementType = ElementType(rawValue: typeCode) else {
            throw error(.unknownValue(field: "element type", value: UInt64(typeCode)))
        }
        let modeCode: UInt8 = codes.value(at: 1)
        guard let colorMode = ColorMode(rawValue: modeCode) else {
            throw error(.unknownValue(field: "colour mode", value: UInt64(modeCode)))
        }
        let codecName = try readName()
        let dimensions = try readDimensions()
        do throws(NDArrayError) {
            return try ArrayLayout(
                elementType: elementType, dimensions: dimensions, colorMode: colorMode,
                codecName: codecName)
        } catch {
            throw self.error(.unknownValue(field: "image layout", value: UInt64(modeCode)))
        }
    }

    private mutating func readDimensions() throws(WireError) -> NDDimensions {
        let count = Int(try readUInt8())
        guard (1...NDDimensions.maximumCount).contains(count) else {
            throw error(.unknownValue(field: "dimension count", value: UInt64(count)))
        }
        let block = try FieldBlock(count * dimensionByteCount, of: &self)
        let first = try dimension(0, of: block)
        if count == 1 { return NDDimensions(first) }
        let second = try dimension(1, of: block)
        if count == 2 { return NDDimensions(first, second) }
        return NDDimensions(first, second, try dimension(2, of: block))
    }

    @inline(__always)
    private func dimension(_ position: Int, of block: FieldBlock) throws(WireError) -> NDDimension {
        let start = position * dimensionByteCount
        let reverse: UInt8 = block.value(at: start + 28)
        if reverse > 1 { throw error(.unknownValue(field: "boolean", value: UInt64(reverse))) }
        return NDDimension(
            size: Int(block.value(at: start, as: Int64.self)),
            offset: Int(block.value(at: start + 8, as: Int64.self)),
            fullSize: Int(block.value(at: start + 16, as: Int64.self)),
            binning: Int(block.value(at: start + 24, as: Int32.self)), reverse: reverse == 1)
    }

    fileprivate mutating func readAttributes() throws(WireError) -> NDAttributes {
        let count = try readCount(
            elementByteCount: 17, maximum: ProtocolLimits.maximumAttributeCount,
            field: "attribute count")
        if count == 0 { return NDAttributes() }
        var list: [NDAttribute] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try readAttribute()) }
        guard let attributes = NDAttributes(uniqueAttributes: list) else {
            throw error(
                .unknownValue(field: "attribute name (it comes twice)", value: UInt64(count)))
        }
        return attributes
    }

    mutating func readAttribute() throws(WireError) -> NDAttribute {
        let name = try readName()
        let value = try readScalar()
        let description = try readLongText()
        let sourceCode = try readInt32()
        guard let sourceType = NDAttribute.SourceType(rawValue: sourceCode) else {
            throw error(
                .unknownValue(
                    field: "attribute source", value: UInt64(bitPattern: Int64(sourceCode))))
        }
        return NDAttribute(
            name, value, description: description, sourceType: sourceType,
            source: try readLongText())
    }
}
