/// What a column holds, as far as values are checked and converted for it.
indirect enum ColumnKind: Sendable, Equatable {
    case bool
    /// Whole numbers of so many bits, signed.
    case integer(bits: Int)
    case real
    /// Decimal numbers of any length, which PostgreSQL has.
    case numeric
    /// Whole numbers or others, as SQLite keeps them in a column that is NUMERIC.
    case number
    /// Text of at most so many characters; nil: no limit.
    case text(maximumCount: Int?)
    case json
    /// A moment.
    case timestamp
    case bytes
    case array(of: ColumnKind)
    /// Any value, in a column of SQLite that says nothing.
    case any
    /// A type of which only the server knows what is good; values are text.
    case other(String)

    /// The name in messages.
    var label: String {
        switch self {
        case .bool: "boolean"
        case .integer(let bits): "integer of \(bits) bits"
        case .real: "floating-point number"
        case .numeric, .number: "number"
        case .text(let maximumCount?): "text of at most \(maximumCount) characters"
        case .text: "text"
        case .json: "JSON"
        case .timestamp: "timestamp"
        case .bytes: "bytes"
        case .array(let element): "array of \(element.label)"
        case .any: "any"
        case .other(let name): name
        }
    }
}

/// A value as a database takes it.
enum SQLValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case real(Double)
    case text(String)
    case bytes([UInt8])
}

/// A column of a table.
struct TableColumn: Sendable, Equatable {
    let name: String
    let kind: ColumnKind
}

/// A table as its database describes it.
struct Table: Sendable, Equatable {
    /// The name as it was asked for.
    let name: String
    /// The name as it stands in statements, quoted.
    let quotedName: String
    let columns: [TableColumn]
    /// The columns of each unique key on which a conflict can be told.
    let uniqueKeys: [Set<String>]

    func column(_ name: String) -> TableColumn? { columns.first { $0.name == name } }

    /// A name in quotes, so that it is taken for nothing else.
    static func quoted(_ name: some StringProtocol) -> String {
        "\"" + String(name).replacing("\"", with: "\"\"") + "\""
    }

    /// `schema.table` or `table`, quoted; nil for what is no name.
    static func quotedPath(_ path: String) -> String? {
        let parts = path.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && !$0.utf8.contains(0) }) else { return nil }
        return parts.map { quoted($0) }.joined(separator: ".")
    }
}
