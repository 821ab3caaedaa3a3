internal import DataProcessing
internal import NDArrays

/// Writes the pickle of the object of PvaPy that a frame is: an `NtNdArray` for an image, a `PvObject` for
/// a structure.
enum PvaPyWriter {
    /// pvData's code of text.
    private static let textCode: UInt8 = 11
    /// Room for everything in a pickle but the pixels and attributes.
    private static let usualByteCount = 8 << 10

    /// The pickle.
    ///
    /// - Throws: `EncryptionError.noPvaPyForm`.
    static func pickle(
        _ plain: PlainFrame, _ bytes: UnsafeRawBufferPointer
    ) throws(EncryptionError) -> [UInt8] {
        do {
            var pickler = Pickler(reserving: bytes.count + usualByteCount)
            switch plain.content {
            case .image(let layout): try writeImage(plain, layout, bytes, to: &pickler)
            case .structure(let structure, let typeName):
                pickler.writeGlobal("pvaccess.pvaccess", "PvObject")
                pickler.put(.mark)
                try writeTypes(structure, to: &pickler)
                try writeValues(structure, to: &pickler)
                if !typeName.isEmpty, typeName != PvaPyReader.structureTypeName {
                    pickler.write(typeName)
                }
                pickler.put(.tuple)
                pickler.put(.reduce)
            case .bytes(let typeName):
                throw EncryptionError.noPvaPyForm("it carries bytes of type '\(typeName)'")
            }
            pickler.finish()
            return pickler.bytes
        } catch let error as EncryptionError {
            throw error
        } catch {
            throw .noPvaPyForm("\(error)")
        }
    }

    // MARK: Structures

    private static func writeTypes(_ structure: Structure, to pickler: inout Pickler) throws {
        try pickler.dictionary { pickler in
            for field in structure.fields {
                pickler.write(field.name)
                try writeType(of: field.value, field.name, to: &pickler)
            }
        }
    }

    private static func writeType(
        of value: StructureValue, _ name: String, to pickler: inout Pickler
    ) throws {
        switch value {
        case .scalar(let scalar): pickler.writeScalarType(code(of: scalar))
        case .structure(let structure): try writeTypes(structure, to: &pickler)
        case .list(let list):
            guard let first = list.first else {
                throw EncryptionError.noPvaPyForm("the list '\(name)' is empty, so it has no type")
            }
            guard list.allSatisfy({ haveOneType($0, first) }) else {
                throw EncryptionError.noPvaPyForm("the values of '\(name)' are of several types")
            }
            try pickler.list { try writeType(of: first, name, to: &$0) }
        }
    }

    private static func haveOneType(_ left: StructureValue, _ right: StructureValue) -> Bool {
        switch (left, right) {
        case (.scalar(let left), .scalar(let right)): code(of: left) == code(of: right)
        case (.structure(let left), .structure(let right)):
            left.fields.map(\.name) == right.fields.map(\.name)
                && zip(left.fields, right.fields).allSatisfy { haveOneType($0.value, $1.value) }
        default: false
        }
    }

    private static func writeValues(_ structure: Structure, to pickler: inout Pickler) throws {
        pickler.dictionary { pickler in
            for field in structure.fields {
                pickler.write(field.name)
                write(field.value, to: &pickler)
            }
        }
    }

    private static func write(_ value: StructureValue, to pickler: inout Pickler) {
        switch value {
        case .scalar(let scalar): write(scalar, to: &pickler)
        case .list(let list): pickler.list { for item in list { write(item, to: &$0) } }
        case .structure(let structure):
            pickler.dictionary { pickler in
                for field in structure.fields {
                    pickler.write(field.name)
                    write(field.value, to: &pickler)
                }
            }
        }
    }

    private static func write(_ value: ScalarValue, to pickler: inout Pickler) {
        switch value {
        case .boolean(let value): pickler.write(value)
        case .string(let value): pickler.write(value)
        case .float32(let value): pickler.write(Double(value))
        case .float64(let value): pickler.write(value)
        case .uint64(let value): pickler.write(value)
        case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32:
            pickler.write(value.int64Value ?? 0)
        }
    }

    private static func code(of value: ScalarValue) -> UInt8 {
        value.elementType?.rawValue ?? textCode
    }

    // MARK: Images

    private static func writeImage(
        _ plain: PlainFrame, _ layout: ArrayLayout, _ pixels: UnsafeRawBufferPointer,
        to pickler: inout Pickler
    ) throws {
        guard let uniqueId = Int32(exactly: plain.uniqueId) else {
            throw EncryptionError.noPvaPyForm("its id \(plain.uniqueId) is beyond 32 bits")
        }
        pickler.writeGlobal("pvaccess.pvaccess", "NtNdArray")
        pickler.put(.mark)
        NTNDArrayForm.writeTypes(to: &pickler)
        pickler.dictionary { pickler in
            writePixels(layout, pixels, to: &pickler)
            writeCodec(layout, to: &pickler)
            pickler.write("compressedSize")
            pickler.write(Int64(pixels.count))
            pickler.write("uncompressedSize")
            pickler.write(Int64(layout.byteCount))
            writeDimensions(layout, to: &pickler)
            pickler.write("uniqueId")
            pickler.write(Int64(uniqueId))
            writeTime("dataTimeStamp", plain.timeStamp, to: &pickler)
            writeAttributes(plain, layout, to: &pickler)
            pickler.write("descriptor")
            pickler.write("")
            writeTime("timeStamp", plain.timeStamp, to: &pickler)
        }
        pickler.write(NTNDArrayForm.typeName)
        NTNDArrayForm.writeTypeNames(to: &pickler)
        pickler.put(.tuple)
        pickler.put(.reduce)
    }

    /// `({'ushortValue': array}, {'ushortValue': [USHORT]})`
    private static func writePixels(
        _ layout: ArrayLayout, _ pixels: UnsafeRawBufferPointer, to pickler: inout Pickler
    ) {
        // Compressed pixels are plain bytes there, as in areaDetector.
        let type = layout.codecName.isEmpty ? layout.elementType : .uint8
        pickler.write("value")
        pickler.dictionary { pickler in
            pickler.write(type.fieldKey)
            // A public function of every numpy, where the inner ones change their place.
            pickler.writeGlobal("numpy", "frombuffer")
            pickler.write(pixels)
            pickler.writeGlobal("numpy", "dtype")
            pickler.write(numpyName(type))
            pickler.put(.tuple1)
            pickler.put(.reduce)
            pickler.put(.tuple2)
            pickler.put(.reduce)
        }
        pickler.dictionary { pickler in
            pickler.write(type.fieldKey)
            pickler.list { $0.writeScalarType(type.rawValue) }
        }
        pickler.put(.tuple2)
    }

    private static func numpyName(_ type: ElementType) -> String {
        switch type {
        case .boolean: "?"
        case .int8: "i1"
        case .uint8: "u1"
        case .int16: "<i2"
        case .uint16: "<u2"
        case .int32: "<i4"
        case .uint32: "<u4"
        case .int64: "<i8"
        case .uint64: "<u8"
        case .float32: "<f4"
        case .float64: "<f8"
        }
    }

    private static func writeCodec(_ layout: ArrayLayout, to pickler: inout Pickler) {
        pickler.write("codec")
        pickler.dictionary { pickler in
            pickler.write("name")
            pickler.write(layout.codecName)
            guard !layout.codecName.isEmpty else { return }
            pickler.write("parameters")
            writeAny(.int32(Int32(layout.elementType.rawValue)), to: &pickler)
        }
    }

    /// A variant union: `({'value': 5}, {'value': INT})`.
    private static func writeAny(_ value: ScalarValue, to pickler: inout Pickler) {
        pickler.dictionary { pickler in
            pickler.write("value")
            write(value, to: &pickler)
        }
        pickler.dictionary { pickler in
            pickler.write("value")
            pickler.writeScalarType(code(of: value))
        }
        pickler.put(.tuple2)
    }

    private static func writeDimensions(_ layout: ArrayLayout, to pickler: inout Pickler) {
        pickler.write("dimension")
        pickler.list { pickler in
            for dimension in layout.dimensions {
                pickler.dictionary { pickler in
                    for (name, value) in [
                        ("size", dimension.size), ("offset", dimension.offset),
                        ("fullSize", dimension.fullSize), ("binning", dimension.binning),
                    ] {
                        pickler.write(name)
                        pickler.write(Int64(Int32(clamping: value)))
                    }
                    pickler.write("reverse")
                    pickler.write(dimension.reverse)
                }
            }
        }
    }

    private static func writeTime(
        _ name: String, _ time: TimeStamp, to pickler: inout Pickler
    ) {
        pickler.write(name)
        pickler.dictionary { pickler in
            pickler.write("secondsPastEpoch")
            pickler.write(time.secondsPastEpoch)
            pickler.write("nanoseconds")
            pickler.write(Int64(time.nanoseconds))
        }
    }

    private static func writeAttributes(
        _ plain: PlainFrame, _ layout: ArrayLayout, to pickler: inout Pickler
    ) {
        var attributes = plain.attributes
        let mode = AdImageProcessor.colorModeAttribute
        if attributes[mode] == nil, layout.colorMode != .mono {
            attributes.set(mode, .int32(Int32(layout.colorMode.rawValue)))
        }
        pickler.write("attribute")
        pickler.list { pickler in
            for attribute in attributes {
                pickler.dictionary { pickler in
                    pickler.write("name")
                    pickler.write(attribute.name)
                    if let value = attribute.value {
                        pickler.write("value")
                        writeAny(value, to: &pickler)
                    }
                    pickler.write("descriptor")
                    pickler.write(attribute.description)
                    pickler.write("sourceType")
                    pickler.write(Int64(attribute.sourceType.rawValue))
                    pickler.write("source")
                    pickler.write(attribute.source)
                }
            }
        }
    }
}
