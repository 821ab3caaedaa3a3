import NDArrays

/// What the entries say.
extension HeaderEncoder {
    static let makePosition = DescribingTag.all.firstIndex { $0.code == 271 }!
    static let modelPosition = DescribingTag.all.firstIndex { $0.code == 272 }!
    static let softwarePosition = DescribingTag.all.firstIndex { $0.code == 305 }!

    /// Finds the attributes that go under tags of their own; returns how many are numbered.
    mutating func classify(_ attributes: NDAttributes) -> Int {
        for index in describing.indices { describing[index] = nil }
        timeAttribute = nil
        var numbered = 0
        for (index, attribute) in attributes.enumerated() where classify(attribute, at: index) {
            numbered += 1
        }
        return min(numbered, TagCode.maximumAttributeCount)
    }

    /// Finds the tag of one attribute; returns whether it is numbered.
    private mutating func classify(_ attribute: NDAttribute, at index: Int) -> Bool {
        if let position = DescribingTag.position(name: attribute.name),
            Self.fits(attribute.value, DescribingTag.all[position].kind)
        {
            describing[position] = index
        }
        if Self.isTime(attribute) { timeAttribute = index }
        return Self.isNumbered(attribute)
    }

    private static func fits(_ value: ScalarValue?, _ kind: DescribingTag.Kind) -> Bool {
        switch (kind, value) {
        case (.text, .string(let text)?): !text.isEmpty
        case (.rational, .float64(let value)?): value >= 0 && value <= 4e9
        case (.short, .uint16?): true
        default: false
        }
    }

    private static func isTime(_ attribute: NDAttribute) -> Bool {
        guard attribute.source == DescribingTag.timeStampSource,
            attribute.name == DescribingTag.timeStampName, case .float64? = attribute.value
        else { return false }
        return true
    }

    /// Whether an attribute gets a numbered tag: it has a value and did not come from a tag of its
    /// own.
    private static func isNumbered(_ attribute: NDAttribute) -> Bool {
        guard attribute.value != nil else { return false }
        guard attribute.source.utf8.count <= 10, attribute.source.hasPrefix("TIFF:") else {
            return true
        }
        if isTime(attribute) { return false }
        guard let position = DescribingTag.position(name: attribute.name) else { return true }
        let tag = DescribingTag.all[position]
        return attribute.source != tag.source || !fits(attribute.value, tag.kind)
    }

    mutating func appendImageTags(
        _ frame: FrameFacts, samples: Int, strips: borrowing StripTable, settings: TIFFSettings,
        attributes: NDAttributes, pageNumber: (Int, Int)?, predictor: UInt16
    ) {
        let layout = frame.layout
        let type = layout.elementType
        let isPlanar = layout.colorMode == .rgb2 || layout.colorMode == .rgb3
        appendSize(TagCode.imageWidth, layout.width)
        appendSize(TagCode.imageLength, layout.height)
        appendShort(TagCode.bitsPerSample, UInt16(8 * type.byteCount), count: samples)
        appendShort(TagCode.compression, settings.compression.code)
        appendShort(TagCode.photometric, samples == 3 ? 2 : 1)
        appendDescribing(below: TagCode.stripOffsets, attributes, settings)
        appendStrips(TagCode.stripOffsets, strips.offsets, areOffsets: true)
        appendShort(TagCode.samplesPerPixel, UInt16(samples))
        appendSize(TagCode.rowsPerStrip, strips.rowsPerStrip)
        appendStrips(TagCode.stripByteCounts, strips.byteCounts, areOffsets: false)
        appendDescribing(below: TagCode.planarConfiguration, attributes, settings)
        appendShort(TagCode.planarConfiguration, isPlanar ? 2 : 1)
        appendDescribing(below: TagCode.pageNumber, attributes, settings)
        if let (index, count) = pageNumber {
            let place = entry(TagCode.pageNumber, .short, count: 2)
            // 0 stands for a count that is not known, or does not fit (TIFF 6.0 §12).
            buffer.store(UInt16(truncatingIfNeeded: index), at: place)
            buffer.store(UInt16(exactly: count) ?? 0, at: place + 2)
        }
        appendDescribing(below: TagCode.predictor, attributes, settings)
        if predictor != 1 { appendShort(TagCode.predictor, predictor) }
        appendShort(TagCode.sampleFormat, Self.sampleFormat(type), count: samples)
        appendDescribing(below: TagCode.timeStamp, attributes, settings)
    }

    private static func sampleFormat(_ type: ElementType) -> UInt16 {
        switch type {
        case .boolean, .uint8, .uint16, .uint32, .uint64: 1
        case .int8, .int16, .int32, .int64: 2
        case .float32, .float64: 3
        }
    }

    mutating func appendStrips(_ tag: UInt16, _ values: [Int], areOffsets: Bool) {
        let place = entry(tag, isBig ? .long8 : .long, count: values.count)
        for (index, value) in values.enumerated() {
            if isBig {
                buffer.store(UInt64(value), at: place + 8 * index)
            } else {
                buffer.store(UInt32(truncatingIfNeeded: value), at: place + 4 * index)
            }
        }
        if areOffsets { relocations.append((place, values.count)) }
    }

    /// Adds the describing tags from the last one up to `limit`, with NDFileTIFF's fillers.
    mutating func appendDescribing(
        below limit: UInt16, _ attributes: NDAttributes, _ settings: TIFFSettings
    ) {
        for (position, tag) in DescribingTag.all.enumerated()
        where tag.code > lastTag && tag.code < limit {
            let start: Int
            switch describing[position].map({ attributes[$0].value }) {
            case .string(let text)??:
                start = beginText()
                buffer.append(text)
                endText(tag.code, from: start)
            case .float64(let value)??:
                let place = entry(tag.code, .rational, count: 1)
                let (numerator, denominator) = Self.rational(value)
                buffer.store(numerator, at: place)
                buffer.store(denominator, at: place + 4)
            case .uint16(let value)??:
                appendShort(tag.code, value)
            default:
                let isFiller = position == Self.makePosition || position == Self.modelPosition
                guard isFiller || position == Self.softwarePosition else { continue }
                start = beginText()
                buffer.append(isFiller ? DescribingTag.unknown : settings.software)
                endText(tag.code, from: start)
            }
        }
    }

    /// The fraction nearest to `value` with a power of ten below, as many digits as 32 bits hold.
    private static func rational(_ value: Double) -> (UInt32, UInt32) {
        var denominator: UInt32 = 1
        while denominator < 100_000_000 {
            let scaled = value * Double(denominator)
            if scaled.rounded() / Double(denominator) == value || scaled * 10 > 4e9 { break }
            denominator *= 10
        }
        return (UInt32((value * Double(denominator)).rounded()), denominator)
    }

    mutating func appendFrameTags(_ frame: FrameFacts) {
        timePlace = entry(TagCode.timeStamp, .double, count: 1)
        idPlace = entry(TagCode.uniqueId, .long, count: 1)
        secondsPlace = entry(TagCode.epicsSeconds, .long, count: 1)
        nanosecondsPlace = entry(TagCode.epicsNanoseconds, .long, count: 1)
        if let timeAttribute, case .float64(let time)? = frame.attributes[timeAttribute].value {
            buffer.store(time, at: timePlace)
        }
        patch(uniqueId: frame.uniqueId, timeStamp: frame.fitsTags ? frame.timeStamp : TimeStamp())
    }

    mutating func appendNumbered(_ attributes: NDAttributes) {
        var tag = Int(TagCode.firstAttribute)
        for attribute in attributes where tag <= Int(TagCode.lastAttribute) {
            if appendNumbered(attribute, UInt16(tag)) { tag += 1 }
        }
    }

    private mutating func appendNumbered(_ attribute: NDAttribute, _ tag: UInt16) -> Bool {
        guard let value = attribute.value, Self.isNumbered(attribute) else { return false }
        let start = beginText()
        buffer.append(attribute.name)
        buffer.append(byte: UInt8(ascii: ":"))
        AttributeText.append(value, to: &buffer)
        endText(tag, from: start)
        return true
    }
}
