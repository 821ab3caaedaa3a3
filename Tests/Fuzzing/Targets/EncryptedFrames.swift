import DataProcessing
import NDArrays

@testable import Encryption
@testable import Keys

/// An encrypted frame, at its decryptor.
enum EncryptedFrames: FuzzTarget {
    private final class Setting {
        let memory = PrivateFrameMemory(garbage: 0xA5)
        let frame = Frame()
        var opener: FrameOpener
        let sealed: [UInt8]

        init() throws {
            let key = try PrivateKey(generating: .x25519)
            opener = try FrameOpener([key], signer: nil)
            var sealer = try FrameSealer(for: key.publicKey, signer: nil, run: "fuzz/only")
            let layout = try ArrayLayout(.uint16, width: 5, height: 4)
            var pixels = [UInt8](repeating: 7, count: layout.byteCount)
            let (frame, memory) = (frame, memory)
            sealed = try pixels.withUnsafeMutableBytes { buffer in
                frame.reset(
                    key: FrameKey(frameId: 3), uniqueId: 9, content: .image(layout),
                    region: Self.region(buffer), byteCount: buffer.count, memory: memory)
                try sealer.seal(frame)
                return frame.withUnsafeBytes { Array($0) }
            }
            frame.releaseRegion()
        }

        static func region(_ buffer: UnsafeMutableRawBufferPointer) -> FrameRegion? {
            buffer.baseAddress.map {
                FrameRegion(
                    base: $0, byteCount: buffer.count, origin: .input(pool: 0, slot: 0))
            }
        }

        /// Whether the decryptor takes these bytes; otherwise the frame has to be what it was.
        func opens(_ bytes: [UInt8]) throws -> Bool {
            var bytes = bytes
            let content = FrameContent.bytes(typeName: SealedHeader.typeName)
            return try bytes.withUnsafeMutableBytes { buffer in
                frame.reset(
                    key: FrameKey(frameId: 1), uniqueId: 1, content: content,
                    region: Self.region(buffer), byteCount: buffer.count, memory: memory)
                defer { frame.releaseRegion() }
                do {
                    _ = try opener.open(frame)
                    return true
                } catch let error as EncryptionError {
                    try expect(!error.description.isEmpty, "an error says what is wrong")
                    try expect(
                        frame.content == content && frame.uniqueId == 1,
                        "a frame that fails stays what it was", [error])
                    return false
                }
            }
        }
    }

    nonisolated(unsafe) private static let setting = Result { try Setting() }

    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        let setting = try setting.get()
        var input = FuzzInput(bytes)
        switch input.byte() % 3 {
        case 0:
            try checkHeader(input.rest)
            try expect(
                try !setting.opens(Array(input.rest)), "nobody guesses an authentic frame")
        case 1:
            // Anybody who has the public key can make an authentic description of anything.
            let byteCount = Int(input.byte())
            do {
                let plain = try PlainFrame(Array(input.rest), payloadByteCount: byteCount)
                try expect(plain.byteCount == byteCount, "a description counts its payload")
            } catch let error as EncryptionError {
                try expect(!error.description.isEmpty, "an error says what is wrong")
            }
        default:
            var changed = setting.sealed
            while input.rest.count >= 3 {
                let place = Int(input.byte()) << 8 | Int(input.byte())
                changed[place % changed.count] ^= input.byte()
            }
            changed.removeLast(min(input.rest.isEmpty ? 0 : Int(input.byte()), changed.count))
            try expect(
                try setting.opens(changed) == (changed == setting.sealed),
                "only what was sealed is opened", [changed])
        }
    }

    /// What is read of a header is written as it was.
    private static func checkHeader(_ bytes: UnsafeRawBufferPointer) throws {
        do {
            let (header, byteCount) = try SealedHeader.read(bytes)
            try expect(
                header.encoded.elementsEqual(bytes[..<byteCount]), "a header is written as read",
                [header])
            try expect(header.sealedByteCount >= 16, "there is a description", [header])
        } catch let error as EncryptionError {
            try expect(!error.description.isEmpty, "an error says what is wrong")
        }
    }
}
