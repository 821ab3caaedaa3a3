internal import Crypto
internal import DataProcessing
internal import FoundationEssentials
internal import Glibc
internal import Keys
internal import NDArrays

/// Encrypts frames for one recipient, in the format of Sluice.
///
/// It has a session key of its own, so one is made in every life of a worker: even if a nonce came again,
/// which the counter rules out within a life and the random prefix between two, it would be under another
/// key.
struct FrameSealer {
    /// Chunks of 128 KiB: they stay in the second level of the cache, where they are copied, and what is done
    /// once for each is little beside the cipher.
    static let chunkExponent: UInt8 = 17

    private let wrapping: KeyWrapping
    private let wrappedKey: [UInt8]
    private let keyId: [UInt8]
    private let sessionKey = SymmetricKey(size: .bits256)
    private let signer: PrivateKey?
    private let run: String
    private let noncePrefix = UInt64.random(in: .min ... .max)
    private var nonceCounter: UInt64 = 0

    /// A sealer for the owner of `recipient`; `run` names the run and stage that frame ids count in.
    ///
    /// - Throws: `KeyError` when a key can't do what is asked of it.
    init(for recipient: PublicKey, signer: PrivateKey?, run: String) throws(KeyError) {
        wrapping = try recipient.wrapping()
        wrappedKey = try recipient.wrap(sessionKey)
        keyId = recipient.id
        _ = try signer?.signatureKind()
        self.signer = signer
        self.run = String(
            decoding: run.utf8.prefix(SealedHeader.maximumRunByteCount), as: UTF8.self)
    }

    /// Encrypts a frame in place: its payload becomes bytes, and its attributes and time stamp are in
    /// them and no longer beside them.
    mutating func seal(_ frame: Frame) throws {
        let plain = PlainFrame(frame)
        var description = try plain.encoded()
        defer { wipe(&description) }
        guard plain.byteCount <= ArrayLayout.maximumByteCount else {
            throw EncryptionError.tooLarge(what: "the frame", limit: ArrayLayout.maximumByteCount)
        }
        let signatureKind = try signer?.signatureKind()
        let header = SealedHeader(
            wrapping: wrapping, signatureKind: signatureKind, chunkExponent: Self.chunkExponent,
            descriptionByteCount: description.count, payloadByteCount: plain.byteCount,
            signatureByteCount: signer?.publicKey.signatureByteCount ?? 0, key: frame.key,
            uniqueId: frame.uniqueId, noncePrefix: noncePrefix, nonceCounter: nonceCounter,
            keyId: keyId, run: run, wrappedKey: wrappedKey)
        // 2⁶⁴ frames are not reached; the counter never stands still, also when what follows throws.
        nonceCounter += 1
        let headerBytes = header.encoded
        let byteCount = headerBytes.count + header.sealedByteCount + header.signatureByteCount
        let cipher = PartCipher(
            sessionKey: sessionKey, header: header, headerHash: SHA256.hash(data: headerBytes))
        try frame.replacePayload(
            .bytes(typeName: SealedHeader.typeName), byteCount: byteCount
        ) { old, new in
            new.copyBytes(from: headerBytes)
            let sealedEnd = byteCount - header.signatureByteCount
            try Self.sealParts(
                header, cipher, description, old,
                into: UnsafeMutableRawBufferPointer(rebasing: new[headerBytes.count..<sealedEnd]))
            if let signer {
                let digest = SHA256.hash(data: UnsafeRawBufferPointer(rebasing: new[..<sealedEnd]))
                UnsafeMutableRawBufferPointer(rebasing: new[sealedEnd...])
                    .copyBytes(from: try signer.sign(digest))
            }
        }
        frame.attributes = NDAttributes()
        frame.timeStamp = TimeStamp()
    }

    private static func sealParts(
        _ header: SealedHeader, _ cipher: PartCipher, _ description: [UInt8],
        _ old: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws {
        let chunkCount = header.chunkCount
        var position = description.count + SealedHeader.tagByteCount
        try description.withUnsafeBytes {
            try cipher.seal(
                $0, part: 0, isLast: chunkCount == 0,
                into: UnsafeMutableRawBufferPointer(rebasing: target[..<position]))
        }
        for index in 0..<chunkCount {
            let start = index << Int(header.chunkExponent)
            let end = min(start + header.chunkByteCount, old.count)
            let next = position + end - start + SealedHeader.tagByteCount
            try cipher.seal(
                UnsafeRawBufferPointer(rebasing: old[start..<end]), part: UInt64(index + 1),
                isLast: index + 1 == chunkCount,
                into: UnsafeMutableRawBufferPointer(rebasing: target[position..<next]))
            position = next
        }
    }
}

/// Overwrites bytes that are secret, in a way that the compiler keeps.
func wipe(_ bytes: inout [UInt8]) { bytes.withUnsafeMutableBytes { wipe($0) } }

/// The same for memory.
func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
    if let base = bytes.baseAddress { explicit_bzero(base, bytes.count) }
}
