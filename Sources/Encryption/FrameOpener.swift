internal import Crypto
internal import DataProcessing
internal import FoundationEssentials
internal import Keys
internal import NDArrays

/// Decrypts frames in the format of Sluice, whole or not at all.
struct FrameOpener {
    /// Session keys that are remembered, by their wrapped form: one for each life of each of the sender's
    /// workers, so that the slow opening of one is done once. The oldest goes when there are more.
    static let maximumSessionCount = 64

    private let keys: [UnwrappingKey]
    /// Whose signature every frame must have; nil: signatures are not looked at.
    private let signer: PublicKey?
    private var sessions: [(name: SessionName, key: SymmetricKey)] = []

    /// What a session key comes from: the same bytes under another key are another session.
    private struct SessionName: Equatable {
        var keyId: [UInt8]
        var wrapping: KeyWrapping
        var wrapped: [UInt8]
    }

    /// An opener with these keys; with a `signer` only frames that it has signed are opened.
    init(_ keys: [PrivateKey], signer: PublicKey?) throws(KeyError) {
        var unwrapping: [UnwrappingKey] = []
        for key in keys { unwrapping.append(try UnwrappingKey(key)) }
        self.keys = unwrapping
        self.signer = signer
    }

    /// Decrypts a frame in place, which gets back what it was before it was encrypted.
    ///
    /// - Throws: `EncryptionError` with the reason; then nothing has changed.
    /// - Returns: What the sender said of it in clear, which is now known to be true.
    mutating func open(_ frame: Frame) throws -> SealedHeader {
        guard case .bytes(SealedHeader.typeName) = frame.content else {
            throw EncryptionError.notEncrypted(
                needed: SealedHeader.typeName, had: PlainFrame.text(frame.content))
        }
        let (header, headerByteCount, cipher) = try frame.withUnsafeBytes { try prepare($0) }
        let plain = try frame.withUnsafeBytes { bytes in
            try description(bytes, header, headerByteCount, cipher)
        }
        if case .structure(let structure, let typeName) = plain.content {
            frame.setStructure(structure, typeName: typeName)
        } else {
            try frame.replacePayload(plain.content, byteCount: plain.byteCount) { old, new in
                let start = headerByteCount + header.descriptionByteCount
                let parts = UnsafeRawBufferPointer(
                    rebasing: old[(start + SealedHeader.tagByteCount)...])
                do {
                    try Self.openParts(header, cipher, parts, into: new)
                } catch {
                    // What was opened before the part that is wrong must not stay anywhere.
                    wipe(new)
                    throw error
                }
            }
        }
        frame.uniqueId = plain.uniqueId
        frame.timeStamp = plain.timeStamp
        frame.attributes = plain.attributes
        return header
    }

    /// Reads the header, checks length and signature, and finds the keys.
    private mutating func prepare(
        _ bytes: UnsafeRawBufferPointer
    ) throws(EncryptionError) -> (SealedHeader, Int, PartCipher) {
        let (header, headerByteCount) = try SealedHeader.read(bytes)
        let needed = headerByteCount + header.sealedByteCount + header.signatureByteCount
        guard bytes.count == needed else { throw .wrongLength(needed: needed, had: bytes.count) }
        guard let key = keys.first(where: { $0.id == header.keyId }) else {
            throw .unknownKey(id: KeyText.hexadecimal(header.keyId))
        }
        if let signer { try check(bytes, header, signer) }
        let sessionKey = try self.sessionKey(header, key)
        let headerBytes = UnsafeRawBufferPointer(rebasing: bytes[..<headerByteCount])
        let cipher = PartCipher(
            sessionKey: sessionKey, header: header, headerHash: SHA256.hash(data: headerBytes))
        return (header, headerByteCount, cipher)
    }

    private func check(
        _ bytes: UnsafeRawBufferPointer, _ header: SealedHeader, _ signer: PublicKey
    ) throws(EncryptionError) {
        guard let kind = header.signatureKind else { throw .notSigned }
        let split = bytes.count - header.signatureByteCount
        let digest = SHA256.hash(data: UnsafeRawBufferPointer(rebasing: bytes[..<split]))
        guard signer.verifies(bytes[split...], kind, of: digest) else { throw .badSignature }
    }

    private mutating func sessionKey(
        _ header: SealedHeader, _ key: UnwrappingKey
    ) throws(EncryptionError) -> SymmetricKey {
        let name = SessionName(
            keyId: header.keyId, wrapping: header.wrapping, wrapped: header.wrappedKey)
        if let known = sessions.first(where: { $0.name == name }) { return known.key }
        do throws(KeyError) {
            let sessionKey = try key.unwrap(header.wrappedKey, header.wrapping)
            guard sessionKey.bitCount == 256 else { throw KeyError.notForThisKey }
            if sessions.count == Self.maximumSessionCount { sessions.removeFirst() }
            sessions.append((name, sessionKey))
            return sessionKey
        } catch {
            throw .wrongKey(id: KeyText.hexadecimal(header.keyId))
        }
    }

    private func description(
        _ bytes: UnsafeRawBufferPointer, _ header: SealedHeader, _ headerByteCount: Int,
        _ cipher: PartCipher
    ) throws -> PlainFrame {
        var description = [UInt8](repeating: 0, count: header.descriptionByteCount)
        defer { wipe(&description) }
        let end = headerByteCount + description.count + SealedHeader.tagByteCount
        let sealed = UnsafeRawBufferPointer(rebasing: bytes[headerByteCount..<end])
        try description.withUnsafeMutableBytes { target in
            try cipher.open(sealed, part: 0, isLast: header.chunkCount == 0, into: target)
        }
        let plain = try PlainFrame(description, payloadByteCount: header.payloadByteCount)
        guard plain.uniqueId == header.uniqueId else {
            throw EncryptionError.badDescription("it is of a frame with another id")
        }
        return plain
    }

    private static func openParts(
        _ header: SealedHeader, _ cipher: PartCipher, _ sealed: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(EncryptionError) {
        var position = 0
        let chunkCount = header.chunkCount
        for index in 0..<chunkCount {
            let start = index << Int(header.chunkExponent)
            let end = min(start + header.chunkByteCount, target.count)
            let next = position + end - start + SealedHeader.tagByteCount
            try cipher.open(
                UnsafeRawBufferPointer(rebasing: sealed[position..<next]), part: UInt64(index + 1),
                isLast: index + 1 == chunkCount,
                into: UnsafeMutableRawBufferPointer(rebasing: target[start..<end]))
            position = next
        }
    }
}

extension PlainFrame {
    /// What a frame carries, for people.
    static func text(_ content: FrameContent) -> String {
        switch content {
        case .image: "an image"
        case .bytes(let typeName): "bytes of type '\(typeName)'"
        case .structure: "a structure"
        }
    }
}
