/// What the configurations of exporters that insert rows have in common.
protocol RowConfiguration {
    var name: String { get }
    var table: String? { get }
    var layout: RowLayout { get }
    var upsertOn: [String] { get }
    var createsTable: Bool { get }
    var maximumBatchCount: Int { get }
}

extension RowConfiguration {
    /// Refuses values of which an exporter can make nothing.
    func check() throws(ExporterConfigurationError) {
        try ExporterConfigurationError.check(name: name, maximumBatchCount: maximumBatchCount)
        if let table, Table.quotedPath(table) == nil {
            throw ExporterConfigurationError(
                name, "'\(excerpt(table))' is no name of a table; use table or schema.table")
        }
    }

    /// What delivers, given how to connect.
    func delivery<Session: SQLSession>(
        _ interruption: Interruption,
        open: @escaping @Sendable (ContinuousClock.Instant) throws(SQLFailure) -> Session
    ) -> SQLDelivery<Session> {
        SQLDelivery(
            exporter: name, table: table, createsTable: createsTable,
            mapping: RowMapping(layout: layout, upsertOn: upsertOn), interruption: interruption,
            open: open)
    }
}
