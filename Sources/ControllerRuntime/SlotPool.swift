internal import Glibc
internal import NDArrays

/// Equal places for frames, with a count of who still needs each.
///
/// Confined to the engine's thread, except for the bytes of a slot, which belong to whoever holds it.
final class SlotPool {
    /// The number by which messages name the pool: 0 is the source's, 1 + i the outputs of stage i.
    let poolId: UInt16
    /// Bytes from one slot to the next.
    let slotByteCount: Int
    /// Number of slots.
    let slotCount: Int
    /// Whether workers can map it.
    let isShared: Bool
    private let region: SharedRegion?
    private let descriptors: (readOnly: Int32, writable: Int32)?
    private let base: UnsafeMutableRawPointer
    /// Whether slots are overwritten when they are free again, because what lies in them is secret.
    var wipesFreedSlots = false {
        didSet { if wipesFreedSlots { wipeFreeSlots() } }
    }
    /// Slots that were free and not overwritten, for no secret was known then. One that somebody fills since is
    /// overwritten when it is free again.
    private(set) var unwiped: Set<UInt32> = []
    private var references: [UInt32]
    private var free: [UInt32]

    /// A pool in shared memory, or in the controller's own where pixels go inline.
    ///
    /// - Throws: `NDArrayError.memoryRefused`.
    init(
        poolId: UInt16, slotByteCount: Int, slotCount: Int, isShared: Bool
    ) throws(NDArrayError) {
        self.poolId = poolId
        self.slotByteCount = SharedRegion.roundedToPages(max(1, slotByteCount))
        self.slotCount = slotCount
        self.isShared = isShared
        let byteCount = self.slotByteCount * slotCount
        if isShared {
            let region = try SharedRegion(name: "sluice-pool-\(poolId)", byteCount: byteCount)
            base = region.base
            descriptors = (region.readOnlyDescriptor, region.descriptor)
            self.region = consume region
        } else {
            base = .allocate(byteCount: byteCount, alignment: 4096)
            region = nil
            descriptors = nil
        }
        references = Array(repeating: 0, count: slotCount)
        free = (0..<UInt32(slotCount)).reversed()
    }

    deinit {
        if !isShared { base.deallocate() }
    }

    /// Descriptor for workers: read-only, or with write access; nil when it is not shared.
    func descriptor(isWritable: Bool) -> Int32? {
        isWritable ? descriptors?.writable : descriptors?.readOnly
    }

    /// Slots that nobody holds.
    var freeCount: Int { free.count }

    /// The bytes of a slot.
    func bytes(of slot: UInt32) -> UnsafeMutableRawBufferPointer {
        precondition(slot < slotCount)
        return UnsafeMutableRawBufferPointer(
            start: base + Int(slot) * slotByteCount, count: slotByteCount)
    }

    /// A free slot with one holder, nil when there is none. The one freed last comes first: its
    /// memory is the warmest, and slots that were never needed never become memory.
    func take() -> UInt32? {
        guard let slot = free.popLast() else { return nil }
        references[Int(slot)] = 1
        return slot
    }

    private func wipeFreeSlots() {
        for slot in unwiped where references[Int(slot)] == 0 {
            wipe(slot, usedByteCount: 0)
        }
        unwiped = unwiped.filter { references[Int($0)] > 0 }
    }

    /// Overwrites a slot. Behind its used part there may be more: of a frame that could not be read to its end,
    /// of an image that was larger before it became smaller. Nobody knows how much, and slots are far
    /// larger than frames, so the pages there are given back (man 2 MADV_REMOVE) and not written.
    private func wipe(_ slot: UInt32, usedByteCount: Int) {
        let start = base + Int(slot) * slotByteCount
        let known = min(SharedRegion.roundedToPages(usedByteCount), slotByteCount)
        explicit_bzero(start, known)
        let rest = slotByteCount - known
        guard rest > 0 else { return }
        if isShared, madvise(start + known, rest, MADV_REMOVE) == 0 { return }
        explicit_bzero(start + known, rest)
    }

    /// One more holder of a slot.
    func retain(_ slot: UInt32) {
        precondition(
            references[Int(slot)] > 0, "slot \(slot) of pool \(poolId) is held by nobody")
        references[Int(slot)] += 1
    }

    /// One holder less; true when the slot is free now. `usedByteCount` is how far its last frame reached;
    /// nil: nobody knows.
    @discardableResult
    func release(_ slot: UInt32, usedByteCount: Int? = nil) -> Bool {
        precondition(
            references[Int(slot)] > 0, "slot \(slot) of pool \(poolId) is released once too often")
        references[Int(slot)] -= 1
        guard references[Int(slot)] == 0 else { return false }
        if wipesFreedSlots {
            wipe(slot, usedByteCount: usedByteCount ?? slotByteCount)
            unwiped.remove(slot)
        } else {
            unwiped.insert(slot)
        }
        free.append(slot)
        return true
    }
}
