import Foundation
import TestSupport
import Testing

/// Whole runs whose destinations are not as they should be.
@Suite("A run whose statistics", .timeLimit(.minutes(2))) struct TelemetryOutageTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func start(_ telemetry: String) throws -> StartedCommand {
        try CommandRun.start(
            [try #require(BuiltProducts.executable("sluice"))]
                + TelemetryPipeline.arguments(
                    telemetry, frames: 1_000_000, rate: "100", in: folder), in: folder)
    }

    /// Waits until the status of the run has this text behind the name of an exporter, in the table or below.
    private func awaitStatus(_ exporter: String, _ text: String) async throws -> String {
        var status = ""
        for _ in 0..<500 {
            status = try await CommandRun.sluice(["status", "run"], in: folder).output
            let lines = status.split(separator: "\n").filter { $0.hasPrefix(exporter) }
            if lines.contains(where: { $0.contains(text) }) { return status }
        }
        Issue.record("\(exporter) is not \(text) in \(status)")
        return status
    }

    @Test(
        .enabled(
            if: InfluxServer.isThere && PostgreSQLServer.isThere,
            "needs InfluxDB and PostgreSQL: run scripts/servers"))
    func
        `go to InfluxDB and PostgreSQL, which die in the middle and come back: each set is there once`()
        async throws
    {
        let (influx, postgreSQL) = (try InfluxServer(), try PostgreSQLServer())
        let run = try start(
            """
              period: 50ms
              exporters:
                - file: {path: all.jsonl}
                - influx:
                    url: "http://127.0.0.1:\(influx.port)/write?db=\(influx.database)"
                    spool: {directory: influx-spool}
                - postgresql: {url: "postgresql://det@127.0.0.1:\(postgreSQL.port)/postgres"}
            """)
        func rows() throws -> Int {
            Int(try postgreSQL.query("SELECT count(*) FROM sluice_stats").first ?? "") ?? 0
        }
        func points() throws -> Int {
            try influx.rows("SELECT count(processed) FROM run").last?.last.flatMap { Int($0) } ?? 0
        }
        let deadline = Deadline(milliseconds: 60_000)
        // The table is made by the first record.
        #expect(deadline.wait { ((try? rows()) ?? 0) > 20 })
        #expect(try deadline.wait { try points() > 5 })
        influx.process.kill()
        postgreSQL.stop(.immediate)
        for name in ["influx", "postgresql"] { _ = try await awaitStatus(name, "retrying") }
        try influx.process.start()
        try postgreSQL.start()
        let (rowsBefore, pointsBefore) = (try rows(), try points())
        #expect(try deadline.wait { try rows() > rowsBefore + 20 && points() > pointsBefore + 5 })
        for name in ["influx", "postgresql"] { _ = try await awaitStatus(name, "connected") }
        _ = try await CommandRun.sluice(["stop", "run"], in: folder)
        let ended = try await run.end()
        #expect(ended.exitCode == 0 && !ended.error.contains("not delivered"), "\(ended.error)")
        // The file was never away: it has everything once.
        let all = try TelemetryPipeline.documents("all.jsonl", in: folder)
        #expect(try rows() == all.count)
        let keys = try postgreSQL.query("SELECT count(DISTINCT (source, seq)) FROM sluice_stats")
        #expect(keys == ["\(all.count)"])
        #expect(try points() == all.count { $0["name"] as? String == "statistics.run" })
        let spool = try await CommandRun.sluice(["spool", "ls", "influx-spool"], in: folder)
        #expect(spool.output.contains("nothing waits"), "\(spool.output)")
    }

    @Test(.enabled(if: PostgreSQLServer.isThere, PostgreSQLServer.hint))
    func `go to a table with other columns goes on, and its status says so`() async throws {
        let postgreSQL = try PostgreSQLServer()
        try postgreSQL.query("CREATE TABLE sluice_stats (peaks int)")
        let run = try start(
            """
              period: 50ms
              exporters:
                - postgresql: {url: "postgresql://det@127.0.0.1:\(postgreSQL.port)/postgres"}
            """)
        let status = try await awaitStatus("postgresql", "column")
        #expect(status.contains("running for"), "\(status)")
        // It holds up nothing: frames go on after it.
        func processed() async throws -> Int {
            let text = try await CommandRun.sluice(
                ["status", "run", "--format", "json"], in: folder
            ).output
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            return (object?["ledger"] as? [String: Any])?["processed"] as? Int ?? 0
        }
        let before = try await processed()
        var after = before
        for _ in 0..<200 where after <= before { after = try await processed() }
        #expect(after > before && before > 0)
        _ = try await CommandRun.sluice(["stop", "run"], in: folder)
        let ended = try await run.end()
        #expect(ended.exitCode == 0, "\(ended.error)")
        #expect(
            ended.error.contains("postgresql") && ended.error.contains("dropped"), "\(ended.error)")
        #expect(try postgreSQL.query("SELECT count(*) FROM sluice_stats") == ["0"])
    }
}
