internal import DataProcessing

/// Where the processors of a worker get memory from: the slots leased for the frame, then memory of this
/// process, which goes inline. Used by the main thread alone.
final class WorkerFrameMemory: FrameMemory {
    private let spare = PrivateFrameMemory()
    private var pool: MappedPool?
    private var slots: [UInt32] = []

    /// Slots are those of `pool`; nil: there is none.
    func use(_ pool: MappedPool?) { self.pool = pool }

    /// Begins a frame that may fill these slots; a slot that does not exist is left out.
    func begin(leasedSlots: [UInt32]) {
        if slots.isEmpty && leasedSlots.isEmpty { return }
        slots.removeAll(keepingCapacity: true)
        guard let pool else { return }
        // Taken from the end: the first slot of the lease first.
        for slot in leasedSlots.reversed() where pool.slot(slot) != nil { slots.append(slot) }
    }

    /// A leased slot with room for `byteCount` bytes, nil when there is none left.
    func takeSlot(byteCount: Int) -> FrameRegion? {
        guard let pool, byteCount <= pool.slotByteCount, let slot = slots.popLast(),
            let base = pool.slot(slot)
        else { return nil }
        return FrameRegion(base: base, byteCount: pool.slotByteCount, origin: .output(slot: slot))
    }

    func take(byteCount: Int) throws -> FrameRegion {
        if let region = takeSlot(byteCount: byteCount) { return region }
        return try spare.take(byteCount: byteCount)
    }

    /// Memory of this process, also where slots are left.
    func takePrivate(byteCount: Int) throws -> FrameRegion { try spare.take(byteCount: byteCount) }

    func release(_ region: FrameRegion) {
        switch region.origin {
        case .input: break
        case .output(let slot): slots.append(slot)
        case .privateMemory: spare.release(region)
        }
    }
}
