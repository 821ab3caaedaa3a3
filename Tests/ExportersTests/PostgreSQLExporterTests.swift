import Foundation
import Journal
import Telemetry
import TestSupport
import Testing

@testable import Exporters

/// One server for all tests that do not stop it; each uses tables of its own.
private let shared = Result { try PostgreSQLServer() }

/// What the exporter stores in PostgreSQL, read back with psql.
@Suite(.timeLimit(.minutes(1)), .enabled(if: PostgreSQLServer.isThere, PostgreSQLServer.hint))
struct PostgreSQLExporterTests {
    let server: PostgreSQLServer

    init() throws { server = try shared.get() }

    private func exporter(
        _ table: String?, layout: RowLayout = .columns, upsertOn: [String] = [],
        creates: Bool = false, name: String = "postgresql"
    ) throws -> PostgreSQLExporter {
        try PostgreSQLExporter(
            .init(
                name: name, server: address(server), table: table, layout: layout,
                upsertOn: upsertOn, createsTable: creates))
    }

    @Test func `R31: the word None stays what it is`() throws {
        try server.query("CREATE TABLE r31 (note text)")
        let text = "None of them, None, NULL and 'NULL'"
        #expect(try exporter("r31").deliver(record(1, ["note": .string(text)])).isDelivered)
        #expect(try server.query("SELECT note FROM r31") == [text])
    }

    @Test func `R32: apostrophes and statements are text`() throws {
        try server.query("CREATE TABLE r32 (note text)")
        let exporter = try exporter("r32")
        let texts = ["it's", "'); DROP TABLE r32; --", "a\\b\"c", "$1", "äß 漢字 🙂", "%s"]
        for (seq, text) in texts.enumerated() {
            #expect(exporter.deliver(record(UInt64(seq), ["note": .string(text)])).isDelivered)
        }
        #expect(try server.query("SELECT note FROM r32") == texts)
    }

    @Test func `R33: after a failed statement the others are stored, and a bad record goes alone`()
        throws
    {
        try server.query("CREATE TABLE r33 (n integer CHECK (n < 100), id uuid)")
        let exporter = try exporter("r33")
        // Only the server knows of the check and of what a uuid is.
        let outcomes = exporter.deliver(
            [
                record(1, ["n": 1]), record(2, ["n": 500]), record(3, ["id": "no uuid"]),
                record(4, ["n": 4]),
            ], within: .seconds(20))
        #expect(outcomes.map(\.isDelivered) == [true, false, false, true])
        #expect(outcomes[1].isPermanent)
        #expect(outcomes[1].reason.contains("violates check constraint"))
        #expect(outcomes[1].reason.contains("SQLSTATE 23514"))
        #expect(outcomes[2].isPermanent)
        #expect(outcomes[2].reason.contains("SQLSTATE 22P02"))
        #expect(exporter.deliver(record(5, ["n": 5])).isDelivered)
        #expect(try server.query("SELECT n FROM r33 ORDER BY n") == ["1", "4", "5"])
    }

    @Test func `a constraint that is checked at the commit blames one record, too`() throws {
        try server.query("CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        let outcomes = try exporter("late").deliver(
            [record(1, ["n": 1]), record(2, ["n": 1]), record(3, ["n": 3])], within: .seconds(20))
        #expect(outcomes.map(\.isDelivered) == [true, false, true])
        #expect(outcomes[1].reason.contains("SQLSTATE 23505"))
        #expect(try server.query("SELECT n FROM late ORDER BY n") == ["1", "3"])
    }

    @Test func `R35: whole numbers for floating-point columns, JSON, times with zone, arrays`()
        throws
    {
        try server.query(
            """
            CREATE TABLE r35 (f double precision, r real, b boolean, i smallint, d numeric(30,5), j jsonb,
                t timestamptz, v varchar(5), a integer[], s text[], c char(3), u uuid, y bytea)
            """)
        let exporter = try exporter("r35")
        let outcome = exporter.deliver(
            record(
                1,
                [
                    "f": 3, "r": 0.5, "b": true, "i": -7, "d": "12345678901234567890.12345",
                    "j": ["k": [1, nil, "x"]], "t": 1_795_276_800.25, "v": "äöüßx",
                    "a": [1, 2, nil],
                    "s": ["a\"b", "c,d", "NULL"], "c": "ab",
                    "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "y": "\\x",
                ]))
        #expect(outcome == .delivered(.null))
        #expect(
            try server.query(
                "SELECT f, r, b, i, d, j, t AT TIME ZONE 'UTC', v, a, s, c, u, y FROM r35")
                == [
                    "3|0.5|t|-7|12345678901234567890.12345|{\"k\": [1, null, \"x\"]}"
                        + "|2026-11-21 16:00:00.25|äöüßx|{1,2,NULL}|{\"a\\\"b\",\"c,d\",\"NULL\"}|ab "
                        + "|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|\\x5c78"
                ])
    }

    @Test func `R35: an unknown column, and values that don't fit, are refused for good`() throws {
        try server.query("CREATE TABLE refused (n integer, v varchar(3), a integer[], t text)")
        let exporter = try exporter("refused")
        let bad: [(JournalValue, String)] = [
            (["unknown": 1], "has no column 'unknown'"), (["n": "1"], "text does not fit"),
            (["n": 1.5], "column 'n'"), (["n": 3_000_000_000], "column 'n'"),
            (["v": "abcd"], "text of 4 characters is longer than the 3"), (["a": 5], "array of"),
            (["a": [[1, 2], [3]]], "SQLSTATE 22P02"), (["t": "a\u{0}b"], "U+0000"),
            ([1, 2], "a row is made of an object"), (["n": 1, "n": 2], "is there twice"),
        ]
        for (seq, (value, reason)) in bad.enumerated() {
            let outcome = exporter.deliver(record(UInt64(seq), value))
            #expect(outcome.isPermanent, "\(outcome)")
            #expect(outcome.reason.contains(reason), "\(outcome)")
            #expect(outcome.reason.hasPrefix("postgresql: "))
        }
        #expect(exporter.deliver(record(99, bytes: "x")).isPermanent)
        #expect(exporter.deliver(record(100, ["n": 1])).isDelivered)
        #expect(try server.query("SELECT count(*) FROM refused") == ["1"])
    }

    @Test func `NaN and infinity are stored as they are`() throws {
        try server.query("CREATE TABLE notfinite (n int, f double precision, d numeric)")
        let exporter = try exporter("notfinite")
        let values: [JournalValue] = [
            .double(.nan), .double(.infinity), .double(-.infinity), "NaN", 1e300,
        ]
        for (seq, value) in values.enumerated() {
            let row: JournalValue = ["n": .int(Int64(seq)), "f": value, "d": value]
            #expect(exporter.deliver(record(UInt64(seq), row)).isDelivered)
        }
        #expect(
            try server.query("SELECT f FROM notfinite ORDER BY n")
                == ["NaN", "Infinity", "-Infinity", "NaN", "1e+300"])
        #expect(
            try server.query("SELECT d FROM notfinite WHERE n < 4 ORDER BY n")
                == ["NaN", "Infinity", "-Infinity", "NaN"])
    }

    @Test func `R36: an upsert of the key alone does nothing, with others it changes them`() throws
    {
        try server.query("CREATE TABLE r36 (k text PRIMARY KEY, v int)")
        let exporter = try exporter("r36", upsertOn: ["k"])
        for (seq, row)
            in ([["k": "a", "v": 1], ["k": "a"], ["k": "b"], ["k": "a", "v": 2]]
            as [JournalValue]).enumerated()
        {
            #expect(exporter.deliver(record(UInt64(seq), row)).isDelivered)
        }
        #expect(try server.query("SELECT k, v FROM r36 ORDER BY k") == ["a|2", "b|"])
        let none = exporter.deliver(record(9, ["v": 3], [JournalField("upsertOn", "v")]))
        #expect(none.reason.contains("has no unique key of v"))
    }

    @Test
    func `a record that comes again is there once where the table has a key of source and seq`()
        throws
    {
        try server.query("CREATE TABLE once (source text, seq bigint, n int, UNIQUE (seq, source))")
        let exporter = try exporter("once")
        for _ in 1...3 {
            let outcomes = exporter.deliver(
                (1...10).map { record($0, ["n": .uint($0)]) }, within: .seconds(20))
            #expect(outcomes.allSatisfy { $0.isDelivered })
        }
        #expect(exporter.deliver(record(3, ["n": 3], source: "other")).isDelivered)
        #expect(try server.query("SELECT count(*), sum(n) FROM once") == ["11|58"])
    }

    @Test func `a table of another schema, with quotes and dots in its name, named by the record`()
        throws
    {
        try server.query(
            "CREATE SCHEMA \"My Schema\"; CREATE TABLE \"My Schema\".\"a.\"\"b\" (n int)")
        let options = [JournalField("table", "My Schema.a.\"b")]
        #expect(try exporter(nil).deliver(record(1, ["n": 1], options)).isDelivered)
        #expect(try server.query("SELECT n FROM \"My Schema\".\"a.\"\"b\"") == ["1"])
        #expect(
            try exporter(nil).deliver(record(2, ["n": 1])).reason.contains("names a table"))
    }

    @Test func `an unknown table is refused for good, until it is there`() throws {
        let exporter = try exporter("later")
        let outcome = exporter.deliver(record(1, ["n": 1]))
        #expect(outcome == .permanent(reason: "postgresql: there is no table 'later'; create it"))
        try server.query("CREATE TABLE later (n int)")
        #expect(exporter.deliver(record(2, ["n": 2])).isDelivered)
        // A column that is added meanwhile is found, too.
        #expect(exporter.deliver(record(3, ["n": 3, "m": 3])).isPermanent)
        try server.query("ALTER TABLE later ADD COLUMN m int")
        #expect(exporter.deliver(record(4, ["n": 4, "m": 4])).isDelivered)
        // A table that is dropped meanwhile is told at the next record, and looked for again after.
        try server.query("DROP TABLE later")
        #expect(exporter.deliver(record(5, ["n": 5])).reason.contains("SQLSTATE 42P01"))
        try server.query("CREATE TABLE later (n int)")
        #expect(exporter.deliver(record(6, ["n": 6])).isDelivered)
    }

    @Test func `a table is created after the first record, when asked`() throws {
        let value: JournalValue = [
            "name": "x", "n": 1, "f": 0.5, "b": true, "o": ["k": 1], "z": nil,
        ]
        let exporter = try exporter("made", creates: true)
        #expect(exporter.deliver(record(1, value)).isDelivered)
        #expect(exporter.deliver(record(1, value)).isDelivered)
        #expect(
            try server.query(
                "SELECT source, seq, time AT TIME ZONE 'UTC', name, n, f, b, o, z FROM made")
                == ["run|1|2026-11-21 16:00:00.25|x|1|0.5|t|{\"k\": 1}|"])
    }

    @Test func `whole values go into one column in the layout document`() throws {
        let exporter = try self.exporter("documents", layout: .document, creates: true)
        for (seq, value) in ([["any": [1]], "text", 5] as [JournalValue]).enumerated() {
            #expect(exporter.deliver(record(UInt64(seq), value)).isDelivered)
        }
        #expect(
            try server.query("SELECT seq, data FROM documents ORDER BY seq")
                == ["0|{\"any\": [1]}", "1|\"text\"", "2|5"])
    }

    @Test func `domains, enumerations and unknown types are left to the server`() throws {
        try server.query(
            """
            CREATE DOMAIN short AS varchar(3); CREATE TYPE mood AS ENUM ('good', 'bad');
            CREATE TABLE typed (s short, m mood, d date, i interval)
            """)
        let exporter = try exporter("typed")
        let row: JournalValue = ["s": "abc", "m": "bad", "d": "2026-11-21", "i": "2 hours"]
        #expect(exporter.deliver(record(1, row)).isDelivered)
        #expect(exporter.deliver(record(2, ["s": "abcd"])).reason.contains("longer than the 3"))
        #expect(exporter.deliver(record(3, ["m": "worse"])).reason.contains("SQLSTATE 22P02"))
        #expect(try server.query("SELECT * FROM typed") == ["abc|bad|2026-11-21|02:00:00"])
    }
}

/// Where a server is that a test has started.
func address(_ server: PostgreSQLServer, database: String = "postgres") -> PostgreSQLExporter.Server
{
    .parts(host: "127.0.0.1", port: Int(server.port), user: "det", database: database)
}
