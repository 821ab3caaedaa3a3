internal import CLinux

/// Writes messages one after the other into one growing buffer, which is used again and again, so
/// that many go out in one write(2) and none costs an allocation.
package struct ByteWriter: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    /// Bytes written so far, an unfinished message included.
    @inlinable
    package var byteCount: Int { count }
    @usableFromInline var count = 0
    private var message: (start: Int, header: MessageHeader)?
    /// Why no reader would take the unfinished message.
    @usableFromInline var refusal: WireError?
    private let limits: WireLimits

    /// `removeAll` gives memory beyond this back: a few of the largest bodies, so that one unusual
    /// batch does not stay resident.
    private static let maximumKeptByteCount = 4 << 20

    /// An empty writer with room for `initialByteCount` bytes; it grows by doubling.
    package init(initialByteCount: Int = 4096, limits: WireLimits = .standard) {
        capacity = max(64, initialByteCount)
        base = .allocate(byteCount: capacity, alignment: 16)
        self.limits = limits
    }

    deinit { base.deallocate() }

    /// What was written; valid until the next call that changes the writer.
    @inlinable
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Whether nothing was written.
    @inlinable
    package var isEmpty: Bool { count == 0 }

    /// Forgets all bytes and keeps the memory.
    package mutating func removeAll() {
        count = 0
        message = nil
        refusal = nil
        if capacity > Self.maximumKeptByteCount {
            base.deallocate()
            capacity = 4096
            base = .allocate(byteCount: capacity, alignment: 16)
        }
    }

    @inlinable
    mutating func reserve(_ more: Int) {
        if capacity - count < more { grow(more) }
    }

    @usableFromInline
    mutating func grow(_ more: Int) {
        let wanted = max(capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
        capacity = wanted
    }

    @inlinable
    mutating func writeInteger<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
        reserve(MemoryLayout<Value>.size)
        base.storeBytes(of: value.littleEndian, toByteOffset: count, as: Value.self)
        count += MemoryLayout<Value>.size
    }
}

// The buffer has one owner, this value, which cannot be copied.
extension ByteWriter: @unchecked Sendable {}

// MARK: - Messages

extension ByteWriter {
    /// Begins a message; what is written until `endMessage` is its body.
    package mutating func beginMessage(
        type: UInt16, requestId: UInt64, version: UInt16 = MessageHeader.currentVersion
    ) {
        precondition(message == nil, "the message before is ended first")
        reserve(MessageHeader.byteCount)
        message = (
            count, MessageHeader(messageType: type, requestId: requestId, version: version)
        )
        count += MessageHeader.byteCount
    }

    /// Says that a field of the unfinished message is over what its reader takes; `endMessage`
    /// throws the first such error. So that writing a field needs no `try`, and nothing is sent
    /// that the other side must take for damage.
    package mutating func refuse(_ code: WireError.Code) {
        if refusal == nil { refusal = WireError(code, byteOffset: UInt64(count)) }
    }

    /// Ends the message: fills in its header. `payloadByteCount` bytes of payload must be sent
    /// right after these bytes. A message over the limits, or with a refused field, is taken back
    /// whole and the error thrown.
    package mutating func endMessage(payloadByteCount: Int = 0) throws(WireError) {
        guard let (start, begun) = message else {
            preconditionFailure("endMessage belongs to a beginMessage")
        }
        var header = begun
        message = nil
        if let refusal {
            self.refusal = nil
            count = start
            throw refusal
        }
        let body = base + start + MessageHeader.byteCount
        let bodyByteCount = count - start - MessageHeader.byteCount
        precondition(payloadByteCount >= 0, "a count is not negative")
        header.bodyByteCount = UInt32(clamping: bodyByteCount)
        header.payloadByteCount = UInt32(clamping: payloadByteCount)
        do throws(WireError) {
            try header.check(limits, byteOffset: UInt64(start))
        } catch {
            count = start
            throw error
        }
        header.bodyChecksum = cl_crc32c(0, body, bodyByteCount)
        header.encode(into: base + start)
    }

    /// Takes the unfinished message back, if there is one.
    package mutating func cancelMessage() {
        if let (start, _) = message { count = start }
        message = nil
        refusal = nil
    }
}

// MARK: - Fields

extension ByteWriter {
    /// One byte.
    @inlinable
    package mutating func writeUInt8(_ value: UInt8) { writeInteger(value) }

    /// Two bytes.
    @inlinable
    package mutating func writeUInt16(_ value: UInt16) { writeInteger(value) }

    /// Four bytes.
    @inlinable
    package mutating func writeUInt32(_ value: UInt32) { writeInteger(value) }

    /// Eight bytes.
    @inlinable
    package mutating func writeUInt64(_ value: UInt64) { writeInteger(value) }

    /// One byte, two's complement.
    @inlinable
    package mutating func writeInt8(_ value: Int8) { writeInteger(value) }

    /// Two bytes, two's complement.
    @inlinable
    package mutating func writeInt16(_ value: Int16) { writeInteger(value) }

    /// Four bytes, two's complement.
    @inlinable
    package mutating func writeInt32(_ value: Int32) { writeInteger(value) }

    /// Eight bytes, two's complement.
    @inlinable
    package mutating func writeInt64(_ value: Int64) { writeInteger(value) }

    /// Four bytes, IEEE 754.
    @inlinable
    package mutating func writeFloat(_ value: Float) { writeInteger(value.bitPattern) }

    /// Eight bytes, IEEE 754.
    @inlinable
    package mutating func writeDouble(_ value: Double) { writeInteger(value.bitPattern) }

    /// One byte, 0 or 1.
    @inlinable
    package mutating func writeBool(_ value: Bool) { writeInteger(value ? 1 as UInt8 : 0) }

    /// A count of elements as UInt32. A count that does not fit is written as the largest number,
    /// which every reader refuses; the body limit is reached long before.
    @inlinable
    package mutating func writeCount(_ value: Int) { writeInteger(UInt32(clamping: value)) }

    /// Adds `byteCount` bytes, which the caller fills in whole at the pointer before its next call.
    package mutating func appendBlock(_ byteCount: Int) -> UnsafeMutableRawPointer {
        precondition(byteCount >= 0, "a count is not negative")
        reserve(byteCount)
        let start = base + count
        count += byteCount
        return start
    }

    /// Bytes as they are.
    @inlinable
    package mutating func writeBytes(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        reserve(bytes.count)
        (base + count).copyMemory(from: start, byteCount: bytes.count)
        count += bytes.count
    }

    /// A UInt32 count and the bytes.
    @inlinable
    package mutating func writeCountedBytes(_ bytes: UnsafeRawBufferPointer) {
        writeCount(bytes.count)
        writeBytes(bytes)
    }

    /// A UInt32 count of bytes and the text in UTF-8.
    package mutating func writeText(_ text: String) {
        if text.isEmpty { return writeUInt32(0) }
        let place = count
        writeUInt32(0)
        var text = text
        text.withUTF8 { writeBytes(UnsafeRawBufferPointer($0)) }
        overwriteUInt32(UInt32(clamping: count - place - 4), at: place)
    }

    /// Replaces four bytes at `place`, a `byteCount` of before: for counts known only later.
    package mutating func overwriteUInt32(_ value: UInt32, at place: Int) {
        precondition(place >= 0 && place + 4 <= count, "only written bytes are replaced")
        base.storeBytes(of: value.littleEndian, toByteOffset: place, as: UInt32.self)
    }
}
