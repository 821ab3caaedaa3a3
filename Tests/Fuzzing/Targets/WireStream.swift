import CLinux
import Wire

/// A stream of messages. Control bytes: whether checksums are made right, and the sizes of pieces.
enum WireStream: FuzzTarget {
    /// Low, so that an announced body or payload is refused within an input.
    private static let limits = WireLimits(
        maximumBodyByteCount: 512, maximumPayloadByteCount: 1 << 20)

    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        var input = FuzzInput(bytes)
        let isRepaired = input.byte() & 1 == 1
        let pieces = [Int(input.byte()) + 1, Int(input.byte()) * 8 + 1]
        var stream = Array(input.rest)
        if isRepaired { stream.withUnsafeMutableBytes { repair($0) } }
        try stream.withUnsafeBytes { stream in
            let whole = Stream(stream, pieces: [max(1, stream.count)], takesPayload: true)
            let parts = Stream(stream, pieces: pieces, takesPayload: true)
            let skipped = Stream(stream, pieces: pieces, takesPayload: false)
            try expect(whole == parts, "pieces do not matter", [whole, parts])
            try expect(
                whole.withoutPayloads == skipped, "payloads are skipped as they are taken",
                [whole, skipped])
            for result in [whole, parts, skipped] {
                let most =
                    MessageHeader.byteCount + limits.maximumBodyByteCount
                    + WireLimits.readChunkByteCount
                try expect(result.heldByteCount <= most, "memory has a limit", [result])
                try expect(
                    result.error.map { $0.byteOffset <= UInt64(stream.count) } ?? true,
                    "an error is within the stream", [result])
            }
            try expectSameBytes(whole, stream)
        }
    }

    /// Makes the checksums of everything that looks like messages right: no search finds one.
    private static func repair(_ stream: UnsafeMutableRawBufferPointer) {
        var start = 0
        while stream.count - start >= MessageHeader.byteCount {
            let header = UnsafeMutableRawBufferPointer(rebasing: stream[start...])
            let bodyCount = Int(header.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
            let payloadCount = Int(header.loadUnaligned(fromByteOffset: 20, as: UInt32.self))
            let end = MessageHeader.byteCount + bodyCount
            if end <= header.count {
                let body = UnsafeRawBufferPointer(
                    rebasing: header[MessageHeader.byteCount..<end])
                header.storeBytes(
                    of: cl_crc32c(0, body.baseAddress, body.count), toByteOffset: 24,
                    as: UInt32.self)
            }
            header.storeBytes(
                of: cl_crc32c(0, header.baseAddress, 28), toByteOffset: 28, as: UInt32.self)
            start += end + payloadCount
        }
    }

    /// What was decoded is written as it came.
    private static func expectSameBytes(
        _ decoded: Stream, _ stream: UnsafeRawBufferPointer
    ) throws {
        var writer = ByteWriter(limits: limits)
        for message in decoded.messages {
            writer.removeAll()
            writer.beginMessage(
                type: message.header.messageType, requestId: message.header.requestId,
                version: message.header.version)
            message.body.withUnsafeBytes { writer.writeBytes($0) }
            do throws(WireError) {
                try writer.endMessage(payloadByteCount: Int(message.header.payloadByteCount))
            } catch {
                throw Finding("what was read can be written", [message, error])
            }
            let start = Int(message.byteOffset)
            try expect(
                writer.bytes.elementsEqual(stream[start..<start + writer.byteCount]),
                "what was read is written as it came", [message])
        }
    }

    /// What came out of a stream, and how it ended.
    private struct Stream: Equatable {
        struct Message: Equatable {
            var header: MessageHeader
            var body: [UInt8]
            var payload: [UInt8] = []
            var byteOffset: UInt64
        }

        var messages: [Message] = []
        var error: WireError?
        var heldByteCount = 0
        private let takesPayload: Bool

        /// Feeds the stream in pieces of these sizes, in turn.
        init(_ stream: UnsafeRawBufferPointer, pieces: [Int], takesPayload: Bool) {
            self.takesPayload = takesPayload
            var decoder = MessageDecoder(limits: WireStream.limits)
            do throws(WireError) {
                var (start, turn) = (0, 0)
                while start < stream.count {
                    let end = min(stream.count, start + pieces[turn % pieces.count])
                    try feed(UnsafeRawBufferPointer(rebasing: stream[start..<end]), &decoder)
                    (start, turn) = (end, turn + 1)
                }
                try decoder.finish()
            } catch {
                self.error = error
            }
        }

        private mutating func feed(
            _ piece: UnsafeRawBufferPointer, _ decoder: inout MessageDecoder
        ) throws(WireError) {
            var rest = piece
            while !rest.isEmpty {
                let count = decoder.append(rest)
                heldByteCount = max(heldByteCount, decoder.heldByteCount)
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
                takePayload(&decoder)
                if takesPayload, decoder.remainingPayloadByteCount > 0 { continue }
                while let message = try decoder.next() {
                    messages.append(
                        Message(
                            header: message.header, body: Array(message.body),
                            byteOffset: message.byteOffset))
                    takePayload(&decoder)
                    if takesPayload, decoder.remainingPayloadByteCount > 0 { break }
                }
            }
        }

        private mutating func takePayload(_ decoder: inout MessageDecoder) {
            guard takesPayload, decoder.remainingPayloadByteCount > 0 else { return }
            let count = min(decoder.remainingPayloadByteCount, decoder.bufferedByteCount)
            var part = [UInt8](repeating: 0, count: count)
            let taken = part.withUnsafeMutableBytes { decoder.takeBufferedPayload(into: $0) }
            messages[messages.count - 1].payload += part[..<taken]
        }

        var withoutPayloads: Stream {
            var copy = self
            for index in copy.messages.indices { copy.messages[index].payload = [] }
            return copy
        }

        static func == (left: Stream, right: Stream) -> Bool {
            left.messages == right.messages && comparable(left.error) == comparable(right.error)
        }

        /// How much of a wrong beginning was there when it was seen depends on the pieces, and how
        /// much of a payload that does not end was taken.
        private static func comparable(_ error: WireError?) -> WireError? {
            guard let error else { return nil }
            return switch error.code {
            case .badMagic: WireError(.badMagic(found: 0), byteOffset: error.byteOffset)
            default: error
            }
        }
    }
}
