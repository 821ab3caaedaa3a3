import NDArrays

/// Where the strips of a page lie behind the header, in the order of the tags.
struct StripTable {
    var offsets: [Int] = []
    var byteCounts: [Int] = []
    var rowsPerStrip = 0

    mutating func removeAll() {
        offsets.removeAll(keepingCapacity: true)
        byteCounts.removeAll(keepingCapacity: true)
    }

    mutating func append(offset: Int, byteCount: Int) {
        offsets.append(offset)
        byteCounts.append(byteCount)
    }

    /// The strips of uncompressed pixels, in one block in the order of memory.
    mutating func setUncompressed(_ layout: ArrayLayout, start: Int) {
        removeAll()
        let (height, bytes) = (layout.height, layout.elementType.byteCount)
        switch layout.colorMode {
        case .mono:
            rowsPerStrip = height
            append(offset: start, byteCount: layout.width * height * bytes)
        case .rgb1:
            rowsPerStrip = height
            append(offset: start, byteCount: layout.byteCount)
        case .rgb2:
            // Readers know no interleaved rows: planes of one-row strips that take turns in the file, as
            // NDFileTIFF has them.
            rowsPerStrip = 1
            let row = layout.width * bytes
            for plane in 0..<3 {
                for y in 0..<height {
                    append(offset: start + (3 * y + plane) * row, byteCount: row)
                }
            }
        case .rgb3:
            rowsPerStrip = height
            let plane = layout.byteCount / 3
            for index in 0..<3 { append(offset: start + index * plane, byteCount: plane) }
        }
    }
}

/// Id, time and attributes of a frame with its layout: all that a header says besides the strips.
struct FrameFacts {
    let layout: ArrayLayout
    let uniqueId: UInt64
    let timeStamp: TimeStamp
    let attributes: NDAttributes

    /// Whether areaDetector's 32-bit tags hold id and time; otherwise the provenance block does.
    var fitsTags: Bool { uniqueId <= UInt64(UInt32.max) && timeStamp.fitsEpicsTags }
}

/// Writes the header of a file or page: directory, tag data, and zeros up to the pixels.
struct HeaderEncoder: ~Copyable {
    /// Pixels begin at a multiple of this, so that a reader may map them as any type.
    static let pixelAlignment = 16

    var buffer = ByteBuffer()
    private var isBig = false
    /// Where the buffer begins in the file.
    private var origin = 0
    private var entryCursor = 0
    private var lastTag: UInt16 = 0
    /// Places of strip offsets, which have to be moved when the length of the header is known.
    private var relocations: [(place: Int, count: Int)] = []
    /// The place of the last directory's link to the next, in the buffer.
    private(set) var linkPlace = 0
    /// Places of time and id in the buffer, to write them anew for the next frame.
    private var timePlace = 0
    private var idPlace = 0
    private var secondsPlace = 0
    private var nanosecondsPlace = 0
    /// Attributes by the tags that they are written under, and whether they are numbered too.
    private var describing = [Int?](repeating: nil, count: DescribingTag.all.count)
    private var timeAttribute: Int?

    /// Begins a header; at `origin` 0 with the first bytes of a file, elsewhere with a directory.
    mutating func begin(origin: Int, isBig: Bool) {
        buffer.removeAll()
        relocations.removeAll(keepingCapacity: true)
        self.isBig = isBig
        self.origin = origin
        guard origin == 0 else { return }
        buffer.append("II" as StaticString)
        buffer.appendZeros(isBig ? 14 : 6)
        buffer.store(UInt16(isBig ? 43 : 42), at: 2)
        if isBig {
            buffer.store(UInt16(8), at: 4)
            buffer.store(UInt64(16), at: 8)
        } else {
            buffer.store(UInt32(8), at: 4)
        }
    }

    /// Pads to the pixels and moves the strip offsets behind the header.
    mutating func finish() {
        buffer.appendZeros(
            (Self.pixelAlignment - (origin + buffer.count) % Self.pixelAlignment)
                % Self.pixelAlignment)
        let base = origin + buffer.count
        for (place, count) in relocations {
            for index in 0..<count {
                if isBig {
                    let at = place + 8 * index
                    buffer.store(buffer.load(UInt64.self, at: at) + UInt64(base), at: at)
                } else {
                    let at = place + 4 * index
                    let moved = UInt64(buffer.load(UInt32.self, at: at)) + UInt64(base)
                    buffer.store(UInt32(truncatingIfNeeded: moved), at: at)
                }
            }
        }
    }

    /// Writes id and time of another frame into a header of one page.
    func patch(uniqueId: UInt64, timeStamp: TimeStamp) {
        buffer.store(UInt32(truncatingIfNeeded: uniqueId), at: idPlace)
        let hasTime = timeStamp != TimeStamp()
        let seconds = hasTime ? timeStamp.secondsPastEpoch - TimeStamp.epicsEpochOffset : 0
        buffer.store(UInt32(truncatingIfNeeded: seconds), at: secondsPlace)
        buffer.store(UInt32(truncatingIfNeeded: timeStamp.nanoseconds), at: nanosecondsPlace)
        if timeAttribute == nil { buffer.store(timeStamp.epicsSeconds, at: timePlace) }
    }

    /// Adds the directory of one page.
    ///
    /// - Parameters:
    ///   - isFirst: whether it carries attributes and provenance; further planes of a stack do not.
    ///   - pageNumber: index and count of the pages of a stack.
    ///   - isLast: otherwise the next directory follows at once.
    mutating func appendPage(
        _ frame: FrameFacts, strips: borrowing StripTable, settings: TIFFSettings,
        isFirst: Bool = true, pageNumber: (Int, Int)? = nil, isLast: Bool = true
    ) {
        let attributes = isFirst ? frame.attributes : NDAttributes()
        let numbered = classify(attributes)
        let samples = frame.layout.colorMode == .mono ? 1 : 3
        let predictor = settings.predictor(for: frame.layout.elementType)
        let describedCount =
            describing.count {
                $0 != nil
            } + (describing[Self.makePosition] == nil ? 1 : 0)
            + (describing[Self.modelPosition] == nil ? 1 : 0)
            + (describing[Self.softwarePosition] == nil ? 1 : 0)
        let count =
            11 + describedCount + (pageNumber == nil ? 0 : 1) + (predictor == 1 ? 0 : 1) + 4
            + (isFirst ? 1 : 0) + numbered
        beginDirectory(count)
        appendImageTags(
            frame, samples: samples, strips: strips, settings: settings, attributes: attributes,
            pageNumber: pageNumber, predictor: predictor)
        appendFrameTags(frame)
        if isFirst {
            let exact = frame.fitsTags ? nil : (frame.uniqueId, frame.timeStamp)
            let start = beginText()
            buffer.appendProvenance(frame.layout, frame.attributes, exactly: exact)
            endText(TagCode.provenance, from: start)
            appendNumbered(attributes)
        }
        assert(entryCursor == linkPlace, "counted and written entries differ")
        if !isLast {
            buffer.align(to: 8)
            storeOffset(origin + buffer.count, at: linkPlace)
        }
    }

    // MARK: - Entries

    private mutating func beginDirectory(_ count: Int) {
        if isBig {
            let start = buffer.appendZeros(8 + 20 * count + 8)
            buffer.store(UInt64(count), at: start)
            entryCursor = start + 8
            linkPlace = entryCursor + 20 * count
        } else {
            let start = buffer.appendZeros(2 + 12 * count + 4)
            buffer.store(UInt16(count), at: start)
            entryCursor = start + 2
            linkPlace = entryCursor + 12 * count
        }
        lastTag = 0
    }

    private func storeOffset(_ offset: Int, at place: Int) {
        if isBig {
            buffer.store(UInt64(offset), at: place)
        } else {
            buffer.store(UInt32(truncatingIfNeeded: offset), at: place)
        }
    }

    /// Adds an entry and returns where its values go.
    private mutating func entry(_ tag: UInt16, _ type: FieldType, count: Int) -> Int {
        assert(tag > lastTag, "tags have to ascend")
        lastTag = tag
        buffer.store(tag, at: entryCursor)
        buffer.store(type.rawValue, at: entryCursor + 2)
        let byteCount = count * type.byteCount
        let inline = entryCursor + (isBig ? 12 : 8)
        if isBig {
            buffer.store(UInt64(count), at: entryCursor + 4)
        } else {
            buffer.store(UInt32(count), at: entryCursor + 4)
        }
        entryCursor += isBig ? 20 : 12
        if byteCount <= (isBig ? 8 : 4) { return inline }
        buffer.align(to: type.byteCount > 2 ? type.byteCount : 2)
        let place = buffer.appendZeros(byteCount)
        storeOffset(origin + place, at: inline)
        return place
    }

    private mutating func appendShort(_ tag: UInt16, _ value: UInt16, count: Int = 1) {
        let place = entry(tag, .short, count: count)
        for index in 0..<count { buffer.store(value, at: place + 2 * index) }
    }

    /// A number that is SHORT where it fits, as libtiff writes sizes.
    private mutating func appendSize(_ tag: UInt16, _ value: Int) {
        if value <= Int(UInt16.max) {
            appendShort(tag, UInt16(value))
        } else {
            buffer.store(UInt32(value), at: entry(tag, .long, count: 1))
        }
    }

    /// Begins a text at the end of the tag data; `endText` makes it an entry.
    private mutating func beginText() -> Int {
        buffer.align(to: 2)
        return buffer.count
    }

    private mutating func endText(_ tag: UInt16, from start: Int) {
        // A TIFF text ends at its first zero byte; the provenance block has all of it.
        if let zero = buffer.firstZero(from: start) { buffer.truncate(to: zero) }
        buffer.append(byte: 0)
        let count = buffer.count - start
        assert(tag > lastTag, "tags have to ascend")
        lastTag = tag
        buffer.store(tag, at: entryCursor)
        buffer.store(FieldType.ascii.rawValue, at: entryCursor + 2)
        let inline = entryCursor + (isBig ? 12 : 8)
        if isBig {
            buffer.store(UInt64(count), at: entryCursor + 4)
        } else {
            buffer.store(UInt32(count), at: entryCursor + 4)
        }
        entryCursor += isBig ? 20 : 12
        if count <= (isBig ? 8 : 4) {
            for index in 0..<count {
                buffer.store(buffer.load(UInt8.self, at: start + index), at: inline + index)
            }
            buffer.truncate(to: start)
        } else {
            storeOffset(origin + start, at: inline)
        }
    }
}

// MARK: - What the entries say

extension HeaderEncoder {
    private static let makePosition = DescribingTag.all.firstIndex { $0.code == 271 }!
    private static let modelPosition = DescribingTag.all.firstIndex { $0.code == 272 }!
    private static let softwarePosition = DescribingTag.all.firstIndex { $0.code == 305 }!

    /// Finds the attributes that go under tags of their own; returns how many are numbered.
    private mutating func classify(_ attributes: NDAttributes) -> Int {
        for index in describing.indices { describing[index] = nil }
        timeAttribute = nil
        var numbered = 0
        for (index, attribute) in attributes.enumerated() {
            if let position = DescribingTag.position(name: attribute.name),
                Self.fits(attribute.value, DescribingTag.all[position].kind)
            {
                describing[position] = index
            }
            if Self.isTime(attribute) { timeAttribute = index }
            if Self.isNumbered(attribute) { numbered += 1 }
        }
        return min(numbered, TagCode.maximumAttributeCount)
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

    /// Whether an attribute gets a numbered tag: it has a value and did not come from a tag of its own.
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

    private mutating func appendImageTags(
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

    private mutating func appendStrips(_ tag: UInt16, _ values: [Int], areOffsets: Bool) {
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
    private mutating func appendDescribing(
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

    private mutating func appendFrameTags(_ frame: FrameFacts) {
        timePlace = entry(TagCode.timeStamp, .double, count: 1)
        idPlace = entry(TagCode.uniqueId, .long, count: 1)
        secondsPlace = entry(TagCode.epicsSeconds, .long, count: 1)
        nanosecondsPlace = entry(TagCode.epicsNanoseconds, .long, count: 1)
        if let timeAttribute, case .float64(let time)? = frame.attributes[timeAttribute].value {
            buffer.store(time, at: timePlace)
        }
        patch(uniqueId: frame.uniqueId, timeStamp: frame.fitsTags ? frame.timeStamp : TimeStamp())
    }

    private mutating func appendNumbered(_ attributes: NDAttributes) {
        var tag = Int(TagCode.firstAttribute)
        for attribute in attributes where Self.isNumbered(attribute) {
            guard tag <= Int(TagCode.lastAttribute), let value = attribute.value else { return }
            let start = beginText()
            buffer.append(attribute.name)
            buffer.append(byte: UInt8(ascii: ":"))
            AttributeText.append(value, to: &buffer)
            endText(UInt16(tag), from: start)
            tag += 1
        }
    }
}
