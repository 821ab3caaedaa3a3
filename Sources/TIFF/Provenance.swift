import NDArrays

/// What TIFF's own tags can't say about a frame, so that a file that Sluice wrote is read back
/// exactly: private tag 65009, a JSON text.
///
///     {"sluice":1,"elementType":"uint16","colorMode":"Mono",
///      "dimensions":[{"size":4,"offset":0,"fullSize":4,"binning":1,"reverse":false},…],
///      "attributes":[{"name":"Gain","type":"float64","value":1.5,"description":"…",
///                     "sourceType":2,"source":"…"},…]}
///
/// `uniqueId` and `timeStamp` (`[seconds since 1970, nanoseconds]`) are there where areaDetector's
/// 32-bit tags can't hold them. An attribute without value has the type `undefined`; NaN and
/// infinities are strings; empty descriptions and sources are left out. It holds nothing about
/// machine or time.
struct Provenance {
    /// The version of the block that is written and read.
    static let version = 1
    /// The most attributes a frame may have: looking for names twice takes the square of it.
    static let maximumAttributeCount = 4096
    /// How the text begins; tag 65009 of other programs does not.
    static let prefix = "{\"sluice\":"

    let elementType: ElementType
    let colorMode: ColorMode
    let dimensions: NDDimensions
    let attributes: NDAttributes
    let uniqueId: UInt64?
    let timeStamp: TimeStamp?

    /// Reads the block of a page; nil when it has none of ours.
    ///
    /// - Throws: `TIFFError` for a damaged block: its attributes would be lost in silence.
    init?(_ directory: Directory) throws(TIFFError) {
        guard let text = try directory.text(TagCode.provenance), text.hasPrefix(Self.prefix) else {
            return nil
        }
        func damaged(_ fact: String) -> TIFFError {
            directory.fault(.damaged("the provenance block \(fact)"), tag: TagCode.provenance)
        }
        guard let json = JSONText(text.utf8) else { throw damaged("is not JSON") }
        guard json["sluice"]?.integer(Int.self) == Self.version else {
            throw directory.fault(
                .unsupported("a provenance block of another version"), tag: TagCode.provenance)
        }
        guard let elementType = json["elementType"]?.text.flatMap({ ElementType(name: $0) }) else {
            throw damaged("has no element type")
        }
        let mode = json["colorMode"]?.text
        guard let colorMode = ColorMode.allCases.first(where: { $0.name == mode }) else {
            throw damaged("has no colour mode")
        }
        let list = json["dimensions"]?.list?.compactMap(Self.dimension) ?? []
        guard list.count == json["dimensions"]?.list?.count, let dimensions = NDDimensions(list)
        else { throw damaged("has no dimensions") }
        var attributes: [NDAttribute] = []
        let items = json["attributes"]?.list ?? []
        guard items.count <= Self.maximumAttributeCount else { throw damaged("is too long") }
        for item in items {
            guard let attribute = Self.attribute(item) else {
                throw damaged("has an attribute that can't be read")
            }
            attributes.append(attribute)
        }
        self.elementType = elementType
        self.colorMode = colorMode
        self.dimensions = dimensions
        self.attributes = NDAttributes(attributes)
        uniqueId = json["uniqueId"]?.integer(UInt64.self)
        timeStamp = json["timeStamp"]?.list.flatMap { parts in
            guard parts.count == 2, let seconds = parts[0].integer(Int64.self),
                let nanoseconds = parts[1].integer(Int32.self)
            else { return nil }
            return TimeStamp(secondsPastEpoch: seconds, nanoseconds: nanoseconds)
        }
    }

    private static func dimension(_ json: JSONText) -> NDDimension? {
        guard let size = json["size"]?.integer(Int.self), size > 0,
            let offset = json["offset"]?.integer(Int.self),
            let fullSize = json["fullSize"]?.integer(Int.self),
            let binning = json["binning"]?.integer(Int.self), let reverse = json["reverse"]?.flag
        else { return nil }
        return NDDimension(
            size: size, offset: offset, fullSize: fullSize, binning: binning, reverse: reverse)
    }

    private static func attribute(_ json: JSONText) -> NDAttribute? {
        guard let name = json["name"]?.text, let type = json["type"]?.text else { return nil }
        let value: ScalarValue?
        switch json["value"] {
        case .number(let text), .string(let text): value = AttributeText.value(text, of: type)
        case .boolean(let flag): value = type == "boolean" ? .boolean(flag) : nil
        case .null, .list, .object, nil: value = nil
        }
        guard value != nil || type == "undefined" else { return nil }
        let code = json["sourceType"]?.integer(Int32.self) ?? -1
        guard let sourceType = NDAttribute.SourceType(rawValue: code) else { return nil }
        return NDAttribute(
            name, value, description: json["description"]?.text ?? "", sourceType: sourceType,
            source: json["source"]?.text ?? "")
    }

    /// The layout that was written, where it agrees with what the tags say; nil where it does not,
    /// because the file was changed afterwards.
    func restoredLayout(of plain: ArrayLayout) -> ArrayLayout? {
        let isBoolean = elementType == .boolean && plain.elementType == .uint8
        guard isBoolean || elementType == plain.elementType else { return nil }
        let wanted =
            stackDimension == nil
            ? dimensions : NDDimensions(dimensions[0], dimensions[1])
        let isSeparate = plain.colorMode == .rgb3 && colorMode == .rgb2
        guard isSeparate || colorMode == plain.colorMode else { return nil }
        guard
            let layout = try? ArrayLayout(
                elementType: elementType, dimensions: wanted, colorMode: colorMode),
            layout.width == plain.width, layout.height == plain.height,
            layout.elementCount == plain.elementCount
        else { return nil }
        return layout
    }

    /// The third dimension of a mono array, whose planes are pages.
    var stackDimension: NDDimension? {
        colorMode == .mono && dimensions.count == 3 ? dimensions[2] : nil
    }
}

extension ByteBuffer {
    /// Adds the block for a frame; `exactly` with id and time stamp, which the tags can't hold.
    mutating func appendProvenance(
        _ layout: ArrayLayout, _ attributes: NDAttributes, exactly: (UInt64, TimeStamp)?
    ) {
        append("{\"sluice\":1,\"elementType\":\"" as StaticString)
        append(layout.elementType.name)
        append("\",\"colorMode\":\"" as StaticString)
        append(layout.colorMode.name)
        append("\",\"dimensions\":[" as StaticString)
        for (index, dimension) in layout.dimensions.enumerated() {
            append(index == 0 ? "{\"size\":" as StaticString : ",{\"size\":")
            append(decimal: Int64(dimension.size))
            append(",\"offset\":" as StaticString)
            append(decimal: Int64(dimension.offset))
            append(",\"fullSize\":" as StaticString)
            append(decimal: Int64(dimension.fullSize))
            append(",\"binning\":" as StaticString)
            append(decimal: Int64(dimension.binning))
            append(",\"reverse\":" as StaticString)
            append(dimension.reverse ? "true}" as StaticString : "false}")
        }
        append("]" as StaticString)
        if let (uniqueId, timeStamp) = exactly {
            append(",\"uniqueId\":" as StaticString)
            append(decimal: uniqueId)
            append(",\"timeStamp\":[" as StaticString)
            append(decimal: timeStamp.secondsPastEpoch)
            append("," as StaticString)
            append(decimal: Int64(timeStamp.nanoseconds))
            append("]" as StaticString)
        }
        append(",\"attributes\":[" as StaticString)
        for (index, attribute) in attributes.enumerated() {
            if index > 0 { append("," as StaticString) }
            appendProvenance(attribute)
        }
        append("]}" as StaticString)
    }

    private mutating func appendProvenance(_ attribute: NDAttribute) {
        append("{\"name\":" as StaticString)
        append(json: attribute.name)
        append(",\"type\":\"" as StaticString)
        if let value = attribute.value {
            append(AttributeText.typeName(value))
            append("\",\"value\":" as StaticString)
            let isNumber = value.doubleValue?.isFinite ?? false
            if case .string(let text) = value {
                append(json: text)
            } else if isNumber {
                AttributeText.append(value, to: &self)
            } else {
                append("\"" as StaticString)
                AttributeText.append(value, to: &self)
                append("\"" as StaticString)
            }
        } else {
            append("undefined\"" as StaticString)
        }
        if !attribute.description.isEmpty {
            append(",\"description\":" as StaticString)
            append(json: attribute.description)
        }
        if attribute.sourceType != .undefined {
            append(",\"sourceType\":" as StaticString)
            append(decimal: Int64(attribute.sourceType.rawValue))
        }
        if !attribute.source.isEmpty {
            append(",\"source\":" as StaticString)
            append(json: attribute.source)
        }
        append("}" as StaticString)
    }
}
