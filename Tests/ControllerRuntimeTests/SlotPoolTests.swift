import NDArrays
import TestSupport
import Testing

@testable import ControllerRuntime

@Suite("A pool of slots")
struct SlotPoolTests {
    @Test("gives every slot once, the lowest first, then none", arguments: [true, false])
    func takesAll(isShared: Bool) throws {
        let pool = try SlotPool(poolId: 3, slotByteCount: 100, slotCount: 4, isShared: isShared)
        #expect(pool.slotByteCount == 4096)
        #expect((0..<4).map { _ in pool.take() } == [0, 1, 2, 3])
        #expect(pool.take() == nil)
        #expect(pool.freeCount == 0)
        for slot in 0..<4 as Range<UInt32> {
            let bytes = pool.bytes(of: slot)
            #expect(bytes.count == 4096)
            bytes.initializeMemory(as: UInt8.self, repeating: UInt8(slot) + 1)
        }
        for slot in 0..<4 as Range<UInt32> {
            #expect(pool.bytes(of: slot).allSatisfy { $0 == UInt8(slot) + 1 })
        }
    }

    @Test("gives the slot that was freed last")
    func lastFreedFirst() throws {
        let pool = try SlotPool(poolId: 0, slotByteCount: 1, slotCount: 4, isShared: false)
        for _ in 0..<3 { _ = pool.take() }
        #expect(pool.release(0))
        #expect(pool.release(2))
        #expect(pool.take() == 2)
        #expect(pool.take() == 0)
        #expect(pool.take() == 3)
    }

    @Test("keeps a slot until the last of its holders has let go")
    func holders() throws {
        let pool = try SlotPool(poolId: 0, slotByteCount: 1, slotCount: 1, isShared: false)
        let slot = try #require(pool.take())
        pool.retain(slot)
        pool.retain(slot)
        #expect(!pool.release(slot))
        #expect(!pool.release(slot))
        #expect(pool.take() == nil)
        #expect(pool.release(slot))
        #expect(pool.freeCount == 1)
    }

    @Test("keeps count under random use", arguments: [1, 2] as [UInt64])
    func randomUse(seed: UInt64) throws {
        var random = SeededNumbers(seed: seed)
        let pool = try SlotPool(poolId: 0, slotByteCount: 1, slotCount: 9, isShared: false)
        var holders: [UInt32: Int] = [:]
        for _ in 0..<20_000 {
            let held = holders.keys.sorted()
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let slot = pool.take()
                #expect((slot == nil) == (held.count == 9))
                if let slot {
                    #expect(holders[slot] == nil)
                    holders[slot] = 1
                }
            case 2:
                guard let slot = held.randomElement(using: &random) else { break }
                pool.retain(slot)
                holders[slot, default: 0] += 1
            default:
                guard let slot = held.randomElement(using: &random) else { break }
                let left = (holders[slot] ?? 0) - 1
                #expect(pool.release(slot) == (left == 0))
                holders[slot] = left == 0 ? nil : left
            }
            #expect(pool.freeCount == 9 - holders.count)
        }
    }

    @Test("is seen by workers: read-only, or to be written")
    func descriptors() throws {
        let pool = try SlotPool(poolId: 1, slotByteCount: 5000, slotCount: 2, isShared: true)
        let byteCount = pool.slotByteCount * pool.slotCount
        let readOnly = try #require(pool.descriptor(isWritable: false))
        let writable = try #require(pool.descriptor(isWritable: true))
        #expect(readOnly != writable)
        pool.bytes(of: 1)[7] = 42
        let view = try MappedRegion(
            descriptor: readOnly, byteCount: byteCount, isWritable: false)
        #expect(view.base.load(fromByteOffset: pool.slotByteCount + 7, as: UInt8.self) == 42)
        let output = try MappedRegion(descriptor: writable, byteCount: byteCount, isWritable: true)
        output.base.storeBytes(of: 43, toByteOffset: 3, as: UInt8.self)
        #expect(pool.bytes(of: 0)[3] == 43)
        #expect(throws: NDArrayError.self) {
            _ = try MappedRegion(descriptor: readOnly, byteCount: byteCount, isWritable: true)
        }
    }

    @Test("has no descriptors where pixels go inline")
    func noDescriptors() throws {
        let pool = try SlotPool(poolId: 1, slotByteCount: 1, slotCount: 1, isShared: false)
        #expect(pool.descriptor(isWritable: false) == nil)
        #expect(pool.descriptor(isWritable: true) == nil)
    }

    @Test("traps where a slot is released once too often")
    func releasedTooOften() async {
        await #expect(processExitsWith: .failure) {
            let pool = try SlotPool(poolId: 0, slotByteCount: 1, slotCount: 1, isShared: false)
            guard let slot = pool.take() else { return }
            pool.release(slot)
            pool.release(slot)
        }
    }

    @Test("traps where a slot is held that is free")
    func retainedFree() async {
        await #expect(processExitsWith: .failure) {
            let pool = try SlotPool(poolId: 0, slotByteCount: 1, slotCount: 1, isShared: false)
            pool.retain(0)
        }
    }
}
