import Journal
import Telemetry
import TestSupport
import Testing

@testable import Exporters

/// Exporter, pool and spool on disk together, against real servers: records are sent while the server is down,
/// crashes and comes back, and while the pool itself ends and begins again on the same spool.
@Suite(.timeLimit(.minutes(1))) struct PoolOutageTests {
    private func pool(
        _ exporter: any Exporter, _ folder: TemporaryFolder, firstSeq: UInt64
    ) throws -> ExporterPool {
        try ExporterPool(
            [exporter], waitForResult: false, useMemory: false,
            spoolDirectory: folder.file("spool"), timeout: .seconds(10),
            retry: RetryPolicy(
                initialInterval: .milliseconds(20), maximumInterval: .milliseconds(200)),
            source: "run", firstSeq: firstSeq)
    }

    private func isDrained(_ pool: ExporterPool) -> Bool {
        Deadline(milliseconds: 45_000).wait { !pool.hasUnsentData }
    }

    @Test(.enabled(if: PostgreSQLServer.isThere, PostgreSQLServer.hint))
    func
        `a pool with a spool on disk loses and doubles no row of PostgreSQL, whichever side stops`()
        throws
    {
        let server = try PostgreSQLServer()
        try server.query("CREATE TABLE t (source text, seq bigint, n int, UNIQUE (source, seq))")
        server.stop(.fast)
        let folder = try TemporaryFolder()
        func exporter() throws -> PostgreSQLExporter {
            try PostgreSQLExporter(
                .init(server: address(server), table: "t", maximumBatchCount: 20))
        }
        let first = try pool(try exporter(), folder, firstSeq: 1)
        for n in 1...100 { try first.send(["n": .int(Int64(n))]) }
        #expect(first.hasUnsentData)
        try server.start()
        let hasBegun = try Deadline(milliseconds: 30_000).wait {
            try server.query("SELECT count(*) FROM t") != ["0"]
        }
        #expect(hasBegun)
        server.stop(.immediate)
        for n in 101...200 { try first.send(["n": .int(Int64(n))]) }
        try first.stop(within: .milliseconds(50))
        try server.start()
        let second = try pool(try exporter(), folder, firstSeq: 201)
        for n in 201...300 { try second.send(["n": .int(Int64(n))]) }
        #expect(isDrained(second))
        try second.stop()
        #expect(
            try server.query("SELECT count(*), count(DISTINCT n), sum(n) FROM t")
                == ["300|300|45150"])
    }

    @Test(.enabled(if: InfluxServer.isThere, InfluxServer.hint))
    func `a pool with a spool on disk loses no line of InfluxDB, whichever side stops`() throws {
        let server = try InfluxServer()
        server.process.stop()
        let folder = try TemporaryFolder()
        func exporter() throws -> InfluxExporter {
            try InfluxExporter(.init(url: "http://127.0.0.1:\(server.port)/write?db=det"))
        }
        func line(_ n: Int) -> JournalValue {
            .string("frames,worker=w1 n=\(n)i \(sampleTime + Int64(n))")
        }
        let first = try pool(try exporter(), folder, firstSeq: 1)
        for n in 1...100 { try first.send(line(n)) }
        #expect(first.hasUnsentData)
        try server.process.start()
        #expect(isDrained(first))
        server.process.kill()
        for n in 101...200 { try first.send(line(n)) }
        try first.stop(within: .milliseconds(50))
        try server.process.start()
        let second = try pool(try exporter(), folder, firstSeq: 201)
        for n in 201...300 { try second.send(line(n)) }
        #expect(isDrained(second))
        try second.stop()
        let rows = try server.rows("SELECT count(n), sum(n) FROM frames")
        #expect(rows.last?.suffix(2) == ["300", "45150"])
    }
}
