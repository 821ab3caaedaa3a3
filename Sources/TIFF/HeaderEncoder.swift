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
            // Readers know no interleaved rows: planes of one-row strips that take turns in the
            // file, as NDFileTIFF has them.
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
    var isBig = false
    /// Where the buffer begins in the file.
    private var origin = 0
    private var entryCursor = 0
    var lastTag: UInt16 = 0
    /// Places of strip offsets, which have to be moved when the length of the header is known.
    var relocations: [(place: Int, count: Int)] = []
    /// The place of the first directory in the buffer.
    private(set) var directoryPlace = 0
    /// The place of the last directory's link to the next, in the buffer.
    private(set) var linkPlace = 0
    /// Places of time and id in the buffer, to write them anew for the next frame.
    var timePlace = 0
    var idPlace = 0
    var secondsPlace = 0
    var nanosecondsPlace = 0
    /// Attributes by the tags that they are written under, and whether they are numbered too.
    var describing = [Int?](repeating: nil, count: DescribingTag.all.count)
    var timeAttribute: Int?

    /// Begins a header; at `origin` 0 with the first bytes of a file, elsewhere with a directory.
    mutating func begin(origin: Int, isBig: Bool) {
        buffer.removeAll()
        relocations.removeAll(keepingCapacity: true)
        self.isBig = isBig
        self.origin = origin
        guard origin == 0 else {
            // Directories begin at even places (TIFF 6.0 §2); 8 bytes suit every number in them.
            align(to: 8)
            directoryPlace = buffer.count
            return
        }
        directoryPlace = isBig ? 16 : 8
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

    /// Adds zeros up to a multiple of `alignment` in the file.
    private mutating func align(to alignment: Int) {
        buffer.appendZeros((alignment - (origin + buffer.count) % alignment) % alignment)
    }

    /// Pads to the pixels and moves the strip offsets behind the header.
    mutating func finish() {
        align(to: Self.pixelAlignment)
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
            align(to: 8)
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

    /// Adds an entry without its values and returns the place of values that fit into it, or of the
    /// offset of longer ones.
    private mutating func beginEntry(_ tag: UInt16, _ type: FieldType, count: Int) -> Int {
        assert(tag > lastTag, "tags have to ascend")
        lastTag = tag
        buffer.store(tag, at: entryCursor)
        buffer.store(type.rawValue, at: entryCursor + 2)
        let inline = entryCursor + (isBig ? 12 : 8)
        if isBig {
            buffer.store(UInt64(count), at: entryCursor + 4)
        } else {
            buffer.store(UInt32(count), at: entryCursor + 4)
        }
        entryCursor += isBig ? 20 : 12
        return inline
    }

    /// Adds an entry and returns where its values go.
    mutating func entry(_ tag: UInt16, _ type: FieldType, count: Int) -> Int {
        let byteCount = count * type.byteCount
        let inline = beginEntry(tag, type, count: count)
        if byteCount <= (isBig ? 8 : 4) { return inline }
        align(to: type.byteCount > 2 ? type.byteCount : 2)
        let place = buffer.appendZeros(byteCount)
        storeOffset(origin + place, at: inline)
        return place
    }

    mutating func appendShort(_ tag: UInt16, _ value: UInt16, count: Int = 1) {
        let place = entry(tag, .short, count: count)
        for index in 0..<count { buffer.store(value, at: place + 2 * index) }
    }

    /// A number that is SHORT where it fits, as libtiff writes sizes.
    mutating func appendSize(_ tag: UInt16, _ value: Int) {
        if value <= Int(UInt16.max) {
            appendShort(tag, UInt16(value))
        } else {
            buffer.store(UInt32(value), at: entry(tag, .long, count: 1))
        }
    }

    /// Begins a text at the end of the tag data; `endText` makes it an entry.
    mutating func beginText() -> Int {
        align(to: 2)
        return buffer.count
    }

    mutating func endText(_ tag: UInt16, from start: Int) {
        // A TIFF text ends at its first zero byte; the provenance block has all of it.
        if let zero = buffer.firstZero(from: start) { buffer.truncate(to: zero) }
        buffer.append(byte: 0)
        let count = buffer.count - start
        let inline = beginEntry(tag, .ascii, count: count)
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
