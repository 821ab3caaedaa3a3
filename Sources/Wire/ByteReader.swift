/// Reads fields one after the other from bytes that it borrows.
///
/// The reader and every sub-buffer it gives are valid only as long as the bytes are: for the body
/// of a message until the decoder that gave it is filled again. It never reads beyond the bytes,
/// never traps, and allocates only for texts, which are checked against what is really there
/// first.
package struct ByteReader {
    @usableFromInline let bytes: UnsafeRawBufferPointer
    @usableFromInline let origin: UInt64
    @usableFromInline var position: Int

    /// A reader of `bytes`, which lie at `byteOffset` of their stream (for errors).
    @inlinable
    package init(_ bytes: UnsafeRawBufferPointer, byteOffset: UInt64 = 0) {
        self.bytes = bytes
        self.origin = byteOffset
        self.position = 0
    }

    /// Bytes that are not read yet.
    @inlinable
    package var remainingByteCount: Int { bytes.count - position }

    /// The offset in the stream of the next byte to be read.
    @inlinable
    package var byteOffset: UInt64 { origin + UInt64(position) }

    /// An error of `code` at the next byte, for callers with rules of their own.
    @inlinable
    package func error(_ code: WireError.Code) -> WireError {
        WireError(code, byteOffset: byteOffset)
    }

    /// Refuses bytes that no field has taken.
    @inlinable
    package func finish() throws(WireError) {
        if remainingByteCount != 0 {
            throw error(.trailingBytes(count: UInt64(remainingByteCount)))
        }
    }

    @inlinable
    mutating func readInteger<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type
    ) throws(WireError) -> Value {
        let byteCount = MemoryLayout<Value>.size
        try need(byteCount)
        let value = bytes.loadUnaligned(fromByteOffset: position, as: Value.self)
        position += byteCount
        return Value(littleEndian: value)
    }

    @inlinable
    func need(_ byteCount: Int) throws(WireError) {
        if byteCount > remainingByteCount {
            throw error(
                .truncated(needed: UInt64(byteCount), had: UInt64(remainingByteCount)))
        }
    }
}

// MARK: - Numbers

extension ByteReader {
    /// One byte.
    @inlinable
    package mutating func readUInt8() throws(WireError) -> UInt8 { try readInteger(UInt8.self) }

    /// Two bytes.
    @inlinable
    package mutating func readUInt16() throws(WireError) -> UInt16 { try readInteger(UInt16.self) }

    /// Four bytes.
    @inlinable
    package mutating func readUInt32() throws(WireError) -> UInt32 { try readInteger(UInt32.self) }

    /// Eight bytes.
    @inlinable
    package mutating func readUInt64() throws(WireError) -> UInt64 { try readInteger(UInt64.self) }

    /// One byte, two's complement.
    @inlinable
    package mutating func readInt8() throws(WireError) -> Int8 { try readInteger(Int8.self) }

    /// Two bytes, two's complement.
    @inlinable
    package mutating func readInt16() throws(WireError) -> Int16 { try readInteger(Int16.self) }

    /// Four bytes, two's complement.
    @inlinable
    package mutating func readInt32() throws(WireError) -> Int32 { try readInteger(Int32.self) }

    /// Eight bytes, two's complement.
    @inlinable
    package mutating func readInt64() throws(WireError) -> Int64 { try readInteger(Int64.self) }

    /// Four bytes, IEEE 754; any bit pattern, NaN included, comes through unchanged.
    @inlinable
    package mutating func readFloat() throws(WireError) -> Float {
        Float(bitPattern: try readUInt32())
    }

    /// Eight bytes, IEEE 754; any bit pattern, NaN included, comes through unchanged.
    @inlinable
    package mutating func readDouble() throws(WireError) -> Double {
        Double(bitPattern: try readUInt64())
    }

    /// One byte that is 0 or 1; anything else is `unknownValue`.
    @inlinable
    package mutating func readBool() throws(WireError) -> Bool {
        try need(1)
        let value = bytes[position]
        if value > 1 {
            throw error(.unknownValue(field: "boolean", value: UInt64(value)))
        }
        position += 1
        return value == 1
    }
}

// MARK: - Counts, texts, bytes

extension ByteReader {
    /// A UInt32 that counts the elements that follow. It is refused when it is over `maximum`, or
    /// when so many elements of at least `elementByteCount` bytes cannot be there: so it is safe to
    /// reserve room for that many.
    @inlinable
    package mutating func readCount(
        elementByteCount: Int, maximum: Int, field: WireError.FieldName = "count"
    ) throws(WireError) -> Int {
        try need(4)
        let count = Int(
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
        if count > maximum {
            throw error(
                .valueOutOfRange(field: field, value: UInt64(count), maximum: UInt64(maximum)))
        }
        let needed = UInt64(count) * UInt64(elementByteCount)
        let had = remainingByteCount - 4
        if needed > UInt64(had) {
            throw error(.truncated(needed: needed, had: UInt64(had)))
        }
        position += 4
        return count
    }

    /// The next `byteCount` bytes in place; they live as long as the reader's bytes.
    @inlinable
    package mutating func readBytes(
        _ byteCount: Int
    ) throws(WireError) -> UnsafeRawBufferPointer {
        if byteCount < 0 { throw error(.truncated(needed: .max, had: 0)) }
        try need(byteCount)
        let part = UnsafeRawBufferPointer(rebasing: bytes[position..<position + byteCount])
        position += byteCount
        return part
    }

    /// A UInt32 count and so many bytes, in place; they live as long as the reader's bytes.
    @inlinable
    package mutating func readCountedBytes(
        maximumByteCount: Int, field: WireError.FieldName = "byte count"
    ) throws(WireError) -> UnsafeRawBufferPointer {
        let byteCount = try readCount(
            elementByteCount: 1, maximum: maximumByteCount, field: field)
        return try readBytes(byteCount)
    }

    /// A UInt32 count of bytes and a text in UTF-8, which may be empty and may hold any character.
    /// Throws `badText` for anything that is not UTF-8.
    package mutating func readText(
        maximumByteCount: Int, field: WireError.FieldName = "text length"
    ) throws(WireError) -> String {
        let start = position
        let part = try readCountedBytes(maximumByteCount: maximumByteCount, field: field)
        if part.isEmpty { return "" }
        // Most texts of a frame are empty, and all but a few are ASCII: the standard library's check of
        // any bytes costs a thousand instructions before it looks at the first.
        if part.isEmpty { return "" }
        if part.allSatisfy({ $0 < 0x80 }) { return String(decoding: part, as: UTF8.self) }
        guard let text = String(validating: part, as: UTF8.self) else {
            position = start
            throw WireError(
                .badText(byteCount: UInt64(part.count)), byteOffset: byteOffset + 4)
        }
        return text
    }
}
