internal import Journal
internal import Telemetry

/// A row to be inserted.
struct Row: Sendable, Equatable {
    let table: Table
    let columns: [String]
    let values: [SQLValue]
    let conflict: RowConflict
}

/// What happens where a row with the same key is there already.
enum RowConflict: Sendable, Equatable {
    /// The statement fails.
    case refuse
    /// Nothing: the row that is there stays.
    case ignore(key: [String])
    /// The other columns get the new values.
    case update(key: [String])
}

extension Row {
    /// The statement that inserts the row, with `mark` before the number of each parameter.
    func statement(mark: String) -> String {
        let target = "INSERT INTO \(table.quotedName) "
        guard !columns.isEmpty else { return target + "DEFAULT VALUES" }
        let names = columns.map { Table.quoted($0) }.joined(separator: ",")
        let parameters = columns.indices.map { "\(mark)\($0 + 1)" }.joined(separator: ",")
        return target + "(\(names)) VALUES (\(parameters))" + conflictClause
    }

    private var conflictClause: String {
        func list(_ key: [String]) -> String {
            key.map { Table.quoted($0) }.joined(separator: ",")
        }
        switch conflict {
        case .refuse: return ""
        case .ignore(let key): return " ON CONFLICT (\(list(key))) DO NOTHING"
        case .update(let key):
            let others = columns.filter { !key.contains($0) }.map { Table.quoted($0) }
            // With nothing but the key there is nothing to change.
            guard !others.isEmpty else { return " ON CONFLICT (\(list(key))) DO NOTHING" }
            let changes = others.map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
            return " ON CONFLICT (\(list(key))) DO UPDATE SET \(changes)"
        }
    }
}

/// Makes rows of records.
struct RowMapping: Sendable {
    let layout: RowLayout
    /// The key of rows that take the place of others, for records that name none in `upsertOn`.
    let upsertOn: [String]

    /// The row of a record; throws when the table can't take it.
    func row(of record: ExportRecord, in table: Table) throws(UnfitRecord) -> Row {
        var columns: [String] = []
        var values: [SQLValue] = []
        for field in try fields(of: record) {
            guard let column = table.column(field.key) else {
                throw UnfitRecord(
                    "table '\(table.name)' has no column '\(excerpt(field.key))'; add it, or leave "
                        + "the field out")
            }
            guard !columns.contains(field.key) else {
                throw UnfitRecord("the field '\(excerpt(field.key))' is there twice")
            }
            columns.append(field.key)
            values.append(try Self.value(field.value, for: column))
        }
        var identity: Set<String> = []
        for column in table.columns where !columns.contains(column.name) {
            guard let value = try Self.own(column, of: record) else { continue }
            columns.append(column.name)
            values.append(value)
            identity.insert(column.name)
        }
        let key = try upsertKey(of: record, in: table)
        let conflict: RowConflict
        if !key.isEmpty {
            conflict = .update(key: key)
        } else if identity.isSuperset(of: ["source", "seq"]),
            table.uniqueKeys.contains(["source", "seq"])
        {
            conflict = .ignore(key: ["source", "seq"])
        } else {
            conflict = .refuse
        }
        return Row(table: table, columns: columns, values: values, conflict: conflict)
    }

    private func fields(of record: ExportRecord) throws(UnfitRecord) -> [JournalField] {
        guard case .value(let value) = record.data else {
            throw UnfitRecord("bytes are no row; send a value")
        }
        switch (layout, value) {
        case (.columns, .object(let fields)): return fields
        case (.columns, _):
            throw UnfitRecord(
                "a row is made of an object; this is none (or use the layout document)")
        case (.document, _): return [JournalField("data", value)]
        }
    }

    private static func value(
        _ value: JournalValue, for column: TableColumn
    ) throws(UnfitRecord) -> SQLValue {
        do {
            return try column.kind.value(of: value)
        } catch {
            throw UnfitRecord("column '\(column.name)': \(error.reason)")
        }
    }

    /// What a column gets of the record itself; nil where it gets nothing.
    private static func own(
        _ column: TableColumn, of record: ExportRecord
    ) throws(UnfitRecord) -> SQLValue? {
        switch (column.name, column.kind) {
        case ("source", .text), ("source", .any):
            return try value(.string(record.source), for: column)
        case ("seq", .integer), ("seq", .numeric), ("seq", .number), ("seq", .any):
            return try value(.uint(record.seq), for: column)
        case ("time", .timestamp), ("timestamp", .timestamp):
            return .text(TimestampText.iso(nanoseconds: record.timestampNanoseconds))
        default: return nil
        }
    }

    private func upsertKey(
        of record: ExportRecord, in table: Table
    ) throws(UnfitRecord) -> [String] {
        var key = upsertOn
        if let value = record.options.first(where: { $0.key == "upsertOn" })?.value {
            switch value {
            case .string(let name): key = [name]
            case .array(let names):
                key = []
                for name in names {
                    guard case .string(let name) = name else {
                        throw UnfitRecord(
                            "the option 'upsertOn' of the record is no list of columns")
                    }
                    key.append(name)
                }
            default: throw UnfitRecord("the option 'upsertOn' of the record names no columns")
            }
        }
        guard key.isEmpty || table.uniqueKeys.contains(Set(key)) else {
            throw UnfitRecord(
                "table '\(table.name)' has no unique key of \(key.joined(separator: ", ")), which "
                    + "upsertOn needs; create one")
        }
        return key
    }
}

/// A table to be created where there is none.
enum NewTable {
    /// Names of types.
    struct Types {
        let bool, integer, real, text, timestamp, json: String

        static let postgreSQL = Types(
            bool: "boolean", integer: "bigint", real: "double precision", text: "text",
            timestamp: "timestamptz", json: "jsonb")
        static let sqlite = Types(
            bool: "BOOLEAN", integer: "INTEGER", real: "REAL", text: "TEXT",
            timestamp: "TIMESTAMP", json: "JSON")
    }

    /// The statement that creates a table for records like one: `source` and `seq` as its key, `time`, then
    /// the fields of the record, or `data` in the other layout. A field that is null, a list or an object gets
    /// a column for JSON.
    static func statement(
        _ quotedName: String, like record: ExportRecord, layout: RowLayout, types: Types
    ) throws(UnfitRecord) -> String {
        var columns = [
            ("source", types.text + " NOT NULL"), ("seq", types.integer + " NOT NULL"),
            ("time", types.timestamp + " NOT NULL"),
        ]
        switch (layout, record.data) {
        case (.document, _): columns.append(("data", types.json))
        case (.columns, .value(.object(let fields))):
            for field in fields where !columns.contains(where: { $0.0 == field.key }) {
                guard !field.key.isEmpty, !field.key.utf8.contains(0) else {
                    throw UnfitRecord("a field without a name, or with a zero in it, is no column")
                }
                columns.append((field.key, type(of: field.value, types)))
            }
        case (.columns, _): throw UnfitRecord("a table is made for an object; this is none")
        }
        let list = columns.map { Table.quoted($0.0) + " " + $0.1 }.joined(separator: ", ")
        return "CREATE TABLE IF NOT EXISTS \(quotedName) (\(list), PRIMARY KEY (source, seq))"
    }

    private static func type(of value: JournalValue, _ types: Types) -> String {
        switch value {
        case .bool: types.bool
        case .int, .uint: types.integer
        case .double: types.real
        case .string: types.text
        case .null, .array, .object: types.json
        }
    }
}
