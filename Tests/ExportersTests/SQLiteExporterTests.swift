import Foundation
import Journal
import Telemetry
import TestSupport
import Testing

@testable import Exporters

/// What the exporter stores in SQLite, read back with the sqlite3 of Python.
@Suite(.timeLimit(.minutes(1)), .enabled(if: Python.isThere, Python.hint))
struct SQLiteExporterTests {
    private let folder: TemporaryFolder
    private var path: String { folder.file("telemetry.db") }

    init() throws { folder = try TemporaryFolder() }

    private func exporter(
        _ table: String?, layout: RowLayout = .columns, upsertOn: [String] = [],
        creates: Bool = true
    ) throws -> SQLiteExporter {
        try SQLiteExporter(
            .init(
                path: path, table: table, layout: layout, upsertOn: upsertOn, createsTable: creates)
        )
    }

    /// Rows as Python prints them.
    @discardableResult
    private func query(_ statements: String...) throws -> [String] {
        try Python.lines(
            """
            import sqlite3, sys
            connection = sqlite3.connect(sys.argv[1])
            for statement in sys.argv[2:]:
                for row in connection.execute(statement): print(row)
            connection.commit()
            """, [path] + statements)
    }

    @Test func `rows of all kinds`() throws {
        try query(
            """
            CREATE TABLE t (b BOOLEAN, i INTEGER, f REAL, v VARCHAR(3), j JSON, t TIMESTAMP, y BLOB, n NUMERIC, a)
            """)
        let exporter = try exporter("t", creates: false)
        let outcome = exporter.deliver(
            record(
                1,
                [
                    "b": true, "i": .int(.min), "f": 3, "v": "it'", "j": ["k": 1], "t": 0.5,
                    "y": "",
                    "n": 0.5, "a": [1],
                ]))
        #expect(outcome == .delivered(.null))
        #expect(
            exporter.deliver(record(2, ["f": .double(.nan), "n": 7, "y": "x"])).isDelivered)
        #expect(exporter.deliver(record(3, ["f": .double(-.infinity)])).isDelivered)
        #expect(
            try query("SELECT * FROM t") == [
                "(1, -9223372036854775808, 3.0, \"it'\", '{\"k\":1}', '1970-01-01T00:00:00.500000Z', b'', 0.5, '[1]')",
                "(None, None, None, None, None, None, b'x', 7, None)",
                "(None, None, -inf, None, None, None, None, None, None)",
            ])
    }

    @Test func `a bad record does not keep the others of its batch out`() throws {
        try query("CREATE TABLE t (n INTEGER CHECK (n < 100), v VARCHAR(2))")
        let outcomes = try exporter("t").deliver(
            [
                record(1, ["n": 1]), record(2, ["n": 500]), record(3, ["m": 1]),
                record(4, ["v": "abc"]), record(5, ["n": 5]),
            ], within: .seconds(20))
        #expect(outcomes.map(\.isDelivered) == [true, false, false, false, true])
        #expect(outcomes.map(\.isPermanent) == [false, true, true, true, false])
        #expect(outcomes[1].reason.contains("CHECK constraint failed"))
        #expect(try query("SELECT n FROM t") == ["(1,)", "(5,)"])
    }

    @Test func `a created table has a key, so that a record that comes again is there once`() throws
    {
        for _ in 1...2 {
            let exporter = try exporter("stats")
            let outcomes = exporter.deliver(
                (1...5).map { record($0, ["n": .uint($0), "f": 0.5]) }, within: .seconds(20))
            #expect(outcomes.allSatisfy { $0.isDelivered })
            exporter.close()
        }
        #expect(try query("SELECT count(*), sum(n) FROM stats") == ["(5, 15)"])
        #expect(
            try query("SELECT source, seq, time FROM stats WHERE seq = 5")
                == ["('run', 5, '2026-11-21T16:00:00.250000Z')"])
        #expect(try query("PRAGMA journal_mode") == ["('wal',)"])
    }

    @Test func `upsert, also on an integer primary key, and documents`() throws {
        try query("CREATE TABLE u (k INTEGER PRIMARY KEY, v INTEGER)")
        let exporter = try exporter("u", upsertOn: ["k"])
        for (seq, row) in ([["k": 1, "v": 1], ["k": 1], ["k": 1, "v": 2]] as [JournalValue])
            .enumerated()
        {
            #expect(exporter.deliver(record(UInt64(seq), row)).isDelivered)
        }
        #expect(try query("SELECT * FROM u") == ["(1, 2)"])
        let documents = try self.exporter("d", layout: .document)
        #expect(documents.deliver(record(1, "text")).isDelivered)
        #expect(try query("SELECT seq, data FROM d") == ["(1, '\"text\"')"])
    }

    @Test func `a database that another process writes is waited for, no longer than the limit`()
        throws
    {
        try query("CREATE TABLE t (n INTEGER)")
        let other = try SQLiteDatabase(
            path: path, isCreated: false, until: .now + .seconds(20),
            interruption: try Interruption(exporter: "other"))
        _ = try other.run("BEGIN IMMEDIATE", until: .now + .seconds(20))
        let exporter = try exporter("t")
        let late = exporter.deliver(record(1, ["n": 1]), within: .milliseconds(300))
        #expect(late.isRetryable)
        #expect(late.reason.contains("database is locked"))

        let held = Later { exporter.deliver(record(2, ["n": 2]), within: .seconds(3600)) }
        exporter.interrupt()
        #expect(held.wait()?.isRetryable == true)
        let waiting = Later { exporter.deliver(record(3, ["n": 3])) }
        _ = try other.run("COMMIT", until: .now + .seconds(20))
        #expect(waiting.wait()?.isDelivered == true)
        #expect(try query("SELECT n FROM t") == ["(3,)"])
    }

    @Test func `a file that was taken away is made again, not written into the void`() throws {
        let exporter = try exporter("t")
        #expect(exporter.deliver(record(1, ["n": 1])).isDelivered)
        for suffix in ["", "-wal", "-shm"] {
            if FileManager.default.fileExists(atPath: path + suffix) {
                try FileManager.default.removeItem(atPath: path + suffix)
            }
        }
        #expect(exporter.deliver(record(2, ["n": 2])).isDelivered)
        #expect(try query("SELECT n FROM t") == ["(2,)"])
    }

    @Test func `a folder that is missing and a file that is no database keep the records`() throws {
        let missing = try SQLiteExporter(
            .init(path: folder.file("no/where.db"), table: "t", createsTable: true))
        let outcome = missing.deliver(record(1, ["n": 1]))
        #expect(outcome.pause == .seconds(30))
        #expect(outcome.reason.contains("unable to open database file"))
        try folder.write(String(repeating: "no database ", count: 1000), to: "telemetry.db")
        let garbage = try exporter("t").deliver(record(1, ["n": 1]))
        #expect(garbage.pause == .seconds(30))
        #expect(garbage.reason.contains("file is not a database"))
        let none = try SQLiteExporter(.init(path: folder.file("none.db"), table: "t"))
        #expect(none.deliver(record(1, ["n": 1])).pause == .seconds(30))
        #expect(try folder.files() == ["telemetry.db"])
    }

    @Test
    func `SQLite: the files as a killed writer leaves them are taken up: each row is there once`()
        throws
    {
        let exporter = try exporter("t")
        #expect(exporter.deliver(record(1, ["n": 1])).isDelivered)
        // What a killed process leaves: rows that are in the log and not yet in the database.
        let copy = folder.file("after.db")
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
        }
        let again = try SQLiteExporter(.init(path: copy, table: "t", createsTable: true))
        let outcomes = again.deliver(
            (1...3).map { record($0, ["n": .uint($0)]) }, within: .seconds(20))
        #expect(outcomes.allSatisfy { $0.isDelivered })
        let rows = try Python.lines(
            "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT n FROM t'))",
            [copy])
        #expect(rows == ["(1,) (2,) (3,)"])
    }
}
