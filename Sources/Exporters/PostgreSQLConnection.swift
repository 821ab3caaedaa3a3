internal import CPostgreSQL
internal import Glibc

/// A statement with the values of its parameters, `$1` and so on.
struct PostgreSQLStatement {
    let text: String
    var parameters: [SQLValue] = []

    init(_ text: String, _ parameters: [SQLValue] = []) {
        self.text = text
        self.parameters = parameters
    }
}

/// A connection over libpq on which nothing blocks for longer than its time limit, and every wait can be
/// interrupted from another thread. One thread at a time uses it.
final class PostgreSQLConnection {
    private let connection: OpaquePointer
    private let interruption: Interruption
    private let display: String

    /// Connects; throws when that does not succeed before `deadline`.
    init(
        _ parameters: PostgreSQLParameters, until deadline: ContinuousClock.Instant,
        lookup: HostLookup, interruption: Interruption
    ) throws(SQLFailure) {
        display = parameters.display
        self.interruption = interruption
        let values = try parameters.resolved(
            until: deadline, lookup: lookup, interruption: interruption)
        let keywords = CStrings(values.map(\.keyword))
        let texts = CStrings(values.map(\.value))
        guard let connection = PQconnectStartParams(keywords.pointers, texts.pointers, 0) else {
            throw SQLFailure(.lost, "libpq has no memory left")
        }
        self.connection = connection
        // The SQLSTATE of a refusal is only to be had as a part of the message.
        PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        // A notice, such as that a table is there already, would go to standard error.
        PQsetNoticeReceiver(connection, { _, _ in }, nil)
        try finishConnecting(until: deadline)
        PQsetnonblocking(connection, 1)
    }

    deinit { PQfinish(connection) }

    private func finishConnecting(until deadline: ContinuousClock.Instant) throws(SQLFailure) {
        guard PQstatus(connection) != CONNECTION_BAD else { throw refusal() }
        var direction = PGRES_POLLING_WRITING
        while true {
            switch direction {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_READING: try wait(for: POLLIN, until: deadline)
            case PGRES_POLLING_WRITING: try wait(for: POLLOUT, until: deadline)
            default: throw refusal()
            }
            direction = PQconnectPoll(connection)
        }
    }

    /// Why there is no connection: what libpq says, with the SQLSTATE taken out of it.
    private func refusal() -> SQLFailure {
        var text = String(cString: PQerrorMessage(connection))
        var state = ""
        // Two blanks stand before it, one before the severity, which may have five letters, too.
        if let match = text.firstMatch(of: #/: {2}([0-9A-Z]{5}): /#) {
            state = String(match.output.1)
            text = text.replacing("\(state): ", with: "").replacing(
                #/\s+LOCATION:[^\n]*/#, with: "")
        }
        let reason = "\(display): \(excerpt(text))"
        // 28: user or password, 3D: no such database, 42501: not allowed to connect.
        let isRefused = state.hasPrefix("28") || state == "3D000" || state == "42501"
        guard isRefused || PQconnectionNeedsPassword(connection) == 1 else {
            return SQLFailure(.lost, reason)
        }
        return SQLFailure(.configuration, reason + "; check user, password and database")
    }

    private func wait(
        for events: Int32, until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) {
        switch interruption.wait(for: events, on: PQsocket(connection), until: deadline) {
        case .ready: return
        case .timeUp: throw SQLFailure(.lost, "\(display): no answer within the time limit")
        case .interrupted: throw SQLFailure(.lost, "\(display): interrupted")
        }
    }

    /// Whether the server has not ended the connection since it was used, as it does when it stops.
    var isUsable: Bool {
        guard PQstatus(connection) == CONNECTION_OK else { return false }
        var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        // A last message may stand before the end, which is seen only when nothing else is left.
        for _ in 0..<100 where poll(&descriptor, 1, 0) > 0 {
            guard PQconsumeInput(connection) == 1, PQstatus(connection) == CONNECTION_OK else {
                return false
            }
        }
        return true
    }

    /// Sends statements at once and reads what they answer. They are one transaction: the server rolls back
    /// all when one fails, and the others are not carried out. Returns the rows of each.
    func run(
        _ statements: [PostgreSQLStatement], until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> [[[String?]]] {
        // A statement that waits for a lock ends on the server, too, when nobody waits for it here.
        let limit = PostgreSQLStatement(
            "SELECT pg_catalog.set_config('statement_timeout', $1, true)",
            [.text("\(max(1, deadline.millisecondsFromNow))")])
        let all =
            [PostgreSQLStatement("BEGIN"), limit] + statements + [PostgreSQLStatement("COMMIT")]
        guard PQenterPipelineMode(connection) == 1 else { throw lost() }
        for statement in all { try send(statement) }
        guard PQpipelineSync(connection) == 1 else { throw lost() }
        var failure: SQLFailure?
        var rows: [[[String?]]] = []
        for index in all.indices {
            switch try result(until: deadline) {
            case .success(let found): rows.append(found)
            // What follows is not carried out, which is no news.
            case .failure(let refusal): failure = failure ?? refusal
            }
            if index == all.count - 1, failure == nil, !isCommitted { failure = notCommitted }
        }
        try awaitResult(until: deadline)
        guard let end = PQgetResult(connection) else { throw lost() }
        defer { PQclear(end) }
        guard PQresultStatus(end) == PGRES_PIPELINE_SYNC, PQexitPipelineMode(connection) == 1
        else { throw lost() }
        if let failure {
            try rollBack(until: deadline)
            throw failure
        }
        return Array(rows.dropFirst(2).dropLast())
    }

    private var isCommitted = false
    private var notCommitted: SQLFailure {
        SQLFailure(.later, "\(display): the transaction was not committed")
    }

    private func rollBack(until deadline: ContinuousClock.Instant) throws(SQLFailure) {
        guard PQtransactionStatus(connection) != PQTRANS_IDLE else { return }
        guard PQsendQuery(connection, "ROLLBACK") == 1 else { throw lost() }
        try awaitResult(until: deadline)
        while let result = PQgetResult(connection) {
            PQclear(result)
            try awaitResult(until: deadline)
        }
        guard PQtransactionStatus(connection) == PQTRANS_IDLE else { throw lost() }
    }

    private func send(_ statement: PostgreSQLStatement) throws(SQLFailure) {
        let values = CStrings(statement.parameters.map(\.postgreSQLText))
        let code = PQsendQueryParams(
            connection, statement.text, Int32(statement.parameters.count), nil, values.pointers,
            nil,
            nil, 0)
        guard code == 1 else { throw lost() }
    }

    /// The connection is no good any more.
    private func lost() -> SQLFailure {
        SQLFailure(.lost, "\(display): \(excerpt(String(cString: PQerrorMessage(connection))))")
    }

    /// Waits until the next result is there, and sends what is still to be sent meanwhile.
    private func awaitResult(until deadline: ContinuousClock.Instant) throws(SQLFailure) {
        while true {
            let unsent = PQflush(connection)
            guard unsent >= 0, PQconsumeInput(connection) == 1 else { throw lost() }
            if PQisBusy(connection) == 0 { return }
            try wait(for: unsent == 1 ? POLLIN | POLLOUT : POLLIN, until: deadline)
        }
    }

    /// The rows of the next statement, or why it failed.
    private func result(
        until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> Result<[[String?]], SQLFailure> {
        try awaitResult(until: deadline)
        guard let result = PQgetResult(connection) else { throw lost() }
        defer { PQclear(result) }
        let status = PQresultStatus(result)
        guard PQstatus(connection) == CONNECTION_OK else { throw lost() }
        isCommitted = String(cString: PQcmdStatus(result)) == "COMMIT"
        try awaitResult(until: deadline)
        // A null result ends those of a statement; another would be one that nobody asked for.
        guard PQgetResult(connection) == nil else { throw lost() }
        switch status {
        case PGRES_TUPLES_OK: return .success(Self.rows(of: result))
        case PGRES_COMMAND_OK: return .success([])
        default: return .failure(failure(of: result))
        }
    }

    private static func rows(of result: OpaquePointer) -> [[String?]] {
        (0..<PQntuples(result)).map { row in
            (0..<PQnfields(result)).map { column in
                PQgetisnull(result, row, column) == 1
                    ? nil : String(cString: PQgetvalue(result, row, column))
            }
        }
    }

    private func failure(of result: OpaquePointer) -> SQLFailure {
        // PG_DIAG_SQLSTATE and PG_DIAG_MESSAGE_PRIMARY. The detail, which may quote the whole row, is left out.
        func field(_ name: Character) -> String? {
            PQresultErrorField(result, Int32(name.asciiValue ?? 0)).map { String(cString: $0) }
        }
        let state = field("C") ?? ""
        let message = excerpt(field("M") ?? String(cString: PQresultErrorMessage(result)))
        return SQLFailure(Self.cause(ofState: state), "\(display): \(message) (SQLSTATE \(state))")
    }

    /// What an SQLSTATE means for the record (PostgreSQL manual, appendix A).
    static func cause(ofState state: String) -> SQLFailure.Cause {
        // Insufficient privilege; a server that only reads.
        if state == "42501" || state == "25006" { return .configuration }
        return switch state.prefix(2) {
        // Not supported, cardinality, data, integrity, syntax and names, check option, too complex, raised.
        case "0A", "21", "22", "23", "42", "44", "54", "P0": .record
        default: .later
        }
    }
}

/// Texts as an array that C reads, ended by a null pointer. A text ends at a zero in it: whoever may have one
/// refuses it before.
final class CStrings {
    private let copies: [UnsafeMutablePointer<CChar>?]
    let pointers: UnsafeMutablePointer<UnsafePointer<CChar>?>

    init(_ texts: [String?]) {
        copies = texts.map { $0.flatMap { strdup($0) } }
        pointers = .allocate(capacity: texts.count + 1)
        for (index, copy) in copies.enumerated() {
            (pointers + index).initialize(to: UnsafePointer(copy))
        }
        (pointers + texts.count).initialize(to: nil)
    }

    deinit {
        for copy in copies { free(copy) }
        pointers.deallocate()
    }
}
