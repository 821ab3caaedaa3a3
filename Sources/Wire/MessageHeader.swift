internal import CLinux

/// The 32 bytes before every body; all numbers little-endian.
///
/// | offset | field | type |
/// | --- | --- | --- |
/// | 0 | magic, the bytes "SLCE" | UInt32 |
/// | 4 | protocol version | UInt16 |
/// | 6 | message type | UInt16 |
/// | 8 | request id | UInt64 |
/// | 16 | bytes of the body | UInt32 |
/// | 20 | bytes of the payload after the body | UInt32 |
/// | 24 | CRC32C of the body | UInt32 |
/// | 28 | CRC32C of bytes 0 to 27 | UInt32 |
///
/// Magic and version keep their places in every version to come. The payload has no checksum: it is
/// pixels, and those are checked where they are stored.
package struct MessageHeader: Equatable, Sendable {
    /// Bytes of an encoded header.
    package static let byteCount = 32
    /// The bytes "SLCE" as a little-endian number.
    package static let magic: UInt32 = 0x4543_4C53
    /// The version of the protocol that this code speaks.
    package static let currentVersion: UInt16 = 1

    /// The version of the protocol of this message.
    package var version: UInt16
    /// What kind of message it is; the meaning belongs to the layer above.
    package var messageType: UInt16
    /// Matches a reply to its request.
    package var requestId: UInt64
    /// Bytes of the body that follows.
    package var bodyByteCount: UInt32
    /// Bytes of the payload that follows the body.
    package var payloadByteCount: UInt32
    /// CRC32C of the body.
    package var bodyChecksum: UInt32

    /// A header of the current version, unless told otherwise.
    package init(
        messageType: UInt16, requestId: UInt64, bodyByteCount: UInt32 = 0,
        payloadByteCount: UInt32 = 0, bodyChecksum: UInt32 = 0,
        version: UInt16 = MessageHeader.currentVersion
    ) {
        self.version = version
        self.messageType = messageType
        self.requestId = requestId
        self.bodyByteCount = bodyByteCount
        self.payloadByteCount = payloadByteCount
        self.bodyChecksum = bodyChecksum
    }

    /// Writes the 32 bytes, checksum included, at `destination` (any alignment).
    package func encode(into destination: UnsafeMutableRawPointer) {
        destination.storeBytes(of: Self.magic.littleEndian, as: UInt32.self)
        destination.storeBytes(of: version.littleEndian, toByteOffset: 4, as: UInt16.self)
        destination.storeBytes(of: messageType.littleEndian, toByteOffset: 6, as: UInt16.self)
        destination.storeBytes(of: requestId.littleEndian, toByteOffset: 8, as: UInt64.self)
        destination.storeBytes(of: bodyByteCount.littleEndian, toByteOffset: 16, as: UInt32.self)
        destination.storeBytes(of: payloadByteCount.littleEndian, toByteOffset: 20, as: UInt32.self)
        destination.storeBytes(of: bodyChecksum.littleEndian, toByteOffset: 24, as: UInt32.self)
        let checksum = cl_crc32c(0, destination, 28)
        destination.storeBytes(of: checksum.littleEndian, toByteOffset: 28, as: UInt32.self)
    }

    /// Reads and checks a header at the beginning of `bytes`, which lie at `byteOffset` of their
    /// stream. Throws what is wrong first, in the order magic, version, checksum, limits; magic and
    /// version are judged as soon as their bytes are there, so that foreign text is seen at once.
    package init(
        decoding bytes: UnsafeRawBufferPointer, byteOffset: UInt64 = 0,
        limits: WireLimits = .standard
    ) throws(WireError) {
        if bytes.count < Self.byteCount {
            throw Self.errorOfPart(bytes, byteOffset: byteOffset)
        }
        let magic = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        version = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
        messageType = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
        requestId = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        bodyByteCount = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
        payloadByteCount = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self))
        bodyChecksum = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self))
        let checksum = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 28, as: UInt32.self))
        let computed = cl_crc32c(0, bytes.baseAddress, 28)

        guard magic == Self.magic else {
            throw WireError(.badMagic(found: magic), byteOffset: byteOffset)
        }
        guard version == Self.currentVersion else {
            throw WireError(
                .unsupportedVersion(found: version, supported: Self.currentVersion),
                byteOffset: byteOffset + 4)
        }
        guard checksum == computed else {
            throw WireError(
                .headerChecksumMismatch(found: checksum, computed: computed),
                byteOffset: byteOffset + 28)
        }
        try check(limits, byteOffset: byteOffset)
    }

    /// Throws when body or payload are over `limits`.
    func check(_ limits: WireLimits, byteOffset: UInt64) throws(WireError) {
        if bodyByteCount > limits.maximumBodyByteCount {
            throw WireError(
                .bodyTooLarge(
                    byteCount: UInt64(bodyByteCount), limit: UInt64(limits.maximumBodyByteCount)),
                byteOffset: byteOffset + 16)
        }
        if payloadByteCount > limits.maximumPayloadByteCount {
            throw WireError(
                .payloadTooLarge(
                    byteCount: UInt64(payloadByteCount),
                    limit: UInt64(limits.maximumPayloadByteCount)), byteOffset: byteOffset + 20)
        }
    }

    /// What is wrong with fewer than 32 bytes: foreign bytes or another version where that can be
    /// told, `truncated` otherwise.
    static func errorOfPart(_ bytes: UnsafeRawBufferPointer, byteOffset: UInt64) -> WireError {
        let expected: [4 of UInt8] = [0x53, 0x4C, 0x43, 0x45]
        var found: UInt32 = 0
        var isForeign = false
        for index in 0..<min(4, bytes.count) {
            found |= UInt32(bytes[index]) << UInt32(8 * index)
            isForeign = isForeign || bytes[index] != expected[index]
        }
        if isForeign {
            return WireError(.badMagic(found: found), byteOffset: byteOffset)
        }
        if bytes.count >= 6 {
            let version = UInt16(
                littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
            if version != currentVersion {
                return WireError(
                    .unsupportedVersion(found: version, supported: currentVersion),
                    byteOffset: byteOffset + 4)
            }
        }
        return WireError(
            .truncated(needed: UInt64(byteCount), had: UInt64(bytes.count)), byteOffset: byteOffset)
    }
}
