import CLinux
import CTIFF
import NDArrays

/// What libtiff says about a handle, collected and never printed.
final class LibraryMessages {
    let pointer: UnsafeMutablePointer<ctiff_messages>

    init() {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: ctiff_messages())
    }

    deinit { pointer.deallocate() }

    /// Takes what was collected; a sentence of ours when there is nothing.
    func take() -> String {
        defer { pointer.pointee.count = 0 }
        let count = pointer.pointee.count
        guard count > 0 else { return "it gave no reason" }
        return withUnsafeBytes(of: &pointer.pointee.text) { bytes in
            String(decoding: bytes[0..<min(count, bytes.count)], as: UTF8.self)
        }
    }
}

/// A file that libtiff has open to decode pixels: its directories were checked by us before.
final class LibraryFile {
    let handle: OpaquePointer
    let messages: LibraryMessages
    private var directoryOffset: UInt64?

    /// Opens a duplicate of the descriptor; `maximumAllocation` bounds each of libtiff's own
    /// buffers.
    init(_ file: InputFile, maximumAllocation: Int) throws(TIFFError) {
        messages = LibraryMessages()
        let descriptor = cl_duplicate(file.descriptor, 3)
        guard descriptor >= 0 else {
            throw TIFFError(.systemCall(name: "dup", errno: systemErrorNumber()), path: file.path)
        }
        guard
            let handle = ctiff_open_descriptor(
                descriptor, file.path, messages.pointer, Int64(maximumAllocation))
        else {
            closeDescriptor(descriptor)
            throw TIFFError(.library(messages.take()), path: file.path)
        }
        self.handle = handle
    }

    deinit { TIFFClose(handle) }

    /// Goes to the directory at `offset`; false where libtiff refuses it.
    func select(directoryAt offset: UInt64) -> Bool {
        if directoryOffset == offset { return true }
        directoryOffset = nil
        guard TIFFSetSubDirectory(handle, offset) != 0 else { return false }
        directoryOffset = offset
        return true
    }
}

extension TIFFReader {
    /// Room beside the image that libtiff may take in one piece: buffers of a strip or tile.
    private static let libraryAllowance = 16 << 20
    /// Tiles may reach beyond the image, but not without bounds.
    private static let maximumTileExcess = 16

    /// Decodes a page with libtiff.
    func decode(
        _ page: Page, isTiled: Bool, into destination: UnsafeMutableRawBufferPointer
    ) throws(TIFFError) {
        let plan = page.plan
        let directory = page.directory
        // A compressed strip may be a little longer than its pixels, a stored one never than the
        // file.
        let allowance = 2 * plan.layout.byteCount + Self.libraryAllowance
        // What a damaged strip leaves in the state of the fax codec shows in the next page.
        if plan.isFax { library = nil }
        if library == nil || library!.maximumAllocation < allowance {
            library = SizedLibraryFile(
                file: try LibraryFile(file, maximumAllocation: allowance),
                maximumAllocation: allowance)
        }
        let opened = library!.file
        guard opened.select(directoryAt: directory.byteOffset) else {
            throw directory.fault(.library(opened.messages.take()))
        }
        if plan.isYCbCrJPEG {
            _ = ctiff_set(
                opened.handle, UInt32(TIFFTAG_JPEGCOLORMODE), UInt32(JPEGCOLORMODE_RGB))
        }
        // Of some damaged strips libtiff decodes a part, says nothing and leaves the rest as it was: the
        // pixels of another frame.
        destination.initializeMemory(as: UInt8.self, repeating: 0)
        let decoder = LibraryDecoder(file: opened, plan: plan, directory: directory)
        if isTiled {
            try decoder.decodeTiles(
                into: destination,
                maximumByteCount: Self.libraryAllowance
                    + Self.maximumTileExcess * plan.layout.byteCount)
        } else {
            try decoder.decodeStrips(into: destination)
        }
    }
}

/// A file of libtiff with the bound of its buffers.
struct SizedLibraryFile {
    let file: LibraryFile
    let maximumAllocation: Int
}

/// Decodes the strips or tiles of one page to their places.
struct LibraryDecoder {
    let file: LibraryFile
    let plan: PagePlan
    let directory: Directory

    private var isWidened: Bool { plan.bitsPerSample != 8 * plan.layout.elementType.byteCount }

    /// Bytes of a row of one plane as libtiff gives it: packed where samples are narrower than a
    /// byte.
    private func packedByteCount(width: Int) -> Int {
        (width * plan.samplesPerElement * plan.bitsPerSample + 7) / 8
    }

    private func failure() -> TIFFError { directory.fault(.library(file.messages.take())) }

    /// Strips go straight to their place unless their samples have to be widened.
    func decodeStrips(into destination: UnsafeMutableRawBufferPointer) throws(TIFFError) {
        var rows: UInt32 = 0
        guard ctiff_rows_per_strip(file.handle, &rows) != 0, rows > 0 else { throw failure() }
        let rowsPerStrip = Int(min(rows, UInt32(clamping: plan.height)))
        let perPlane = (plan.height + rowsPerStrip - 1) / rowsPerStrip
        let packed = packedByteCount(width: plan.width)
        guard TIFFNumberOfStrips(file.handle) >= perPlane * plan.planeCount,
            TIFFStripSize(file.handle) == packed * rowsPerStrip
        else {
            throw directory.fault(
                .damaged("libtiff sees other strips"), tag: TagCode.rowsPerStrip)
        }
        let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: isWidened ? packed * rowsPerStrip : 0, alignment: 16)
        defer { scratch.deallocate() }
        scratch.initializeMemory(as: UInt8.self, repeating: 0)
        for plane in 0..<plan.planeCount {
            for strip in 0..<perPlane {
                let row = strip * rowsPerStrip
                let count = min(rowsPerStrip, plan.height - row)
                let place = destination.baseAddress! + plan.memoryOffset(row: row, plane: plane)
                let read = TIFFReadEncodedStrip(
                    file.handle, UInt32(plane * perPlane + strip),
                    isWidened ? scratch.baseAddress! : place, tmsize_t(packed * count))
                guard read == packed * count else { throw failure() }
                guard isWidened else { continue }
                for index in 0..<count {
                    widen(
                        UnsafeRawPointer(scratch.baseAddress! + index * packed),
                        to: destination.baseAddress!
                            + plan.memoryOffset(row: row + index, plane: plane), count: plan.width)
                }
            }
        }
    }

    /// Tiles are decoded beside the image and their rows copied to their places.
    func decodeTiles(
        into destination: UnsafeMutableRawBufferPointer, maximumByteCount: Int
    ) throws(TIFFError) {
        var (tileWidth, tileHeight): (UInt32, UInt32) = (0, 0)
        guard ctiff_tile_shape(file.handle, &tileWidth, &tileHeight) != 0, tileWidth > 0,
            tileHeight > 0, tileWidth <= Int32.max, tileHeight <= Int32.max
        else { throw failure() }
        let (width, height) = (Int(tileWidth), Int(tileHeight))
        let packed = packedByteCount(width: width)
        let (tileByteCount, overflow) = packed.multipliedReportingOverflow(by: height)
        guard !overflow, tileByteCount <= maximumByteCount else {
            throw directory.fault(
                .tooLarge(
                    what: "bytes of a tile", claimed: UInt64(clamping: tileByteCount),
                    limit: UInt64(maximumByteCount)), tag: TagCode.tileWidth)
        }
        let (across, down) = ((plan.width + width - 1) / width, (plan.height + height - 1) / height)
        guard TIFFTileSize(file.handle) == tileByteCount,
            TIFFNumberOfTiles(file.handle) >= across * down * plan.planeCount
        else { throw directory.fault(.damaged("libtiff sees other tiles"), tag: TagCode.tileWidth) }
        let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: tileByteCount, alignment: 16)
        defer { scratch.deallocate() }
        scratch.initializeMemory(as: UInt8.self, repeating: 0)
        let elementByteCount = plan.samplesPerElement * plan.layout.elementType.byteCount
        for tile in 0..<across * down * plan.planeCount {
            let read = TIFFReadEncodedTile(
                file.handle, UInt32(tile), scratch.baseAddress!, tmsize_t(tileByteCount))
            guard read == tileByteCount else { throw failure() }
            let (plane, place) = tile.quotientAndRemainder(dividingBy: across * down)
            let (x, y) = (place % across * width, place / across * height)
            let columns = min(width, plan.width - x)
            for row in 0..<min(height, plan.height - y) {
                let source = UnsafeRawPointer(scratch.baseAddress! + row * packed)
                let target =
                    destination.baseAddress! + plan.memoryOffset(row: y + row, plane: plane)
                    + x * elementByteCount
                if isWidened {
                    widen(source, to: target, count: columns)
                } else {
                    target.copyMemory(from: source, byteCount: columns * elementByteCount)
                }
            }
        }
    }

    /// Spreads samples of fewer bits, packed from the highest bit down (TIFF 6.0 §3), to whole
    /// elements.
    private func widen(_ packed: UnsafeRawPointer, to place: UnsafeMutableRawPointer, count: Int) {
        let bits = plan.bitsPerSample
        let elementByteCount = plan.layout.elementType.byteCount
        var (held, heldBits, offset): (UInt32, Int, Int) = (0, 0, 0)
        for index in 0..<count * plan.samplesPerElement {
            while heldBits < bits {
                held = held << 8 | UInt32(packed.load(fromByteOffset: offset, as: UInt8.self))
                (heldBits, offset) = (heldBits + 8, offset + 1)
            }
            heldBits -= bits
            let value = held >> UInt32(heldBits) & (1 << UInt32(bits) - 1)
            if elementByteCount == 1 {
                place.storeBytes(of: UInt8(value), toByteOffset: index, as: UInt8.self)
            } else {
                place.storeBytes(of: UInt16(value), toByteOffset: 2 * index, as: UInt16.self)
            }
        }
    }
}
