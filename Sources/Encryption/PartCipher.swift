internal import Crypto
internal import FoundationEssentials

/// Seals and opens the parts of one frame: AES-256-GCM under a key of its own.
///
/// The key comes out of the session key by HKDF-SHA256 (RFC 5869) with the frame's nonce as salt and the
/// hash of its header as information, so that no two frames share a key and none opens under another
/// header. The nonce of a part is its number and whether it is the last, so that parts can be neither
/// exchanged, repeated nor left off (the STREAM construction: V. T. Hoang, R. Reyhanitabar, P. Rogaway,
/// D. Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015).
struct PartCipher {
    private static let label = Array("Sluice frame, version 1".utf8)

    private let key: SymmetricKey
    private let headerHash: [UInt8]

    init(sessionKey: SymmetricKey, header: SealedHeader, headerHash: SHA256.Digest) {
        var salt: [UInt8] = []
        for word in [header.noncePrefix, header.nonceCounter] {
            withUnsafeBytes(of: word.littleEndian) { salt.append(contentsOf: $0) }
        }
        self.headerHash = Array(headerHash)
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: sessionKey, salt: salt, info: Self.label + self.headerHash,
            outputByteCount: 32)
    }

    private func nonce(_ part: UInt64, isLast: Bool) throws -> AES.GCM.Nonce {
        var bytes = [UInt8](repeating: 0, count: 12)
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: part.littleEndian, as: UInt64.self)
            $0[8] = isLast ? 1 : 0
        }
        return try AES.GCM.Nonce(data: bytes)
    }

    /// Writes the sealed part and its tag into `target`, which has room for exactly that.
    func seal(
        _ plain: UnsafeRawBufferPointer, part: UInt64, isLast: Bool,
        into target: UnsafeMutableRawBufferPointer
    ) throws {
        let box = try AES.GCM.seal(
            plain, using: key, nonce: try nonce(part, isLast: isLast), authenticating: headerHash)
        target.copyBytes(from: box.ciphertext)
        UnsafeMutableRawBufferPointer(rebasing: target[plain.count...]).copyBytes(from: box.tag)
    }

    /// Writes the opened part into `target`.
    ///
    /// - Throws: `EncryptionError.tampered`, and nothing is written.
    func open(
        _ sealed: UnsafeRawBufferPointer, part: UInt64, isLast: Bool,
        into target: UnsafeMutableRawBufferPointer
    ) throws(EncryptionError) {
        let split = sealed.count - SealedHeader.tagByteCount
        do {
            let box = try AES.GCM.SealedBox(
                nonce: try nonce(part, isLast: isLast),
                ciphertext: UnsafeRawBufferPointer(rebasing: sealed[..<split]),
                tag: UnsafeRawBufferPointer(rebasing: sealed[split...]))
            let plain = try AES.GCM.open(box, using: key, authenticating: headerHash)
            target.copyBytes(from: plain)
        } catch {
            throw .tampered(part: part)
        }
    }
}
