/// A JSON value, with numbers as they are written, so that 64-bit integers stay exact (RFC 8259).
///
/// FoundationEssentials is kept off the path of a frame; the provenance block needs no more than
/// this.
enum JSONText: Equatable {
    case null
    case boolean(Bool)
    case number(String)
    case string(String)
    case list([JSONText])
    /// Members in order: objects are small, and looking through them is faster than hashing.
    case object([Member])

    struct Member: Equatable {
        let name: String
        let value: JSONText
    }

    /// Nesting that is followed: the block has three levels.
    static let maximumDepth = 8

    /// Reads one value; nil when the bytes are not JSON or are nested more than `maximumDepth`
    /// levels.
    init?(_ bytes: some Collection<UInt8>) {
        var parser = Parser(bytes: [UInt8](bytes))
        guard let value = parser.value(depth: 0) else { return nil }
        parser.skipSpace()
        guard parser.position == parser.bytes.count else { return nil }
        self = value
    }

    subscript(key: String) -> JSONText? {
        if case .object(let members) = self { members.first { $0.name == key }?.value } else { nil }
    }

    var text: String? { if case .string(let text) = self { text } else { nil } }
    var list: [JSONText]? { if case .list(let list) = self { list } else { nil } }
    var flag: Bool? { if case .boolean(let flag) = self { flag } else { nil } }

    /// The number, when it is one of this type.
    func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
        if case .number(let text) = self { Value(text) } else { nil }
    }

    private struct Parser {
        let bytes: [UInt8]
        var position = 0

        var next: UInt8? { position < bytes.count ? bytes[position] : nil }

        mutating func skipSpace() {
            while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
                position += 1
            }
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            skipSpace()
            guard next == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func word(_ word: StaticString, _ value: JSONText) -> JSONText? {
            let length = word.utf8CodeUnitCount
            guard position + length <= bytes.count else { return nil }
            for index in 0..<length where bytes[position + index] != word.utf8Start[index] {
                return nil
            }
            position += length
            return value
        }

        mutating func value(depth: Int) -> JSONText? {
            guard depth < JSONText.maximumDepth else { return nil }
            skipSpace()
            switch next {
            case UInt8(ascii: "{"): return object(depth: depth)
            case UInt8(ascii: "["): return list(depth: depth)
            case UInt8(ascii: "\""): return string().map { .string($0) }
            case UInt8(ascii: "t"): return word("true", .boolean(true))
            case UInt8(ascii: "f"): return word("false", .boolean(false))
            case UInt8(ascii: "n"): return word("null", .null)
            default: return number()
            }
        }

        mutating func object(depth: Int) -> JSONText? {
            var members: [Member] = []
            guard take("{") else { return nil }
            if take("}") { return .object(members) }
            repeat {
                skipSpace()
                guard let name = string(), take(":"), let member = value(depth: depth + 1) else {
                    return nil
                }
                members.append(Member(name: name, value: member))
            } while take(",")
            return take("}") ? .object(members) : nil
        }

        mutating func list(depth: Int) -> JSONText? {
            var items: [JSONText] = []
            guard take("[") else { return nil }
            if take("]") { return .list(items) }
            repeat {
                guard let item = value(depth: depth + 1) else { return nil }
                items.append(item)
            } while take(",")
            return take("]") ? .list(items) : nil
        }

        mutating func number() -> JSONText? {
            let start = position
            while let byte = next, Self.isNumeric(byte) { position += 1 }
            guard position > start else { return nil }
            return .number(String(decoding: bytes[start..<position], as: UTF8.self))
        }

        private static func isNumeric(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
                true
            default: false
            }
        }

        mutating func string() -> String? {
            guard next == UInt8(ascii: "\"") else { return nil }
            position += 1
            // Most texts have nothing to unescape and are taken as they are.
            let start = position
            while let byte = next, byte >= 0x20, byte != 0x22, byte != 0x5C { position += 1 }
            if next == 0x22 {
                position += 1
                return String(decoding: bytes[start..<position - 1], as: UTF8.self)
            }
            var text = Array(bytes[start..<position])
            while let byte = next {
                position += 1
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let scalar = escaped() else { return nil }
                    text.append(contentsOf: String(Character(scalar)).utf8)
                case 0..<0x20: return nil
                default: text.append(byte)
                }
            }
            return nil
        }

        mutating func escaped() -> Unicode.Scalar? {
            guard let byte = next else { return nil }
            position += 1
            switch byte {
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{C}"
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
                return Unicode.Scalar(byte)
            case UInt8(ascii: "u"):
                guard let high = hexadecimal() else { return nil }
                guard (0xD800..<0xDC00).contains(high) else { return Unicode.Scalar(high) }
                guard word("\\u", .null) != nil, let low = hexadecimal(),
                    (0xDC00..<0xE000).contains(low)
                else { return nil }
                return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
            default: return nil
            }
        }

        mutating func hexadecimal() -> UInt32? {
            guard position + 4 <= bytes.count else { return nil }
            let digits = bytes[position..<position + 4]
            guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else {
                return nil
            }
            position += 4
            return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        }
    }
}

extension ByteBuffer {
    /// Adds `text` as a JSON string; control characters are escaped, all else is UTF-8.
    mutating func append(json text: String) {
        append(byte: UInt8(ascii: "\""))
        let start = count
        append(text)
        let needsEscape = bytes[start...].contains { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }
        if needsEscape {
            truncate(to: start)
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "\""): append("\\\"" as StaticString)
                case UInt8(ascii: "\\"): append("\\\\" as StaticString)
                case UInt8(ascii: "\n"): append("\\n" as StaticString)
                case UInt8(ascii: "\r"): append("\\r" as StaticString)
                case UInt8(ascii: "\t"): append("\\t" as StaticString)
                case 0..<0x20:
                    append("\\u00" as StaticString)
                    for digit in [byte >> 4, byte & 15] {
                        append(byte: digit < 10 ? 0x30 + digit : 0x57 + digit)
                    }
                default: append(byte: byte)
                }
            }
        }
        append(byte: UInt8(ascii: "\""))
    }
}
