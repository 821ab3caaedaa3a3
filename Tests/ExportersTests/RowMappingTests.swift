import Journal
import Telemetry
import Testing

@testable import Exporters

/// How values become those of columns, and records rows, without a database.
@Suite struct RowMappingTests {
    private static let good: [(ColumnKind, JournalValue, SQLValue)] = [
        (.bool, true, .bool(true)), (.integer(bits: 16), -32768, .integer(-32768)),
        (.integer(bits: 16), 32767, .integer(32767)), (.integer(bits: 64), 2.0, .integer(2)),
        (.integer(bits: 64), .int(.min), .integer(.min)),
        (.integer(bits: 32), .uint(7), .integer(7)),
        (.real, 3, .real(3)), (.real, "-Infinity", .real(-.infinity)),
        (.numeric, .uint(.max), .text("18446744073709551615")), (.numeric, "0.10", .text("0.10")),
        (.number, 4, .integer(4)), (.number, 0.5, .real(0.5)),
        (.text(maximumCount: 3), "äöü", .text("äöü")), (.json, [1, "x"], .text("[1,\"x\"]")),
        (.timestamp, 0, .text("1970-01-01T00:00:00.000000Z")),
        (.timestamp, -0.000001, .text("1969-12-31T23:59:59.999999Z")),
        (.timestamp, 951_782_400.5, .text("2000-02-29T00:00:00.500000Z")),
        (.timestamp, "infinity", .text("infinity")),
        (.bytes, "é", .bytes([0xC3, 0xA9])), (.any, [], .text("[]")), (.any, true, .bool(true)),
        (.array(of: .integer(bits: 32)), [1, .null], .text("{\"1\",NULL}")),
        (
            .array(of: .text(maximumCount: nil)), ["a\"b\\", "NULL", ""],
            .text("{\"a\\\"b\\\\\",\"NULL\",\"\"}")
        ),
        (.array(of: .real), [[1.5], [.double(.nan)]], .text("{{\"1.5\"},{\"NaN\"}}")),
        (.other("uuid"), "x", .text("x")), (.bool, .null, .null),
    ]

    @Test func `values that fit`() throws {
        for (kind, value, expected) in Self.good {
            #expect(try kind.value(of: value) == expected, "\(kind) \(value)")
        }
        guard case .real(let number) = try ColumnKind.real.value(of: "NaN") else {
            Issue.record("no number")
            return
        }
        #expect(number.isNaN)
    }

    private static let bad: [(ColumnKind, JournalValue)] = [
        (.bool, 1), (.bool, "true"), (.integer(bits: 16), 32768), (.integer(bits: 16), -32769),
        (.integer(bits: 32), 2_147_483_648), (.integer(bits: 64), .uint(.max)),
        (.integer(bits: 64), 0.5), (.integer(bits: 64), .double(.nan)), (.integer(bits: 64), "1"),
        (.integer(bits: 64), true), (.real, "1.5"), (.real, true), (.text(maximumCount: 2), "abc"),
        (.text(maximumCount: nil), 5), (.text(maximumCount: nil), []), (.timestamp, 1e18),
        (.timestamp, .double(.nan)), (.timestamp, true), (.array(of: .bool), true),
        (.array(of: .bool), ["x"]), (.other("uuid"), 5), (.bytes, 5), (.number, .uint(.max)),
        (.any, .uint(.max)), (.numeric, true),
    ]

    @Test func `values that don't fit are refused with the kind of both`() {
        for (kind, value) in Self.bad {
            #expect(throws: UnfitRecord.self, "\(kind) \(value)") { try kind.value(of: value) }
        }
    }

    private let table = Table(
        name: "s.t", quotedName: "\"s\".\"t\"",
        columns: [
            TableColumn(name: "a\"b", kind: .any), TableColumn(name: "n", kind: .integer(bits: 64)),
            TableColumn(name: "source", kind: .text(maximumCount: nil)),
            TableColumn(name: "seq", kind: .integer(bits: 64)),
            TableColumn(name: "time", kind: .timestamp),
        ], uniqueKeys: [["source", "seq"], ["n"]])

    @Test func `a row has the fields and what the record says of itself`() throws {
        let row = try RowMapping(layout: .columns, upsertOn: []).row(
            of: record(3, ["a\"b": "x"]), in: table)
        #expect(row.columns == ["a\"b", "source", "seq", "time"])
        #expect(
            row.values == [
                .text("x"), .text("run"), .integer(3), .text("2026-11-21T16:00:00.250000Z"),
            ])
        #expect(
            row.statement(mark: "$")
                == "INSERT INTO \"s\".\"t\" (\"a\"\"b\",\"source\",\"seq\",\"time\") VALUES ($1,$2,$3,$4)"
                + " ON CONFLICT (\"source\",\"seq\") DO NOTHING")
    }

    @Test
    func `a field of the name of a key is the user's, and then no row is taken for a repetition`()
        throws
    {
        let row = try RowMapping(layout: .columns, upsertOn: []).row(
            of: record(3, ["seq": 99]), in: table)
        #expect(row.values[0] == .integer(99))
        #expect(row.conflict == .refuse)
    }

    @Test func `upsert changes the other columns, and does nothing where there are none`() throws {
        let mapping = RowMapping(layout: .columns, upsertOn: ["n"])
        let few = Table(
            name: "t", quotedName: "\"t\"",
            columns: [
                TableColumn(name: "n", kind: .any), TableColumn(name: "v", kind: .any),
            ], uniqueKeys: [["n"]])
        #expect(
            try mapping.row(of: record(1, ["n": 1, "v": 2]), in: few).statement(mark: "?")
                == "INSERT INTO \"t\" (\"n\",\"v\") VALUES (?1,?2) ON CONFLICT (\"n\") DO UPDATE SET "
                + "\"v\" = excluded.\"v\"")
        #expect(
            try mapping.row(of: record(1, ["n": 1]), in: few).statement(mark: "?").hasSuffix(
                "ON CONFLICT (\"n\") DO NOTHING"))
        let options = [JournalField("upsertOn", ["v"])]
        #expect(throws: UnfitRecord.self) {
            try mapping.row(of: record(1, ["n": 1], options), in: few)
        }
    }

    @Test func `an empty object is a row of defaults`() throws {
        let bare = Table(
            name: "t", quotedName: "\"t\"", columns: [TableColumn(name: "n", kind: .any)],
            uniqueKeys: [])
        let row = try RowMapping(layout: .columns, upsertOn: []).row(of: record(1, [:]), in: bare)
        #expect(row.statement(mark: "$") == "INSERT INTO \"t\" DEFAULT VALUES")
    }

    @Test func `names are quoted, and what is no name is none`() {
        #expect(Table.quotedPath("frames") == "\"frames\"")
        #expect(Table.quotedPath("s.a\"; DROP TABLE x; --") == "\"s\".\"a\"\"; DROP TABLE x; --\"")
        #expect(Table.quotedPath("a.b.c") == "\"a\".\"b.c\"")
        for bad in ["", ".", "a.", ".b", "a\u{0}"] { #expect(Table.quotedPath(bad) == nil) }
    }

    @Test func `times to the nanosecond, before and after 1970`() {
        #expect(TimestampText.iso(nanoseconds: 0) == "1970-01-01T00:00:00.000000Z")
        #expect(TimestampText.iso(nanoseconds: -1) == "1969-12-31T23:59:59.999999Z")
        #expect(TimestampText.iso(nanoseconds: 999) == "1970-01-01T00:00:00.000000Z")
        // date -u -d @-9223372036.854775808 and @9223372036.854775807
        #expect(TimestampText.iso(nanoseconds: .min) == "1677-09-21T00:12:43.145224Z")
        #expect(TimestampText.iso(nanoseconds: .max) == "2262-04-11T23:47:16.854775Z")
        #expect(TimestampText.iso(seconds: -62_135_596_800) == "0001-01-01T00:00:00.000000Z")
        #expect(TimestampText.iso(seconds: 253_402_300_799) == "9999-12-31T23:59:59.000000Z")
        #expect(TimestampText.iso(seconds: 253_402_300_800) == nil)
        #expect(TimestampText.iso(seconds: .infinity) == nil)
    }
}
