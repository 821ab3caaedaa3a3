internal import CSQLite
internal import Glibc

/// A database file over SQLite in WAL mode. One thread at a time uses it.
final class SQLiteDatabase {
    /// Statements that are kept prepared; more of them begin anew.
    private static let maximumStatementCount = 32

    private let path: String
    private let database: OpaquePointer
    private let pacer: Pacer
    private var statements: [String: OpaquePointer] = [:]
    /// Which file it was when it was opened: one that was replaced since would take rows to nowhere.
    private let identity: FileIdentity?

    /// What SQLite asks while it waits for another process or works for long.
    private final class Pacer {
        let interruption: Interruption
        var deadline = ContinuousClock.now

        init(_ interruption: Interruption) { self.interruption = interruption }

        /// Lets 10 ms pass for a database that is in use; false when the time is over.
        func waitForOthers() -> Bool {
            let next = min(deadline, .now + .milliseconds(10))
            return interruption.wait(for: 0, until: next) == .timeUp && .now < deadline
        }

        var isOver: Bool { interruption.isRequested || .now >= deadline }
    }

    private struct FileIdentity: Equatable {
        let device: UInt64
        let inode: UInt64

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
        }
    }

    /// Opens the file; `isCreated`: makes it where there is none. Commits are on the disk when they are
    /// acknowledged (`synchronous = FULL`).
    init(
        path: String, isCreated: Bool, until deadline: ContinuousClock.Instant,
        interruption: Interruption
    ) throws(SQLFailure) {
        let flags =
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (isCreated ? SQLITE_OPEN_CREATE : 0)
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            let text = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "no memory left"
            sqlite3_close_v2(handle)
            throw SQLFailure(
                .configuration,
                "SQLite database \(path): \(excerpt(text)); check path and permissions")
        }
        self.path = path
        database = handle
        identity = FileIdentity(path)
        pacer = Pacer(interruption)
        pacer.deadline = deadline
        let context = Unmanaged.passUnretained(pacer).toOpaque()
        sqlite3_busy_handler(
            handle,
            { context, _ in
                guard let context else { return 0 }
                return Unmanaged<Pacer>.fromOpaque(context).takeUnretainedValue().waitForOthers()
                    ? 1 : 0
            }, context)
        sqlite3_progress_handler(
            handle, 10_000,
            { context in
                guard let context else { return 1 }
                return Unmanaged<Pacer>.fromOpaque(context).takeUnretainedValue().isOver ? 1 : 0
            }, context)
        sqlite3_extended_result_codes(handle, 1)
        // Some file systems can't have WAL; then the journal stays as it is.
        _ = try run("PRAGMA journal_mode = WAL", until: deadline)
        _ = try run("PRAGMA synchronous = FULL", until: deadline)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(database)
    }

    /// Whether the path still names the file that was opened.
    var isUsable: Bool { FileIdentity(path) == identity && identity != nil }

    /// Whether a transaction is open.
    var isInTransaction: Bool { sqlite3_get_autocommit(database) == 0 }

    /// Carries out one statement and returns its rows.
    func run(
        _ text: String, _ values: [SQLValue] = [], until deadline: ContinuousClock.Instant
    ) throws(SQLFailure) -> [[SQLValue]] {
        pacer.deadline = deadline
        let statement = try prepared(text)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() {
            guard Self.bind(value, to: statement, Int32(index + 1)) == SQLITE_OK else {
                throw failure()
            }
        }
        var rows: [[SQLValue]] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: rows.append(Self.row(of: statement))
            case SQLITE_DONE: return rows
            default: throw failure()
            }
        }
    }

    private func prepared(_ text: String) throws(SQLFailure) -> OpaquePointer {
        if let statement = statements[text] { return statement }
        if statements.count >= Self.maximumStatementCount {
            for statement in statements.values { sqlite3_finalize(statement) }
            statements = [:]
        }
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(database, text, -1, &statement, nil) == SQLITE_OK, let statement
        else { throw failure() }
        statements[text] = statement
        return statement
    }

    private static func bind(_ value: SQLValue, to statement: OpaquePointer, _ index: Int32)
        -> Int32
    {
        switch value {
        case .null: sqlite3_bind_null(statement, index)
        case .bool(let value): sqlite3_bind_int64(statement, index, value ? 1 : 0)
        case .integer(let value): sqlite3_bind_int64(statement, index, value)
        case .real(let value): sqlite3_bind_double(statement, index, value)
        case .text(let text):
            text.utf8.withContiguousStorageIfAvailable { bytes in
                bytes.withMemoryRebound(to: CChar.self) {
                    csqlite_bind_text(statement, index, $0.baseAddress, Int32(clamping: $0.count))
                }
            } ?? csqlite_bind_text(statement, index, text, Int32(clamping: text.utf8.count))
        case .bytes(let bytes):
            // An empty array has no address, which would mean NULL.
            bytes.isEmpty
                ? sqlite3_bind_zeroblob(statement, index, 0)
                : bytes.withUnsafeBytes {
                    csqlite_bind_blob(statement, index, $0.baseAddress, Int32(clamping: $0.count))
                }
        }
    }

    private static func row(of statement: OpaquePointer) -> [SQLValue] {
        (0..<sqlite3_column_count(statement)).map { column in
            switch sqlite3_column_type(statement, column) {
            case SQLITE_INTEGER: .integer(sqlite3_column_int64(statement, column))
            case SQLITE_FLOAT: .real(sqlite3_column_double(statement, column))
            case SQLITE_TEXT: .text(String(cString: sqlite3_column_text(statement, column)))
            case SQLITE_BLOB:
                .bytes(
                    Array(
                        UnsafeRawBufferPointer(
                            start: sqlite3_column_blob(statement, column),
                            count: Int(sqlite3_column_bytes(statement, column)))))
            default: .null
            }
        }
    }

    private func failure() -> SQLFailure {
        let code = sqlite3_extended_errcode(database) & 0xFF
        let text = excerpt(String(cString: sqlite3_errmsg(database)))
        let reason = "SQLite database \(path): \(text) (code \(code))"
        switch code {
        case SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_ERROR, SQLITE_RANGE:
            return SQLFailure(.record, reason)
        case SQLITE_NOTADB, SQLITE_CORRUPT, SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM,
            SQLITE_AUTH:
            return SQLFailure(
                .configuration, reason + "; check the file, its folder and permissions")
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL, SQLITE_INTERRUPT, SQLITE_NOMEM:
            return SQLFailure(.later, reason)
        default: return SQLFailure(.lost, reason)
        }
    }
}
