internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials

/// The encryption of the EAX mode (M. Bellare, P. Rogaway, D. Wagner, "The EAX Mode of Operation",
/// FSE 2004) with AES, without its tag, which PvaPy neither computes nor sends.
///
/// The ciphertext is the plaintext in counter mode from OMAC⁰(nonce) on, where OMACᵗ(M) is the CMAC (NIST
/// SP 800-38B) of a block with the number t and M. The same call encrypts and decrypts.
enum EAX {
    /// Bytes of a block of AES.
    static let blockByteCount = 16
    /// Bytes that are handed to the library at a time: it gives new memory back for each.
    private static let chunkByteCount = 64 << 10

    /// The first block of the counter.
    static func counter(key: SymmetricKey, nonce: [UInt8]) throws -> UInt128 {
        var mac = try AES.CMAC(key: key)
        mac.update(data: [UInt8](repeating: 0, count: blockByteCount))
        mac.update(data: nonce)
        return mac.finalize().withUnsafeBytes {
            UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self))
        }
    }

    /// Encrypts or decrypts `bytes` in place.
    static func apply(
        _ bytes: UnsafeMutableRawBufferPointer, key: SymmetricKey, nonce: [UInt8]
    ) throws {
        var counter = try counter(key: key, nonce: nonce)
        var position = 0
        while position < bytes.count {
            let end = min(position + chunkByteCount, bytes.count)
            let part = UnsafeMutableRawBufferPointer(rebasing: bytes[position..<end])
            let start = withUnsafeBytes(of: counter.bigEndian) { Array($0) }
            var result = try AES._CTR.encrypt(
                UnsafeRawBufferPointer(part), using: key,
                nonce: try AES._CTR.Nonce(nonceBytes: start))
            part.copyBytes(from: result)
            result.resetBytes(in: 0..<result.count)
            counter &+= UInt128(chunkByteCount / blockByteCount)
            position = end
        }
    }
}
