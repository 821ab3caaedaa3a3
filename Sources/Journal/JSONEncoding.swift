// A JSON encoder and parser of our own, because an event keeps the order of its keys and tells
// whole numbers from others, which `JSONEncoder` and `Codable` containers do not, and because a
// line per event should not cost a tree of boxes. Text follows RFC 8259.

/// Writes JSON into bytes.
struct JSONEncoding {
    /// Containers within containers; deeper ones are refused, so that no reader needs a deep stack.
    static let maximumDepth = 64

    var bytes: [UInt8] = []

    mutating func literal(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ value: JournalValue, depth: Int = 0) throws(JournalError) {
        switch value {
        case .null: literal("null")
        case .bool(let value): literal(value ? "true" : "false")
        case .int(let value): bytes.append(contentsOf: String(value).utf8)
        case .uint(let value): bytes.append(contentsOf: String(value).utf8)
        case .double(let value): append(value)
        case .string(let value): append(value)
        case .array(let elements):
            try checkDepth(depth)
            bytes.append(UInt8(ascii: "["))
            for (place, element) in elements.enumerated() {
                if place > 0 { bytes.append(UInt8(ascii: ",")) }
                try append(element, depth: depth + 1)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let fields): try append(fields, depth: depth)
        }
    }

    mutating func append(_ fields: [JournalField], depth: Int = 0) throws(JournalError) {
        try checkDepth(depth)
        bytes.append(UInt8(ascii: "{"))
        for (place, field) in fields.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            append(field.key)
            bytes.append(UInt8(ascii: ":"))
            try append(field.value, depth: depth + 1)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// The shortest decimal that reads back as the same number; not finite: a string.
    mutating func append(_ value: Double) {
        if value.isFinite {
            bytes.append(contentsOf: value.description.utf8)
        } else if value.isNaN {
            literal("\"NaN\"")
        } else {
            literal(value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
        }
    }

    /// Escapes what RFC 8259 §7 demands, and besides DEL and the C1 controls, so that showing a
    /// journal on a terminal never drives it.
    mutating func append(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { utf8 in
            // What stands for itself is copied as a whole.
            var start = 0
            for place in utf8.indices where Self.isEscaped(utf8, at: place) {
                bytes.append(contentsOf: utf8[start..<place])
                start = place + escape(utf8, at: place)
            }
            bytes.append(contentsOf: utf8[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// C1 controls are two bytes, of which the first is 0xC2 and the second below 0xA0.
    private static func isEscaped(_ utf8: UnsafeBufferPointer<UInt8>, at place: Int) -> Bool {
        switch utf8[place] {
        case 0..<0x20, 0x22, 0x5C, 0x7F: true
        case 0xC2: utf8[place + 1] < 0xA0
        default: false
        }
    }

    /// Writes what stands for the character there; the number of its bytes.
    private mutating func escape(_ utf8: UnsafeBufferPointer<UInt8>, at place: Int) -> Int {
        switch utf8[place] {
        case 0x22: literal("\\\"")
        case 0x5C: literal("\\\\")
        case 0x0A: literal("\\n")
        case 0x0D: literal("\\r")
        case 0x09: literal("\\t")
        case let byte:
            // The code point of a C1 control is its second byte.
            let isC1 = byte == 0xC2
            let code = UInt32(isC1 ? utf8[place + 1] : byte)
            literal("\\u00")
            bytes.append(Self.hexDigit(code >> 4))
            bytes.append(Self.hexDigit(code & 15))
            return isC1 ? 2 : 1
        }
        return 1
    }

    /// Seconds with six decimals; `seconds` must have been through `wholeMicroseconds`.
    mutating func append(microsecondsOf seconds: Double) {
        let microseconds = UInt64((seconds * 1e6).rounded())
        let (whole, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let digits = String(fraction)
        bytes.append(contentsOf: "\(whole).".utf8)
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 6 - digits.utf8.count))
        bytes.append(contentsOf: digits.utf8)
    }

    private func checkDepth(_ depth: Int) throws(JournalError) {
        guard depth < Self.maximumDepth else { throw .nestedTooDeep(limit: Self.maximumDepth) }
    }

    private static func hexDigit(_ value: UInt32) -> UInt8 {
        UInt8(value < 10 ? 0x30 + value : 0x57 + value)
    }
}

extension JournalValue {
    /// The value as compact JSON, keys in order, numbers that are not finite as strings; refuses
    /// more than 64 containers within each other.
    public func json() throws(JournalError) -> String {
        var encoding = JSONEncoding()
        try encoding.append(self)
        return String(decoding: encoding.bytes, as: UTF8.self)
    }

    /// The same as UTF-8, with a line feed behind it.
    package func jsonLine() throws(JournalError) -> [UInt8] {
        var encoding = JSONEncoding()
        // A line of statistics or of an event has room in it.
        encoding.bytes.reserveCapacity(512)
        try encoding.append(self)
        encoding.literal("\n")
        return encoding.bytes
    }
}
