import Testing

@testable import ControllerRuntime

@Suite struct SlotWipingTests {
    @Test(arguments: [true, false])
    func `what lay in a slot is gone when nobody holds it any more`(isShared: Bool) throws {
        let pool = try SlotPool(
            poolId: 1, slotByteCount: 3 * 4096, slotCount: 2, isShared: isShared)
        for usedByteCount in [100, nil] as [Int?] {
            pool.wipesFreedSlots = true
            let slot = try #require(pool.take())
            pool.retain(slot)
            let bytes = pool.bytes(of: slot)
            _ = bytes.initializeMemory(as: UInt8.self, repeating: 0xAB)
            #expect(!pool.release(slot, usedByteCount: usedByteCount))
            #expect(bytes[0] == 0xAB)
            #expect(pool.release(slot, usedByteCount: usedByteCount))
            // All of it: what the frame left may have been smaller than what it was.
            #expect(bytes.allSatisfy { $0 == 0 })
        }
        pool.wipesFreedSlots = false
        let slot = try #require(pool.take())
        let bytes = pool.bytes(of: slot)
        _ = bytes.initializeMemory(as: UInt8.self, repeating: 0xAB)
        pool.release(slot)
        #expect(bytes[0] == 0xAB)
        // What came before the first secret was known goes, too, but for slots that are in use.
        let used = try #require(pool.take())
        let other = try #require(pool.take())
        let otherBytes = pool.bytes(of: other)
        _ = otherBytes.initializeMemory(as: UInt8.self, repeating: 0xCD)
        _ = pool.bytes(of: used).initializeMemory(as: UInt8.self, repeating: 0xCD)
        pool.release(other)
        pool.wipesFreedSlots = true
        #expect(otherBytes.allSatisfy { $0 == 0 })
        #expect(pool.bytes(of: used).allSatisfy { $0 == 0xCD })
        pool.release(used)
        #expect(pool.bytes(of: used).allSatisfy { $0 == 0 })
    }
}
