/// Why bytes are no JSON, and where.
struct JSONFlaw: Error, Equatable {
    var reason: String
    var byteOffset: Int
}

/// A strict parser of RFC 8259 that is total: any bytes give a value or a flaw, with bounded depth
/// and memory proportional to the input.
struct JSONParsing {
    private let bytes: ArraySlice<UInt8>
    private var place: Int

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        place = bytes.startIndex
    }

    /// The one value the bytes hold.
    static func value(of bytes: ArraySlice<UInt8>) throws(JSONFlaw) -> JournalValue {
        var parser = JSONParsing(bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.next == nil else { throw parser.flaw("text after the value") }
        return value
    }

    private var next: UInt8? { place < bytes.endIndex ? bytes[place] : nil }

    private func flaw(_ reason: String) -> JSONFlaw {
        JSONFlaw(reason: reason, byteOffset: place - bytes.startIndex)
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            place += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        place += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONFlaw) -> JournalValue {
        skipSpace()
        guard let next else { throw flaw("ends where a value must begin") }
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw flaw("no value begins like this")
        }
    }

    private mutating func word(
        _ word: StaticString, _ value: JournalValue
    ) throws(JSONFlaw) -> JournalValue {
        let isThere = word.withUTF8Buffer { bytes[place...].starts(with: $0) }
        guard isThere else { throw flaw("unknown word") }
        place += word.utf8CodeUnitCount
        return value
    }

    private mutating func array(depth: Int) throws(JSONFlaw) -> JournalValue {
        guard depth < JSONEncoding.maximumDepth else { throw flaw("too many nested containers") }
        place += 1
        var elements: [JournalValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array([]) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else { throw flaw("expected , or ] in a list") }
        }
    }

    private mutating func object(depth: Int) throws(JSONFlaw) -> JournalValue {
        guard depth < JSONEncoding.maximumDepth else { throw flaw("too many nested containers") }
        place += 1
        var fields: [JournalField] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object([]) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw flaw("expected a key") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw flaw("expected : after a key") }
            fields.append(JournalField(key, try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(fields) }
            guard take(UInt8(ascii: ",")) else { throw flaw("expected , or } in an object") }
        }
    }

    private mutating func digits() -> Int {
        let start = place
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { place += 1 }
        return place - start
    }

    private mutating func number() throws(JSONFlaw) -> JournalValue {
        let start = place
        _ = take(UInt8(ascii: "-"))
        let hasLeadingZero = next == UInt8(ascii: "0")
        let wholeDigits = digits()
        guard wholeDigits == 1 || (wholeDigits > 1 && !hasLeadingZero) else {
            throw flaw("malformed number")
        }
        var isWhole = true
        if take(UInt8(ascii: ".")) {
            isWhole = false
            guard digits() > 0 else { throw flaw("malformed number") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isWhole = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard digits() > 0 else { throw flaw("malformed number") }
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if isWhole, let value = Int64(text) { return .int(value) }
        if isWhole, let value = UInt64(text) { return .uint(value) }
        guard let value = Double(text), value.isFinite else { throw flaw("number out of range") }
        return .double(value)
    }

    private mutating func string() throws(JSONFlaw) -> String {
        place += 1
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw flaw("text is not UTF-8")
                }
                place += 1
                return string
            case UInt8(ascii: "\\"):
                place += 1
                try escape(into: &text)
            case 0..<0x20: throw flaw("control character in text")
            default:
                text.append(byte)
                place += 1
            }
        }
        throw flaw("text does not end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONFlaw) {
        guard let byte = next else { throw flaw("text does not end") }
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "u"): text.append(contentsOf: Array(String(try scalar()).utf8))
        default: throw flaw("unknown escape")
        }
    }

    private mutating func scalar() throws(JSONFlaw) -> Character {
        var value = try hexQuad()
        if (0xD800..<0xDC00).contains(value) {
            guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
                throw flaw("half a surrogate pair")
            }
            let low = try hexQuad()
            guard (0xDC00..<0xE000).contains(low) else { throw flaw("half a surrogate pair") }
            value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw flaw("half a surrogate pair") }
        return Character(scalar)
    }

    private mutating func hexQuad() throws(JSONFlaw) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw flaw("malformed \\u escape")
            }
            value = value << 4 | UInt32(digit)
            place += 1
        }
        return value
    }
}

extension JournalValue {
    /// The value that JSON text holds; nil when the text is no JSON or nested deeper than 64.
    public init?(json: String) {
        guard let value = try? JSONParsing.value(of: Array(json.utf8)[...]) else { return nil }
        self = value
    }
}
