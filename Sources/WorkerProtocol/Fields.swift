internal import Wire

// Writers and readers of fields with the limits of the protocol. What a reader refuses its writer
// refuses too (`ByteWriter.refuse`): a frame that cannot be described fails alone, and is never
// sent to make the other side believe that the pipe is damaged.

extension ByteReader {
    /// A short text: a name.
    mutating func readName() throws(WireError) -> String {
        try readText(maximumByteCount: ProtocolLimits.maximumNameByteCount, field: "name length")
    }

    /// A text for people, a path or a value.
    mutating func readLongText() throws(WireError) -> String {
        try readText(maximumByteCount: ProtocolLimits.maximumTextByteCount)
    }

    /// Refuses a value over `maximum`.
    @inline(__always)
    func check(
        _ value: UInt64, maximum: UInt64, field: WireError.FieldName
    ) throws(WireError) {
        if value > maximum {
            throw error(.valueOutOfRange(field: field, value: value, maximum: maximum))
        }
    }
}

extension ByteWriter {
    /// A short text: a name.
    mutating func writeName(_ text: String) {
        writeLimitedText(
            text, maximumByteCount: ProtocolLimits.maximumNameByteCount, field: "name length")
    }

    /// A text for people, a path or a value.
    mutating func writeLongText(_ text: String) {
        writeLimitedText(
            text, maximumByteCount: ProtocolLimits.maximumTextByteCount, field: "text length")
    }

    /// A reason, cut when it is too long: it has to come through.
    mutating func writeReason(_ text: String) {
        let maximum = ProtocolLimits.maximumReasonByteCount
        guard text.utf8.count > maximum else { return writeText(text) }
        // A character that is cut becomes U+FFFD, which may be two bytes longer than its rest.
        writeText(String(decoding: text.utf8.prefix(maximum - 2), as: UTF8.self))
    }

    private mutating func writeLimitedText(
        _ text: String, maximumByteCount: Int, field: WireError.FieldName
    ) {
        if text.isEmpty { return writeUInt32(0) }
        check(text.utf8.count, maximum: maximumByteCount, field: field)
        writeText(text)
    }

    /// A count of elements, refused over `maximum`.
    mutating func writeCount(_ value: Int, maximum: Int, field: WireError.FieldName) {
        check(value, maximum: maximum, field: field)
        writeCount(value)
    }

    /// Refuses a value over `maximum`.
    @inline(__always)
    mutating func check(_ value: Int, maximum: Int, field: WireError.FieldName) {
        if value > maximum { refuseValue(UInt64(value), maximum: UInt64(maximum), field: field) }
    }

    /// Refuses a value over `maximum`.
    @inline(__always)
    mutating func check(_ value: UInt64, maximum: UInt64, field: WireError.FieldName) {
        if value > maximum { refuseValue(value, maximum: maximum, field: field) }
    }

    @inline(never)
    private mutating func refuseValue(_ value: UInt64, maximum: UInt64, field: WireError.FieldName)
    {
        refuse(.valueOutOfRange(field: field, value: value, maximum: maximum))
    }
}

// MARK: - Blocks

/// Some bytes of a body that hold fields at known places: checked once, then read without a call
/// for each. For the messages of which there is one per frame. (Functions of another module that
/// are `package` are not inlined, not even with `@inlinable`, hence the types here.)
struct FieldBlock {
    private let bytes: UnsafeRawBufferPointer

    /// The next `byteCount` bytes of `reader`; valid as long as those.
    @inline(__always)
    init(_ byteCount: Int, of reader: inout ByteReader) throws(WireError) {
        bytes = try reader.readBytes(byteCount)
    }

    /// The number at `byteOffset`, which with its bytes must lie in the block.
    @inline(__always)
    func value<Value: FixedWidthInteger & BitwiseCopyable>(
        at byteOffset: Int, as type: Value.Type = Value.self
    ) -> Value {
        Value(littleEndian: bytes.loadUnaligned(fromByteOffset: byteOffset, as: type))
    }
}

/// Some bytes of a body that are written at known places.
struct MutableFieldBlock {
    private let bytes: UnsafeMutableRawBufferPointer

    /// `byteCount` bytes at the end of `writer`, which are filled in whole before it is used again.
    @inline(__always)
    init(_ byteCount: Int, of writer: inout ByteWriter) {
        bytes = UnsafeMutableRawBufferPointer(
            start: writer.appendBlock(byteCount), count: byteCount)
    }

    /// Puts a number at `byteOffset`; with its bytes it must lie in the block.
    @inline(__always)
    func set<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at byteOffset: Int) {
        bytes.storeBytes(of: value.littleEndian, toByteOffset: byteOffset, as: Value.self)
    }
}
