/// Memory for pixels that came in a message; page-aligned would not help, a cache line does.
///
/// It is immutable for processors (a change copies), so that an unchanged frame need not go back.
///
/// Unchecked: one thread has it at a time; the control thread hands it on through the locked queue.
final class InlinePixels: @unchecked Sendable {
    private(set) var bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    deinit { bytes.deallocate() }

    /// Room for `byteCount` bytes with any content. It grows, and shrinks only from four times the need
    /// above 1 MiB, so that one large frame does not stay resident.
    func reserve(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        let isWasteful = bytes.count > 1 << 20 && bytes.count / 4 > byteCount
        if bytes.count < byteCount || isWasteful {
            bytes.deallocate()
            bytes = .allocate(byteCount: byteCount, alignment: 64)
        }
        return UnsafeMutableRawBufferPointer(rebasing: bytes[..<byteCount])
    }
}
