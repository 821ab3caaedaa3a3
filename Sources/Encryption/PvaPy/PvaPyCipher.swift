internal import Crypto
internal import DataProcessing
internal import FoundationEssentials
internal import Keys
internal import NDArrays

/// Encrypts and decrypts frames as PvaPy 5 does (its `EncryptionManager` and `AesCipher`): the pickle of the
/// object, padded to whole blocks as PKCS #7 does, in AES-256-EAX without its tag, in base64. The key is the
/// SHA-256 of a session key that is wrapped by RSA.
///
/// Nobody notices a changed bit unless the frame is signed and `verify` is on.
struct PvaPyCipher {
    /// Bytes of the session key.
    private static let sessionKeyByteCount = 16
    /// Bytes of AES blocks, and of PvaPy's nonce.
    private static let blockByteCount = EAX.blockByteCount
    /// Bytes of a frame: base64 of it has to fit into a pvAccess string of 32 bits.
    private static let maximumByteCount = 1 << 30

    /// Encrypts a frame in place.
    static func seal(
        _ frame: Frame, objectId: UInt64, for recipient: PublicKey, signer: PrivateKey?
    ) throws {
        let plain = PlainFrame(frame)
        guard plain.byteCount <= maximumByteCount else {
            throw EncryptionError.tooLarge(what: "the frame", limit: maximumByteCount)
        }
        var pickle = try frame.withUnsafeBytes { try PvaPyWriter.pickle(plain, $0) }
        defer { wipe(&pickle) }
        let signature = try signer?.signOldStyle(Insecure.SHA1.hash(data: pickle)) ?? []
        var sessionKey = randomBytes(sessionKeyByteCount)
        defer { wipe(&sessionKey) }
        let wrapped = try recipient.wrapOldStyle(sessionKey)
        let nonce = randomBytes(blockByteCount)
        pickle.append(contentsOf: padding(pickle.count))
        try pickle.withUnsafeMutableBytes {
            try EAX.apply($0, key: key(of: sessionKey), nonce: nonce)
        }
        // From here on `pickle` is ciphertext; 3 bytes of nonce and text make 4 characters.
        let text = Data(nonce + pickle).base64EncodedData()
        let (head, tail) = EncryptedObject.encoded(
            objectId: objectId, dataByteCount: text.count, key: wrapped, signature: signature)
        let byteCount = head.count + text.count + tail.count
        try frame.replacePayload(
            .bytes(typeName: EncryptedObject.typeName), byteCount: byteCount
        ) { _, new in
            new.copyBytes(from: head)
            UnsafeMutableRawBufferPointer(rebasing: new[head.count...]).copyBytes(from: text)
            UnsafeMutableRawBufferPointer(rebasing: new[(head.count + text.count)...])
                .copyBytes(from: tail)
        }
        frame.attributes = NDAttributes()
        frame.timeStamp = TimeStamp()
    }

    /// Decrypts a frame in place; with a `signer` only what it has signed.
    ///
    /// - Throws: `EncryptionError` with the reason; then nothing has changed.
    static func open(_ frame: Frame, with keys: [UnwrappingKey], signer: PublicKey?) throws {
        guard case .bytes(EncryptedObject.typeName) = frame.content else {
            throw EncryptionError.notEncrypted(
                needed: EncryptedObject.typeName, had: PlainFrame.text(frame.content))
        }
        var (text, objectId) = try frame.withUnsafeBytes { bytes in
            let object = try EncryptedObject(bytes)
            return (try decrypted(object, bytes, keys), object.objectId)
        }
        defer { wipe(&text) }
        if let signer {
            let signature = try frame.withUnsafeBytes { try EncryptedObject($0).signature }
            guard !signature.isEmpty else { throw EncryptionError.notSigned }
            guard signer.verifiesOldStyle(signature, of: Insecure.SHA1.hash(data: text)) else {
                throw EncryptionError.badSignature
            }
        }
        try text.withUnsafeBytes { try restore(frame, from: $0, objectId: objectId) }
    }

    /// Makes the frame what a pickle says.
    static func restore(
        _ frame: Frame, from pickle: UnsafeRawBufferPointer, objectId: UInt64
    ) throws {
        var unpickler = Unpickler(pickle)
        let object = try unpickler.run()
        var reader = PvaPyReader(unpickler)
        let (plain, payload) = try reader.frame(object)
        if case .structure(let structure, let typeName) = plain.content {
            frame.setStructure(structure, typeName: typeName)
            frame.uniqueId = objectId
        } else {
            try frame.replacePayload(plain.content, byteCount: plain.byteCount) { _, new in
                new.copyMemory(from: UnsafeRawBufferPointer(rebasing: pickle[payload]))
            }
            frame.uniqueId = plain.uniqueId
        }
        frame.timeStamp = plain.timeStamp
        frame.attributes = plain.attributes
    }

    /// The session key, by the first of the keys that opens it: PvaPy's objects do not name theirs.
    private static func sessionKey(
        _ wrapped: [UInt8], _ keys: [UnwrappingKey]
    ) throws(EncryptionError) -> [UInt8] {
        for key in keys {
            do throws(KeyError) {
                let sessionKey = try key.unwrapOldStyle(wrapped)
                if sessionKey.count == sessionKeyByteCount { return sessionKey }
            } catch {
                // The next key may be the one.
                continue
            }
        }
        throw .key(.notForThisKey)
    }

    private static func decrypted(
        _ object: EncryptedObject, _ bytes: UnsafeRawBufferPointer, _ keys: [UnwrappingKey]
    ) throws -> [UInt8] {
        var sessionKey = try sessionKey(object.key, keys)
        defer { wipe(&sessionKey) }
        guard let sealed = Data(base64Encoded: Data(bytes[object.data])),
            sealed.count > blockByteCount, sealed.count % blockByteCount == 0
        else { throw EncryptionError.badObject(reason: "its data is no base64 of whole blocks") }
        var text = [UInt8](sealed[blockByteCount...])
        try text.withUnsafeMutableBytes {
            try EAX.apply(
                $0, key: key(of: sessionKey), nonce: [UInt8](sealed[..<blockByteCount]))
        }
        guard let last = text.last, (1...UInt8(blockByteCount)).contains(last),
            text.suffix(Int(last)).allSatisfy({ $0 == last })
        else {
            wipe(&text)
            throw EncryptionError.badPickle(
                reason: "its padding is wrong", byteOffset: text.count)
        }
        text.removeLast(Int(last))
        return text
    }

    private static func key(of sessionKey: [UInt8]) -> SymmetricKey {
        SymmetricKey(data: SHA256.hash(data: sessionKey))
    }

    /// Whole blocks: 1 to 16 bytes, each of which is their number (RFC 5652 §6.3).
    private static func padding(_ count: Int) -> [UInt8] {
        let rest = blockByteCount - count % blockByteCount
        return [UInt8](repeating: UInt8(rest), count: rest)
    }

    private static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
