/// Memory that holds the bytes of one frame.
package struct FrameRegion {
    /// Whose memory it is.
    package enum Origin: Sendable, Hashable {
        /// A slot of a pool that is mapped read-only: never written, released by the controller.
        case input(pool: UInt16, slot: UInt32)
        /// A leased output slot.
        case output(slot: UInt32)
        /// Memory of this process: the frame goes inline.
        case privateMemory
    }

    /// The first byte.
    package let base: UnsafeMutableRawPointer
    /// How many bytes there are, which may be more than the frame has.
    package let byteCount: Int
    /// Whose memory it is.
    package let origin: Origin

    /// A region of `byteCount` bytes from `base`.
    package init(base: UnsafeMutableRawPointer, byteCount: Int, origin: Origin) {
        self.base = base
        self.byteCount = byteCount
        self.origin = origin
    }

    /// Whether a processor may write into it.
    package var isWritable: Bool {
        switch origin {
        case .input: false
        case .output, .privateMemory: true
        }
    }
}

/// Where frames get memory for changed and new pixels: leased output slots, else private memory.
package protocol FrameMemory: AnyObject {
    /// A writable region of at least `byteCount` bytes, with any content.
    func take(byteCount: Int) throws -> FrameRegion
    /// Gives back a region that was taken and is not part of an output.
    func release(_ region: FrameRegion)
}

/// Memory of this process, for tests and processors that run without a controller.
///
/// Released regions are kept for the next frame, at most `maximumSpareCount`.
package final class PrivateFrameMemory: FrameMemory {
    /// As many as a chain holds at a time; more would keep memory that is not needed again.
    package static let maximumSpareCount = 8

    private var spare: [FrameRegion] = []
    private let garbage: UInt8?
    /// Regions that are taken and not yet released.
    package private(set) var takenCount = 0

    /// Memory that, with `garbage`, fills what it gives with that byte, so that a processor that
    /// does not write all of its output is found out.
    package init(garbage: UInt8? = nil) { self.garbage = garbage }

    /// A writable region, used again where one of about that size was released.
    package func take(byteCount: Int) throws -> FrameRegion {
        takenCount += 1
        let region = reuse(byteCount: byteCount) ?? allocate(byteCount: byteCount)
        if let garbage {
            region.base.initializeMemory(
                as: UInt8.self, repeating: garbage, count: region.byteCount)
        }
        return region
    }

    /// Keeps the region for a later frame.
    package func release(_ region: FrameRegion) {
        precondition(region.origin == .privateMemory, "only what this memory gave comes back to it")
        takenCount -= 1
        guard spare.count < Self.maximumSpareCount else { return region.base.deallocate() }
        spare.append(region)
    }

    deinit {
        for region in spare { region.base.deallocate() }
    }

    private func reuse(byteCount: Int) -> FrameRegion? {
        // Not a far larger one: a small frame would hold on to the memory of a large one.
        let fits = spare.firstIndex {
            $0.byteCount >= byteCount && $0.byteCount <= max(byteCount * 2, 1 << 16)
        }
        return fits.map { spare.remove(at: $0) }
    }

    private func allocate(byteCount: Int) -> FrameRegion {
        let count = max(byteCount, 1)
        return FrameRegion(
            base: .allocate(byteCount: count, alignment: 64), byteCount: count,
            origin: .privateMemory)
    }
}
