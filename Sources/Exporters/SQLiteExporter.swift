public import Telemetry

/// Inserts records as rows into an SQLite database, a transaction for each batch; what is committed is on the
/// disk and delivered.
///
/// The file is opened when it first delivers, in WAL mode, so that others can read it meanwhile. Rows are made
/// as for PostgreSQL, with what SQLite has: truth values are 0 and 1, times are text (ISO 8601, UTC), NaN is
/// NULL, because SQLite has none.
public final class SQLiteExporter: Exporter {
    /// How it is made.
    public struct Configuration: Sendable, RowConfiguration {
        /// The name in messages, statistics and the spool.
        public var name: String
        /// The database file.
        public var path: String
        /// The table of records that name none in their option `table`; nil: all have to.
        public var table: String?
        /// How a record becomes a row.
        public var layout: RowLayout
        /// Columns of a unique key: a record whose row is there already takes its place. Empty: it does not.
        /// A record's own option `upsertOn` wins.
        public var upsertOn: [String]
        /// Whether a file and a table that are missing are created, with columns after the first record.
        public var createsTable: Bool
        /// The most records of one transaction.
        public var maximumBatchCount: Int

        /// A configuration.
        public init(
            name: String = "sqlite", path: String, table: String?, layout: RowLayout = .columns,
            upsertOn: [String] = [], createsTable: Bool = false, maximumBatchCount: Int = 500
        ) {
            self.name = name
            self.path = path
            self.table = table
            self.layout = layout
            self.upsertOn = upsertOn
            self.createsTable = createsTable
            self.maximumBatchCount = maximumBatchCount
        }
    }

    /// The name in messages, statistics and the spool.
    public let name: String
    /// The most records of one transaction.
    public let maximumBatchCount: Int
    private let interruption: Interruption
    private let delivery: SQLDelivery<SQLiteSession>

    /// Makes the exporter; throws `ExporterConfigurationError`. It opens the file when it delivers.
    public init(_ configuration: Configuration) throws {
        try configuration.check()
        name = configuration.name
        maximumBatchCount = configuration.maximumBatchCount
        let interruption = try Interruption(exporter: name)
        self.interruption = interruption
        delivery = configuration.delivery(interruption) { deadline throws(SQLFailure) in
            SQLiteSession(
                try SQLiteDatabase(
                    path: configuration.path, isCreated: configuration.createsTable,
                    until: deadline, interruption: interruption))
        }
    }

    /// Inserts records in a transaction; waits for another process that writes at most as long as `limit`.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        delivery.deliver(records, within: limit)
    }

    /// Ends a delivery that is under way at once; what is not committed is rolled back.
    public func interrupt() { interruption.request() }

    /// Closes the file.
    public func close() { delivery.close() }
}
