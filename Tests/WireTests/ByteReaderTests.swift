import Testing
import Wire

@Suite("Byte reader and writer")
struct ByteReaderTests {
    private func reading<Value>(
        _ bytes: [UInt8], _ body: (inout ByteReader) throws(WireError) -> Value
    ) -> Result<Value, WireError> {
        bytes.withUnsafeBytes { buffer -> Result<Value, WireError> in
            var reader = ByteReader(buffer, byteOffset: 1000)
            do throws(WireError) {
                return .success(try body(&reader))
            } catch {
                return .failure(error)
            }
        }
    }

    @Test("A number that is cut off is refused with what was needed and had")
    func truncated() {
        let result = reading([1, 2, 3]) { reader throws(WireError) in
            _ = try reader.readUInt8()
            return try reader.readUInt32()
        }
        #expect(result == .failure(WireError(.truncated(needed: 4, had: 2), byteOffset: 1001)))
        for count in 0..<8 {
            let bytes = [UInt8](repeating: 0, count: count)
            #expect(
                reading(bytes) { reader throws(WireError) in try reader.readDouble() }
                    == .failure(
                        WireError(.truncated(needed: 8, had: UInt64(count)), byteOffset: 1000)))
        }
    }

    @Test("A boolean is 0 or 1")
    func strictBoolean() {
        #expect(
            reading([2]) { reader throws(WireError) in try reader.readBool() }
                == .failure(
                    WireError(.unknownValue(field: "boolean", value: 2), byteOffset: 1000)))
    }

    @Test("A count that promises more than is there is refused before anything is reserved")
    func countTooLarge() {
        let huge: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3]
        #expect(
            reading(huge) { reader throws(WireError) in
                try reader.readCount(elementByteCount: 16, maximum: .max)
            }
                == .failure(
                    WireError(.truncated(needed: 16 * 0xFFFF_FFFF, had: 3), byteOffset: 1000)))
        #expect(
            reading(huge) { reader throws(WireError) in
                try reader.readText(maximumByteCount: 100, field: "processor name")
            }
                == .failure(
                    WireError(
                        .valueOutOfRange(
                            field: "processor name", value: 0xFFFF_FFFF, maximum: 100),
                        byteOffset: 1000)))
    }

    @Test(
        "Text that is not UTF-8 is refused where it begins",
        arguments: [
            [0xFF], [0xC3], [0x61, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xC0, 0x80],
        ] as [[UInt8]])
    func badText(text: [UInt8]) {
        let bytes: [UInt8] = [UInt8(text.count), 0, 0, 0] + text
        #expect(
            reading(bytes) { reader throws(WireError) in try reader.readText(maximumByteCount: 10) }
                == .failure(
                    WireError(.badText(byteCount: UInt64(text.count)), byteOffset: 1004)))
    }

    @Test("Bytes that no field takes are refused")
    func trailingBytes() {
        let result = reading([1, 2, 3]) { reader throws(WireError) in
            _ = try reader.readUInt8()
            try reader.finish()
        }
        guard case .failure(let error) = result else {
            Issue.record("accepted")
            return
        }
        #expect(error == WireError(.trailingBytes(count: 2), byteOffset: 1001))
    }

    @Test("A NaN keeps its bits")
    func nanBits() {
        var writer = ByteWriter()
        let odd = Double(bitPattern: 0x7FF4_0000_DEAD_BEEF)
        writer.writeDouble(odd)
        let read = reading(Array(writer.bytes)) { reader throws(WireError) in
            try reader.readUInt64()
        }
        #expect(read == .success(0x7FF4_0000_DEAD_BEEF))
    }

    @Test("A message over the limit is taken back and leaves the ones before")
    func writerLimits() throws {
        var writer = ByteWriter(limits: WireLimits(maximumBodyByteCount: 8))
        writer.beginMessage(type: 1, requestId: 1)
        writer.writeUInt64(1)
        try writer.endMessage()
        let before = Array(writer.bytes)
        writer.beginMessage(type: 1, requestId: 2)
        writer.writeText("too long")
        #expect(throws: WireError(.bodyTooLarge(byteCount: 12, limit: 8), byteOffset: 56)) {
            try writer.endMessage()
        }
        writer.beginMessage(type: 1, requestId: 3)
        writer.cancelMessage()
        #expect(Array(writer.bytes) == before)
        writer.beginMessage(type: 1, requestId: 4)
        #expect(throws: WireError.self) { try writer.endMessage(payloadByteCount: 1 << 31) }
        #expect(Array(writer.bytes) == before)
    }

    @Test("Descriptions say what, where and what to do")
    func descriptions() {
        let error = WireError(.badMagic(found: 0x6E69_7270), byteOffset: 5)
        #expect(
            error.description
                == "these are not Sluice messages: found 0x6e697270 instead of \"SLCE\"; look for "
                + "something else that writes on this pipe (at byte 5)")
    }
}
