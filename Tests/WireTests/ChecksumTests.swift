import CLinux
import TestSupport
import Testing
import Wire

@Suite("CRC32C")
struct ChecksumTests {
    private static let ascending = [UInt8](0..<32)

    /// RFC 3720, appendix B.4.
    private static let iscsiRead: [UInt8] = [
        0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00,
        0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00,
        0x18,
        0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00,
    ]

    @Test(
        "A payload is as it was told, or an error says how it is; what is not told is not compared")
    func payload() throws {
        let bytes = Array("123456789".utf8)
        try bytes.withUnsafeBytes { bytes in
            try PayloadChecksum.check(bytes, against: 0xE306_9283)
            try PayloadChecksum.check(bytes, against: nil)
            let head = PayloadChecksum.of(UnsafeRawBufferPointer(rebasing: bytes[..<4]))
            let tail = UnsafeRawBufferPointer(rebasing: bytes[4...])
            #expect(PayloadChecksum.of(tail, after: head) == 0xE306_9283)
            #expect(
                throws: WireError(
                    .payloadChecksumMismatch(found: 1, computed: 0xE306_9283), byteOffset: 0)
            ) { try PayloadChecksum.check(bytes, against: 1) }
        }
    }

    @Test(
        "The vectors of RFC 3720 come out",
        arguments: [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (ascending, 0x46DD_794E), (ascending.reversed(), 0x113F_DB5C),
            (iscsiRead, 0xD996_3A56), (Array("123456789".utf8), 0xE306_9283), ([], 0),
        ] as [([UInt8], UInt32)])
    func vectors(bytes: [UInt8], expected: UInt32) {
        #expect(cl_crc32c(0, bytes, bytes.count) == expected)
        #expect(cl_crc32c_table(0, bytes, bytes.count) == expected)
    }

    @Test("The instruction and the table agree at every length and alignment")
    func instructionAgreesWithTable() {
        var random = SeededNumbers(seed: 1)
        let bytes = (0..<60_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let lengths = Array(0..<1600) + [24_575, 24_576, 24_577, 49_152, 50_001, 59_990]
        bytes.withUnsafeBytes { bytes in
            for length in lengths {
                let start = bytes.baseAddress! + length % 9
                let expected = cl_crc32c_table(7, start, length)
                #expect(cl_crc32c(7, start, length) == expected, "length \(length)")
            }
        }
    }

    @Test("Parts give the checksum of the whole", arguments: [0, 1, 31, 500, 4999, 5000])
    func combination(split: Int) {
        let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        bytes.withUnsafeBytes { bytes in
            let whole = cl_crc32c(0, bytes.baseAddress, 5000)
            let first = cl_crc32c(0, bytes.baseAddress, split)
            #expect(cl_crc32c(first, bytes.baseAddress! + split, 5000 - split) == whole)
            let second = cl_crc32c(0, bytes.baseAddress! + split, 5000 - split)
            #expect(cl_crc32c_combine(first, second, UInt64(5000 - split)) == whole)
        }
    }
}
