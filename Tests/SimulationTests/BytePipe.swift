/// Bytes on their way, first in, first out.
struct BytePipe {
    private var bytes: [UInt8] = []
    private var head = 0

    /// Bytes that wait.
    var count: Int { bytes.count - head }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        if head > 0, head == bytes.count || head > 1 << 16 {
            bytes.removeFirst(head)
            head = 0
        }
        bytes.append(contentsOf: more)
    }

    /// Moves at most `limit` bytes into `destination`; how many it were.
    mutating func take(_ limit: Int, into destination: inout BytePipe) -> Int {
        let taken = min(limit, count)
        bytes[head..<head + taken].withUnsafeBytes { destination.append($0) }
        head += taken
        return taken
    }

    /// Copies as many bytes as there is room for; how many it were.
    mutating func take(into space: UnsafeMutableRawBufferPointer) -> Int {
        let taken = min(space.count, count)
        bytes[head..<head + taken].withUnsafeBytes {
            UnsafeMutableRawBufferPointer(rebasing: space[..<taken]).copyMemory(from: $0)
        }
        head += taken
        return taken
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        head = 0
    }
}
