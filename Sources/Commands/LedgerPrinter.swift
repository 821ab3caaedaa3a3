internal import ControllerRuntime
internal import Journal
internal import NDArrays

/// Prints rows of a ledger as they come, in constant memory.
struct LedgerPrinter {
    /// Rows from which a table learns how wide its columns are; later ones may stick out.
    static let sampleCount = 500
    /// Columns of `csv`, which are the keys of `json`, too.
    static let columns = [
        "frame", "uniqueId", "time", "stage", "outcome", "worker", "attempt",
        "configurationVersion", "source", "files", "byteCounts", "checksums", "reason",
    ]

    private let format: LedgerFormat
    private var table: FlowingTable
    private var output = OutputBuffer()
    private var hasBegun = false

    /// A printer; `width` is that of the terminal, nil: nothing is cut.
    init(format: LedgerFormat, width: Int?) {
        self.format = format
        table = FlowingTable(
            [
                ("frame", .left), ("id", .right), ("time", .left), ("stage", .left),
                ("outcome", .left), ("worker", .right), ("attempt", .right), ("version", .right),
                ("files", .left), ("reason", .left),
            ], sampleCount: Self.sampleCount, width: width)
    }

    /// Prints a row. False: nobody reads the output any more.
    mutating func print(_ row: LedgerRow) throws -> Bool {
        switch format {
        case .table: return output.add(table.add(Self.cells(of: row)))
        case .json: return output.add([try Self.json(of: row)])
        case .csv:
            // RFC 4180 §2: lines end with CR LF, and the first may name the columns.
            let header = hasBegun ? [] : [Self.columns.joined(separator: ",") + "\r"]
            hasBegun = true
            return output.add(header + [Self.csv(of: row) + "\r"])
        }
    }

    /// Prints what is left.
    mutating func end() {
        if format == .csv, !hasBegun {
            _ = output.add([Self.columns.joined(separator: ",") + "\r"])
        }
        _ = output.add(table.end())
        output.flush()
    }

    // MARK: - Forms of a row

    private static func cells(of row: LedgerRow) -> [String] {
        [
            "\(row.frame)", "\(row.uniqueId)", LocalTime.text(of: row.closedAt), row.stage,
            row.outcome.rawValue, row.worker.map { "\($0)" } ?? "", "\(row.attempt)",
            "\(row.configurationVersion)", row.files.map(\.path).joined(separator: " "),
            row.reason.replacing("\n", with: " "),
        ]
    }

    private static func json(of row: LedgerRow) throws -> String {
        let files = row.files.map { file in
            JournalValue.object([
                JournalField("path", .string(file.path)),
                JournalField("byteCount", .uint(file.byteCount)),
                JournalField("checksum", file.checksum.map { .uint(UInt64($0)) } ?? .null),
            ])
        }
        let values: [(String, JournalValue)] = [
            ("frame", .string("\(row.frame)")), ("uniqueId", .uint(row.uniqueId)),
            ("time", .string(LocalTime.text(of: row.closedAt))),
            ("timestamp", .double(row.closedAt)),
            ("stage", .string(row.stage)), ("outcome", .string(row.outcome.rawValue)),
            ("worker", row.worker.map { .int(Int64($0)) } ?? .null),
            ("attempt", .uint(UInt64(row.attempt))),
            ("configurationVersion", .uint(row.configurationVersion)),
            ("source", .string(row.source)), ("files", .array(files)),
            ("reason", .string(row.reason)),
        ]
        return try JournalValue.object(values.map { JournalField($0, $1) }).json()
    }

    private static func csv(of row: LedgerRow) -> String {
        let checksums = row.files.map { $0.checksum.map { "\($0)" } ?? "" }
        return [
            "\(row.frame)", "\(row.uniqueId)", LocalTime.text(of: row.closedAt), row.stage,
            row.outcome.rawValue, row.worker.map { "\($0)" } ?? "", "\(row.attempt)",
            "\(row.configurationVersion)", row.source,
            row.files.map(\.path).joined(separator: "\n"),
            row.files.map { "\($0.byteCount)" }.joined(separator: "\n"),
            checksums.joined(separator: "\n"), row.reason,
        ].map(quoted).joined(separator: ",")
    }

    /// A field of RFC 4180 §2: in quotes where it has a comma, a quote or a line break.
    private static func quoted(_ field: String) -> String {
        let needsQuotes = field.utf8.contains { "\",\r\n".utf8.contains($0) }
        return needsQuotes ? "\"\(field.replacing("\"", with: "\"\""))\"" : field
    }
}
