import Glibc
public import NDArrays

/// Writes frames of one layout to an `.npy` file, format 1.0, little-endian, C order.
///
/// The shape is `(frames, rows, columns)`, or `(frames, rows, columns, 3)` for RGB1; the number of
/// frames is filled in by `finish`, so that it need not be known before.
public struct NumPyWriter {
    /// Bytes before the pixels; 128 hold any shape.
    static let headerByteCount = 128

    /// The file's path, for errors.
    public let path: String
    /// The layout of all frames.
    public let layout: ArrayLayout
    /// Frames written so far.
    public private(set) var frameCount = 0
    private let descriptor: Int32

    /// Begins an array at the start of the file that `descriptor` is open to; the descriptor stays
    /// the caller's.
    ///
    /// - Throws: `FrameReaderError` for layouts that have no such form (RGB2, RGB3, mono stacks).
    public init(
        descriptor: Int32, path: String, layout: ArrayLayout
    ) throws(FrameReaderError) {
        let isImage = layout.colorMode == .mono && layout.dimensions.count <= 2
        guard isImage || layout.colorMode == .rgb1, layout.codecName.isEmpty else {
            throw FrameReaderError(path: path, .unsupported("\(layout.text) as a NumPy file"))
        }
        (self.descriptor, self.path, self.layout) = (descriptor, path, layout)
        try put(header(), at: 0)
    }

    /// Adds the pixels of a frame.
    ///
    /// - Throws: `FrameReaderError`.
    public mutating func append(_ pixels: UnsafeRawBufferPointer) throws(FrameReaderError) {
        guard pixels.count == layout.byteCount else {
            throw FrameReaderError(
                path: path, index: frameCount,
                .byteCountMismatch(needed: layout.byteCount, had: pixels.count))
        }
        try put(pixels, at: Self.headerByteCount + frameCount * layout.byteCount)
        frameCount += 1
    }

    /// Writes the number of frames into the header.
    ///
    /// - Throws: `FrameReaderError`.
    public func finish() throws(FrameReaderError) {
        try put(header(), at: 0)
    }

    private func header() -> [UInt8] {
        let letters: [ElementType: String] = [
            .boolean: "|b1", .int8: "|i1", .int16: "<i2", .int32: "<i4", .int64: "<i8",
            .uint8: "|u1", .uint16: "<u2", .uint32: "<u4", .uint64: "<u8", .float32: "<f4",
            .float64: "<f8",
        ]
        let type = letters[layout.elementType] ?? ""
        let color = layout.colorMode == .rgb1 ? ", 3" : ""
        let shape = "(\(frameCount), \(layout.height), \(layout.width)\(color))"
        let text = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }"
        let length = Self.headerByteCount - 10
        let padding = String(repeating: " ", count: length - 1 - text.utf8.count)
        let prefix: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, UInt8(length), 0]
        return prefix + Array((text + padding + "\n").utf8)
    }

    private func put(_ bytes: [UInt8], at offset: Int) throws(FrameReaderError) {
        // A buffer that outlives the closure is not needed: the error is carried out of it.
        var failure: FrameReaderError?
        bytes.withUnsafeBytes { bytes in
            do throws(FrameReaderError) {
                try put(bytes, at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func put(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FrameReaderError) {
        var done = 0
        while done < bytes.count {
            let written = pwrite(
                descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if written > 0 {
                done += written
            } else if written == 0 || errno != EINTR {
                throw FrameReaderError(
                    path: path, index: frameCount,
                    .systemCall(name: "pwrite", errno: written == 0 ? EIO : errno))
            }
        }
    }
}
