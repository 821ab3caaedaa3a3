/// What an exporter asks of SQLite.
final class SQLiteSession: SQLSession {
    static let types = NewTable.Types.sqlite

    private let database: SQLiteDatabase

    init(_ database: SQLiteDatabase) { self.database = database }

    var isUsable: Bool { database.isUsable }

    func describe(
        _ name: String, quotedName: String, until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> Table? {
        // Names of tables are looked up without a schema: a file has one, `main`.
        let found = try database.run(
            "SELECT name, type FROM pragma_table_info(?1)", [.text(name)], until: deadline)
        let columns = found.compactMap { row -> TableColumn? in
            guard case .text(let name) = row[0], case .text(let type) = row[1] else { return nil }
            return TableColumn(name: name, kind: Self.kind(ofDeclaration: type))
        }
        guard !columns.isEmpty else { return nil }
        return Table(
            name: name, quotedName: Table.quoted(name), columns: columns,
            uniqueKeys: try uniqueKeys(of: name, until: deadline))
    }

    private func uniqueKeys(
        of name: String, until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> [Set<String>] {
        var keys: [SQLValue: Set<String>] = [:]
        let indexed = try database.run(
            """
            SELECT l.name, i.name FROM pragma_index_list(?1) l, pragma_index_info(l.name) i
            WHERE l."unique" AND NOT l.partial
            """, [.text(name)], until: deadline)
        for row in indexed {
            // An expression has no name, so that no key of columns equals one with it.
            if case .text(let column) = row[1] {
                keys[row[0], default: []].insert(column)
            } else {
                keys[row[0], default: []].insert("")
            }
        }
        // A single INTEGER PRIMARY KEY is the row itself and has no index.
        let primary = try database.run(
            "SELECT name FROM pragma_table_info(?1) WHERE pk > 0", [.text(name)], until: deadline)
        let columns = primary.compactMap { row -> String? in
            if case .text(let column) = row[0] { column } else { nil }
        }
        return Array(keys.values) + (columns.isEmpty ? [] : [Set(columns)])
    }

    /// What is checked for a column, by the words of its declaration, the way SQLite finds its affinity
    /// ("Datatypes In SQLite", §3.1), with the types beside those that its users know from elsewhere.
    static func kind(ofDeclaration declaration: String) -> ColumnKind {
        let type = declaration.uppercased()
        func has(_ words: String...) -> Bool { words.contains { type.contains($0) } }
        if type.isEmpty || type == "ANY" { return .any }
        if has("BOOL") { return .bool }
        if has("INT") { return .integer(bits: 64) }
        if has("JSON") { return .json }
        if has("CHAR", "CLOB", "TEXT") {
            let length = type.firstMatch(of: /\((\d+)\)/).flatMap { Int($0.output.1) }
            return .text(maximumCount: length)
        }
        if has("TIMESTAMP", "DATETIME") { return .timestamp }
        if has("BLOB") { return .bytes }
        if has("REAL", "FLOA", "DOUB") { return .real }
        if has("NUMERIC", "DECIMAL", "NUMBER") { return .number }
        return .any
    }

    func create(
        _ statement: String, until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) {
        _ = try database.run(statement, until: deadline)
    }

    func insert(_ rows: [Row], until deadline: ContinuousClock.Instant) throws(SQLFailure) {
        _ = try database.run("BEGIN IMMEDIATE", until: deadline)
        do {
            for row in rows {
                _ = try database.run(row.statement(mark: "?"), row.values, until: deadline)
            }
            _ = try database.run("COMMIT", until: deadline)
        } catch {
            // SQLite rolls back by itself after some errors, such as a full disk.
            if database.isInTransaction {
                do {
                    _ = try database.run("ROLLBACK", until: .now + .seconds(1))
                } catch let second {
                    throw SQLFailure(.lost, "\(error.reason); then \(second.reason)")
                }
            }
            throw error
        }
    }
}
