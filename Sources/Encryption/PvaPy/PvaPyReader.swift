internal import DataProcessing
internal import NDArrays

/// Turns what an unpickler has read into a frame.
///
/// An `NtNdArray` becomes an image with its attributes, as areaDetector means them; any other object
/// becomes a structure.
struct PvaPyReader {
    /// How deep structures nest: what the worker protocol carries.
    private static let maximumDepth = 16
    /// Values of all structures together: what the worker protocol carries in one.
    private static let maximumValueCount = 1 << 16
    /// The type name of an object that has none, as pvData calls it.
    static let structureTypeName = "structure"

    private let unpickler: Unpickler
    private var valueCount = 0

    init(_ unpickler: Unpickler) { self.unpickler = unpickler }

    /// The frame of an object, and where in the pickle its payload lies.
    mutating func frame(_ object: PickleValue) throws(EncryptionError) -> (PlainFrame, Range<Int>) {
        guard case .object(let arguments, let isArray) = object else {
            throw .badObject(reason: "the pickle holds something else")
        }
        let parts = unpickler.nodes[arguments]
        guard parts.count >= 2, case .dictionary(let types) = parts[0],
            case .dictionary(let values) = parts[1]
        else { throw .badObject(reason: "it has no fields") }
        if isArray { return try image(types: types, values: values) }
        let structure = try structure(types: types, values: values, depth: 0)
        let name = parts.count > 2 ? unpickler.text(parts[2]) : nil
        let plain = PlainFrame(
            uniqueId: 0, timeStamp: TimeStamp(), attributes: NDAttributes(),
            content: .structure(structure, typeName: name ?? Self.structureTypeName), byteCount: 0)
        return (plain, 0..<0)
    }

    // MARK: Images

    private mutating func image(
        types: Int, values: Int
    ) throws(EncryptionError) -> (PlainFrame, Range<Int>) {
        let attributes = try attributes(types: types, values: values)
        let (type, pixels) = try pixels(values)
        let layout = try layout(values, type, attributes)
        guard !layout.codecName.isEmpty || layout.byteCount == pixels.count else {
            throw .badObject(
                reason: "an image of \(layout.text) with \(pixels.count) bytes of pixels")
        }
        let plain = PlainFrame(
            uniqueId: try whole("uniqueId", in: values).map(UInt64.init(clamping:)) ?? 0,
            timeStamp: try timeStamp("dataTimeStamp", in: values), attributes: attributes,
            content: .image(layout), byteCount: pixels.count)
        return (plain, pixels)
    }

    /// The pixels and their type: `value` is `({'ushortValue': array}, {'ushortValue': [USHORT]})`.
    private func pixels(_ values: Int) throws(EncryptionError) -> (ElementType, Range<Int>) {
        guard case .tuple(let union)? = field("value", in: values),
            case .dictionary(let choice)? = unpickler.nodes[union].first,
            unpickler.nodes[choice].count == 2,
            let name = unpickler.text(unpickler.nodes[choice][0]),
            let type = ElementType.allCases.first(where: { $0.fieldKey == name }),
            case .array(let place) = unpickler.nodes[choice][1]
        else { throw .badObject(reason: "an image without pixels") }
        return (type, try contents(of: place, as: type))
    }

    /// The bytes of an array, which has to be of that type, lowest byte first.
    private func contents(
        of place: Int, as type: ElementType
    ) throws(EncryptionError) -> Range<Int> {
        let array = unpickler.arrays[place]
        guard let pixels = array.pixels, let dataType = array.dataType else {
            throw .badObject(reason: "an array without its values")
        }
        let found = unpickler.dataTypes[dataType]
        // PvaPy keeps booleans in int8.
        let isBoolean = type == .boolean && found.elementType.byteCount == 1
        guard found.elementType == type || isBoolean,
            !found.isBigEndian || type.byteCount == 1
        else { throw .badObject(reason: "an array of \(found.elementType) where \(type) is said") }
        var count = found.elementType.byteCount
        for size in array.shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow else { throw .badObject(reason: "an array too large to exist") }
            count = product
        }
        guard count == pixels.count else {
            throw .badObject(reason: "an array of \(count) bytes with \(pixels.count) bytes")
        }
        return pixels
    }

    private func layout(
        _ values: Int, _ stored: ElementType, _ attributes: NDAttributes
    ) throws(EncryptionError) -> ArrayLayout {
        var codecName = ""
        var type = stored
        if let codec = dictionary("codec", in: values) {
            codecName = field("name", in: codec).flatMap(unpickler.text) ?? ""
            if !codecName.isEmpty { type = try compressedType(codec) ?? stored }
        }
        guard let dimensions = NDDimensions(try dimensions(values)) else {
            throw .badObject(reason: "an image that has not one to three dimensions")
        }
        let code = attributes[AdImageProcessor.colorModeAttribute]?.value?.int64Value
        let mode = code.flatMap(UInt8.init(exactly:)).flatMap(ColorMode.init) ?? .mono
        do throws(NDArrayError) {
            do throws(NDArrayError) {
                return try ArrayLayout(
                    elementType: type, dimensions: dimensions, colorMode: mode,
                    codecName: codecName)
            } catch .colorModeMismatch {
                // An attribute may say what the dimensions do not have: then they count.
                return try ArrayLayout(
                    elementType: type, dimensions: dimensions, codecName: codecName)
            }
        } catch {
            throw .badObject(reason: "\(error)")
        }
    }

    /// The type before compression: areaDetector has its code in `codec.parameters`.
    private func compressedType(_ codec: Int) throws(EncryptionError) -> ElementType? {
        guard case .tuple(let any)? = field("parameters", in: codec),
            case .dictionary(let holder)? = unpickler.nodes[any].first,
            let code = try whole("value", in: holder)
        else { return nil }
        return UInt8(exactly: code).flatMap(ElementType.init)
    }

    private func dimensions(_ values: Int) throws(EncryptionError) -> [NDDimension] {
        guard case .list(let list)? = field("dimension", in: values) else { return [] }
        var dimensions: [NDDimension] = []
        for item in unpickler.nodes[list] {
            guard case .dictionary(let fields) = item, let size = try whole("size", in: fields)
            else {
                throw .badObject(reason: "a dimension without a size")
            }
            dimensions.append(
                NDDimension(
                    size: Int(size), offset: Int(try whole("offset", in: fields) ?? 0),
                    fullSize: Int(try whole("fullSize", in: fields) ?? size),
                    binning: max(1, Int(try whole("binning", in: fields) ?? 1)),
                    reverse: field("reverse", in: fields) == .boolean(true)))
        }
        return dimensions
    }

    // MARK: Attributes

    /// The fields of an NTNDArray (normative type of EPICS 7) that are not more than attributes.
    private static let ownFields: Set = [
        "value", "codec", "compressedSize", "uncompressedSize", "dimension", "uniqueId",
        "dataTimeStamp", "attribute", "descriptor", "alarm", "timeStamp", "display",
    ]

    private mutating func attributes(
        types: Int, values: Int
    ) throws(EncryptionError) -> NDAttributes {
        var found: [NDAttribute] = []
        if case .list(let list)? = field("attribute", in: values) {
            for item in unpickler.nodes[list] {
                guard case .dictionary(let fields) = item else {
                    throw .badObject(reason: "an attribute without fields")
                }
                found.append(try attribute(fields))
            }
        }
        // What PvaPy's programs add beside the fields of an NTNDArray (extraFieldsPvObject).
        for (name, value) in try pairs(values) where !Self.ownFields.contains(name) {
            guard case .scalarType(let code)? = field(name, in: types) else { continue }
            found.append(NDAttribute(name, try scalar(value, code: code)))
        }
        guard found.count <= 1 << 12 else {
            throw .badObject(reason: "\(found.count) attributes")
        }
        return NDAttributes(found)
    }

    private mutating func attribute(_ fields: Int) throws(EncryptionError) -> NDAttribute {
        guard let name = field("name", in: fields).flatMap(unpickler.text) else {
            throw .badObject(reason: "an attribute without a name")
        }
        var value: ScalarValue?
        if case .tuple(let any)? = field("value", in: fields) {
            let parts = unpickler.nodes[any]
            guard parts.count == 2, case .dictionary(let holder) = parts[0],
                case .dictionary(let types) = parts[1]
            else { throw .badObject(reason: "the value of the attribute \(name) is none") }
            if let content = field("value", in: holder) {
                guard case .scalarType(let code)? = field("value", in: types) else {
                    throw .badObject(reason: "the attribute \(name) is no single value")
                }
                value = try scalar(content, code: code)
            }
        }
        let source = try whole("sourceType", in: fields).flatMap(Int32.init(exactly:))
        return NDAttribute(
            name, value, description: field("descriptor", in: fields).flatMap(unpickler.text) ?? "",
            sourceType: source.flatMap(NDAttribute.SourceType.init) ?? .undefined,
            source: field("source", in: fields).flatMap(unpickler.text) ?? "")
    }

    private func timeStamp(_ name: String, in values: Int) throws(EncryptionError) -> TimeStamp {
        guard let fields = dictionary(name, in: values) else { return TimeStamp() }
        let seconds = try whole("secondsPastEpoch", in: fields) ?? 0
        let nanoseconds = try whole("nanoseconds", in: fields) ?? 0
        guard (0..<1_000_000_000).contains(nanoseconds), seconds.magnitude <= 1 << 33 else {
            throw .badObject(reason: "a time that can't be")
        }
        return TimeStamp(secondsPastEpoch: seconds, nanoseconds: Int32(nanoseconds))
    }

    // MARK: Structures

    private mutating func structure(
        types: Int, values: Int, depth: Int
    ) throws(EncryptionError) -> Structure {
        guard depth < Self.maximumDepth else {
            throw .tooLarge(what: "the depth of the object", limit: Self.maximumDepth)
        }
        var fields: [Structure.Field] = []
        for (name, value) in try pairs(values) {
            guard let type = field(name, in: types) else {
                throw .badObject(reason: "the field \(name) has no type")
            }
            let converted = try self.value(value, type: type, depth: depth)
            fields.append(Structure.Field(name: name, value: converted))
        }
        guard let structure = Structure(uniqueFields: fields) else {
            throw .badObject(reason: "two fields of one name")
        }
        return structure
    }

    private mutating func value(
        _ value: PickleValue, type: PickleValue, depth: Int
    ) throws(EncryptionError) -> StructureValue {
        valueCount += 1
        guard valueCount <= Self.maximumValueCount else {
            throw .tooLarge(what: "the object's number of values", limit: Self.maximumValueCount)
        }
        switch (type, value) {
        case (.scalarType(let code), _): return .scalar(try scalar(value, code: code))
        case (.dictionary(let types), .dictionary(let values)):
            return .structure(try structure(types: types, values: values, depth: depth + 1))
        case (.list(let types), .list(let list)):
            guard let item = unpickler.nodes[types].first else {
                throw .badObject(reason: "a list without a type")
            }
            var values: [StructureValue] = []
            for element in unpickler.nodes[list] {
                values.append(try self.value(element, type: item, depth: depth + 1))
            }
            return .list(values)
        case (.list(let types), .array(let place)):
            guard case .scalarType(let code)? = unpickler.nodes[types].first,
                let type = ElementType(rawValue: code)
            else { throw .badObject(reason: "an array without a type") }
            return .list(try elements(of: place, as: type))
        default: throw .badObject(reason: "a field that is neither number, text nor structure")
        }
    }

    private mutating func elements(
        of place: Int, as type: ElementType
    ) throws(EncryptionError) -> [StructureValue] {
        let range = try contents(of: place, as: type)
        let count = range.count / type.byteCount
        valueCount += count
        guard valueCount <= Self.maximumValueCount else {
            throw .tooLarge(what: "the object's number of values", limit: Self.maximumValueCount)
        }
        return (0..<count).map { index in
            let place = range.lowerBound + index * type.byteCount
            return .scalar(ScalarValue(unpickler.bytes, at: place, type))
        }
    }

    /// A value of pvData's scalar type `code` (11 is text).
    private func scalar(
        _ value: PickleValue, code: UInt8
    ) throws(EncryptionError) -> ScalarValue {
        if code == 11 {
            guard let text = unpickler.text(value) else {
                throw .badObject(reason: "a text that is none")
            }
            return .string(text)
        }
        guard let type = ElementType(rawValue: code) else {
            throw .badObject(reason: "a value of type \(code)")
        }
        switch (type, value) {
        case (.boolean, .boolean(let value)): return .boolean(value)
        case (.boolean, .integer(let value)): return .boolean(value != 0)
        case (.float32, .real(let value)): return .float32(Float(value))
        case (.float64, .real(let value)): return .float64(value)
        case (_, .integer(let value)):
            if let converted = ScalarValue(value, type) { return converted }
        case (.uint64, .unsigned(let value)): return .uint64(value)
        default: break
        }
        throw .badObject(reason: "a value that is no \(type)")
    }

    // MARK: Fields

    /// The value of a field; the last one where a name comes twice, as in Python.
    private func field(_ name: String, in node: Int) -> PickleValue? {
        let pairs = unpickler.nodes[node]
        var found: PickleValue?
        for index in stride(from: 0, to: pairs.count - 1, by: 2)
        where unpickler.text(pairs[index]) == name {
            found = pairs[index + 1]
        }
        return found
    }

    private func dictionary(_ name: String, in node: Int) -> Int? {
        guard case .dictionary(let found)? = field(name, in: node) else { return nil }
        return found
    }

    private func pairs(_ node: Int) throws(EncryptionError) -> [(String, PickleValue)] {
        let values = unpickler.nodes[node]
        var pairs: [(String, PickleValue)] = []
        for index in stride(from: 0, to: values.count - 1, by: 2) {
            guard let name = unpickler.text(values[index]) else {
                throw .badObject(reason: "a field without a name")
            }
            pairs.append((name, values[index + 1]))
        }
        return pairs
    }

    private func whole(_ name: String, in node: Int) throws(EncryptionError) -> Int64? {
        switch field(name, in: node) {
        case nil: return nil
        case .integer(let value): return value
        default: throw .badObject(reason: "\(name) is no whole number")
        }
    }
}

extension ScalarValue {
    /// A whole number in this type; nil where it does not fit, and for boolean.
    init?(_ value: Int64, _ type: ElementType) {
        let found: ScalarValue? =
            switch type {
            case .boolean: nil
            case .int8: Int8(exactly: value).map(ScalarValue.int8)
            case .int16: Int16(exactly: value).map(ScalarValue.int16)
            case .int32: Int32(exactly: value).map(ScalarValue.int32)
            case .int64: .int64(value)
            case .uint8: UInt8(exactly: value).map(ScalarValue.uint8)
            case .uint16: UInt16(exactly: value).map(ScalarValue.uint16)
            case .uint32: UInt32(exactly: value).map(ScalarValue.uint32)
            case .uint64: UInt64(exactly: value).map(ScalarValue.uint64)
            case .float32: .float32(Float(value))
            case .float64: .float64(Double(value))
            }
        guard let found else { return nil }
        self = found
    }

    /// The value of this type at a place of `bytes`, lowest byte first.
    init(_ bytes: UnsafeRawBufferPointer, at place: Int, _ type: ElementType) {
        func load<Value: BitwiseCopyable>(_ type: Value.Type) -> Value {
            bytes.loadUnaligned(fromByteOffset: place, as: type)
        }
        switch type {
        case .boolean: self = .boolean(load(UInt8.self) != 0)
        case .int8: self = .int8(load(Int8.self))
        case .int16: self = .int16(load(Int16.self))
        case .int32: self = .int32(load(Int32.self))
        case .int64: self = .int64(load(Int64.self))
        case .uint8: self = .uint8(load(UInt8.self))
        case .uint16: self = .uint16(load(UInt16.self))
        case .uint32: self = .uint32(load(UInt32.self))
        case .uint64: self = .uint64(load(UInt64.self))
        case .float32: self = .float32(load(Float.self))
        case .float64: self = .float64(load(Double.self))
        }
    }
}
