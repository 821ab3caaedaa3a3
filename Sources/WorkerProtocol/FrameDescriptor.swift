package import NDArrays
package import Wire

/// Where the bytes of a frame lie.
package enum FrameLocation: Sendable, Hashable {
    /// After the body of this message, `byteCount` bytes from `byteOffset` of its payload.
    case inline(byteOffset: UInt64, byteCount: UInt64)
    /// In a slot of a shared pool, from its beginning.
    case slot(pool: UInt16, slot: UInt32, byteCount: UInt64)
    /// In a file that the worker reads: format (`tiff`, `npy`), path, and frame in it from 0.
    case reference(format: String, path: String, index: UInt64)
    /// Of an output: the input of the same request, unchanged bytes.
    case sameAsInput
}

/// What kind of payload a frame carries.
package enum PayloadDescriptor: Sendable, Hashable {
    /// An image with this layout; nil when only the worker will know it (references).
    case image(ArrayLayout?)
    /// Bytes of a named type.
    case bytes(typeName: String)
    /// Named values, here in the message; the location has no bytes.
    case structure(Structure, typeName: String)
}

/// A frame without its bytes.
package struct FrameDescriptor: Sendable, Hashable {
    /// The source's own id.
    package var uniqueId: UInt64
    /// When it was taken.
    package var timeStamp: TimeStamp
    /// What it carries.
    package var payload: PayloadDescriptor
    /// Where its bytes lie.
    package var location: FrameLocation
    /// Attributes, without those that a referenced file holds itself.
    package var attributes: NDAttributes
    /// Name of the source or file, for output names.
    package var sourceName: String

    /// A frame with these properties.
    package init(
        uniqueId: UInt64, timeStamp: TimeStamp = TimeStamp(), payload: PayloadDescriptor,
        location: FrameLocation, attributes: NDAttributes = NDAttributes(), sourceName: String = ""
    ) {
        self.uniqueId = uniqueId
        self.timeStamp = timeStamp
        self.payload = payload
        self.location = location
        self.attributes = attributes
        self.sourceName = sourceName
    }

    /// Bytes of the payload where the descriptor says so, 0 for references and structures.
    package var byteCount: UInt64 {
        switch location {
        case .inline(_, let byteCount), .slot(_, _, let byteCount): byteCount
        case .reference, .sameAsInput: 0
        }
    }

    /// Writes the descriptor.
    package func write(to writer: inout ByteWriter) {
        writer.writeUInt64(uniqueId)
        writer.writeInt64(timeStamp.secondsPastEpoch)
        writer.writeInt32(timeStamp.nanoseconds)
        writer.writeText(sourceName)
        writer.writeLocation(location)
        switch payload {
        case .image(let layout):
            writer.writeUInt8(layout == nil ? 1 : 0)
            if let layout { writer.writeLayout(layout) }
        case .bytes(let typeName):
            writer.writeUInt8(2)
            writer.writeText(typeName)
        case .structure(let structure, let typeName):
            writer.writeUInt8(3)
            writer.writeText(typeName)
            writer.writeStructure(structure)
        }
        writer.writeCount(attributes.count)
        for attribute in attributes { writer.writeAttribute(attribute) }
    }

    /// Reads a descriptor.
    package init(from reader: inout ByteReader) throws(WireError) {
        uniqueId = try reader.readUInt64()
        timeStamp = TimeStamp(
            secondsPastEpoch: try reader.readInt64(), nanoseconds: try reader.readInt32())
        sourceName = try reader.readLongText()
        location = try reader.readLocation()
        let kind = try reader.readUInt8()
        switch kind {
        case 0: payload = .image(try reader.readLayout())
        case 1: payload = .image(nil)
        case 2: payload = .bytes(typeName: try reader.readName())
        case 3:
            let typeName = try reader.readName()
            payload = .structure(try reader.readStructure(), typeName: typeName)
        default: throw reader.error(.unknownValue(field: "payload kind", value: UInt64(kind)))
        }
        let count = try reader.readCount(
            elementByteCount: 18, maximum: ProtocolLimits.maximumAttributeCount,
            field: "attribute count")
        attributes = NDAttributes()
        guard count > 0 else { return }
        attributes.reserveCapacity(count)
        for _ in 0..<count { attributes.set(try reader.readAttribute()) }
    }
}

extension ByteWriter {
    mutating func writeLocation(_ location: FrameLocation) {
        switch location {
        case .inline(let byteOffset, let byteCount):
            writeUInt8(0)
            writeUInt64(byteOffset)
            writeUInt64(byteCount)
        case .slot(let pool, let slot, let byteCount):
            writeUInt8(1)
            writeUInt16(pool)
            writeUInt32(slot)
            writeUInt64(byteCount)
        case .reference(let format, let path, let index):
            writeUInt8(2)
            writeText(format)
            writeText(path)
            writeUInt64(index)
        case .sameAsInput:
            writeUInt8(3)
        }
    }

    mutating func writeLayout(_ layout: ArrayLayout) {
        writeUInt8(layout.elementType.rawValue)
        writeUInt8(layout.colorMode.rawValue)
        writeText(layout.codecName)
        writeUInt8(UInt8(layout.dimensions.count))
        for dimension in layout.dimensions {
            writeInt64(Int64(dimension.size))
            writeInt64(Int64(dimension.offset))
            writeInt64(Int64(dimension.fullSize))
            writeInt32(Int32(clamping: dimension.binning))
            writeBool(dimension.reverse)
        }
    }

    mutating func writeAttribute(_ attribute: NDAttribute) {
        writeText(attribute.name)
        writeScalar(attribute.value)
        writeText(attribute.description)
        writeInt32(attribute.sourceType.rawValue)
        writeText(attribute.source)
    }
}

extension ByteReader {
    mutating func readLocation() throws(WireError) -> FrameLocation {
        let kind = try readUInt8()
        switch kind {
        case 0: return .inline(byteOffset: try readUInt64(), byteCount: try readUInt64())
        case 1:
            return .slot(
                pool: try readUInt16(), slot: try readUInt32(), byteCount: try readUInt64())
        case 2:
            return .reference(
                format: try readName(), path: try readLongText(), index: try readUInt64())
        case 3: return .sameAsInput
        default: throw error(.unknownValue(field: "location kind", value: UInt64(kind)))
        }
    }

    mutating func readLayout() throws(WireError) -> ArrayLayout {
        let typeCode = try readUInt8()
        guard let elementType = ElementType(rawValue: typeCode) else {
            throw error(.unknownValue(field: "element type", value: UInt64(typeCode)))
        }
        let modeCode = try readUInt8()
        guard let colorMode = ColorMode(rawValue: modeCode) else {
            throw error(.unknownValue(field: "colour mode", value: UInt64(modeCode)))
        }
        let codecName = try readName()
        let count = try readUInt8()
        guard (1...UInt8(NDDimensions.maximumCount)).contains(count) else {
            throw error(
                .valueOutOfRange(
                    field: "dimension count", value: UInt64(count),
                    maximum: UInt64(NDDimensions.maximumCount)))
        }
        let first = try readDimension()
        let second = count > 1 ? try readDimension() : nil
        let third = count > 2 ? try readDimension() : nil
        let dimensions =
            switch (second, third) {
            case (let second?, let third?): NDDimensions(first, second, third)
            case (let second?, nil): NDDimensions(first, second)
            case (nil, _): NDDimensions(first)
            }
        do throws(NDArrayError) {
            return try ArrayLayout(
                elementType: elementType, dimensions: dimensions, colorMode: colorMode,
                codecName: codecName)
        } catch {
            throw self.error(.unknownValue(field: "image layout", value: UInt64(modeCode)))
        }
    }

    private mutating func readDimension() throws(WireError) -> NDDimension {
        let size = try readInt64()
        let offset = try readInt64()
        let fullSize = try readInt64()
        let binning = try readInt32()
        return NDDimension(
            size: Int(size), offset: Int(offset), fullSize: Int(fullSize), binning: Int(binning),
            reverse: try readBool())
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
