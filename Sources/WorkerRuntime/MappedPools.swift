internal import NDArrays
internal import WorkerProtocol

/// One pool of slots, mapped into this process.
final class MappedPool {
    let description: PoolDescription
    private let region: MappedRegion

    init(_ description: PoolDescription) throws(CommandFailure) {
        let slots = Int(description.slotCount)
        let (byteCount, overflow) = Int(clamping: description.slotByteCount)
            .multipliedReportingOverflow(by: slots)
        guard !overflow, byteCount > 0, byteCount < Int.max / 2,
            description.slotByteCount % 4096 == 0, description.descriptor <= UInt32(Int32.max)
        else {
            throw CommandFailure(
                .resources,
                "pool \(description.poolId) can't be \(description.slotCount) slots of "
                    + "\(description.slotByteCount) bytes")
        }
        do throws(NDArrayError) {
            region = try MappedRegion(
                descriptor: Int32(description.descriptor), byteCount: byteCount,
                isWritable: description.isWritable)
        } catch {
            throw CommandFailure(.resources, "pool \(description.poolId): \(error)")
        }
        self.description = description
    }

    /// Bytes of a slot.
    var slotByteCount: Int { Int(description.slotByteCount) }

    /// The first byte of a slot, nil when there is no such slot.
    func slot(_ index: UInt32) -> UnsafeMutableRawPointer? {
        guard index < description.slotCount else { return nil }
        return region.base + Int(index) * slotByteCount
    }
}

/// The pools of a worker by number. At most 64, and usually two, so that looking through them is
/// quicker than a table.
struct MappedPools {
    private let pools: [MappedPool]
    /// The pool for outputs, nil when all outputs go inline.
    let output: MappedPool?

    /// No pools: everything comes and goes inline.
    init() {
        pools = []
        output = nil
    }

    /// Maps the pools of the greeting.
    init(_ descriptions: [PoolDescription]) throws(CommandFailure) {
        var pools: [MappedPool] = []
        for description in descriptions {
            guard !pools.contains(where: { $0.description.poolId == description.poolId }) else {
                throw CommandFailure(.resources, "two pools have number \(description.poolId)")
            }
            pools.append(try MappedPool(description))
        }
        self.pools = pools
        output = pools.first { $0.description.isWritable }
    }

    /// The pool of that number, nil when there is none.
    func pool(_ id: UInt16) -> MappedPool? { pools.first { $0.description.poolId == id } }
}
