import DataProcessing
import Keys
import NDArrays
import Testing

@testable import Encryption

/// Memory that stays as it was when it is given back, so that it can be looked at.
private final class KeptMemory: FrameMemory {
    private(set) var regions: [FrameRegion] = []

    func take(byteCount: Int) throws -> FrameRegion {
        let region = FrameRegion(
            base: .allocate(byteCount: byteCount, alignment: 64), byteCount: byteCount,
            origin: .privateMemory)
        region.base.initializeMemory(as: UInt8.self, repeating: 0xA5, count: byteCount)
        regions.append(region)
        return region
    }

    func release(_ region: FrameRegion) {}

    deinit {
        for region in regions { region.base.deallocate() }
    }
}

@Suite struct PartlyOpenedTests {
    private let frame = Frame()
    private let memory = KeptMemory()

    /// Makes the frame one with these bytes.
    private func fill(_ buffer: UnsafeMutableRawBufferPointer, _ content: FrameContent) throws {
        let region = FrameRegion(
            base: try #require(buffer.baseAddress), byteCount: buffer.count,
            origin: .input(pool: 0, slot: 0))
        frame.reset(
            key: FrameKey(frameId: 1), uniqueId: 1, content: content, region: region,
            byteCount: buffer.count, memory: memory)
    }

    @Test func `what was opened before the part that is wrong stays nowhere`() throws {
        let key = try PrivateKey(generating: .x25519)
        var sealer = try FrameSealer(for: key.publicKey, signer: nil, run: "run/stage")
        var opener = try FrameOpener([key], signer: nil)
        let layout = try ArrayLayout(.uint8, width: 131_072, height: 3)
        var pixels = [UInt8](repeating: 7, count: layout.byteCount)
        var sealed = try pixels.withUnsafeMutableBytes { buffer in
            try fill(buffer, .image(layout))
            try sealer.seal(frame)
            return frame.withUnsafeBytes { Array($0) }
        }
        sealed[sealed.count - 1] ^= 1
        let count = memory.regions.count
        try sealed.withUnsafeMutableBytes { buffer in
            try fill(buffer, .bytes(typeName: SealedHeader.typeName))
            #expect(throws: EncryptionError.tampered(part: 3)) { try opener.open(frame) }
            #expect(frame.content == .bytes(typeName: SealedHeader.typeName))
        }
        #expect(memory.regions.count == count + 1)
        let opened = try #require(memory.regions.last)
        let bytes = UnsafeRawBufferPointer(start: opened.base, count: layout.byteCount)
        #expect(bytes.allSatisfy { $0 == 0 })
    }
}
