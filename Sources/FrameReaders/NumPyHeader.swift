import NDArrays

/// The header of an `.npy` file: a Python dictionary of type, order and shape (NEP 1, formats 1.0
/// to 3.0).
struct NumPyHeader: Equatable {
    /// The longest header that is read: NumPy's own are padded to 128 bytes, long ones are
    /// structured types.
    static let maximumByteCount = 64 << 10

    let elementType: ElementType
    /// Whether the file's byte order is not the machine's.
    let isSwapped: Bool
    let isFortranOrder: Bool
    let shape: [Int]

    /// Why a header can't be used.
    enum Fault: Error, Equatable {
        case damaged(String, position: Int)
        case unsupported(String)
    }

    /// Parses the dictionary, whose bytes come after the magic, version and length.
    init(_ bytes: [UInt8]) throws(Fault) {
        var parser = Parser(bytes: bytes)
        var (type, order, shape): (String?, Bool?, [Int]?) = (nil, nil, nil)
        try parser.expect("{")
        while !parser.take("}") {
            let key = try parser.string()
            try parser.expect(":")
            switch key {
            case "descr":
                guard parser.peek != UInt8(ascii: "[") else {
                    throw .unsupported("arrays of structures")
                }
                type = try parser.string()
            case "fortran_order": order = try parser.boolean()
            case "shape": shape = try parser.shape()
            default: throw .damaged("unknown key '\(key)'", position: parser.position)
            }
            if !parser.take(",") {
                try parser.expect("}")
                break
            }
        }
        guard parser.isAtEnd else {
            throw .damaged("text after the dictionary", position: parser.position)
        }
        guard let type else { throw .damaged("'descr' is missing", position: 0) }
        guard let order else { throw .damaged("'fortran_order' is missing", position: 0) }
        guard let shape else { throw .damaged("'shape' is missing", position: 0) }
        guard let (elementType, isSwapped) = Self.elementType(type) else {
            throw .unsupported("the type '\(type)'")
        }
        self.elementType = elementType
        self.isSwapped = isSwapped
        isFortranOrder = order
        self.shape = shape
    }

    private static func elementType(_ text: String) -> (ElementType, Bool)? {
        let characters = Array(text)
        guard characters.count == 3, let order = characters.first, "<>|=".contains(order) else {
            return nil
        }
        let types: [String: ElementType] = [
            "b1": .boolean, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64, "u1": .uint8,
            "u2": .uint16, "u4": .uint32, "u8": .uint64, "f4": .float32, "f8": .float64,
        ]
        guard let type = types[String(characters[1...])] else { return nil }
        guard order != "|" || type.byteCount == 1 else { return nil }
        return (type, order == ">" && type.byteCount > 1)
    }

    private struct Parser {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        private mutating func skipSpace() {
            while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
                position += 1
            }
        }

        var peek: UInt8? {
            mutating get {
                skipSpace()
                return position < bytes.count ? bytes[position] : nil
            }
        }

        var isAtEnd: Bool { mutating get { peek == nil } }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard let next = peek, next == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func expect(_ character: Unicode.Scalar) throws(Fault) {
            guard take(character) else {
                throw .damaged("'\(character)' expected", position: position)
            }
        }

        mutating func string() throws(Fault) -> String {
            guard let quote = peek, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
            else { throw .damaged("a text expected", position: position) }
            let start = position + 1
            guard let end = bytes[start...].firstIndex(of: quote) else {
                throw .damaged("a text without end", position: position)
            }
            position = end + 1
            return String(decoding: bytes[start..<end], as: UTF8.self)
        }

        mutating func boolean() throws(Fault) -> Bool {
            skipSpace()
            for (word, value) in [("True", true), ("False", false)]
            where bytes[position...].starts(with: word.utf8) {
                position += word.utf8.count
                return value
            }
            throw .damaged("True or False expected", position: position)
        }

        mutating func shape() throws(Fault) -> [Int] {
            try expect("(")
            var sizes: [Int] = []
            while !take(")") {
                sizes.append(try number())
                guard sizes.count <= 32 else {
                    throw .damaged("more than 32 dimensions", position: position)
                }
                if !take(",") {
                    try expect(")")
                    break
                }
            }
            return sizes
        }

        private mutating func number() throws(Fault) -> Int {
            skipSpace()
            let digits = bytes[position...].prefix { (0x30...0x39).contains($0) }
            guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
                throw .damaged("a size expected", position: position)
            }
            position += digits.count
            // Python 2 wrote long integers with an L.
            if position < bytes.count, bytes[position] == UInt8(ascii: "L") { position += 1 }
            return value
        }
    }
}
