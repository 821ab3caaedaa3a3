public import NDArrays
import TIFF

/// Turns references into frames. It keeps files of many frames open for the next one; not for use
/// by several threads at once.
public final class FrameFileReader {
    private enum OpenFile {
        case tiff(TIFFReader)
        case npy(NumPyReader)
    }

    /// Files of many frames that stay open: a stage reads from one, seldom from a few in turn.
    public static let maximumOpenFileCount = 4

    /// Open files, the one used last at the end.
    private var open: [(format: FileFormat, path: String, file: OpenFile)] = []

    /// A reader with no file open.
    public init() {}

    /// What the frame is, without its pixels.
    ///
    /// - Throws: `FrameReaderError`.
    public func readHeader(_ reference: FrameReference) throws(FrameReaderError) -> FrameHeader {
        let file = try file(reference)
        defer { settle(reference, file) }
        return try header(reference, file)
    }

    /// Reads a frame into the buffer that `allocate` gives for its layout, in place.
    ///
    /// - Parameter allocate: called once, after the file was found able to hold the frame.
    /// - Throws: `FrameReaderError`, and what `allocate` throws.
    public func read(
        _ reference: FrameReference,
        into allocate: (ArrayLayout) throws -> UnsafeMutableRawBufferPointer
    ) throws -> FrameHeader {
        let file = try file(reference)
        defer { settle(reference, file) }
        let header = try header(reference, file)
        let destination = try allocate(header.layout)
        switch file {
        case .tiff(let reader):
            try wrap(reference) { () throws(TIFFError) in
                try reader.readPixels(page: reference.index, into: destination)
            }
        case .npy(let reader):
            try reader.readPixels(reference.index, into: destination)
        }
        return header
    }

    /// Reads a frame with pixels of its own.
    ///
    /// - Throws: `FrameReaderError`.
    public func readArray(_ reference: FrameReference) throws -> NDArray {
        let header = try readHeader(reference)
        var array = NDArray(
            layout: header.layout, uniqueId: header.uniqueId ?? 0, timeStamp: header.timeStamp,
            attributes: header.attributes)
        try array.withUnsafeMutableBytes { bytes in
            _ = try read(reference) { layout in
                guard layout == header.layout else {
                    throw FrameReaderError(
                        path: reference.path, index: reference.index,
                        .damaged("the file changed while it was read", byteOffset: nil))
                }
                return bytes
            }
        }
        return array
    }

    /// Number of frames in a file; its format follows from its name.
    ///
    /// - Throws: `FrameReaderError`.
    public func frameCount(of path: String) throws(FrameReaderError) -> Int {
        guard let format = FileFormat(path: path) else {
            throw FrameReaderError(path: path, .unknownFormat)
        }
        return try frameCount(of: path, format: format)
    }

    /// Number of frames in a file of a known format.
    ///
    /// - Throws: `FrameReaderError`.
    public func frameCount(
        of path: String, format: FileFormat
    ) throws(FrameReaderError) -> Int {
        let reference = FrameReference(format: format, path: path)
        switch try open(reference) {
        case .tiff(let reader):
            return try wrap(reference) { () throws(TIFFError) in try reader.pageCount }
        case .npy(let reader):
            return reader.frameCount
        }
    }

    // MARK: - Files

    private func header(
        _ reference: FrameReference, _ file: OpenFile
    ) throws(FrameReaderError) -> FrameHeader {
        switch file {
        case .tiff(let reader):
            let page = try wrap(reference) { () throws(TIFFError) in
                try reader.readHeader(page: reference.index)
            }
            return FrameHeader(
                layout: page.layout, uniqueId: page.uniqueId,
                timeStamp: page.timeStamp ?? TimeStamp(), attributes: page.attributes)
        case .npy(let reader):
            guard reference.index >= 0, reference.index < reader.frameCount else {
                throw FrameReaderError(
                    path: reference.path, index: reference.index,
                    .noSuchFrame(had: reader.frameCount))
            }
            return FrameHeader(layout: reader.layout)
        }
    }

    private func file(_ reference: FrameReference) throws(FrameReaderError) -> OpenFile {
        let found = open.lastIndex {
            $0.path == reference.path && $0.format == reference.format
        }
        if let found { return open.remove(at: found).file }
        return try open(reference)
    }

    private func open(_ reference: FrameReference) throws(FrameReaderError) -> OpenFile {
        switch reference.format {
        case .tiff:
            .tiff(
                try wrap(reference) { () throws(TIFFError) in
                    try TIFFReader(path: reference.path)
                })
        case .npy:
            .npy(try NumPyReader(path: reference.path))
        }
    }

    /// Keeps a file that has more frames; a file of one frame is closed, so that a new one of its
    /// name is seen.
    private func settle(_ reference: FrameReference, _ file: OpenFile) {
        let hasMore: Bool
        switch file {
        case .tiff(let reader):
            // A damaged chain was or will be reported by the read itself.
            hasMore = reference.index > 0 || (try? reader.isLast(page: 0)) == false
        case .npy(let reader):
            hasMore = reader.frameCount > 1
        }
        guard hasMore else { return }
        open.append((reference.format, reference.path, file))
        if open.count > Self.maximumOpenFileCount { open.removeFirst() }
    }

    private func wrap<Result>(
        _ reference: FrameReference, _ body: () throws(TIFFError) -> Result
    ) throws(FrameReaderError) -> Result {
        do throws(TIFFError) {
            return try body()
        } catch {
            throw FrameReaderError(path: reference.path, index: reference.index, .tiff(error))
        }
    }
}
