import FrameReaders
import NDArrays

/// A NumPy file.
enum NumPyFiles: FuzzTarget {
    nonisolated(unsafe) private static let file = MemoryFile()
    nonisolated(unsafe) private static let copy = MemoryFile()

    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        file.store(bytes)
        do {
            let reader = try NumPyReader(path: file.path)
            let (layout, count) = (reader.layout, reader.frameCount)
            let (total, overflow) = layout.byteCount.multipliedReportingOverflow(by: count)
            try expect(
                !overflow && total < bytes.count, "frames lie in the file", [layout, count])
            // Frames of one byte are many, and alike.
            for index in [0, 1, count / 2, count - 1] where (0..<count).contains(index) {
                let pixels = try read(index, reader, filledWith: 0x00)
                let again = try read(index, reader, filledWith: 0xFF)
                try expect(pixels == again, "every byte of the pixels comes from the file")
                try expectSameFrame(layout, pixels)
            }
        } catch let error as FrameReaderError {
            try expect(!error.description.isEmpty, "an error says what is wrong")
        }
        try expectSameReader()
    }

    private static func read(
        _ index: Int, _ reader: NumPyReader, filledWith byte: UInt8
    ) throws -> [UInt8] {
        var pixels = [UInt8](repeating: byte, count: reader.layout.byteCount)
        try pixels.withUnsafeMutableBytes { try reader.readPixels(index, into: $0) }
        return pixels
    }

    /// What was read is written and read again.
    private static func expectSameFrame(_ layout: ArrayLayout, _ pixels: [UInt8]) throws {
        copy.rewind()
        let isImage = layout.colorMode == .mono && layout.dimensions.count <= 2
        guard isImage || layout.colorMode == .rgb1 else { return }
        do {
            var writer = try NumPyWriter(
                descriptor: copy.descriptor, path: copy.path, layout: layout)
            try pixels.withUnsafeBytes { bytes in
                for _ in 0..<2 { try writer.append(bytes) }
            }
            try writer.finish()
            let reader = try NumPyReader(path: copy.path)
            let copied = try read(1, reader, filledWith: 0)
            try expect(reader.frameCount == 2 && copied == pixels, "a frame is read as written")
        } catch let error as FrameReaderError {
            throw Finding("what was read can be written and read", [layout, error])
        }
    }

    /// The reader of references says the same as the reader of the format.
    private static func expectSameReader() throws {
        let reference = FrameReference(format: .npy, path: file.path)
        let direct = try? NumPyReader(path: file.path)
        let reader = FrameFileReader()
        let count = try? reader.frameCount(of: file.path, format: .npy)
        try expect(count == direct?.frameCount, "references count the same frames")
        guard let direct, direct.frameCount > 0 else { return }
        let header = try reader.readHeader(reference)
        try expect(header.layout == direct.layout, "references have the same layout")
    }
}
