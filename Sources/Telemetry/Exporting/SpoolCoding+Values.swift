internal import Journal

// Values are stored as tagged bytes and not as JSON, because JSON loses which number was a whole one, and
// what is not finite.

/// Containers within containers of a stored value, so that no reader needs a deep stack.
private let maximumDepth = 64

extension [UInt8] {
    mutating func append<Number: FixedWidthInteger>(number: Number) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    /// A text of up to 65 535 bytes, cut there; sources and names are far shorter.
    mutating func append(text: String) {
        let bytes = text.utf8.prefix(Int(UInt16.max))
        append(number: UInt16(bytes.count))
        append(contentsOf: bytes)
    }

    private mutating func append(long text: String) {
        append(number: UInt32(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    mutating func append(value: JournalValue, depth: Int) throws(SpoolError) {
        guard depth <= maximumDepth else { throw .tooDeep(limit: maximumDepth) }
        switch value {
        case .null: append(0)
        case .bool(let value): append(value ? 2 : 1)
        case .int(let value):
            append(3)
            append(number: value)
        case .uint(let value):
            append(4)
            append(number: value)
        case .double(let value):
            append(5)
            append(number: value.bitPattern)
        case .string(let text):
            append(6)
            append(long: text)
        case .array(let elements):
            append(7)
            append(number: UInt32(elements.count))
            for element in elements { try append(value: element, depth: depth + 1) }
        case .object(let fields):
            append(8)
            append(number: UInt32(fields.count))
            for field in fields {
                append(long: field.key)
                try append(value: field.value, depth: depth + 1)
            }
        }
    }
}

/// Takes numbers, texts and values off bytes: total, so any bytes give a value or nil.
struct SpoolReader {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { bytes.isEmpty }

    mutating func rest() -> [UInt8] {
        defer { bytes = [] }
        return Array(bytes)
    }

    mutating func byte() -> UInt8? { bytes.popFirst() }

    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>() -> Number? {
        let width = MemoryLayout<Number>.size
        guard bytes.count >= width else { return nil }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(as: Number.self) }
        bytes.removeFirst(width)
        return Number(littleEndian: value)
    }

    mutating func text() -> String? {
        guard let count: UInt16 = number() else { return nil }
        return text(count: Int(count))
    }

    /// A cut text may end within a character; the rest of it is replaced.
    private mutating func text(count: Int) -> String? {
        guard bytes.count >= count else { return nil }
        defer { bytes.removeFirst(count) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    private mutating func longText() -> String? {
        guard let count: UInt32 = number() else { return nil }
        return text(count: Int(count))
    }

    /// The seq and the destinations at the beginning of a record.
    mutating func header() -> (seq: UInt64, owed: [String])? {
        guard let seq: UInt64 = number(), seq < .max, let count: UInt16 = number() else {
            return nil
        }
        var owed: [String] = []
        for _ in 0..<count {
            guard let name = text() else { return nil }
            owed.append(name)
        }
        return (seq, owed)
    }

    mutating func value(depth: Int) -> JournalValue? {
        guard depth <= maximumDepth, let tag = byte() else { return nil }
        switch tag {
        case 0: return .null
        case 1: return .bool(false)
        case 2: return .bool(true)
        case 3: return (number() as Int64?).map { .int($0) }
        case 4: return (number() as UInt64?).map { .uint($0) }
        case 5: return (number() as UInt64?).map { .double(Double(bitPattern: $0)) }
        case 6: return longText().map { .string($0) }
        case 7:
            // Each element has a byte at least, so a count beyond the rest is no count.
            guard let count: UInt32 = number(), count <= bytes.count else { return nil }
            var elements: [JournalValue] = []
            for _ in 0..<count {
                guard let element = value(depth: depth + 1) else { return nil }
                elements.append(element)
            }
            return .array(elements)
        case 8:
            guard let count: UInt32 = number(), count <= bytes.count else { return nil }
            var fields: [JournalField] = []
            for _ in 0..<count {
                guard let key = longText(), let value = value(depth: depth + 1) else { return nil }
                fields.append(JournalField(key, value))
            }
            return .object(fields)
        default: return nil
        }
    }
}
