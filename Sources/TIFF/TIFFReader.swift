import CTIFF
public import NDArrays

/// What a page says about itself besides its pixels.
public struct TIFFPageHeader: Sendable, Hashable {
    /// Element type, dimensions and colour mode of the pixels that `readPixels` gives.
    public let layout: ArrayLayout
    /// areaDetector's unique id (tag 65001), nil where the file has none.
    public let uniqueId: UInt64?
    /// When the frame was taken (tags 65002 and 65003, else 65000), nil where the file has none.
    public let timeStamp: TimeStamp?
    /// Attributes: areaDetector's numbered ones, then those of tags that describe the picture.
    public let attributes: NDAttributes
    /// All entries of the directory as they stand in the file.
    public let sourceTags: [TIFFTag]
    /// Of a file that Sluice wrote from a three-dimensional array: the third dimension, whose
    /// planes are this and the following pages.
    public let stackDimension: NDDimension?
}

/// Reads TIFF and BigTIFF files, page by page.
///
/// Sizes are checked against the file before anything is allocated for them, nothing is printed,
/// and any sequence of bytes gives a frame or one `TIFFError`. Every directory of the main chain is
/// a page. Pixels come as they are stored: palettes and "white is zero" are not applied.
public final class TIFFReader {
    /// The most pages a file may have: more is a damaged chain.
    public static let maximumPageCount = 1 << 20
    /// The most bytes that a compressed page may have decoded, unless the reader is told otherwise.
    public static let maximumDecodedByteCount = 4 << 30

    struct Page {
        let directory: Directory
        let plan: PagePlan
        let provenance: Provenance?
    }

    /// The file's path.
    public let path: String
    let file: InputFile
    private let maximumByteCount: Int
    private let source: DirectorySource
    private var offsets: [UInt64]
    private var knownOffsets: Set<UInt64>
    private var isChainComplete = false
    private var current: (index: Int, page: Page)?
    var library: SizedLibraryFile?

    /// Opens `path` and reads its first bytes.
    ///
    /// - Throws: `TIFFError` for a file that can't be opened or is not a TIFF.
    public init(
        path: String, maximumDecodedByteCount: Int = TIFFReader.maximumDecodedByteCount
    ) throws(TIFFError) {
        self.path = path
        do throws(InputFile.Fault) {
            file = try InputFile(path: path)
        } catch {
            throw TIFFError(fault: error, path: path)
        }
        maximumByteCount = maximumDecodedByteCount
        source = try DirectorySource(file)
        guard source.firstOffset != 0 else {
            throw TIFFError(.damaged("the file has no directory"), path: path, byteOffset: 4)
        }
        offsets = [source.firstOffset]
        knownOffsets = [source.firstOffset]
    }

    /// Number of pages; reads two numbers of each directory once.
    ///
    /// - Throws: `TIFFError` for a chain that loops, leaves the file or is longer than
    /// `maximumPageCount`.
    public var pageCount: Int {
        get throws(TIFFError) {
            while try extendChain() {}
            return offsets.count
        }
    }

    /// Whether `page` is the last one; costs nothing where the page was read.
    ///
    /// - Throws: `TIFFError` for a damaged chain.
    public func isLast(page index: Int) throws(TIFFError) -> Bool {
        if let current, current.index == index { return current.page.directory.nextOffset == 0 }
        return try pageCount <= index + 1
    }

    /// What the page says about itself, all checked against the file; 0 is the first page.
    ///
    /// - Throws: `TIFFError`.
    public func readHeader(page index: Int = 0) throws(TIFFError) -> TIFFPageHeader {
        let page = try page(index)
        let directory = page.directory
        let frame = try FrameTags(directory, provenance: page.provenance)
        return TIFFPageHeader(
            layout: page.plan.layout, uniqueId: frame.uniqueId, timeStamp: frame.timeStamp,
            attributes: frame.attributes, sourceTags: directory.entries,
            stackDimension: page.provenance?.stackDimension)
    }

    /// Fills `destination` with the pixels in the layout that the page's header gives.
    ///
    /// Uncompressed pixels go from the file straight to their place.
    ///
    /// - Throws: `TIFFError`; what the destination then holds is undefined.
    public func readPixels(
        page index: Int = 0, into destination: UnsafeMutableRawBufferPointer
    ) throws(TIFFError) {
        let page = try page(index)
        let needed = page.plan.layout.byteCount
        guard destination.count == needed else {
            throw page.directory.fault(
                .byteCountMismatch(needed: needed, had: destination.count))
        }
        switch page.plan.route {
        case .direct(let strips):
            try readStrips(strips, of: page, into: destination)
            if source.integers.isSwapped {
                swapBytes(destination, elementByteCount: page.plan.layout.elementType.byteCount)
            }
        case .library(let isTiled):
            try decode(page, isTiled: isTiled, into: destination)
        }
    }

    /// The frame of one page, with its pixels.
    ///
    /// - Throws: `TIFFError`.
    public func readArray(page index: Int = 0) throws(TIFFError) -> NDArray {
        let header = try readHeader(page: index)
        var array = NDArray(
            layout: header.layout, uniqueId: header.uniqueId ?? 0,
            timeStamp: header.timeStamp ?? TimeStamp(), attributes: header.attributes)
        try array.withUnsafeMutableBytes { bytes throws(TIFFError) in
            try readPixels(page: index, into: bytes)
        }
        return array
    }

    /// The three-dimensional mono array of a file that Sluice wrote from one; nil when it was not.
    ///
    /// - Throws: `TIFFError`, also when pages of the stack are missing or of another shape.
    public func readStack() throws(TIFFError) -> NDArray? {
        let header = try readHeader()
        guard let depth = header.stackDimension, header.layout.dimensions.count == 2 else {
            return nil
        }
        let plane = header.layout
        guard try pageCount >= depth.size else {
            throw TIFFError(.noSuchPage(had: offsets.count), path: path, page: depth.size - 1)
        }
        let layout: ArrayLayout
        do throws(NDArrayError) {
            layout = try ArrayLayout(
                elementType: plane.elementType,
                dimensions: NDDimensions(plane.dimensions[0], plane.dimensions[1], depth))
        } catch {
            throw TIFFError(.damaged("\(error)"), path: path, tag: TagCode.provenance)
        }
        for index in 0..<depth.size {
            let other = try page(index).plan.layout
            guard other.width == plane.width, other.height == plane.height,
                other.byteCount == plane.byteCount
            else {
                throw TIFFError(
                    .damaged("the pages of the stack differ in shape"), path: path, page: index)
            }
        }
        var array = NDArray(
            layout: layout, uniqueId: header.uniqueId ?? 0,
            timeStamp: header.timeStamp ?? TimeStamp(), attributes: header.attributes)
        try array.withUnsafeMutableBytes { bytes throws(TIFFError) in
            for index in 0..<depth.size {
                let start = index * plane.byteCount
                try readPixels(
                    page: index, into: .init(rebasing: bytes[start..<start + plane.byteCount]))
            }
        }
        return array
    }

    // MARK: - Pages

    private func page(_ index: Int) throws(TIFFError) -> Page {
        if let current, current.index == index { return current.page }
        while index >= offsets.count {
            guard try extendChain() else {
                throw TIFFError(.noSuchPage(had: offsets.count), path: path, page: index)
            }
        }
        guard index >= 0 else {
            throw TIFFError(.noSuchPage(had: try pageCount), path: path, page: index)
        }
        let directory = try source.directory(at: offsets[index], page: index)
        if index == offsets.count - 1 { try append(directory.nextOffset) }
        let provenance = try Provenance(directory)
        let plan = try PagePlan(
            directory, provenance: provenance, maximumByteCount: maximumByteCount)
        let page = Page(directory: directory, plan: plan, provenance: provenance)
        current = (index, page)
        return page
    }

    /// Finds one more directory; false when there is none.
    private func extendChain() throws(TIFFError) -> Bool {
        guard !isChainComplete else { return false }
        let next = try source.nextOffset(after: offsets[offsets.count - 1], page: offsets.count - 1)
        try append(next)
        return !isChainComplete
    }

    private func append(_ offset: UInt64) throws(TIFFError) {
        guard !isChainComplete else { return }
        guard offset != 0 else {
            isChainComplete = true
            return
        }
        guard knownOffsets.insert(offset).inserted else {
            throw TIFFError(
                .damaged("the chain of pages loops"), path: path, page: offsets.count,
                byteOffset: offset)
        }
        guard offsets.count < Self.maximumPageCount else {
            throw TIFFError(
                .tooLarge(
                    what: "number of pages", claimed: UInt64(offsets.count) + 1,
                    limit: UInt64(Self.maximumPageCount)),
                path: path, byteOffset: offset)
        }
        offsets.append(offset)
    }

    // MARK: - Uncompressed pixels

    /// Reads strips that follow each other in file and memory with one call.
    private func readStrips(
        _ strips: PagePlan.Strips, of page: Page, into destination: UnsafeMutableRawBufferPointer
    ) throws(TIFFError) {
        let plan = page.plan
        let perPlane = strips.offsets.count / plan.planeCount
        var run: (fileOffset: UInt64, start: Int, count: Int)?
        for position in 0..<strips.offsets.count {
            // RGB2 has the planes of a row next to each other in memory.
            let isByRow = plan.layout.colorMode == .rgb2
            let plane = isByRow ? position % plan.planeCount : position / perPlane
            let strip = isByRow ? position / plan.planeCount : position % perPlane
            let row = strip * strips.rowsPerStrip
            let count = min(strips.rowsPerStrip, plan.height - row) * plan.rowByteCount
            let start = plan.memoryOffset(row: row, plane: plane)
            let offset = strips.offsets[plane * perPlane + strip]
            if let open = run, open.fileOffset + UInt64(open.count) == offset,
                open.start + open.count == start
            {
                run = (open.fileOffset, open.start, open.count + count)
            } else {
                if let run { try read(run, page, destination) }
                run = (offset, start, count)
            }
        }
        if let run { try read(run, page, destination) }
    }

    private func read(
        _ run: (fileOffset: UInt64, start: Int, count: Int), _ page: Page,
        _ destination: UnsafeMutableRawBufferPointer
    ) throws(TIFFError) {
        let part = UnsafeMutableRawBufferPointer(
            rebasing: destination[run.start..<run.start + run.count])
        do throws(InputFile.Fault) {
            try file.read(into: part, at: run.fileOffset)
        } catch {
            throw TIFFError(
                fault: error, path: path, page: page.directory.page, tag: TagCode.stripOffsets,
                byteOffset: run.fileOffset)
        }
    }
}

/// Reverses the bytes of every element.
package func swapBytes(_ bytes: UnsafeMutableRawBufferPointer, elementByteCount: Int) {
    func swap<Element: FixedWidthInteger>(_ type: Element.Type) {
        for offset in stride(from: 0, to: bytes.count, by: elementByteCount) {
            let value = bytes.loadUnaligned(fromByteOffset: offset, as: type)
            bytes.storeBytes(of: value.byteSwapped, toByteOffset: offset, as: type)
        }
    }
    switch elementByteCount {
    case 2: swap(UInt16.self)
    case 4: swap(UInt32.self)
    case 8: swap(UInt64.self)
    default: break
    }
}
