public import Telemetry

/// Inserts records as rows into PostgreSQL, a transaction for each batch; what is committed is delivered.
///
/// Connects when it first delivers, and again after the connection was lost. Where the table has a unique key
/// of `source` and `seq`, a record that comes again is there once. A record that the table can't take is
/// refused for good and does not keep the others of its batch out. Names of tables and columns are those of
/// the catalogue: in lower case, unless they were created in quotes.
public final class PostgreSQLExporter: Exporter {
    /// Where the server is and who connects.
    public enum Server: Sendable {
        /// A connection string of libpq, `postgresql://…` or `host=… user=…`; whatever libpq knows counts,
        /// such as `sslmode`. A host that is not named there is that of `PGHOST`, as libpq has it.
        case connectionString(Secret)
        /// The parts; without a password libpq looks into `PGPASSWORD` and the password file.
        case parts(
            host: String, port: Int = 5432, user: String, password: Secret? = nil, database: String)
    }

    /// How it is made.
    public struct Configuration: Sendable, RowConfiguration {
        /// The name in messages, statistics and the spool.
        public var name: String
        /// Where the server is and who connects.
        public var server: Server
        /// The table, `table` or `schema.table`, of records that name none in their option `table`; nil: all
        /// have to.
        public var table: String?
        /// How a record becomes a row.
        public var layout: RowLayout
        /// Columns of a unique key: a record whose row is there already takes its place. Empty: it does not.
        /// A record's own option `upsertOn` wins.
        public var upsertOn: [String]
        /// Whether a table that is missing is created, with columns after the first record for it.
        public var createsTable: Bool
        /// The most records of one transaction.
        public var maximumBatchCount: Int
        /// The longest that connecting may take; the time limit of a delivery holds besides.
        public var connectTimeLimit: Duration

        /// A configuration.
        public init(
            name: String = "postgresql", server: Server, table: String?,
            layout: RowLayout = .columns, upsertOn: [String] = [], createsTable: Bool = false,
            maximumBatchCount: Int = 200, connectTimeLimit: Duration = .seconds(10)
        ) {
            self.name = name
            self.server = server
            self.table = table
            self.layout = layout
            self.upsertOn = upsertOn
            self.createsTable = createsTable
            self.maximumBatchCount = maximumBatchCount
            self.connectTimeLimit = connectTimeLimit
        }
    }

    /// The name in messages, statistics and the spool.
    public let name: String
    /// The most records of one transaction.
    public let maximumBatchCount: Int
    private let interruption: Interruption
    private let delivery: SQLDelivery<PostgreSQLSession>

    /// Makes the exporter; throws `ExporterConfigurationError`. It connects when it delivers.
    public init(_ configuration: Configuration) throws {
        try configuration.check()
        name = configuration.name
        maximumBatchCount = configuration.maximumBatchCount
        let parameters: PostgreSQLParameters
        switch configuration.server {
        case .connectionString(let text):
            guard let read = PostgreSQLParameters(connectionString: text) else {
                throw ExporterConfigurationError(
                    name,
                    "its connection string can't be read; it has the form "
                        + "postgresql://user:password@host:port/database")
            }
            parameters = read
        case .parts(let host, let port, let user, let password, let database):
            parameters = PostgreSQLParameters(
                host: host, port: port, user: user, password: password, database: database)
        }
        let interruption = try Interruption(exporter: name)
        let lookup = try HostLookup(exporter: name)
        let limit = configuration.connectTimeLimit
        self.interruption = interruption
        delivery = configuration.delivery(interruption) { deadline throws(SQLFailure) in
            PostgreSQLSession(
                try PostgreSQLConnection(
                    parameters, until: min(deadline, .now + limit), lookup: lookup,
                    interruption: interruption))
        }
    }

    /// Inserts records in a transaction; blocks at most as long as `limit`.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        delivery.deliver(records, within: limit)
    }

    /// Ends a delivery that is under way at once; what is not committed is rolled back.
    public func interrupt() { interruption.request() }

    /// Ends the connection.
    public func close() { delivery.close() }
}
