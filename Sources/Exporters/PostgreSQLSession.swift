/// What an exporter asks of PostgreSQL.
final class PostgreSQLSession: SQLSession {
    static let types = NewTable.Types.postgreSQL

    private let connection: PostgreSQLConnection

    init(_ connection: PostgreSQLConnection) { self.connection = connection }

    var isUsable: Bool { connection.isUsable }

    /// Columns with the names and lengths of their types, of domains those of the types below.
    private static let columnQuery = """
        SELECT a.attname, CASE t.typtype WHEN 'd' THEN b.typname ELSE t.typname END,
            CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END, e.typname
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
            LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
        WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
        """

    /// The columns of unique keys that ON CONFLICT can name: whole, immediate, without expressions.
    private static let keyQuery = """
        SELECT i.indexrelid, a.attname FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid
                AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1])
        WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisunique AND i.indisvalid
            AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
        """

    func describe(
        _ name: String, quotedName: String, until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> Table? {
        let answers = try connection.run(
            [
                PostgreSQLStatement(Self.columnQuery, [.text(quotedName)]),
                PostgreSQLStatement(Self.keyQuery, [.text(quotedName)]),
            ], until: deadline)
        let columns = answers[0].compactMap { row -> TableColumn? in
            guard let name = row[0], let type = row[1] else { return nil }
            return TableColumn(
                name: name,
                kind: Self.kind(ofType: type, modifier: row[2].flatMap { Int($0) }, element: row[3])
            )
        }
        guard !columns.isEmpty else { return nil }
        var keys: [String: Set<String>] = [:]
        for row in answers[1] {
            if let index = row[0], let column = row[1] { keys[index, default: []].insert(column) }
        }
        return Table(
            name: name, quotedName: quotedName, columns: columns, uniqueKeys: Array(keys.values))
    }

    /// What is checked for a type; the modifier of text is its length and 4.
    static func kind(ofType type: String, modifier: Int?, element: String?) -> ColumnKind {
        if let element {
            return .array(of: kind(ofType: element, modifier: modifier, element: nil))
        }
        switch type {
        case "bool": return .bool
        case "int2": return .integer(bits: 16)
        case "int4": return .integer(bits: 32)
        case "int8": return .integer(bits: 64)
        case "float4", "float8": return .real
        case "numeric": return .numeric
        case "text": return .text(maximumCount: nil)
        case "varchar", "bpchar":
            return .text(maximumCount: modifier.flatMap { $0 >= 4 ? $0 - 4 : nil })
        case "json", "jsonb": return .json
        case "timestamp", "timestamptz": return .timestamp
        case "bytea": return .bytes
        default: return .other(type)
        }
    }

    func create(
        _ statement: String, until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) {
        _ = try connection.run([PostgreSQLStatement(statement)], until: deadline)
    }

    func insert(_ rows: [Row], until deadline: ContinuousClock.Instant) throws(SQLFailure) {
        for row in rows {
            // PostgreSQL has no text with U+0000, and libpq would end the text there.
            if row.values.contains(where: { $0.hasZeroCharacter }) {
                throw SQLFailure(
                    .record, "text with the character U+0000, which PostgreSQL has not")
            }
        }
        _ = try connection.run(
            rows.map { PostgreSQLStatement($0.statement(mark: "$"), $0.values) }, until: deadline)
    }
}

extension SQLValue {
    fileprivate var hasZeroCharacter: Bool {
        if case .text(let text) = self { text.utf8.contains(0) } else { false }
    }
}
