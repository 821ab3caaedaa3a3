import Crypto
import CryptoExtras
import Testing

@testable import Encryption

@Suite struct EAXTests {
    /// Vectors of the paper (M. Bellare, P. Rogaway, D. Wagner, "The EAX Mode of Operation", appendix):
    /// message, key, nonce, and ciphertext without its tag of 16 bytes.
    static let vectors: [(String, String, String, String)] = [
        (
            "F7FB", "91945D3F4DCBEE0BF45EF52255F095A4", "BECAF043B0A23D843194BA972C66DEBD",
            "19DD"
        ),
        (
            "1A47CB4933", "01F74AD64077F2E704C0F60ADA3DD523",
            "70C3DB4F0D26368400A10ED05D2BFF5E", "D851D5BAE0"
        ),
        (
            "481C9E39B1", "D07CF6CBB7F313BDDE66B727AFD3C5E8",
            "8408DFFF3C1A2B1292DC199E46B7D617", "632A9D131A"
        ),
        (
            "40D0C07DA5E4", "35B6D0580005BBC12B0587124557D2C2",
            "FDB6B06676EEDC5C61D74276E1F8E816", "071DFE16C675"
        ),
        (
            "4DE3B35C3FC039245BD1FB7D", "BD8E6E11475E60B268784C38C62FEB22",
            "6EAC5C93072D8E8513F750935E46DA1B", "835BB4F15D743E350E728414"
        ),
        (
            "8B0A79306C9CE7ED99DAE4F87F8DD61636", "7C77D6E813BED5AC98BAA417477A2E7D",
            "1A8C98DCD73D38393B2BF1569DEEFC19", "02083E3979DA014812F59F11D52630DA30"
        ),
        (
            "1BDA122BCE8A8DBAF1877D962B8592DD2D56", "5FFF20CAFAB119CA2FC73549E20F5B0D",
            "DDE59B97D722156D4D9AFF2BC7559826", "2EC47B2C4954A489AFC7BA4897EDCDAE8CC3"
        ),
        (
            "6CF36720872B8513F6EAB1A8A44438D5EF11", "A4A4782BCFFD3EC5E7EF6D8C34A56123",
            "B781FCF2F75FA5A8DE97A9CA48E522EC", "0DE18FD0FDD91E7AF19F1D8EE8733938B1E8"
        ),
        (
            "CA40D7446E545FFAED3BD12A740A659FFBBB3CEAB7", "8395FCF1E95BEBD697BD010BC766AAC3",
            "22E7ADD93CFC6393C57EC0B3C17D6B44", "CB8920F87A6C75CFF39627B56E3ED197C552D295A7"
        ),
    ]

    private func bytes(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.utf8.count, by: 2).compactMap { index in
            let start = text.index(text.startIndex, offsetBy: index)
            return UInt8(text[start..<text.index(start, offsetBy: 2)], radix: 16)
        }
    }

    @Test(arguments: EAXTests.vectors.indices)
    func `the vectors of the paper are met`(index: Int) throws {
        let (message, key, nonce, ciphertext) = Self.vectors[index]
        var text = bytes(message)
        let secret = SymmetricKey(data: bytes(key))
        try text.withUnsafeMutableBytes {
            try EAX.apply($0, key: secret, nonce: bytes(nonce))
        }
        #expect(text == bytes(ciphertext))
        try text.withUnsafeMutableBytes {
            try EAX.apply($0, key: secret, nonce: bytes(nonce))
        }
        #expect(text == bytes(message))
    }

    /// RFC 4493 §4, which the mode is built on: the library's, called as EAX calls it.
    @Test func `the message authentication code meets RFC 4493`() throws {
        let key = SymmetricKey(data: bytes("2B7E151628AED2A6ABF7158809CF4F3C"))
        var mac = try AES.CMAC(key: key)
        mac.update(data: bytes("6BC1BEE22E409F96E93D7E117393172A"))
        #expect(
            mac.finalize().withUnsafeBytes { Array($0) }
                == bytes("070A16B46B4D4144F79BDD9DD04A287C"))
    }

    @Test func `parts of a long text are counted on, also over the end of the counter`() throws {
        let key = SymmetricKey(data: [UInt8](repeating: 7, count: 32))
        let nonce = [UInt8](repeating: 9, count: 16)
        let count = 200_003
        var long = [UInt8](repeating: 0, count: count)
        try long.withUnsafeMutableBytes { try EAX.apply($0, key: key, nonce: nonce) }
        // The key stream block by block: counter, encrypted.
        var counter = try EAX.counter(key: key, nonce: nonce)
        for start in stride(from: 0, to: count, by: 16) {
            var block = withUnsafeBytes(of: counter.bigEndian) { Array($0) }
            try AES.permute(&block, key: key)
            let end = min(start + 16, count)
            #expect(Array(long[start..<end]) == Array(block[..<(end - start)]))
            counter &+= 1
        }
    }
}
