/// Whole lines that are sent at once; never changed after it was sealed.
public struct Chunk: Sendable, Hashable {
    /// Its place among the chunks of its renderer, from 1.
    public let serial: UInt64
    /// The lines with their line feeds.
    public let bytes: [UInt8]
    /// How many lines.
    public let lineCount: Int

    /// A chunk of those lines.
    public init(serial: UInt64, bytes: [UInt8], lineCount: Int) {
        self.serial = serial
        self.bytes = bytes
        self.lineCount = lineCount
    }
}

/// What a full queue does with a new chunk.
public enum ChunkOverflow: Sendable, Hashable {
    /// The oldest one is dropped and counted.
    case dropOldest
    /// The new one is dropped and counted.
    case dropNewest
    /// Whoever renders waits for room, so long at most; then the new one is dropped and counted.
    case block(timeout: Duration)
}

/// Puts lines together to chunks by the exact rule of `ChunkedRender`; a value that says what was sealed.
struct ChunkBuffer {
    let maxItems: Int
    let maxBytes: Int
    private var bytes: [UInt8] = []
    private var lineCount = 0
    private var sealedCount: UInt64 = 0

    init(maxItems: Int, maxBytes: Int) {
        self.maxItems = maxItems
        self.maxBytes = maxBytes
    }

    /// Adds a line that is not longer than `maxBytes`; what that seals comes in order, two chunks at most.
    mutating func append(_ line: ArraySlice<UInt8>, sealed: (Chunk) -> Void) {
        let isTooMuch = maxBytes > 0 && bytes.count + line.count > maxBytes
        if isTooMuch || (maxItems > 0 && lineCount >= maxItems), let chunk = seal() {
            sealed(chunk)
        }
        if bytes.isEmpty { bytes.reserveCapacity(maxBytes) }
        bytes += line
        lineCount += 1
        if lineCount == maxItems || bytes.count == maxBytes, let chunk = seal() { sealed(chunk) }
    }

    /// Seals what is there; nil where there is nothing.
    mutating func seal() -> Chunk? {
        guard lineCount > 0 else { return nil }
        sealedCount += 1
        defer {
            bytes = []
            lineCount = 0
        }
        return Chunk(serial: sealedCount, bytes: bytes, lineCount: lineCount)
    }
}
