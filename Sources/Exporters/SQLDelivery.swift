internal import Journal
internal import Telemetry

/// Why a statement or a connection failed.
struct SQLFailure: Error, Sendable, Equatable {
    enum Cause: Sendable, Equatable {
        /// The connection can't be used any more, or never came to be.
        case lost
        /// It may work later on the same connection.
        case later
        /// Somebody has to put something right before it can work.
        case configuration
        /// The statement can never work.
        case record
    }

    let cause: Cause
    /// What happened, without the name of the exporter.
    let reason: String

    init(_ cause: Cause, _ reason: String) {
        self.cause = cause
        self.reason = reason
    }

    /// What it means for a record.
    var outcome: ExportOutcome {
        switch cause {
        case .lost, .later: .retryable(reason: reason, after: nil)
        case .configuration:
            .retryable(reason: reason, after: OutcomeList.configurationPause)
        case .record: .permanent(reason: reason)
        }
    }
}

/// A connection to a database that takes rows.
protocol SQLSession: AnyObject {
    /// How types are called where tables are created.
    static var types: NewTable.Types { get }
    /// Whether nothing has happened to the connection since it was used.
    var isUsable: Bool { get }
    /// What the database knows of a table; nil when there is no such table.
    func describe(
        _ name: String, quotedName: String, until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> Table?
    /// Carries out a statement that changes the database itself.
    func create(_ statement: String, until deadline: ContinuousClock.Instant) throws(SQLFailure)
    /// Inserts all rows in a transaction, or none of them.
    func insert(_ rows: [Row], until deadline: ContinuousClock.Instant) throws(SQLFailure)
}

/// Delivers records as rows, on a connection that is made when it is needed and made again when it was lost.
final class SQLDelivery<Session: SQLSession>: @unchecked Sendable {
    /// Tables that are remembered; more of them begin anew.
    private static var maximumTableCount: Int { 256 }

    // Guard of the three below: one thread at a time calls `deliver` and `close`, as `Exporter` says.
    private var session: Session?
    private var tables: [String: (table: Table, call: UInt64)] = [:]
    private var call: UInt64 = 0

    private let exporter: String
    private let table: String?
    private let createsTable: Bool
    private let mapping: RowMapping
    private let interruption: Interruption
    private let open: @Sendable (ContinuousClock.Instant) throws(SQLFailure) -> Session

    init(
        exporter: String, table: String?, createsTable: Bool, mapping: RowMapping,
        interruption: Interruption,
        open: @escaping @Sendable (ContinuousClock.Instant) throws(SQLFailure) -> Session
    ) {
        self.exporter = exporter
        self.table = table
        self.createsTable = createsTable
        self.mapping = mapping
        self.interruption = interruption
        self.open = open
    }

    func close() {
        session = nil
        tables = [:]
    }

    func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        defer { interruption.clear() }
        let deadline = ContinuousClock.now + limit
        var outcomes = OutcomeList(exporter: exporter, count: records.count)
        guard !records.isEmpty else { return [] }
        call += 1
        do {
            let session = try connected(until: deadline)
            var rows: [(index: Int, row: Row)] = []
            for (index, record) in records.enumerated() {
                switch try row(of: record, session, until: deadline) {
                case .success(let row): rows.append((index, row))
                case .failure(let unfit): outcomes.set(index, .permanent(reason: unfit.reason))
                }
            }
            try store(rows, session, until: deadline, &outcomes)
        } catch {
            if error.cause == .lost { close() }
            outcomes.setOpen(error.outcome)
        }
        return outcomes.finished()
    }

    private func connected(until deadline: ContinuousClock.Instant) throws(SQLFailure) -> Session {
        if let session, session.isUsable { return session }
        close()
        let session = try open(deadline)
        self.session = session
        return session
    }

    private func row(
        of record: ExportRecord, _ session: Session, until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> Result<Row, UnfitRecord> {
        let name: String
        do {
            guard let found = try record.textOption("table") ?? table else {
                return .failure(UnfitRecord("neither the record nor the exporter names a table"))
            }
            name = found
        } catch {
            return .failure(error)
        }
        var result = try mapped(record, into: name, session, until: deadline)
        // What was known of the table may be old: it is looked at once more, at most once a call.
        if case .failure = result, let known = tables[name], known.call != call {
            tables[name] = nil
            result = try mapped(record, into: name, session, until: deadline)
        }
        return result
    }

    private func mapped(
        _ record: ExportRecord, into name: String, _ session: Session,
        until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> Result<Row, UnfitRecord> {
        switch try described(name, for: record, session, until: deadline) {
        case .failure(let unfit): return .failure(unfit)
        case .success(let table):
            do {
                return .success(try mapping.row(of: record, in: table))
            } catch {
                return .failure(error)
            }
        }
    }

    private func described(
        _ name: String, for record: ExportRecord, _ session: Session,
        until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> Result<Table, UnfitRecord> {
        if let known = tables[name] { return .success(known.table) }
        guard let quotedName = Table.quotedPath(name) else {
            return .failure(UnfitRecord("'\(excerpt(name))' is no name of a table"))
        }
        var table = try session.describe(name, quotedName: quotedName, until: deadline)
        if table == nil, createsTable {
            let statement: String
            do {
                statement = try NewTable.statement(
                    quotedName, like: record, layout: mapping.layout, types: Session.types)
            } catch {
                return .failure(error)
            }
            try create(statement, session, until: deadline)
            table = try session.describe(name, quotedName: quotedName, until: deadline)
        }
        guard let table else {
            return .failure(UnfitRecord("there is no table '\(name)'; create it"))
        }
        if tables.count >= Self.maximumTableCount { tables = [:] }
        tables[name] = (table, call)
        return .success(table)
    }

    /// A table that can't be created is nothing that the record is to blame for.
    private func create(
        _ statement: String, _ session: Session, until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) {
        do {
            try session.create(statement, until: deadline)
        } catch  where error.cause == .record {
            throw SQLFailure(.configuration, "the table cannot be created: \(error.reason)")
        }
    }

    /// Stores rows together; when one of them is refused, each by itself.
    private func store(
        _ rows: [(index: Int, row: Row)], _ session: Session,
        until deadline: ContinuousClock.Instant, _ outcomes: inout OutcomeList
    ) throws(SQLFailure) {
        guard !rows.isEmpty else { return }
        if rows.count > 1 {
            do {
                try session.insert(rows.map(\.row), until: deadline)
                for row in rows { outcomes.set(row.index, .delivered(.null)) }
                return
            } catch  where error.cause == .record {
                // One of them is to blame, and the others are not to suffer for it.
            }
        }
        for row in rows {
            do {
                try session.insert([row.row], until: deadline)
                outcomes.set(row.index, .delivered(.null))
            } catch  where error.cause == .record {
                outcomes.set(row.index, .permanent(reason: error.reason))
                tables = [:]
            }
        }
    }
}
