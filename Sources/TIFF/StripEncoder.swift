import CTIFF
import NDArrays

/// Compresses pixels with libtiff into memory. Only the strips are taken: directory and tags are
/// ours, the same for every compression.
final class StripEncoder {
    /// Strips of about this many bytes: long enough to compress well, short enough to decode in the
    /// cache.
    static let stripByteCount = 1 << 20

    private let memory: UnsafeMutablePointer<ctiff_memory>
    private let messages = LibraryMessages()
    private var rowsPerStrip = 0
    private var stripsPerPage = 0
    /// Offset in the compressed bytes and length of each strip, page by page.
    private var table: [(offset: Int, byteCount: Int)] = []

    init() {
        memory = .allocate(capacity: 1)
        memory.initialize(to: ctiff_memory())
    }

    deinit {
        ctiff_memory_free(memory)
        memory.deallocate()
    }

    /// The strips of a page of the frame that was compressed last.
    func fill(_ strips: inout StripTable, page: Int) {
        strips.removeAll()
        strips.rowsPerStrip = rowsPerStrip
        for entry in table[page * stripsPerPage..<(page + 1) * stripsPerPage] {
            strips.append(offset: entry.offset, byteCount: entry.byteCount)
        }
    }

    /// Compresses all pages of a frame; the result is valid until the next call.
    func encode(
        _ pixels: UnsafeRawBufferPointer, _ layout: ArrayLayout, _ settings: TIFFSettings,
        path: String
    ) throws(TIFFError) -> UnsafeRawBufferPointer {
        guard settings.compression.isAvailable else {
            throw TIFFError(
                .unsupported("libtiff was built without \(settings.compression.rawValue)"),
                path: path)
        }
        // Strips that do not get smaller, and LZW, need a little more than the pixels.
        let isBig = layout.byteCount > 2 << 30
        guard let tiff = ctiff_open_memory(memory, isBig ? 1 : 0, messages.pointer) else {
            throw TIFFError(.library(messages.take()), path: path)
        }
        // Without flushing: the directory that libtiff would write is not wanted.
        defer { TIFFCleanup(tiff) }
        let pages = layout.colorMode == .mono ? layout.planeCount : 1
        // Planes are strips one after the other: to libtiff one image of all rows, contiguous.
        let contiguous = layout.colorMode == .rgb1 ? 3 : 1
        let planes = layout.planeCount / (layout.colorMode == .rgb1 ? 3 : 1)
        let row = layout.width * contiguous * layout.elementType.byteCount
        rowsPerStrip =
            layout.colorMode == .rgb2
            ? 1 : max(1, min(layout.height, Self.stripByteCount / row))
        let perPlane = (layout.height + rowsPerStrip - 1) / rowsPerStrip
        stripsPerPage = perPlane * (planes / pages)
        try setUp(
            tiff, layout, settings, samples: contiguous, rows: perPlane * planes * rowsPerStrip,
            path)
        let begin = memory.pointee.count
        table.removeAll(keepingCapacity: true)
        for strip in 0..<perPlane * planes {
            let (plane, index) = strip.quotientAndRemainder(dividingBy: perPlane)
            let y = index * rowsPerStrip
            let count = min(rowsPerStrip, layout.height - y) * row
            let start =
                layout.colorMode == .rgb2
                ? (3 * y + plane) * row : (plane * layout.height + y) * row
            let place = UnsafeMutableRawPointer(mutating: pixels.baseAddress! + start)
            let before = memory.pointee.count
            guard TIFFWriteEncodedStrip(tiff, UInt32(strip), place, tmsize_t(count)) == count,
                TIFFFlushData(tiff) != 0
            else { throw TIFFError(.library(messages.take()), path: path) }
            table.append((before - begin, memory.pointee.count - before))
        }
        return UnsafeRawBufferPointer(
            start: memory.pointee.bytes + begin, count: memory.pointee.count - begin)
    }

    private func setUp(
        _ tiff: OpaquePointer, _ layout: ArrayLayout, _ settings: TIFFSettings, samples: Int,
        rows: Int, _ path: String
    ) throws(TIFFError) {
        let type = layout.elementType
        let isFloat = type == .float32 || type == .float64
        var fields: [(Int32, UInt32)] = [
            (TIFFTAG_IMAGEWIDTH, UInt32(clamping: layout.width)),
            (TIFFTAG_IMAGELENGTH, UInt32(clamping: rows)),
            (TIFFTAG_BITSPERSAMPLE, UInt32(8 * type.byteCount)),
            (TIFFTAG_SAMPLESPERPIXEL, UInt32(samples)),
            (TIFFTAG_SAMPLEFORMAT, isFloat ? 3 : 1),
            (TIFFTAG_ROWSPERSTRIP, UInt32(rowsPerStrip)),
            (TIFFTAG_PLANARCONFIG, 1),
            (TIFFTAG_PHOTOMETRIC, samples == 3 ? 2 : 1),
            (TIFFTAG_COMPRESSION, UInt32(settings.compression.code)),
        ]
        let predictor = settings.predictor(for: type)
        if predictor != 1 { fields.append((TIFFTAG_PREDICTOR, UInt32(predictor))) }
        if let level = settings.level {
            switch settings.compression {
            case .deflate: fields.append((TIFFTAG_ZIPQUALITY, UInt32(clamping: level)))
            case .zstd: fields.append((TIFFTAG_ZSTD_LEVEL, UInt32(clamping: level)))
            case .none, .lzw: break
            }
        }
        for (tag, value) in fields where ctiff_set(tiff, UInt32(tag), value) == 0 {
            throw TIFFError(.library(messages.take()), path: path, tag: UInt16(clamping: tag))
        }
    }
}
