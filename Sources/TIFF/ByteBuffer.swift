import Glibc

/// Bytes that grow and whose room is used again, so that a steady stream of files allocates
/// nothing.
struct ByteBuffer: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 4096) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    mutating func removeAll() { count = 0 }

    /// Forgets what is behind `newCount`.
    mutating func truncate(to newCount: Int) { count = min(count, newCount) }

    private mutating func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        let grown = max(2 * capacity, count + more)
        let room = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
        room.copyMemory(from: base, byteCount: count)
        base.deallocate()
        (base, capacity) = (room, grown)
    }

    /// Adds `more` zero bytes and returns where they begin.
    @discardableResult
    mutating func appendZeros(_ more: Int) -> Int {
        reserve(more)
        (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: more)
        count += more
        return count - more
    }

    mutating func append(byte: UInt8) {
        reserve(1)
        (base + count).storeBytes(of: byte, as: UInt8.self)
        count += 1
    }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ text: String) {
        let length = text.utf8.count
        reserve(length)
        let copied: Void? = text.utf8.withContiguousStorageIfAvailable { utf8 in
            (base + count).copyMemory(
                from: utf8.baseAddress ?? UnsafePointer(bitPattern: 1)!, byteCount: utf8.count)
        }
        if copied == nil {
            for (index, byte) in text.utf8.enumerated() {
                (base + count + index).storeBytes(of: byte, as: UInt8.self)
            }
        }
        count += length
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        reserve(bytes.count)
        (base + count).copyMemory(from: start, byteCount: bytes.count)
        count += bytes.count
    }

    mutating func append(decimal value: UInt64, minimumDigits: Int = 1) {
        reserve(20)
        var rest = value
        var digits = 0
        // Digits come from the last to the first and are turned round after that.
        repeat {
            (base + count + digits).storeBytes(
                of: UInt8(ascii: "0") + UInt8(rest % 10), as: UInt8.self)
            rest /= 10
            digits += 1
        } while rest > 0 || digits < minimumDigits
        var (low, high) = (count, count + digits - 1)
        while low < high {
            let byte = base.load(fromByteOffset: low, as: UInt8.self)
            base.storeBytes(
                of: base.load(fromByteOffset: high, as: UInt8.self), toByteOffset: low,
                as: UInt8.self)
            base.storeBytes(of: byte, toByteOffset: high, as: UInt8.self)
            (low, high) = (low + 1, high - 1)
        }
        count += digits
    }

    mutating func append(decimal value: Int64) {
        if value < 0 { append(byte: UInt8(ascii: "-")) }
        append(decimal: value.magnitude)
    }

    /// Writes a number at a place that exists, in the machine's order.
    func store<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= count)
        (base + offset).storeBytes(of: value, as: Value.self)
    }

    func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        bytes.loadUnaligned(fromByteOffset: offset, as: type)
    }

    /// Whether the bytes from `start` are those of `text`.
    func hasText(_ text: some StringProtocol, from start: Int) -> Bool {
        bytes[start...].elementsEqual(text.utf8)
    }

    /// Where the first zero byte from `start` is, nil when there is none.
    func firstZero(from start: Int) -> Int? {
        guard start < count, let found = memchr(base + start, 0, count - start) else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }
}
