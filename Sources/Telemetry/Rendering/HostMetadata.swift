public import Journal

extension Meta {
    /// The metadata of a host as a configuration has them: a map, or a list of maps whose keys are taken in
    /// order; a later value of a key replaces an earlier one. Every value is taken by its exact class, so
    /// that a boolean is never a number. Refuses null, lists, maps and whole numbers that need more than 63
    /// bits (class `long`), by key and class; what is no map has its place for a key (`meta[2]`).
    public init(host value: JournalValue) throws(RenderError) {
        self.init()
        switch value {
        case .object(let fields): try add(fields)
        case .array(let maps):
            for (place, map) in maps.enumerated() {
                guard case .object(let fields) = map else {
                    throw .unsupportedType(key: "meta[\(place)]", type: map.className)
                }
                try add(fields)
            }
        case .null, .bool, .int, .uint, .double, .string:
            throw .unsupportedType(key: "meta", type: value.className)
        }
    }

    private mutating func add(_ fields: [JournalField]) throws(RenderError) {
        for field in fields {
            switch field.value {
            case .int(let value): self[field.key] = .int(value)
            case .double(let value): self[field.key] = .float(value)
            case .string(let value): self[field.key] = .string(value)
            case .bool(let value): self[field.key] = .bool(value)
            case .uint(let value):
                guard let small = Int64(exactly: value) else {
                    throw .unsupportedType(key: field.key, type: field.value.className)
                }
                self[field.key] = .int(small)
            case .null, .array, .object:
                throw .unsupportedType(key: field.key, type: field.value.className)
            }
        }
    }
}

extension JournalValue {
    /// What a value is, in a message.
    fileprivate var className: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .int: "integer"
        case .uint: "long"
        case .double: "float"
        case .string: "string"
        case .array: "list"
        case .object: "map"
        }
    }
}
