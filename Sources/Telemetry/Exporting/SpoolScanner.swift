/// Goes through the frames of one file, over damage, in bounded memory. Every call makes progress, so no
/// bytes can hold it up.
struct SpoolScanner: Sendable {
    /// What comes next in the file.
    enum Step: Equatable {
        /// A whole frame with a right checksum.
        case frame(offset: Int, end: Int, body: ArraySlice<UInt8>)
        /// Bytes that are no frame, before one that is.
        case damage(Range<Int>)
        /// Bytes that are no frame, and no frame comes after them.
        case torn(from: Int)
        /// The end of the file.
        case end
    }

    /// What is read at once.
    static let chunkByteCount = 256 << 10

    let file: any SpoolFile
    /// The bytes that count; a file that is written to becomes longer.
    var end: Int
    private(set) var offset: Int
    private var buffer: [UInt8] = []
    private var bufferStart = 0

    init(file: any SpoolFile, from offset: Int, end: Int) {
        self.file = file
        self.offset = max(offset, SpoolHeader.byteCount)
        self.end = end
    }

    mutating func next() throws(SpoolError) -> Step {
        guard offset < end else { return .end }
        let start = offset
        if let frame = try frame(at: start) {
            offset = start + SpoolFrame.headerByteCount + frame.count
            return .frame(offset: start, end: offset, body: frame)
        }
        var place = start + 1
        while place + SpoolFrame.headerByteCount <= end {
            guard try load(place, SpoolFrame.headerByteCount) else { break }
            let first = UInt8(truncatingIfNeeded: SpoolFrame.marker)
            let rest = buffer[(place - bufferStart)...]
            guard let found = rest.firstIndex(of: first) else {
                place = bufferStart + buffer.count
                continue
            }
            place = bufferStart + found
            if try frame(at: place) != nil {
                offset = place
                return .damage(start..<place)
            }
            place += 1
        }
        offset = end
        return .torn(from: start)
    }

    /// The body of the frame that begins at an offset; nil where none does.
    private mutating func frame(at start: Int) throws(SpoolError) -> ArraySlice<UInt8>? {
        guard try load(start, SpoolFrame.headerByteCount) else { return nil }
        var reader = SpoolReader(buffer[(start - bufferStart)...])
        guard reader.number() == SpoolFrame.marker, let length: UInt32 = reader.number(),
            let sum: UInt32 = reader.number(), length <= SpoolLimits.maximumRecordBytes,
            try load(start, SpoolFrame.headerByteCount + Int(length))
        else { return nil }
        let body = buffer[(start - bufferStart + SpoolFrame.headerByteCount)...].prefix(Int(length))
        return SpoolFrame.checksum(length: length, body) == sum ? body : nil
    }

    /// Makes bytes of the file be in the buffer; false where the file has not that many.
    private mutating func load(_ start: Int, _ count: Int) throws(SpoolError) -> Bool {
        guard start + count <= end else { return false }
        if start >= bufferStart, start + count <= bufferStart + buffer.count { return true }
        buffer = try file.read(
            count: min(max(count, Self.chunkByteCount), end - start), at: start)
        bufferStart = start
        return buffer.count >= count
    }
}
