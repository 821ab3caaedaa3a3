internal import Crypto
internal import Keys
internal import NDArrays
internal import Wire

/// What stands in clear before an encrypted frame, all of it authenticated.
///
/// Little-endian: magic `SluiceEF`, version (2 bytes), wrapping, signature kind, exponent of the chunk
/// size, 3 bytes 0, bytes of this header, of the description, of the payload (8), of the signature;
/// frame id, branch, unique id, nonce prefix, nonce counter (8 each); 16 bytes of key id; the run and the
/// wrapped session key, each with its count of bytes before it. Counts have 4 bytes where nothing else is
/// said. See Docs/Reference/Encryption.md.
struct SealedHeader: Equatable {
    /// The type name of bytes payloads that hold an encrypted frame.
    static let typeName = "sluice:EncryptedFrame:1"
    static let magic: UInt64 = 0x4645_6563_6975_6C53
    static let version: UInt16 = 1
    /// Bytes of the tag behind every part (AES-GCM, NIST SP 800-38D).
    static let tagByteCount = 16
    /// Bytes of the name of a run: `ProtocolLimits.maximumNameByteCount` for run and stage each.
    static let maximumRunByteCount = 2 << 10
    /// Bytes of a wrapped key: RSA of 16 384 bits.
    static let maximumWrappedByteCount = 2 << 10
    /// Bytes of a description: a body of the protocol, which it is in the worker that made it.
    static let maximumDescriptionByteCount = WireLimits.standard.maximumBodyByteCount
    /// Chunks of 4 KiB to 16 MiB: below, the tags take over; above, memory.
    static let chunkExponents: ClosedRange<UInt8> = 12...24

    var wrapping: KeyWrapping
    /// nil: not signed.
    var signatureKind: SignatureKind?
    var chunkExponent: UInt8
    var descriptionByteCount: Int
    var payloadByteCount: Int
    var signatureByteCount: Int
    var key: FrameKey
    var uniqueId: UInt64
    var noncePrefix: UInt64
    var nonceCounter: UInt64
    var keyId: [UInt8]
    var run: String
    var wrappedKey: [UInt8]

    /// Bytes of one part of the payload; the last may be shorter.
    var chunkByteCount: Int { 1 << Int(chunkExponent) }
    /// Parts of the payload.
    var chunkCount: Int { (payloadByteCount + chunkByteCount - 1) >> Int(chunkExponent) }

    /// Bytes of everything behind the header but the signature.
    var sealedByteCount: Int {
        descriptionByteCount + payloadByteCount + (1 + chunkCount) * Self.tagByteCount
    }

    /// What the frame is called: by key, run and id, of which none comes twice. The name of a run is the
    /// sender's and may be anything, so its hash stands for it.
    var claim: FrameClaim {
        let hash = SHA256.hash(data: Array(run.utf8)).prefix(8)
        return FrameClaim(
            scope: KeyText.hexadecimal(keyId) + "-" + KeyText.hexadecimal(hash), key: key)
    }

    /// The header as bytes.
    var encoded: [UInt8] {
        var writer = ByteWriter(initialByteCount: 1024)
        writer.writeUInt64(Self.magic)
        writer.writeUInt16(Self.version)
        writer.writeUInt8(wrapping.rawValue)
        writer.writeUInt8(signatureKind?.rawValue ?? 0)
        writer.writeUInt8(chunkExponent)
        for _ in 0..<3 { writer.writeUInt8(0) }
        let place = writer.byteCount
        writer.writeUInt32(0)
        writer.writeUInt32(UInt32(descriptionByteCount))
        writer.writeUInt64(UInt64(payloadByteCount))
        writer.writeUInt32(UInt32(signatureByteCount))
        writer.writeUInt64(key.frameId)
        writer.writeUInt64(key.branch)
        writer.writeUInt64(uniqueId)
        writer.writeUInt64(noncePrefix)
        writer.writeUInt64(nonceCounter)
        keyId.withUnsafeBytes { writer.writeBytes($0) }
        writer.writeText(run)
        wrappedKey.withUnsafeBytes { writer.writeCountedBytes($0) }
        writer.overwriteUInt32(UInt32(writer.byteCount), at: place)
        return Array(writer.bytes)
    }

    /// Reads a header from the beginning of `bytes`, and how many bytes it has; any bytes may be given.
    static func read(
        _ bytes: UnsafeRawBufferPointer
    ) throws(EncryptionError) -> (header: SealedHeader, byteCount: Int) {
        var reader = ByteReader(bytes)
        do throws(WireError) {
            guard try reader.readUInt64() == magic else {
                throw EncryptionFault.magic(reader.byteOffset).error
            }
        } catch {
            throw .damagedHeader("it does not begin as one")
        }
        let found: UInt16
        do throws(WireError) { found = try reader.readUInt16() } catch {
            throw .damagedHeader("\(error)")
        }
        guard found == version else { throw .unsupportedVersion(found) }
        return try readFields(&reader)
    }

    private static func readFields(
        _ reader: inout ByteReader
    ) throws(EncryptionError) -> (header: SealedHeader, byteCount: Int) {
        do throws(WireError) {
            guard let wrapping = KeyWrapping(rawValue: try reader.readUInt8()) else {
                throw EncryptionFault.field("wrapping", reader.byteOffset).error
            }
            let signatureCode = try reader.readUInt8()
            let signatureKind = SignatureKind(rawValue: signatureCode)
            guard signatureCode == 0 || signatureKind != nil else {
                throw EncryptionFault.field("signature kind", reader.byteOffset).error
            }
            let exponent = try reader.readUInt8()
            guard chunkExponents.contains(exponent) else {
                throw EncryptionFault.field("chunk size", reader.byteOffset).error
            }
            for _ in 0..<3 {
                guard try reader.readUInt8() == 0 else {
                    throw EncryptionFault.field("unused byte", reader.byteOffset).error
                }
            }
            let byteCount = Int(try reader.readUInt32())
            let header = try readRest(&reader, wrapping, signatureKind, exponent)
            guard UInt64(byteCount) == reader.byteOffset else {
                throw EncryptionFault.field("header size", reader.byteOffset).error
            }
            return (header, byteCount)
        } catch {
            throw .damagedHeader("\(error)")
        }
    }

    private static func readRest(
        _ reader: inout ByteReader, _ wrapping: KeyWrapping, _ signatureKind: SignatureKind?,
        _ exponent: UInt8
    ) throws(WireError) -> SealedHeader {
        let descriptionByteCount = Int(try reader.readUInt32())
        let payloadByteCount = try reader.readUInt64()
        let signatureByteCount = Int(try reader.readUInt32())
        guard descriptionByteCount <= maximumDescriptionByteCount,
            payloadByteCount <= UInt64(ArrayLayout.maximumByteCount),
            signatureByteCount <= maximumWrappedByteCount,
            (signatureByteCount == 0) == (signatureKind == nil)
        else { throw EncryptionFault.field("byte count", reader.byteOffset).error }
        let key = FrameKey(
            frameId: try reader.readUInt64(), branch: try reader.readUInt64())
        guard key.isWellFormed else {
            throw EncryptionFault.field("branch", reader.byteOffset).error
        }
        let uniqueId = try reader.readUInt64()
        let noncePrefix = try reader.readUInt64()
        let nonceCounter = try reader.readUInt64()
        let keyId = Array(try reader.readBytes(PublicKey.idByteCount))
        let run = try reader.readText(maximumByteCount: maximumRunByteCount, field: "run")
        let wrapped = try reader.readCountedBytes(
            maximumByteCount: maximumWrappedByteCount, field: "wrapped key")
        return SealedHeader(
            wrapping: wrapping, signatureKind: signatureKind, chunkExponent: exponent,
            descriptionByteCount: descriptionByteCount, payloadByteCount: Int(payloadByteCount),
            signatureByteCount: signatureByteCount, key: key, uniqueId: uniqueId,
            noncePrefix: noncePrefix, nonceCounter: nonceCounter, keyId: keyId, run: run,
            wrappedKey: Array(wrapped))
    }
}

/// What can be wrong with a header, as the reader's own error.
private enum EncryptionFault {
    case magic(UInt64)
    case field(WireError.FieldName, UInt64)

    var error: WireError {
        switch self {
        case .magic(let offset):
            WireError(.unknownValue(field: "magic", value: 0), byteOffset: offset)
        case .field(let name, let offset):
            WireError(.unknownValue(field: name, value: 0), byteOffset: offset)
        }
    }
}
