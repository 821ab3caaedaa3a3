internal import Glibc
internal import Synchronization

/// The memory that one stage's outputs may take when they come inside messages. Each stage has its own,
/// so that what waits for the next stage never keeps that one from giving its results.
final class InlineMemory: Sendable {
    /// Most bytes.
    let limit: Int
    private let used = Atomic<Int>(0)

    /// Memory of which nothing is in use.
    init(limit: Int) { self.limit = limit }

    /// Bytes in use.
    var byteCount: Int { used.load(ordering: .relaxed) }

    /// A buffer; nil when there is too little left now.
    func buffer(byteCount: Int) -> InlineBuffer? {
        guard byteCount <= limit - self.byteCount else { return nil }
        used.add(byteCount, ordering: .relaxed)
        return InlineBuffer(byteCount: byteCount, memory: self)
    }

    fileprivate func free(_ byteCount: Int) { used.subtract(byteCount, ordering: .relaxed) }
}

/// Pixels that came inline: in the controller's own memory, shared by all outputs of one result.
///
/// Unchecked: filled by the engine before anybody else has a reference, read-only afterwards.
final class InlineBuffer: @unchecked Sendable {
    /// The bytes.
    let bytes: UnsafeMutableRawBufferPointer
    private let memory: InlineMemory
    private let isMapped: Bool

    /// Buffers from this size on are mapped on their own, so that their memory goes back when they go.
    /// The allocator of the C library keeps large blocks that were freed once and hands them out in
    /// pieces (mallopt(3), M_MMAP_THRESHOLD): twice the limit was resident.
    private static let mappedByteCount = 128 << 10

    fileprivate init(byteCount: Int, memory: InlineMemory) {
        self.memory = memory
        let isLarge = byteCount >= Self.mappedByteCount
        let region =
            isLarge
            ? mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : nil
        if let region, region != MAP_FAILED {
            bytes = UnsafeMutableRawBufferPointer(start: region, count: byteCount)
            isMapped = true
        } else {
            bytes = .allocate(byteCount: byteCount, alignment: 64)
            isMapped = false
        }
    }

    deinit {
        memory.free(bytes.count)
        if isMapped { munmap(bytes.baseAddress, bytes.count) } else { bytes.deallocate() }
    }
}
