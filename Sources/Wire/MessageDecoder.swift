internal import CLinux

/// One message as the decoder found it.
package struct WireMessage {
    /// The checked header.
    package let header: MessageHeader
    /// The checked body in the decoder's buffer; valid until the next call that fills the decoder.
    package let body: UnsafeRawBufferPointer
    /// Where the message begins in the stream.
    package let byteOffset: UInt64

    @inlinable
    init(header: MessageHeader, body: UnsafeRawBufferPointer, byteOffset: UInt64) {
        self.header = header
        self.body = body
        self.byteOffset = byteOffset
    }

    /// A reader of the body whose errors have the offset in the stream.
    @inlinable
    package var reader: ByteReader {
        ByteReader(body, byteOffset: byteOffset + UInt64(MessageHeader.byteCount))
    }
}

/// Turns bytes that come in any pieces into messages. It is total: any bytes give messages or one
/// typed error, which stays.
///
/// A loop fills it (`withWritableSpace`) and takes messages (`next`) until there is none. Where a
/// message has a payload, the caller takes it before the next message: first `takeBufferedPayload`,
/// then what is still missing straight from the descriptor into its place, told by
/// `didReadPayload`. A payload that nobody takes is skipped by `next`.
///
/// The buffer holds at most one header, one body at the limit and one read chunk, whatever comes.
package struct MessageDecoder: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private var head = 0
    private var tail = 0
    /// The offset in the stream of the byte at `head`.
    private var headOffset: UInt64 = 0
    /// Bytes of the current message's payload that were neither taken nor skipped.
    package private(set) var remainingPayloadByteCount = 0
    /// Bytes that the message at `head` needs in all, as far as known.
    private var neededByteCount = MessageHeader.byteCount
    private var failure: WireError?
    private let limits: WireLimits

    /// A decoder at the beginning of a stream.
    package init(limits: WireLimits = .standard) {
        self.limits = limits
        capacity = WireLimits.readChunkByteCount
        base = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit { base.deallocate() }

    /// Bytes in the buffer that belong to no message given out yet.
    package var bufferedByteCount: Int { tail - head }

    /// Bytes of memory that the decoder holds.
    package var heldByteCount: Int { capacity }

    /// The offset in the stream of the first byte that was not given out.
    package var byteOffset: UInt64 { headOffset }

    // MARK: Filling

    /// Gives `body` room for at least one byte (normally much more: to the end of the buffer), and
    /// takes in as many bytes as it says to have put there: 0 at the end of the stream. Invalidates
    /// bodies given out before. Call it when `next` has returned nil.
    package mutating func withWritableSpace<Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        makeSpace()
        precondition(tail < capacity, "messages are taken before more bytes are filled in")
        let space = UnsafeMutableRawBufferPointer(start: base + tail, count: capacity - tail)
        let count = try body(space)
        precondition(0 <= count && count <= space.count, "only bytes that fit were put there")
        tail += count
        return count
    }

    /// Copies as many of `bytes` as there is room for and returns how many: all of them, or at
    /// least one when `next` has returned nil before. Invalidates bodies given out before.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) -> Int {
        makeSpace()
        let count = min(capacity - tail, bytes.count)
        if count > 0, let source = bytes.baseAddress {
            (base + tail).copyMemory(from: source, byteCount: count)
            tail += count
        }
        return count
    }

    /// Moves what is left to the front when the room behind it gets short, and grows for a message
    /// that does not fit. The limits bound `neededByteCount`, and so the memory.
    private mutating func makeSpace() {
        if head == tail {
            head = 0
            tail = 0
        }
        let chunk = WireLimits.readChunkByteCount
        let wanted = max(neededByteCount, tail - head)
        if head > 0, capacity - tail < chunk / 2 || capacity - head < wanted {
            base.copyMemory(from: base + head, byteCount: tail - head)
            tail -= head
            head = 0
        }
        if capacity < wanted {
            let most = MessageHeader.byteCount + limits.maximumBodyByteCount + chunk
            reallocate(min(most, max(capacity * 2, wanted + chunk)))
        }
    }

    private mutating func reallocate(_ byteCount: Int) {
        let larger = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
        larger.copyMemory(from: base + head, byteCount: tail - head)
        base.deallocate()
        base = larger
        capacity = byteCount
        tail -= head
        head = 0
    }

    // MARK: Taking messages

    /// The next message, or nil when more bytes are needed. An error is final: it is thrown again
    /// by every later call.
    package mutating func next() throws(WireError) -> WireMessage? {
        if remainingPayloadByteCount != 0 && !skipBufferedPayload() { return nil }
        if let failure { throw failure }
        let available = tail - head
        if available < MessageHeader.byteCount {
            neededByteCount = MessageHeader.byteCount
            return try nothingYet()
        }
        let start = UnsafeRawPointer(base + head)
        do throws(WireError) {
            let header = try MessageHeader(
                decoding: UnsafeRawBufferPointer(start: start, count: MessageHeader.byteCount),
                byteOffset: headOffset, limits: limits)
            let bodyByteCount = Int(header.bodyByteCount)
            let messageByteCount = MessageHeader.byteCount + bodyByteCount
            neededByteCount = messageByteCount
            if available < messageByteCount { return nil }
            let body = UnsafeRawBufferPointer(
                start: start + MessageHeader.byteCount, count: bodyByteCount)
            let computed = cl_crc32c(0, body.baseAddress, bodyByteCount)
            if computed != header.bodyChecksum {
                throw WireError(
                    .bodyChecksumMismatch(found: header.bodyChecksum, computed: computed),
                    byteOffset: headOffset + UInt64(MessageHeader.byteCount))
            }
            let message = WireMessage(header: header, body: body, byteOffset: headOffset)
            advance(messageByteCount)
            neededByteCount = MessageHeader.byteCount
            remainingPayloadByteCount = Int(header.payloadByteCount)
            return message
        } catch {
            failure = error
            throw error
        }
    }

    /// Says whether the stream may end here: throws `truncated` inside a message or payload, or the
    /// error of before. Call it at the end of the stream, after `next` has returned nil.
    package mutating func finish() throws(WireError) {
        if let failure { throw failure }
        if remainingPayloadByteCount != 0 {
            throw WireError(
                .truncated(
                    needed: UInt64(remainingPayloadByteCount), had: UInt64(bufferedByteCount)),
                byteOffset: headOffset)
        }
        if bufferedByteCount != 0 {
            throw WireError(
                .truncated(needed: UInt64(neededByteCount), had: UInt64(bufferedByteCount)),
                byteOffset: headOffset)
        }
    }

    /// Less than a header is there: foreign bytes are seen at once, everything else waits.
    private mutating func nothingYet() throws(WireError) -> WireMessage? {
        if head == tail { return nil }
        let part = UnsafeRawBufferPointer(start: base + head, count: tail - head)
        let error = MessageHeader.errorOfPart(part, byteOffset: headOffset)
        if case .truncated = error.code { return nil }
        failure = error
        throw error
    }

    private mutating func advance(_ byteCount: Int) {
        head += byteCount
        headOffset += UInt64(byteCount)
    }
}

// The buffer has one owner, this value, which cannot be copied.
extension MessageDecoder: @unchecked Sendable {}

// MARK: - Payloads

extension MessageDecoder {
    /// Copies what is already here of the current message's payload to the beginning of
    /// `destination` and returns how many bytes those were. `remainingPayloadByteCount` then says
    /// how many more there are.
    package mutating func takeBufferedPayload(
        into destination: UnsafeMutableRawBufferPointer
    ) -> Int {
        let count = min(destination.count, remainingPayloadByteCount, tail - head)
        if count > 0, let target = destination.baseAddress {
            target.copyMemory(from: base + head, byteCount: count)
            advance(count)
            remainingPayloadByteCount -= count
        }
        return count
    }

    /// Tells that the caller has read `byteCount` bytes of the payload from the descriptor itself;
    /// only right when nothing is buffered.
    package mutating func didReadPayload(byteCount: Int) {
        precondition(head == tail, "the buffered part of the payload is taken first")
        precondition(
            0 <= byteCount && byteCount <= remainingPayloadByteCount, "no more than the payload")
        headOffset += UInt64(byteCount)
        remainingPayloadByteCount -= byteCount
    }

    /// Drops what is here of the payload; true when that was all of it. What is missing is dropped
    /// by `next` as it comes.
    @discardableResult
    package mutating func skipBufferedPayload() -> Bool {
        let count = min(remainingPayloadByteCount, tail - head)
        advance(count)
        remainingPayloadByteCount -= count
        return remainingPayloadByteCount == 0
    }
}
