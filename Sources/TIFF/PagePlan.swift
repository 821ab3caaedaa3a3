import CTIFF
import NDArrays

/// How the pixels of a page lie in the file and in memory, checked against the file before anything
/// is allocated for them.
struct PagePlan {
    /// The most bytes that a compressed image may have for each byte in the file. A zstd block of
    /// 128 KiB of one value takes 4 bytes, which is the most that any of libtiff's compressions
    /// reaches.
    static let maximumExpansion: UInt64 = 32_768

    /// Where uncompressed strips lie, in the order of the strips.
    struct Strips {
        let offsets: [UInt64]
        let rowsPerStrip: Int
    }

    /// Who reads the pixels.
    enum Route {
        /// Uncompressed strips of whole bytes: read straight to their place.
        case direct(Strips)
        /// Everything else: libtiff decodes.
        case library(isTiled: Bool)
    }

    let layout: ArrayLayout
    let width: Int
    let height: Int
    /// Images with one sample each: the samples of planar data, else 1.
    let planeCount: Int
    /// Samples that lie next to each other for every pixel.
    let samplesPerElement: Int
    /// Bits of a sample in the file; fewer than the element's are widened.
    let bitsPerSample: Int
    let compression: UInt16
    let isYCbCrJPEG: Bool
    let route: Route

    /// Whether the compression is one of CCITT's.
    var isFax: Bool {
        [COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4, COMPRESSION_CCITTRLEW]
            .contains { $0 == Int32(compression) }
    }

    /// Bytes of a row of one plane in memory.
    var rowByteCount: Int { width * samplesPerElement * layout.elementType.byteCount }

    /// Where a row of a plane begins in memory.
    func memoryOffset(row: Int, plane: Int) -> Int {
        let index = layout.colorMode == .rgb2 ? row * planeCount + plane : plane * height + row
        return index * rowByteCount
    }
}

extension PagePlan {
    /// Derives the plan of a page from its directory; `provenance` restores what the tags can't
    /// say.
    init(
        _ directory: Directory, provenance: Provenance?, maximumByteCount: Int
    ) throws(TIFFError) {
        let facts = try PageFacts(directory)
        let elementType = try facts.elementType(directory)
        let isContiguous = facts.isContiguous
        let samples = facts.samplesPerPixel
        guard samples == 1 || samples == 3 || !isContiguous else {
            throw directory.fault(
                .unsupported("\(samples) samples for every pixel"), tag: TagCode.samplesPerPixel)
        }
        let isColor = samples == 3 && (isContiguous || facts.photometric == 2)
        width = facts.width
        height = facts.height
        planeCount = isContiguous ? 1 : samples
        samplesPerElement = isContiguous ? samples : 1
        bitsPerSample = facts.bitsPerSample
        compression = facts.compression
        isYCbCrJPEG = facts.photometric == 6
        let plain = try Self.layout(
            directory, elementType: elementType, width: width, height: height,
            mode: isColor ? (isContiguous ? .rgb1 : .rgb3) : .mono, planeCount: planeCount)
        var layout = provenance?.restoredLayout(of: plain) ?? plain
        if layout.colorMode == .rgb2, facts.rowsPerStrip != 1 || facts.isTiled { layout = plain }
        self.layout = layout
        try Self.check(layout, facts, directory, maximumByteCount)
        let isDirect =
            !facts.isTiled && compression == 1 && facts.fillOrder == 1
            && bitsPerSample == layout.elementType.byteCount * 8
        route =
            isDirect
            ? .direct(try Self.strips(directory, facts, elementByteCount: bitsPerSample / 8))
            : .library(isTiled: facts.isTiled)
    }

    private static func layout(
        _ directory: Directory, elementType: ElementType, width: Int, height: Int, mode: ColorMode,
        planeCount: Int
    ) throws(TIFFError) -> ArrayLayout {
        let (x, y) = (NDDimension(size: width), NDDimension(size: height))
        let dimensions =
            switch mode {
            case .mono where planeCount > 1: NDDimensions(x, y, NDDimension(size: planeCount))
            case .mono: NDDimensions(x, y)
            case .rgb1: NDDimensions(NDDimension(size: 3), x, y)
            case .rgb2: NDDimensions(x, NDDimension(size: 3), y)
            case .rgb3: NDDimensions(x, y, NDDimension(size: 3))
            }
        do throws(NDArrayError) {
            return try ArrayLayout(
                elementType: elementType, dimensions: dimensions, colorMode: mode)
        } catch {
            let pixels = UInt64(width).multipliedReportingOverflow(by: UInt64(height))
            let bytes = pixels.partialValue.multipliedReportingOverflow(
                by: UInt64(elementType.byteCount * (mode == .mono ? 1 : 3)))
            let isOver = pixels.overflow || bytes.overflow
            throw directory.fault(
                .tooLarge(
                    what: "bytes of the image",
                    claimed: isOver ? .max : bytes.partialValue,
                    limit: UInt64(ArrayLayout.maximumByteCount)),
                tag: TagCode.imageLength)
        }
    }

    /// Refuses an image that the file can't hold, before anything is allocated for it.
    private static func check(
        _ layout: ArrayLayout, _ facts: PageFacts, _ directory: Directory, _ maximum: Int
    ) throws(TIFFError) {
        let fileByteCount = directory.source.file.byteCount
        let claimed = UInt64(layout.byteCount)
        if facts.compression == 1 {
            let stored =
                claimed * UInt64(facts.bitsPerSample) / UInt64(8 * layout.elementType.byteCount)
            guard stored <= fileByteCount else {
                throw directory.fault(
                    .truncated(needed: stored, had: fileByteCount), tag: TagCode.imageLength)
            }
        } else {
            let expanded = fileByteCount.multipliedReportingOverflow(by: maximumExpansion)
            let limit = min(UInt64(maximum), expanded.overflow ? .max : expanded.partialValue)
            guard claimed <= limit else {
                throw directory.fault(
                    .tooLarge(what: "bytes of the image", claimed: claimed, limit: limit),
                    tag: TagCode.imageLength)
            }
        }
    }

    private static func strips(
        _ directory: Directory, _ facts: PageFacts, elementByteCount: Int
    ) throws(TIFFError) -> Strips {
        guard let offsetEntry = directory.entry(TagCode.stripOffsets) else {
            throw directory.fault(.missingTag, tag: TagCode.stripOffsets)
        }
        let rows = facts.rowsPerStrip
        let perPlane = (facts.height + rows - 1) / rows
        let count = perPlane * (facts.isContiguous ? 1 : facts.samplesPerPixel)
        guard offsetEntry.count >= count else {
            throw directory.fault(
                .damaged("\(offsetEntry.count) strips instead of \(count)"),
                tag: TagCode.stripOffsets)
        }
        let offsets = try directory.numbers(offsetEntry, limit: UInt64(count))
        let sizes = try directory.entry(TagCode.stripByteCounts).map {
            entry throws(TIFFError) in try directory.numbers(entry, limit: UInt64(count))
        }
        let rowByteCount =
            facts.width * (facts.isContiguous ? facts.samplesPerPixel : 1) * elementByteCount
        let fileByteCount = directory.source.file.byteCount
        for (index, offset) in offsets.enumerated() {
            let stripRows = min(rows, facts.height - index % perPlane * rows)
            let needed = UInt64(stripRows * rowByteCount)
            if let sizes, index < sizes.count, sizes[index] < needed {
                throw directory.fault(
                    .truncated(needed: needed, had: sizes[index]), tag: TagCode.stripByteCounts)
            }
            let (end, overflow) = offset.addingReportingOverflow(needed)
            guard !overflow, end <= fileByteCount else {
                throw directory.fault(
                    .truncated(needed: overflow ? .max : end, had: fileByteCount),
                    tag: TagCode.stripOffsets, at: offset)
            }
        }
        return Strips(offsets: offsets, rowsPerStrip: rows)
    }
}

/// What the tags of a page say about its pixels, each checked by itself.
struct PageFacts {
    let width: Int
    let height: Int
    let bitsPerSample: Int
    let samplesPerPixel: Int
    let sampleFormat: UInt64
    let compression: UInt16
    let photometric: UInt64
    let isContiguous: Bool
    let fillOrder: UInt64
    let rowsPerStrip: Int
    let isTiled: Bool

    init(_ directory: Directory) throws(TIFFError) {
        guard let width = try directory.number(TagCode.imageWidth) else {
            throw directory.fault(.missingTag, tag: TagCode.imageWidth)
        }
        guard let height = try directory.number(TagCode.imageLength) else {
            throw directory.fault(.missingTag, tag: TagCode.imageLength)
        }
        guard width > 0, height > 0 else {
            throw directory.fault(
                .emptyImage(width: width, height: height), tag: TagCode.imageWidth)
        }
        let limit = UInt64(Int32.max)
        guard width <= limit, height <= limit else {
            throw directory.fault(
                .tooLarge(what: "side of the image", claimed: max(width, height), limit: limit),
                tag: width > limit ? TagCode.imageWidth : TagCode.imageLength)
        }
        self.width = Int(width)
        self.height = Int(height)
        let samples = try directory.number(TagCode.samplesPerPixel) ?? 1
        guard samples > 0, samples <= 65_535 else {
            throw directory.fault(.damaged("\(samples) samples"), tag: TagCode.samplesPerPixel)
        }
        samplesPerPixel = Int(samples)
        bitsPerSample = Int(
            clamping: try Self.common(TagCode.bitsPerSample, directory, samples) ?? 1)
        sampleFormat = try Self.common(TagCode.sampleFormat, directory, samples) ?? 1
        compression = UInt16(clamping: try directory.number(TagCode.compression) ?? 1)
        photometric = try directory.number(TagCode.photometric) ?? 1
        let planar = try directory.number(TagCode.planarConfiguration) ?? 1
        guard planar == 1 || planar == 2 else {
            throw directory.fault(
                .damaged("planar configuration \(planar)"), tag: TagCode.planarConfiguration)
        }
        isContiguous = planar == 1 || samples == 1
        fillOrder = try directory.number(TagCode.fillOrder) ?? 1
        isTiled = directory.entry(TagCode.tileWidth) != nil
        let rows = try directory.number(TagCode.rowsPerStrip) ?? height
        guard rows > 0 else {
            throw directory.fault(.damaged("no rows"), tag: TagCode.rowsPerStrip)
        }
        rowsPerStrip = Int(min(rows, height))
        try checkKind(directory)
    }

    /// The value that all samples share; files with different ones are refused.
    private static func common(
        _ tag: UInt16, _ directory: Directory, _ samples: UInt64
    ) throws(TIFFError) -> UInt64? {
        guard let entry = directory.entry(tag) else { return nil }
        let values = try directory.numbers(entry, limit: samples)
        guard let first = values.first else {
            throw directory.fault(.damaged("no value"), tag: tag)
        }
        guard values.allSatisfy({ $0 == first }) else {
            throw directory.fault(.unsupported("samples of different kinds"), tag: tag)
        }
        return first
    }

    private func checkKind(_ directory: Directory) throws(TIFFError) {
        guard TIFFIsCODECConfigured(compression) != 0, compression != UInt16(COMPRESSION_OJPEG)
        else {
            throw directory.fault(
                .unsupported("compression \(compression)"), tag: TagCode.compression)
        }
        // 0 white is zero, 1 black is zero, 2 RGB, 3 palette (as stored), 4 mask, 32803 colour
        // filter array.
        let isJPEG = photometric == 6 && compression == UInt16(COMPRESSION_JPEG)
        guard [0, 1, 2, 3, 4, 32803].contains(photometric) || isJPEG else {
            throw directory.fault(
                .unsupported("photometric interpretation \(photometric)"), tag: TagCode.photometric)
        }
    }

    /// The element type in memory; 1 bit becomes boolean, 2 to 7 uint8, 9 to 15 uint16.
    func elementType(_ directory: Directory) throws(TIFFError) -> ElementType {
        switch (sampleFormat, bitsPerSample) {
        case (1, 1), (4, 1): return .boolean
        case (1, 8), (4, 8): return .uint8
        case (1, 16), (4, 16): return .uint16
        case (1, 32), (4, 32): return .uint32
        case (1, 64), (4, 64): return .uint64
        case (2, 8): return .int8
        case (2, 16): return .int16
        case (2, 32): return .int32
        case (2, 64): return .int64
        case (3, 32): return .float32
        case (3, 64): return .float64
        case (1, 2...7) where samplesPerPixel == 1: return .uint8
        case (1, 9...15) where samplesPerPixel == 1: return .uint16
        default:
            let name =
                sampleFormat == 2 ? "signed" : sampleFormat == 3 ? "floating-point" : "unsigned"
            let kind = (1...4).contains(sampleFormat) ? name : "sample format \(sampleFormat)"
            throw directory.fault(
                .unsupported("\(kind) samples of \(bitsPerSample) bits"),
                tag: TagCode.bitsPerSample)
        }
    }
}
