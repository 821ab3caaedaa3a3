/// PvaPy's `EncryptedData`: what its encryptors send and its decryptors take.
///
/// As bytes it is what pvAccess sends of it, little-endian: the introspection of the structure
/// (`FieldDesc`) and its value (pvAccess Protocol Specification, "Data Encoding").
struct EncryptedObject: Equatable {
    /// The type id, with PvaPy's spelling.
    static let typeName = "pvapy:EncyptedData:1.0"
    private static let cipherTypeName = "pvapy:Cipher:1.0"
    /// pycryptodome's number of the EAX mode, and the bits of the session key.
    private static let parameters: [(String, UInt16)] = [("mode", 9), ("keyLength", 128)]

    private enum Code {
        static let uint16: UInt8 = 0x25
        static let uint64: UInt8 = 0x27
        static let text: UInt8 = 0x60
        static let structure: UInt8 = 0x80
        static let anything: UInt8 = 0x82
        static let null: UInt8 = 0xFF
    }

    var objectId: UInt64
    /// Where in the bytes the base64 text of nonce and ciphertext lies.
    var data: Range<Int>
    /// The wrapped session key.
    var key: [UInt8]
    /// Empty: not signed.
    var signature: [UInt8]

    // MARK: Writing

    /// Everything before the data, and everything behind.
    static func encoded(
        objectId: UInt64, dataByteCount: Int, key: [UInt8], signature: [UInt8]
    ) -> (head: [UInt8], tail: [UInt8]) {
        var head: [UInt8] = []
        appendStructure(typeName, 5, to: &head)
        for (name, code) in [
            ("objectId", Code.uint64), ("data", Code.text), ("key", Code.text),
            ("signature", Code.text),
        ] {
            append(name, to: &head)
            head.append(code)
        }
        append("cipher", to: &head)
        appendStructure(cipherTypeName, 2, to: &head)
        append("name", to: &head)
        head.append(Code.text)
        append("parameters", to: &head)
        head.append(Code.anything)
        withUnsafeBytes(of: objectId.littleEndian) { head.append(contentsOf: $0) }
        appendSize(dataByteCount, to: &head)
        return (head, tail(key, signature))
    }

    private static func tail(_ key: [UInt8], _ signature: [UInt8]) -> [UInt8] {
        var tail: [UInt8] = []
        for bytes in [key, signature] {
            appendSize(bytes.count, to: &tail)
            tail += bytes
        }
        append("AES", to: &tail)
        appendStructure("", parameters.count, to: &tail)
        for (name, _) in parameters {
            append(name, to: &tail)
            tail.append(Code.uint16)
        }
        for (_, value) in parameters {
            withUnsafeBytes(of: value.littleEndian) { tail.append(contentsOf: $0) }
        }
        return tail
    }

    private static func appendStructure(
        _ typeName: String, _ fieldCount: Int, to bytes: inout [UInt8]
    ) {
        bytes.append(Code.structure)
        append(typeName, to: &bytes)
        appendSize(fieldCount, to: &bytes)
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        appendSize(text.utf8.count, to: &bytes)
        bytes += text.utf8
    }

    private static func appendSize(_ count: Int, to bytes: inout [UInt8]) {
        if count < 254 { return bytes.append(UInt8(count)) }
        bytes.append(254)
        withUnsafeBytes(of: UInt32(clamping: count).littleEndian) { bytes.append(contentsOf: $0) }
    }

    // MARK: Reading

    /// Reads an object; any bytes may be given.
    init(_ bytes: UnsafeRawBufferPointer) throws(EncryptionError) {
        var reader = Reader(bytes: bytes)
        let form = try reader.readForm(depth: 0)
        guard case .structure(let fields) = form else {
            throw .badObject(reason: "it is no structure")
        }
        var found = Found()
        for (name, form) in fields { try reader.readValue(name, form, into: &found) }
        guard reader.position == bytes.count else {
            throw .badObject(reason: "\(bytes.count - reader.position) bytes follow it")
        }
        guard let cipher = found.cipher else { throw .badObject(reason: "it has no cipher") }
        guard cipher == "AES" else { throw .unsupportedCipher(String(cipher.prefix(40))) }
        guard let objectId = found.objectId, let data = found.texts["data"],
            let key = found.texts["key"], let signature = found.texts["signature"]
        else { throw .badObject(reason: "objectId, data, key or signature is missing") }
        self.objectId = objectId
        self.data = data
        self.key = Array(bytes[key])
        self.signature = Array(bytes[signature])
    }

    private struct Found {
        var objectId: UInt64?
        var texts: [String: Range<Int>] = [:]
        var cipher: String?
    }

    private indirect enum Form {
        case uint16, uint64, text, anything
        case structure([(String, Form)])
    }

    private struct Reader {
        /// Fields of one structure; the object has five.
        static let maximumFieldCount = 16
        let bytes: UnsafeRawBufferPointer
        var position = 0

        mutating func readForm(depth: Int) throws(EncryptionError) -> Form {
            switch try readByte() {
            case Code.uint16: return .uint16
            case Code.uint64: return .uint64
            case Code.text: return .text
            case Code.anything: return .anything
            case Code.structure:
                guard depth < 3 else { throw .badObject(reason: "structures nested too deep") }
                _ = try readText()
                let count = try readSize()
                guard count <= Self.maximumFieldCount else {
                    throw .badObject(reason: "a structure of \(count) fields")
                }
                var fields: [(String, Form)] = []
                for _ in 0..<count {
                    let name = try readText()
                    fields.append((name, try readForm(depth: depth + 1)))
                }
                return .structure(fields)
            case let code: throw .badObject(reason: "a field of type \(code)")
            }
        }

        mutating func readValue(
            _ name: String, _ form: Form, into found: inout Found
        ) throws(EncryptionError) {
            switch form {
            case .uint16: position = try take(2).upperBound
            case .uint64:
                let range = try take(8)
                let value = bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: UInt64.self)
                if name == "objectId" { found.objectId = UInt64(littleEndian: value) }
            case .text:
                let range = try take(try readSize())
                found.texts[name] = range
            case .anything:
                if position < bytes.count, bytes[position] == Code.null {
                    position += 1
                } else {
                    // What parameters there are: PvaPy's decryptor does not look at them either.
                    try readValue("", try readForm(depth: 1), into: &found)
                }
            case .structure(let fields):
                var inner = Found()
                for (name, form) in fields { try readValue(name, form, into: &inner) }
                if name == "cipher", let range = inner.texts["name"] {
                    found.cipher = String(decoding: bytes[range], as: UTF8.self)
                }
            }
        }

        mutating func readText() throws(EncryptionError) -> String {
            String(decoding: bytes[try take(try readSize())], as: UTF8.self)
        }

        /// A size of 1 or, from 254 on, 5 bytes.
        mutating func readSize() throws(EncryptionError) -> Int {
            let first = try readByte()
            switch first {
            case 255: throw .badObject(reason: "a text that is null")
            case 254:
                let range = try take(4)
                let value = bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: UInt32.self)
                return Int(UInt32(littleEndian: value))
            default: return Int(first)
            }
        }

        mutating func readByte() throws(EncryptionError) -> UInt8 {
            bytes[try take(1).lowerBound]
        }

        mutating func take(_ count: Int) throws(EncryptionError) -> Range<Int> {
            guard count <= bytes.count - position else {
                throw .badObject(reason: "it ends too early")
            }
            defer { position += count }
            return position..<position + count
        }
    }
}
