import TestSupport
import Testing
import Wire

@Suite("Message decoder")
struct MessageDecoderTests {
    @Test("Any split into two pieces gives the same messages")
    func everySplit() throws {
        let golden = try goldenBytes("stream")
        let whole = DecodedStream([golden[...]])
        #expect(whole.error == nil)
        #expect(whole.messages.map(\.type) == Array(10...18))
        #expect(whole.messages.map(\.payload.count) == [0, 0, 50, 0, 0, 50, 0, 0, 50])
        for split in 0...golden.count {
            let parts = DecodedStream([golden[..<split], golden[split...]])
            #expect(parts == whole, "split at \(split)")
        }
    }

    @Test("Byte by byte gives the same messages")
    func byteByByte() throws {
        let golden = try goldenBytes("stream")
        let bytes = golden.indices.map { golden[$0...$0] }
        #expect(DecodedStream(bytes) == DecodedStream([golden[...]]))
    }

    @Test("Cut anywhere, the stream gives the whole messages and says that it is cut")
    func everyCut() throws {
        let golden = try goldenBytes("stream")
        let whole = DecodedStream([golden[...]])
        let ends = Set(whole.messages.dropFirst().map { Int($0.byteOffset) } + [0, golden.count])
        for cut in 0...golden.count {
            let part = DecodedStream([golden[..<cut]])
            let isWhole = ends.contains(cut)
            if isWhole {
                #expect(part.error == nil, "cut at \(cut)")
            } else {
                guard case .truncated = part.error?.code else {
                    Issue.record("cut at \(cut): \(String(describing: part.error))")
                    continue
                }
            }
            let complete = part.messages.dropLast(isWhole ? 0 : 1)
            #expect(Array(complete) == Array(whole.messages.prefix(complete.count)))
        }
    }

    @Test("Many messages in one buffer come out one after the other")
    func manyAtOnce() throws {
        var writer = ByteWriter()
        for id in 0..<10_000 as Range<UInt64> {
            writer.beginMessage(type: UInt16(id % 7), requestId: id)
            for field in 0..<(id % 11) { writer.writeUInt64(field) }
            try writer.endMessage()
        }
        let decoded = DecodedStream([Array(writer.bytes)[...]])
        #expect(decoded.error == nil)
        #expect(decoded.messages.map(\.requestId) == Array(0..<10_000))
        #expect(decoded.heldByteCount == WireLimits.readChunkByteCount)
    }

    @Test("Foreign text is refused at its first wrong byte, before a header is full")
    func foreignText() throws {
        let pieces = [Array("SLCE"[...].utf8)[...]]
        #expect(DecodedStream(pieces).error?.code == .truncated(needed: 32, had: 4))
        #expect(
            DecodedStream([Array("SLUG".utf8)[...]]).error?.code
                == .badMagic(found: 0x4755_4C53))
        #expect(DecodedStream([[0x0A]]).error?.code == .badMagic(found: 0x0A))
        let nextVersion: [UInt8] = [0x53, 0x4C, 0x43, 0x45, 9, 0]
        #expect(
            DecodedStream([nextVersion[...]]).error
                == WireError(.unsupportedVersion(found: 9, supported: 1), byteOffset: 4))
    }

    @Test("An error stays, whatever comes after it")
    func stickyError() throws {
        var decoder = MessageDecoder()
        let text = Array("print from user code\n".utf8)
        _ = text.withUnsafeBytes { decoder.append($0) }
        let expected = WireError(.badMagic(found: 0x6E69_7270), byteOffset: 0)
        #expect(throws: expected) { try decoder.next() == nil }
        let golden = try goldenBytes("empty")
        _ = golden.withUnsafeBytes { decoder.append($0) }
        #expect(throws: expected) { try decoder.next() == nil }
        #expect(throws: expected) { try decoder.finish() }
    }

    @Test("The largest body passes, one byte more does not, and memory stays bounded")
    func limits() throws {
        let limits = WireLimits(maximumBodyByteCount: 300_000, maximumPayloadByteCount: 10)
        var writer = ByteWriter()
        let body = [UInt8](repeating: 5, count: 300_001)
        writer.beginMessage(type: 1, requestId: 1)
        body.withUnsafeBytes { writer.writeBytes(UnsafeRawBufferPointer(rebasing: $0[..<300_000])) }
        try writer.endMessage(payloadByteCount: 10)
        for byte in 0..<10 as Range<UInt8> { writer.writeUInt8(byte) }
        let good = Array(writer.bytes)
        let decoded = DecodedStream([good[...], good[...], good[...]], limits: limits)
        #expect(decoded.error == nil)
        #expect(decoded.messages.map(\.body.count) == [300_000, 300_000, 300_000])
        #expect(decoded.heldByteCount <= 32 + 300_000 + WireLimits.readChunkByteCount)

        writer.removeAll()
        writer.beginMessage(type: 1, requestId: 1)
        body.withUnsafeBytes { writer.writeBytes($0) }
        try writer.endMessage()
        #expect(
            DecodedStream([Array(writer.bytes)[...]], limits: limits).error
                == WireError(.bodyTooLarge(byteCount: 300_001, limit: 300_000), byteOffset: 16))
    }

    @Test("A payload that nobody takes is skipped as it comes")
    func skippedPayload() throws {
        let golden = try goldenBytes("payload")
        var decoder = MessageDecoder()
        var types: [UInt16] = []
        for byte in golden {
            #expect(withUnsafeBytes(of: byte) { decoder.append($0) } == 1)
            while let message = try decoder.next() { types.append(message.header.messageType) }
        }
        #expect(types == [3, 4])
        try decoder.finish()
    }

    @Test("A read may fill the decoder's own memory, and its error comes out as it is")
    func filledInPlace() throws {
        struct ReadError: Error, Equatable {}
        let golden = try goldenBytes("stream")
        var decoder = MessageDecoder()
        #expect(throws: ReadError()) {
            try decoder.withWritableSpace { _ throws(ReadError) in throw ReadError() }
        }
        var place = 0
        var types: [UInt16] = []
        while place < golden.count {
            place += decoder.withWritableSpace { space in
                let count = min(100, space.count, golden.count - place)
                space.copyBytes(from: golden[place..<place + count])
                return count
            }
            while let message = try decoder.next() { types.append(message.header.messageType) }
        }
        #expect(types == Array(10...18))
        #expect(decoder.withWritableSpace { _ in 0 } == 0)
        try decoder.finish()
    }

    @Test("A large payload is read past the decoder and the next message is found")
    func payloadPastDecoder() throws {
        let golden = try goldenBytes("payload")
        var decoder = MessageDecoder()
        _ = golden[..<100].withUnsafeBytes { decoder.append($0) }
        let first = try #require(try decoder.next())
        #expect(first.header.payloadByteCount == 200)
        var pixels = [UInt8](repeating: 0, count: 200)
        let buffered = pixels.withUnsafeMutableBytes { decoder.takeBufferedPayload(into: $0) }
        #expect(buffered == 52)
        // As a read(2) straight into the destination would.
        let missing = decoder.remainingPayloadByteCount
        pixels.replaceSubrange(buffered..., with: golden[100..<100 + missing])
        decoder.didReadPayload(byteCount: missing)
        #expect(pixels == [UInt8](0..<200))
        _ = golden[(100 + missing)...].withUnsafeBytes { decoder.append($0) }
        let second = try #require(try decoder.next())
        #expect(second.header.messageType == 4)
        #expect(second.byteOffset == 248)
        try decoder.finish()
    }
}

@Suite("Damaged messages")
struct DamageTests {
    @Test(
        "Damage gives the messages before it and one typed error, in bounded memory",
        arguments: 1...200 as ClosedRange<UInt64>)
    func seededDamage(seed: UInt64) throws {
        var random = SeededNumbers(seed: seed)
        var bytes = try goldenBytes("stream")
        let original = DecodedStream([bytes[...]])
        switch seed % 4 {
        case 0:
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] ^= UInt8.random(in: 1...255, using: &random)
            }
        case 1:
            let start = Int.random(in: 0..<bytes.count, using: &random)
            let count = Int.random(in: 1...min(40, bytes.count - start), using: &random)
            bytes.removeSubrange(start..<start + count)
        case 2:
            let start = Int.random(in: 0...bytes.count, using: &random)
            let noise = (0..<Int.random(in: 1...100, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            bytes.insert(contentsOf: noise, at: start)
        default:
            bytes = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...min(200, rest.count), using: &random)
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        let damaged = DecodedStream(pieces)
        #expect(damaged == DecodedStream([bytes[...]]), "pieces make no difference")
        #expect(damaged.heldByteCount <= 32 + 1 << 20 + WireLimits.readChunkByteCount)
        // Payloads have no checksum; everything else that comes out is as it was sent.
        for (found, sent) in zip(damaged.messages, original.messages) where found.type == sent.type
        {
            #expect(found.body == sent.body)
        }
        if damaged.error == nil {
            #expect(damaged.messages.count == original.messages.count)
        }
    }
}
