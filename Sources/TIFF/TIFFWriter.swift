import CLinux
import CTIFF
import Glibc
public import NDArrays

/// Writes frames as TIFF files to open descriptors, with areaDetector's tags and all that is needed
/// to read a frame back exactly.
///
/// An uncompressed file is one `writev` of header and pixels. A writer is used for many files: it
/// keeps its buffers, and where layout and attributes are those of the last frame it only writes id
/// and time anew. The attributes are in the tags 65010 to 65419, as "name:value", and, with types,
/// descriptions and sources, in the text of tag 65009; from the 411th on they are in that text
/// only.
public final class TIFFWriter {
    /// How files are written.
    public let settings: TIFFSettings
    private var header = HeaderEncoder()
    private var strips = StripTable()
    private var encoder: StripEncoder?
    /// The frame whose header `header` holds, when the next one may use it.
    private var last: (layout: ArrayLayout, attributes: NDAttributes)?

    /// A writer with these settings.
    public init(_ settings: TIFFSettings = TIFFSettings()) {
        self.settings = settings
    }

    /// Writes a frame as a whole file at the descriptor's position, which has to be the file's
    /// beginning.
    ///
    /// A three-dimensional mono array becomes a page for every plane.
    /// - Parameter path: the name for errors.
    /// - Throws: `TIFFError`; the file is then incomplete.
    @discardableResult
    public func write(
        _ pixels: UnsafeRawBufferPointer, layout: ArrayLayout, uniqueId: UInt64,
        timeStamp: TimeStamp, attributes: NDAttributes, to descriptor: Int32, path: String = ""
    ) throws(TIFFError) -> TIFFWritten {
        let frame = FrameFacts(
            layout: layout, uniqueId: uniqueId, timeStamp: timeStamp, attributes: attributes)
        if let last, last.layout == layout, frame.fitsTags, pixels.count == layout.byteCount,
            last.attributes == attributes
        {
            header.patch(uniqueId: uniqueId, timeStamp: timeStamp)
            return try send(header.buffer.bytes, pixels, to: descriptor, path: path)
        }
        last = nil
        let stored = try prepare(
            pixels, frame, origin: 0, isBig: settings.alwaysBigTIFF, path: path)
        let isStack = layout.colorMode == .mono && layout.dimensions.count == 3
        if settings.compression == .none, !isStack, frame.fitsTags { last = (layout, attributes) }
        return try send(header.buffer.bytes, stored, to: descriptor, path: path)
    }

    /// Writes a frame that owns its pixels; see above.
    ///
    /// - Throws: `TIFFError`.
    @discardableResult
    public func write(
        _ array: borrowing NDArray, to descriptor: Int32, path: String = ""
    ) throws(TIFFError) -> TIFFWritten {
        let (layout, attributes) = (array.layout, array.attributes)
        let (uniqueId, timeStamp) = (array.uniqueId, array.timeStamp)
        return try array.withUnsafeBytes { bytes throws(TIFFError) in
            try write(
                bytes, layout: layout, uniqueId: uniqueId, timeStamp: timeStamp,
                attributes: attributes, to: descriptor, path: path)
        }
    }

    /// Adds a frame to a file of many pages, which `sequence` describes.
    ///
    /// - Throws: `TIFFError`, also where a file that is not BigTIFF would grow over 4 GiB; it then
    /// still
    ///   holds the earlier pages.
    @discardableResult
    public func append(
        _ pixels: UnsafeRawBufferPointer, layout: ArrayLayout, uniqueId: UInt64,
        timeStamp: TimeStamp, attributes: NDAttributes, to sequence: inout TIFFSequence
    ) throws(TIFFError) -> TIFFWritten {
        last = nil
        let frame = FrameFacts(
            layout: layout, uniqueId: uniqueId, timeStamp: timeStamp, attributes: attributes)
        let stored = try prepare(
            pixels, frame, origin: sequence.byteCount, isBig: sequence.isBigTIFF,
            path: sequence.path)
        let written = try send(
            header.buffer.bytes, stored, to: sequence.descriptor, path: sequence.path)
        if let place = sequence.linkPlace {
            try link(to: sequence.byteCount + header.directoryPlace, at: place, in: sequence)
        }
        sequence.linkPlace = sequence.byteCount + header.linkPlace
        sequence.byteCount += written.byteCount
        sequence.pageCount += stackCount(layout)
        // The link of the page before was changed: a checksum of these bytes would say nothing.
        return TIFFWritten(byteCount: written.byteCount, checksum: nil)
    }

    private func stackCount(_ layout: ArrayLayout) -> Int {
        layout.colorMode == .mono && layout.dimensions.count == 3 ? layout.planeCount : 1
    }

    private func link(to origin: Int, at place: Int, in sequence: TIFFSequence) throws(TIFFError) {
        var value = UInt64(origin)
        let count = sequence.isBigTIFF ? 8 : 4
        let written = pwrite(sequence.descriptor, &value, count, off_t(place))
        guard written == count else {
            throw TIFFError(
                .systemCall(name: "pwrite", errno: written < 0 ? errno : EIO), path: sequence.path,
                byteOffset: UInt64(place))
        }
    }

    // MARK: - Header and pixels

    /// Builds the header and returns the bytes that follow it: the pixels, or their compressed
    /// form, valid until the next call.
    private func prepare(
        _ pixels: UnsafeRawBufferPointer, _ frame: FrameFacts, origin: Int, isBig: Bool,
        path: String
    ) throws(TIFFError) -> UnsafeRawBufferPointer {
        let layout = frame.layout
        guard layout.codecName.isEmpty else {
            throw TIFFError(
                .unsupported("pixels compressed with \(layout.codecName)"), path: path)
        }
        guard pixels.count == layout.byteCount else {
            throw TIFFError(
                .byteCountMismatch(needed: layout.byteCount, had: pixels.count), path: path)
        }
        guard frame.attributes.count <= Provenance.maximumAttributeCount else {
            throw TIFFError(
                .tooLarge(
                    what: "number of attributes", claimed: UInt64(frame.attributes.count),
                    limit: UInt64(Provenance.maximumAttributeCount)), path: path)
        }
        var stored = pixels
        if settings.compression != .none {
            if encoder == nil { encoder = StripEncoder() }
            stored = try encoder!.encode(pixels, layout, settings, path: path)
        }
        let maximum = Int(UInt32.max)
        // Only a whole file can still become BigTIFF: pages are added to what the first one chose.
        let needsBig = origin == 0 && stored.count > maximum - (1 << 20)
        build(frame, origin: origin, isBig: isBig || needsBig)
        let end = origin + header.buffer.count + stored.count
        if !(isBig || needsBig), end > maximum {
            guard origin == 0 else {
                throw TIFFError(
                    .tooLarge(
                        what: "bytes of a file that is not BigTIFF", claimed: UInt64(end),
                        limit: UInt64(maximum)), path: path)
            }
            build(frame, origin: origin, isBig: true)
        }
        return stored
    }

    private func build(_ frame: FrameFacts, origin: Int, isBig: Bool) {
        header.begin(origin: origin, isBig: isBig)
        let pages = stackCount(frame.layout)
        let isStack = frame.layout.colorMode == .mono && frame.layout.dimensions.count == 3
        for page in 0..<pages {
            if settings.compression == .none {
                strips.setUncompressed(
                    frame.layout, start: page * (frame.layout.byteCount / pages))
            } else {
                encoder!.fill(&strips, page: page)
            }
            header.appendPage(
                frame, strips: strips, settings: settings, isFirst: page == 0,
                pageNumber: isStack ? (page, pages) : nil, isLast: page == pages - 1)
        }
        header.finish()
    }

    // MARK: - Sending

    /// Writes both parts with as few calls as the system allows, and computes their checksum.
    private func send(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, to descriptor: Int32,
        path: String
    ) throws(TIFFError) -> TIFFWritten {
        let total = first.count + second.count
        var done = 0
        while done < total {
            let written = withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
                var count = 0
                for (part, skipped) in [(first, done), (second, max(0, done - first.count))]
                where part.count > skipped {
                    parts[count] = iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress! + skipped),
                        iov_len: part.count - skipped)
                    count += 1
                }
                return writev(descriptor, parts.baseAddress!, Int32(count))
            }
            if written > 0 {
                done += written
            } else if written == 0 || errno != EINTR {
                throw TIFFError(
                    .systemCall(name: "writev", errno: written == 0 ? EIO : errno), path: path,
                    byteOffset: UInt64(done))
            }
        }
        guard settings.computesChecksum else { return TIFFWritten(byteCount: total, checksum: nil) }
        let head = cl_crc32c(0, first.baseAddress, first.count)
        return TIFFWritten(
            byteCount: total, checksum: cl_crc32c(head, second.baseAddress, second.count))
    }
}

/// A file to which pages are added: its descriptor, which has to be able to seek, and how far it
/// is.
public struct TIFFSequence {
    /// The descriptor, which stays the caller's.
    public let descriptor: Int32
    /// The name for errors.
    public let path: String
    /// Whether the file may grow over 4 GiB.
    public let isBigTIFF: Bool
    /// Bytes written so far.
    public internal(set) var byteCount = 0
    /// Pages written so far.
    public internal(set) var pageCount = 0
    /// Where the last directory's link to the next is in the file.
    var linkPlace: Int?

    /// An empty file at the descriptor's beginning; `isBigTIFF` when it may grow over 4 GiB.
    public init(descriptor: Int32, path: String = "", isBigTIFF: Bool = false) {
        self.descriptor = descriptor
        self.path = path
        self.isBigTIFF = isBigTIFF
    }
}
