import TestSupport
import Testing
import Wire

@Suite("Golden messages")
struct GoldenTests {
    @Test("A message without a body is written as the golden bytes")
    func emptyMessage() throws {
        var writer = ByteWriter()
        writer.beginMessage(type: 1, requestId: 0)
        try writer.endMessage()
        #expect(Array(writer.bytes) == (try goldenBytes("empty")))
    }

    @Test("Every type of field is written as the golden bytes")
    func writesFields() throws {
        var writer = ByteWriter(initialByteCount: 0)
        writer.beginMessage(type: 2, requestId: 0x0123_4567_89AB_CDEF)
        writer.writeUInt8(0xFE)
        writer.writeUInt16(0xFEDC)
        writer.writeUInt32(0xFEDC_BA98)
        writer.writeUInt64(0xFEDC_BA98_7654_3210)
        writer.writeInt8(-2)
        writer.writeInt16(-300)
        writer.writeInt32(-70_000)
        writer.writeInt64(-5_000_000_000)
        writer.writeFloat(1.5)
        writer.writeDouble(-0.1)
        writer.writeBool(true)
        writer.writeBool(false)
        writer.writeText("Grüße, 検出器")
        writer.writeText("")
        [7, 8, 9 as UInt8].withUnsafeBytes { writer.writeCountedBytes($0) }
        [0xAA, 0xBB as UInt8].withUnsafeBytes { writer.writeBytes($0) }
        try writer.endMessage()
        #expect(Array(writer.bytes) == (try goldenBytes("fields")))
    }

    @Test("Every type of field is read from the golden bytes")
    func readsFields() throws {
        let golden = try goldenBytes("fields")
        var decoder = MessageDecoder()
        #expect(golden.withUnsafeBytes { decoder.append($0) } == golden.count)
        let message = try #require(try decoder.next())
        #expect(message.header.messageType == 2)
        #expect(message.header.requestId == 0x0123_4567_89AB_CDEF)
        var reader = message.reader
        #expect(try reader.readUInt8() == 0xFE)
        #expect(try reader.readUInt16() == 0xFEDC)
        #expect(try reader.readUInt32() == 0xFEDC_BA98)
        #expect(try reader.readUInt64() == 0xFEDC_BA98_7654_3210)
        #expect(try reader.readInt8() == -2)
        #expect(try reader.readInt16() == -300)
        #expect(try reader.readInt32() == -70_000)
        #expect(try reader.readInt64() == -5_000_000_000)
        #expect(try reader.readFloat() == 1.5)
        #expect(try reader.readDouble() == -0.1)
        #expect(try reader.readBool() == true)
        #expect(try reader.readBool() == false)
        #expect(try reader.readText(maximumByteCount: 100) == "Grüße, 検出器")
        #expect(try reader.readText(maximumByteCount: 0) == "")
        #expect(Array(try reader.readCountedBytes(maximumByteCount: 3)) == [7, 8, 9])
        #expect(Array(try reader.readBytes(2)) == [0xAA, 0xBB])
        try reader.finish()
        #expect(try decoder.next() == nil)
        try decoder.finish()
    }

    @Test("A payload is written after its message and read apart from it")
    func payload() throws {
        let golden = try goldenBytes("payload")
        let pixels = [UInt8](0..<200)
        var writer = ByteWriter()
        writer.beginMessage(type: 3, requestId: 42)
        Array("below are pixels".utf8).withUnsafeBytes { writer.writeBytes($0) }
        try writer.endMessage(payloadByteCount: pixels.count)
        pixels.withUnsafeBytes { writer.writeBytes($0) }
        writer.beginMessage(type: 4, requestId: 43)
        Array("after them".utf8).withUnsafeBytes { writer.writeBytes($0) }
        try writer.endMessage()
        #expect(Array(writer.bytes) == golden)

        let decoded = DecodedStream([golden[...]])
        #expect(decoded.error == nil)
        #expect(decoded.messages.map(\.type) == [3, 4])
        #expect(decoded.messages.first?.payload == pixels)
        #expect(decoded.messages.last?.body == Array("after them".utf8))
    }

    @Test(
        "Each golden error is found, with its place",
        arguments: [
            ("bad-magic", .badMagic(found: 0x2054_4547), 0),
            ("bad-version", .unsupportedVersion(found: 2, supported: 1), 4),
            ("bad-body-too-large", .bodyTooLarge(byteCount: 1 << 20 + 1, limit: 1 << 20), 16),
            ("bad-payload-too-large", .payloadTooLarge(byteCount: 1 << 30 + 1, limit: 1 << 30), 20),
            ("bad-truncated", .truncated(needed: 52, had: 47), 0),
        ] as [(String, WireError.Code, UInt64)])
    func errors(name: String, code: WireError.Code, byteOffset: UInt64) throws {
        let bad = try goldenBytes(name)
        #expect(DecodedStream([bad[...]]).error == WireError(code, byteOffset: byteOffset))
        // The same behind good messages: the offset is that of the stream.
        let good = try goldenBytes("stream")
        let both = DecodedStream([good[...], bad[...]])
        #expect(both.messages.count == 9)
        #expect(both.error == WireError(code, byteOffset: byteOffset + UInt64(good.count)))
    }

    @Test("A damaged checksum of header or body is told from each other")
    func checksums() throws {
        let header = DecodedStream([try goldenBytes("bad-header-checksum")[...]])
        guard case .headerChecksumMismatch = header.error?.code else {
            Issue.record("found \(String(describing: header.error))")
            return
        }
        #expect(header.error?.byteOffset == 28)
        let body = DecodedStream([try goldenBytes("bad-body-checksum")[...]])
        guard case .bodyChecksumMismatch(found: 0x1234_5678, _) = body.error?.code else {
            Issue.record("found \(String(describing: body.error))")
            return
        }
        #expect(body.error?.byteOffset == 32)
    }
}

/// The bytes of a golden message.
func goldenBytes(_ name: String) throws -> [UInt8] {
    try Checkout.fixture("wire/\(name).bin")
}
