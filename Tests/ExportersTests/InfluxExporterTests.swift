import Journal
import Telemetry
import TestSupport
import Testing

@testable import Exporters

/// What the exporter makes of answers, from a scripted server.
@Suite(.timeLimit(.minutes(1))) struct InfluxExporterTests {
    private func exporter(
        _ url: String, settings: HTTPSettings = HTTPSettings()
    ) throws -> InfluxExporter {
        try InfluxExporter(.init(url: url, settings: settings))
    }

    @Test func `chunks and lines of a batch are one body`() throws {
        let server = try StubServer { _, _ in .answer(204) }
        let outcomes = try exporter(server.url + "/write?db=det&p=hidden").deliver(
            [record(1, bytes: "a v=1 1\nb v=2 2\n"), record(2, "c v=3 3"), record(3, ["v": 1])],
            within: .seconds(20))
        #expect(outcomes.map(\.isDelivered) == [true, true, false])
        #expect(outcomes[2].isPermanent)
        #expect(server.requests.map(\.text) == ["a v=1 1\nb v=2 2\nc v=3 3\n"])
        #expect(server.requests[0].target == "/write?db=det&p=hidden")
    }

    @Test(arguments: [401, 403, 404])
    func `a wrong user, password or database keeps the lines, and no message has the query`(
        _ status: Int
    ) throws {
        let server = try StubServer { _, _ in .answer(status, body: "not found") }
        let outcome = try exporter(server.url + "/write?db=det&u=me&p=hidden").deliver(
            record(1, "a v=1"))
        #expect(outcome.isRetryable)
        #expect(outcome.pause == .seconds(30))
        #expect(
            outcome.reason
                == "influx: \(server.url)/write answered \(status) (not found); check user, "
                + "password and that the database is there")
    }

    @Test func `only 204 says that lines were stored`() throws {
        let server = try StubServer { _, _ in .answer(200, body: "<html>welcome") }
        let outcome = try exporter(server.url).deliver(record(1, "a v=1"))
        #expect(outcome.isRetryable)
        #expect(outcome.reason.contains("is it the right URL?"))
    }
}

/// Against InfluxDB itself.
@Suite(.timeLimit(.minutes(1)), .enabled(if: InfluxServer.isThere, InfluxServer.hint))
struct InfluxServerTests {
    private func exporter(
        _ server: InfluxServer, database: String = "det"
    ) throws -> InfluxExporter {
        try InfluxExporter(.init(url: "http://127.0.0.1:\(server.port)/write?db=\(database)"))
    }

    private func line(_ seq: UInt64) -> ExportRecord {
        record(seq, bytes: "frames,worker=w1 n=\(seq)i \(sampleTime + Int64(seq))\n")
    }

    /// The numbers that the server has, in the order of time.
    private func stored(_ server: InfluxServer) throws -> [String] {
        let rows = try server.rows("SELECT n FROM frames")
        guard let column = rows.first?.firstIndex(of: "n") else { return [] }
        return rows.dropFirst().map { $0[column] }
    }

    @Test
    func `lines are stored; a bad one of a batch is refused alone, an unknown database keeps them`()
        throws
    {
        let server = try InfluxServer()
        let outcomes = try exporter(server).deliver(
            [line(1), record(2, bytes: "frames n=\n"), line(3)], within: .seconds(20))
        #expect(outcomes.map(\.isDelivered) == [true, false, true])
        #expect(outcomes[1].isPermanent)
        #expect(outcomes[1].reason.contains("answered 400"))
        #expect(try stored(server) == ["1", "3"])

        // One chunk with a good line and one that does not fit: the good one is there all the same.
        let partial = try exporter(server).deliver(
            record(
                4,
                bytes: "frames,worker=w1 n=4i \(sampleTime + 4)\nframes n=\"text\" \(sampleTime)\n")
        )
        #expect(partial.isPermanent)
        #expect(partial.reason.contains("partial write"))
        #expect(try stored(server) == ["1", "3", "4"])

        let nowhere = try exporter(server, database: "nowhere").deliver(line(5))
        #expect(nowhere.isRetryable)
        #expect(nowhere.pause == .seconds(30))
        #expect(nowhere.reason.contains("404"))
        #expect(nowhere.reason.contains("database not found"))
    }

    @Test
    func `InfluxDB: down at the start, killed in the middle, back again: each line is there once`()
        throws
    {
        let server = try InfluxServer()
        let exporter = try exporter(server)
        server.process.stop()
        #expect(exporter.deliver(line(1)).isRetryable)
        try server.process.start()
        for seq: UInt64 in 1...20 {
            if seq == 10 {
                server.process.kill()
                #expect(exporter.deliver(line(seq)).isRetryable)
                try server.process.start()
            }
            #expect(exporter.deliverStubbornly(line(seq)).isDelivered)
            // A repetition, as after an answer that was lost, changes nothing.
            if seq % 5 == 0 { #expect(exporter.deliver(line(seq)).isDelivered) }
        }
        #expect(try stored(server) == (1...20).map { "\($0)" })
    }
}
