extension JournalEvent {
    /// The longest line, in bytes with its newline: what one reader buffers, and short enough for
    /// one write(2). Longer events are refused.
    public static let maximumLineByteCount = 1 << 20

    /// The event as a line of a journal, with its newline.
    package func line() throws(JournalError) -> [UInt8] {
        var encoding = JSONEncoding()
        encoding.literal("{\"timestamp\":")
        encoding.append(microsecondsOf: wholeMicroseconds(timestamp))
        encoding.literal(",\"seq\":")
        encoding.bytes.append(contentsOf: String(seq).utf8)
        encoding.literal(",\"name\":")
        encoding.append(name)
        if !context.isEmpty {
            encoding.literal(",\"context\":")
            try encoding.append(context)
        }
        encoding.literal("}\n")
        guard encoding.bytes.count <= Self.maximumLineByteCount else {
            throw .lineTooLong(
                byteCount: encoding.bytes.count, limit: Self.maximumLineByteCount)
        }
        return encoding.bytes
    }

    /// The event of a line without its newline. Unknown keys beside ours are ignored, as RFC 18 has
    /// it.
    init(line: ArraySlice<UInt8>) throws(JSONFlaw) {
        try self.init(value: JSONParsing.value(of: line))
    }

    /// The event that a value tells of; nil where it is none.
    package init?(_ value: JournalValue) {
        do {
            try self.init(value: value)
        } catch {
            return nil
        }
    }

    private init(value: JournalValue) throws(JSONFlaw) {
        guard case .object = value else { throw JSONFlaw(reason: "no object", byteOffset: 0) }
        guard let timestamp = value["timestamp"]?.number, timestamp >= 0 else {
            throw JSONFlaw(reason: "no timestamp of 0 or more", byteOffset: 0)
        }
        guard case .string(let name)? = value["name"], !name.isEmpty else {
            throw JSONFlaw(reason: "no name", byteOffset: 0)
        }
        guard let seq = value["seq"]?.whole, seq > 0 else {
            throw JSONFlaw(reason: "no seq above 0", byteOffset: 0)
        }
        var fields: [JournalField] = []
        if let context = value["context"] {
            guard case .object(let inside) = context else {
                throw JSONFlaw(reason: "context is no object", byteOffset: 0)
            }
            fields = inside
        }
        self.init(timestamp: timestamp, seq: seq, name: name, context: fields)
    }
}

extension JournalValue {
    fileprivate var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        case .null, .bool, .string, .array, .object: nil
        }
    }

    fileprivate var whole: UInt64? {
        switch self {
        case .int(let value): UInt64(exactly: value)
        case .uint(let value): value
        case .null, .bool, .double, .string, .array, .object: nil
        }
    }
}
