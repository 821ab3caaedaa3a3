import Foundation
import Journal
import Telemetry
import TestSupport
import Testing

@testable import Exporters

/// What happens to rows when PostgreSQL, the network or the configuration is not as it should be.
@Suite(.timeLimit(.minutes(1)), .enabled(if: PostgreSQLServer.isThere, PostgreSQLServer.hint))
struct PostgreSQLOutageTests {
    private func exporter(
        _ server: PostgreSQLExporter.Server, table: String = "t"
    ) throws -> PostgreSQLExporter {
        try PostgreSQLExporter(.init(server: server, table: table))
    }

    @Test
    func
        `R37: PostgreSQL: down at the start, stopped and crashed in the middle: each row is there once`()
        throws
    {
        let server = try PostgreSQLServer()
        try server.query("CREATE TABLE t (source text, seq bigint, n int, UNIQUE (source, seq))")
        server.stop(.fast)
        let exporter = try exporter(address(server))
        let refused = exporter.deliver(record(1, ["n": 1]))
        #expect(refused.isRetryable)
        #expect(refused.pause == nil)
        #expect(refused.reason.contains("Connection refused"))
        try server.start()
        for seq: UInt64 in 1...30 {
            if seq == 10 { server.stop(.fast) }
            if seq == 20 { server.stop(.immediate) }
            if seq % 10 == 0, seq < 30 {
                #expect(exporter.deliver(record(seq, ["n": .uint(seq)])).isRetryable)
                try server.start()
            }
            #expect(exporter.deliverStubbornly(record(seq, ["n": .uint(seq)])).isDelivered)
        }
        #expect(try server.query("SELECT count(*), sum(n) FROM t") == ["30|465"])
    }

    @Test
    func `R34: a server that was restarted between two deliveries is connected to again at once`()
        throws
    {
        let server = try PostgreSQLServer()
        try server.query("CREATE TABLE t (n int)")
        let exporter = try exporter(address(server))
        #expect(exporter.deliver(record(1, ["n": 1])).isDelivered)
        for how in [PostgreSQLServer.Stop.fast, .immediate] {
            server.stop(how)
            try server.start()
            #expect(exporter.deliver(record(2, ["n": 2])).isDelivered)
        }
        #expect(try server.query("SELECT count(*) FROM t") == ["3"])
    }

    @Test(.enabled(if: SmallDisk.isPermitted, SmallDisk.hint))
    func `a server whose disk is full keeps what waits in order, and takes it when there is room`()
        throws
    {
        let server = try PostgreSQLServer()
        let disk = try server.makeTablespace("small", megabytes: 3)
        try server.query(
            """
            CREATE TABLE t (source text, seq bigint, n int, filling text, UNIQUE (source, seq))
            TABLESPACE small
            """)
        let folder = try TemporaryFolder()
        let pool = try ExporterPool(
            [exporter(address(server))], useMemory: false, manualReexport: true,
            spoolDirectory: folder.file("spool"), source: "test")
        // Rows of more than half a page: each new one needs a page of its own.
        let filling = JournalValue.string(String(repeating: "x", count: 1900) + "y")
        func send(_ number: Int64) throws -> ExportResult? {
            try pool.send(["n": .int(number), "filling": filling]).first
        }
        for number in 1...10 { #expect(try send(Int64(number))?.successful == true) }
        try disk.fillUp()
        var number: Int64 = 10
        var failed: ExportResult?
        // A table may have some free pages before it has to grow.
        while failed == nil, number < 2000 {
            number += 1
            if let result = try send(number), !result.successful { failed = result }
        }
        #expect(failed?.reason?.contains("No space left on device") == true, "\(failed as Any)")
        let last = number + 5
        while number < last {
            number += 1
            _ = try send(number)
        }
        #expect(pool.hasUnsentData)
        try disk.clear()
        #expect(try pool.sendUnsentData().allSuccessful)
        #expect(!pool.hasUnsentData && pool.statuses[0].deadLetters == 0)
        try pool.stop()
        #expect(
            try server.query("SELECT count(*), count(DISTINCT n), sum(n) FROM t")
                == ["\(last)|\(last)|\(last * (last + 1) / 2)"])
    }

    @Test func `an acknowledgement that is lost doubles a row only where the table has no key`()
        throws
    {
        let server = try PostgreSQLServer()
        try server.query(
            """
            CREATE TABLE keyed (source text, seq bigint, n int, PRIMARY KEY (source, seq));
            CREATE TABLE plain (n int)
            """)
        for (table, expected) in [("keyed", "2|3"), ("plain", "4|6")] {
            // Rows and commit are one request, so that the answers to both are lost together.
            let proxy = try ForgetfulProxy(to: server.port, losing: "INSERT 0 1", count: 1)
            let exporter = try exporter(
                .parts(
                    host: "127.0.0.1", port: Int(proxy.port), user: "det", database: "postgres"),
                table: table)
            let records = [record(1, ["n": 1]), record(2, ["n": 2])]
            let first = exporter.deliver(records, within: .seconds(20))
            #expect(first.allSatisfy { $0.isRetryable })
            #expect(proxy.remaining == 0)
            // The server may still be about to commit what the client has not heard of.
            let isCommitted = try Deadline(milliseconds: 30_000).wait {
                try server.query("SELECT count(*) FROM \(table)") == ["2"]
            }
            #expect(isCommitted)
            #expect(exporter.deliver(records, within: .seconds(20)).allSatisfy { $0.isDelivered })
            #expect(try server.query("SELECT count(*), sum(n) FROM \(table)") == [expected])
        }
    }

    @Test
    func
        `a wrong password, an unknown role and an unknown database say so and are left alone a while`()
        throws
    {
        let server = try PostgreSQLServer()
        try server.query("CREATE TABLE t (n int); GRANT INSERT ON t TO locked")
        func outcome(_ user: String, _ password: Secret?, _ database: String) throws
            -> ExportOutcome
        {
            let parts = PostgreSQLExporter.Server.parts(
                host: "127.0.0.1", port: Int(server.port), user: user, password: password,
                database: database)
            return try exporter(parts).deliver(record(1, ["n": 1]))
        }
        for (outcome, text) in [
            (try outcome("locked", "wrong", "postgres"), "password authentication failed"),
            (try outcome("locked", nil, "postgres"), "no password supplied"),
            (try outcome("nobody", nil, "postgres"), "role \"nobody\" does not exist"),
            (try outcome("det", nil, "nowhere"), "database \"nowhere\" does not exist"),
        ] {
            #expect(outcome.isRetryable)
            #expect(outcome.pause == .seconds(30))
            #expect(outcome.reason.contains(text), "\(outcome.reason)")
            #expect(!outcome.reason.contains("LOCATION"))
            #expect(!outcome.reason.contains("wrong"))
        }
        let right = try outcome("locked", Secret(PostgreSQLServer.password), "postgres")
        #expect(right.isDelivered, "\(right)")
        // What a role may not do is nothing that the record is to blame for.
        try server.query("REVOKE INSERT ON t FROM locked")
        let forbidden = try outcome("locked", Secret(PostgreSQLServer.password), "postgres")
        #expect(forbidden.pause == .seconds(30))
        #expect(forbidden.reason.contains("SQLSTATE 42501"))
    }

    @Test
    func
        `a table that is locked holds a delivery no longer than its limit, here and on the server`()
        throws
    {
        let server = try PostgreSQLServer()
        try server.query("CREATE TABLE t (n int)")
        let holder = try exporter(address(server))
        #expect(holder.deliver(record(1, ["n": 1])).isDelivered)
        try server.query("CREATE TABLE slow (n int)")
        try server.query(
            """
            CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
            CREATE TRIGGER wait BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION wait()
            """)
        let slow = try exporter(address(server), table: "slow")
        let late = slow.deliver([record(1, ["n": 1]), record(2, ["n": 2])], within: .seconds(1))
        #expect(late.allSatisfy { $0.isRetryable })
        #expect(
            late[0].reason.contains("time limit") || late[0].reason.contains("statement timeout"),
            "\(late[0].reason)")

        let interrupted = Later {
            slow.deliver(record(1, ["n": 1]), within: .seconds(3600))
        }
        let isWaiting = try Deadline(milliseconds: 30_000).wait {
            try server.query(Self.waiting + " AND query LIKE '%INSERT INTO \"slow\"%'") != ["0"]
        }
        #expect(isWaiting)
        slow.interrupt()
        #expect(interrupted.wait()?.reason.contains("interrupted") == true)
        #expect(try server.query("SELECT count(*) FROM slow") == ["0"])
    }

    private static let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'Sluice' AND state = 'active'"

    @Test
    func `a server that says nothing, or something else, ends a delivery at its limit or at once`()
        throws
    {
        let silent = try Loopback.listen()
        defer { close(silent.descriptor) }
        func outcome(_ port: UInt16, _ limit: Duration) throws -> ExportOutcome {
            try exporter(
                .parts(host: "127.0.0.1", port: Int(port), user: "det", database: "postgres")
            ).deliver(record(1, ["n": 1]), within: limit)
        }
        let none = try outcome(silent.port, .milliseconds(300))
        #expect(none.reason.contains("no answer within the time limit"))
        let http = try StubServer { _, _ in .answer(200) }
        #expect(try outcome(http.port, .milliseconds(500)).isRetryable)
        let waiting = try exporter(
            .parts(host: "127.0.0.1", port: Int(silent.port), user: "det", database: "postgres"))
        let held = Later { waiting.deliver(record(1, ["n": 1]), within: .seconds(3600)) }
        waiting.interrupt()
        #expect(held.wait()?.isRetryable == true)
    }

    @Test func `a host name that nobody knows, and one with several addresses`() throws {
        let unknown = try exporter(
            .parts(host: "nobody.invalid", user: "det", database: "postgres"))
        let outcome = unknown.deliver(record(1, ["n": 1]))
        #expect(outcome.isRetryable)
        #expect(outcome.reason.contains("the host 'nobody.invalid' is not known"))
        // The server listens on 127.0.0.1 only, whatever localhost means first.
        let server = try PostgreSQLServer()
        try server.query("CREATE TABLE t (n int)")
        let text = "postgresql://det@nobody.invalid:1,localhost:\(server.port)/postgres"
        #expect(
            try exporter(.connectionString(Secret(text))).deliver(record(1, ["n": 1])).isDelivered)
    }

    @Test(arguments: ["nonsense", "host=a secret word", "postgresql://[", "hostt=x", "host='a"])
    func `a connection string that can't be read is refused without being quoted`(_ text: String) {
        let error = #expect(throws: ExporterConfigurationError.self) {
            try exporter(.connectionString(Secret(text)))
        }
        #expect(error?.description.contains(text) == false)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func `what is no table or no batch is refused`() {
        let server = PostgreSQLExporter.Server.parts(host: "h", user: "u", database: "d")
        for configuration in [
            PostgreSQLExporter.Configuration(server: server, table: ""),
            .init(server: server, table: "a."), .init(name: "", server: server, table: "t"),
            .init(server: server, table: "t", maximumBatchCount: 0),
        ] {
            #expect(throws: ExporterConfigurationError.self) {
                try PostgreSQLExporter(configuration)
            }
        }
    }
}
