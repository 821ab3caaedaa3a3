import NDArrays
import TIFF

/// A TIFF file.
enum TIFFFiles: FuzzTarget {
    nonisolated(unsafe) private static let file = MemoryFile()
    nonisolated(unsafe) private static let copy = MemoryFile()
    /// Most bytes of an image that is decoded: a compressed one may claim far more than its file has.
    private static let maximumDecodedByteCount = 1 << 18
    private static let maximumPageCount = 3

    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        file.store(bytes)
        do {
            let reader = try TIFFReader(
                path: file.path, maximumDecodedByteCount: maximumDecodedByteCount)
            for page in 0..<maximumPageCount {
                try readPage(page, reader, fileByteCount: bytes.count)
                if try reader.isLast(page: page) { break }
            }
            // No directory is shorter than its count and its link.
            let count = try reader.pageCount
            try expect(count <= bytes.count / 6 + 1, "pages lie in the file", [count])
            _ = try reader.readStack()
        } catch let error as TIFFError {
            // Making the sentence is part of refusing.
            try expect(!error.description.isEmpty, "an error says what is wrong")
        }
    }

    private static func readPage(_ page: Int, _ reader: TIFFReader, fileByteCount: Int) throws {
        let header = try reader.readHeader(page: page)
        let count = header.layout.byteCount
        // Samples of one bit become a byte each.
        try expect(
            count <= max(maximumDecodedByteCount, 8 * fileByteCount),
            "an image is no larger than its file justifies", [header.layout, fileByteCount])
        guard count <= maximumDecodedByteCount else { return }
        let pixels = try read(page, reader, count, filledWith: 0x00)
        let again = try read(page, reader, count, filledWith: 0xFF)
        try expect(pixels == again, "every byte of the pixels comes from the file", [header.layout])
        try expectSameFrame(header, pixels)
    }

    private static func read(
        _ page: Int, _ reader: TIFFReader, _ count: Int, filledWith byte: UInt8
    ) throws -> [UInt8] {
        var pixels = [UInt8](repeating: byte, count: count)
        try pixels.withUnsafeMutableBytes { try reader.readPixels(page: page, into: $0) }
        return pixels
    }

    /// What was read is written and read again.
    private static func expectSameFrame(_ header: TIFFPageHeader, _ pixels: [UInt8]) throws {
        do {
            try write(header, pixels)
        } catch let error as TIFFError {
            throw Finding("what was read can be written", [header.layout, error])
        }
        do {
            let reader = try TIFFReader(path: copy.path)
            // Planes of samples become pages, which are read as one array again.
            let isStack = header.layout.colorMode == .mono && header.layout.dimensions.count == 3
            guard let frame = isStack ? try reader.readStack() : try reader.readArray() else {
                throw Finding("a stack is read as it was written", [header])
            }
            let copied = frame.withUnsafeBytes { Array($0) }
            try expect(
                frame.layout == header.layout && frame.uniqueId == header.uniqueId ?? 0
                    && frame.timeStamp == header.timeStamp ?? TimeStamp(),
                "a frame is read as it was written", [header, frame.layout, frame.timeStamp])
            try expect(copied == pixels, "pixels are read as they were written", [header])
            try expect(
                frame.attributes.elementsEqual(header.attributes, by: isSame),
                "attributes are read as they were written", [header, frame.attributes])
        } catch let error as TIFFError {
            throw Finding("what was written can be read", [header, error])
        }
    }

    private static func write(_ header: TIFFPageHeader, _ pixels: [UInt8]) throws {
        copy.rewind()
        try pixels.withUnsafeBytes { bytes in
            _ = try TIFFWriter().write(
                bytes, layout: header.layout, uniqueId: header.uniqueId ?? 0,
                timeStamp: header.timeStamp ?? TimeStamp(), attributes: header.attributes,
                to: copy.descriptor)
        }
    }

    /// Whether two attributes say the same: what is no number is as good as another that is none.
    private static func isSame(_ left: NDAttribute, _ right: NDAttribute) -> Bool {
        if left == right { return true }
        guard let a = left.value, let b = right.value, a.elementType == b.elementType,
            a.doubleValue?.isNaN == true, b.doubleValue?.isNaN == true
        else { return false }
        return left.name == right.name && left.description == right.description
            && left.sourceType == right.sourceType && left.source == right.source
    }
}
