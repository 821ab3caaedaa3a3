import Wire

/// What came out of a stream of bytes: messages with their payloads, and how it ended.
struct DecodedStream: Equatable {
    struct Message: Equatable {
        var type: UInt16
        var requestId: UInt64
        var body: [UInt8]
        var payload: [UInt8]
        var byteOffset: UInt64
    }

    var messages: [Message] = []
    var error: WireError?
    /// Most bytes of memory that the decoder held.
    var heldByteCount = 0

    /// Decodes `pieces` one after the other.
    init(_ pieces: [ArraySlice<UInt8>], limits: WireLimits = .standard) {
        var decoder = MessageDecoder(limits: limits)
        do throws(WireError) {
            for piece in pieces {
                try feed(piece, &decoder)
            }
            try decoder.finish()
        } catch {
            self.error = error
        }
    }

    private mutating func feed(
        _ piece: ArraySlice<UInt8>, _ decoder: inout MessageDecoder
    ) throws(WireError) {
        var rest = piece
        while true {
            try takeMessages(&decoder)
            if rest.isEmpty { return }
            let count = rest.withUnsafeBytes { decoder.append($0) }
            heldByteCount = max(heldByteCount, decoder.heldByteCount)
            rest = rest.dropFirst(count)
            takePayload(&decoder)
        }
    }

    private mutating func takeMessages(_ decoder: inout MessageDecoder) throws(WireError) {
        while decoder.remainingPayloadByteCount == 0, let message = try decoder.next() {
            messages.append(
                Message(
                    type: message.header.messageType, requestId: message.header.requestId,
                    body: Array(message.body), payload: [], byteOffset: message.byteOffset))
            takePayload(&decoder)
        }
    }

    private mutating func takePayload(_ decoder: inout MessageDecoder) {
        var part = [UInt8](
            repeating: 0, count: min(decoder.remainingPayloadByteCount, decoder.bufferedByteCount))
        if part.isEmpty { return }
        let count = part.withUnsafeMutableBytes { decoder.takeBufferedPayload(into: $0) }
        messages[messages.count - 1].payload += part[..<count]
    }

    static func == (left: DecodedStream, right: DecodedStream) -> Bool {
        left.messages == right.messages && comparable(left.error) == comparable(right.error)
    }

    /// How much of a wrong magic was there when it was seen depends on the pieces.
    private static func comparable(_ error: WireError?) -> WireError? {
        guard let error, case .badMagic = error.code else { return error }
        return WireError(.badMagic(found: 0), byteOffset: error.byteOffset)
    }
}
