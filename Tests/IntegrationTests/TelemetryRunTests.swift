import Foundation
import TestSupport
import Testing

@Suite("Statistics and events of a run", .timeLimit(.minutes(1)))
struct TelemetryRunTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Runs a pipeline with this section `telemetry` over simulated frames.
    private func pipeline(
        _ telemetry: String, frames: Int = 40, rate: String? = nil, run: String = "run",
        processors: String = "PixelSum"
    ) throws -> [String] {
        try TelemetryPipeline.arguments(
            telemetry, frames: frames, rate: rate, run: run, processors: processors, in: folder)
    }

    private func documents(_ name: String) throws -> [[String: Any]] {
        try TelemetryPipeline.documents(name, in: folder)
    }

    @Test func `go through the route into a file, the last set with the whole run`() async throws {
        let arguments = try pipeline(
            """
              period: 100ms
              route: {processors: [{drop: {name: "worker.*"}}, {enrich: {beamline: 13-IDD}}]}
              exporters: [{file: {path: out.jsonl}}]
            """)
        let run = try await CommandRun.sluice(arguments, in: folder)
        #expect(run.exitCode == 0, "\(run.output) \(run.error)")
        #expect(!run.error.contains("telemetry"), "\(run.error)")
        let documents = try documents("out.jsonl")
        let names = Set(documents.compactMap { $0["name"] as? String })
        #expect(
            names.isSuperset(of: ["statistics.run", "statistics.stage", "run-start", "run-finish"]))
        #expect(!names.contains { $0.hasPrefix("worker") })
        for document in documents {
            let tags = try #require(document["tags"] as? [String: Any])
            #expect(tags["beamline"] as? String == "13-IDD")
        }
        let last = try #require(documents.last { $0["name"] as? String == "statistics.run" })
        let fields = try #require(last["fields"] as? [String: Any])
        #expect(fields["processed"] as? Int == 40 && fields["inFlight"] as? Int == 0)
    }

    @Test(arguments: ["1s", "1h"])
    func `end with what the run had at its end, however long the period`(period: String)
        async throws
    {
        let arguments = try pipeline(
            "  period: \(period)\n  exporters: [{file: {path: out.jsonl}}]", frames: 60, rate: "50")
        let run = try await CommandRun.sluice(arguments, in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        let sets = try documents("out.jsonl").filter { $0["name"] as? String == "statistics.run" }
        let fields = try #require(sets.last?["fields"] as? [String: Any])
        #expect(fields["processed"] as? Int == 60 && fields["inFlight"] as? Int == 0)
        #expect(period == "1s" || sets.count == 2, "the first and the last")
    }

    @Test func `have times of frames and counters of processors, live and in the record`()
        async throws
    {
        let arguments = try pipeline(
            "  period: 1s",
            processors: "PixelStatistics, {AdOutputFileProcessor: {outputDirectory: out}}")
        let run = try await CommandRun.sluice(arguments, in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        let record = try #require(try documents("run/stats.jsonl").last)
        let stage = try #require((record["stages"] as? [[String: Any]])?.first)
        let processor = try #require((stage["processors"] as? [[String: Any]])?.last)
        #expect((processor["frameTimes"] as? [String: Any])?["count"] as? Int == 40)
        let statistics = try #require(processor["statistics"] as? [[String: Any]])
        let files = try #require(statistics.first { $0["key"] as? String == "nFilesSaved" })
        #expect(files["value"] as? Int == 40 && files["isCounter"] as? Bool == true)
        let page = try await CommandRun.sluice(
            ["stats", "run", "--format", "prometheus"], in: folder)
        for line in [
            "# TYPE sluice_processor_files_saved_total counter",
            "# TYPE sluice_processor_nan_total counter",
            "# TYPE sluice_processor_frame_time_seconds histogram",
            "# TYPE sluice_processor_frame_time_quantiles_seconds summary",
        ] { #expect(page.output.contains(line + "\n"), "\(line) in \(page.output)") }
        #expect(page.output.contains("processor_id=\"1\",le=\"+Inf\"} 40\n"))
    }

    @Test(.enabled(if: Python.isThere, Python.hint))
    func `wait in a spool while nobody is there, and are delivered by a later run`() async throws {
        let port = try Loopback.freePort()
        let section = """
              period: 50ms
              exporters:
                - tcp: {host: 127.0.0.1, port: \(port), format: json, spool: {directory: spool}}
            """
        let first = try await CommandRun.sluice(pipeline(section), in: folder)
        #expect(first.exitCode == 0, "\(first.error)")
        #expect(first.error.contains("records wait in spool"), "\(first.error)")
        let list = try await CommandRun.sluice(["spool", "ls", "spool"], in: folder)
        #expect(list.exitCode == 0 && list.output.contains("\ntcp "), "\(list.output)")
        let receiver = try Receiver(port: port, in: folder)
        let second = try await CommandRun.sluice(pipeline(section, run: "again"), in: folder)
        #expect(second.exitCode == 0 && !second.error.contains("telemetry"), "\(second.error)")
        let lines = try await receiver.end().split(separator: "\n")
        let runs = lines.compactMap { line in
            ((try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any])
                .flatMap { ($0["tags"] as? [String: Any])?["run"] as? String }
        }
        #expect(Set(runs).count == 2, "the records of both runs arrive")
        #expect(lines.count { $0.contains("\"run-finish\"") } == 2)
    }

    @Test(.enabled(if: Python.isThere, Python.hint))
    func `wait in a spool that sluice spool checks and delivers`() async throws {
        let port = try Loopback.freePort()
        let run = try await CommandRun.sluice(
            pipeline(
                """
                  exporters:
                    - tcp: {host: 127.0.0.1, port: \(port), format: json, spool: {directory: spool}}
                """), in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        let drain = ["spool", "drain", "spool", "--to", "tcp:127.0.0.1:\(port)"]
        try FileManager.default.copyItem(
            atPath: folder.file("spool"), toPath: folder.file("damaged"))
        let segment = try #require(
            try folder.files(in: "damaged").first { $0.hasSuffix(".segment") })
        let damaged = URL(fileURLWithPath: folder.file("damaged/\(segment)"))
        var bytes = try Data(contentsOf: damaged)
        bytes[bytes.count / 2] ^= 0xFF
        try bytes.write(to: damaged)
        let broken = try await CommandRun.sluice(["spool", "verify", "damaged"], in: folder)
        #expect(broken.exitCode == 1 && broken.output.contains("damaged"), "\(broken.output)")
        let early = try await CommandRun.sluice(drain, in: folder)
        #expect(early.exitCode == 1 && early.error.contains("refused"), "\(early.error)")
        #expect(early.output.hasPrefix("0 records were delivered, 0 were refused, "))
        let other = try await CommandRun.sluice(drain + ["--exporter", "tpc"], in: folder)
        #expect(other.exitCode == 2 && other.error.contains("did you mean tcp"), "\(other.error)")
        let receiver = try Receiver(port: port, in: folder)
        let done = try await CommandRun.sluice(drain, in: folder)
        #expect(done.exitCode == 0 && done.output.hasSuffix(" 0 are left\n"), "\(done.output)")
        let received = try await receiver.end()
        let count = received.split(separator: "\n").count
        #expect(count > 1 && done.output.hasPrefix("\(count) records were delivered"))
        let again = try await CommandRun.sluice(drain, in: folder)
        #expect(again.exitCode == 0 && again.output == "nothing waits in spool\n")
        let sound = try await CommandRun.sluice(["spool", "verify", "spool"], in: folder)
        #expect(sound.exitCode == 0, "\(sound.output)")
    }

    @Test(.enabled(if: Promtool.isThere, PrometheusServer.hint))
    func `are on a page that Prometheus can read, while the run goes on`() async throws {
        let port = try Loopback.freePort()
        let arguments = try pipeline(
            "  prometheus: {listen: \"127.0.0.1:\(port)\"}", frames: 100_000, rate: "200")
        let run = try CommandRun.start(
            [try #require(BuiltProducts.executable("sluice"))] + arguments, in: folder)
        let deadline = Deadline(milliseconds: 30_000)
        #expect(deadline.wait { (try? Loopback.http("/readyz", port: port))?.status == 200 })
        #expect(
            deadline.wait {
                ((try? Loopback.http("/metrics", port: port))?.body ?? "")
                    .contains("sluice_stage_latency_seconds_bucket{")
            })
        let page = try Loopback.http("/metrics", port: port)
        #expect(page.status == 200)
        for name in [
            "sluice_run_accepted_total", "sluice_stage_processed_total", "sluice_stage_queued",
            "sluice_worker_restarts_total", "sluice_processor_in_bytes_total",
            "sluice_processor_frame_time_seconds",
        ] { #expect(page.body.contains("# TYPE \(name) "), "\(name) in \(page.body)") }
        let check = try Promtool.check(metrics: page.body)
        #expect(check.status == 0, "\(check.output)")
        #expect(try Loopback.http("/healthz", port: port).status == 200)
        #expect(try Loopback.http("/nothing", port: port).status == 404)
        let stopped = try await CommandRun.sluice(["stop", "run"], in: folder)
        #expect(stopped.exitCode == 0)
        _ = try await run.end()
    }

    @Test func `are sent once more by sluice export, and shown in other formats`() async throws {
        let run = try await CommandRun.sluice(pipeline("  period: 1s"), in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        let export = try await CommandRun.sluice(
            ["export", "run", "--to", "file:sent.jsonl"], in: folder)
        #expect(export.exitCode == 0, "\(export.error)")
        let last = try #require(
            try documents("sent.jsonl").last { $0["name"] as? String == "statistics.run" })
        #expect((last["fields"] as? [String: Any])?["processed"] as? Int == 40)
        for (format, text) in [
            ("prometheus", "# TYPE sluice_run_processed_total counter"),
            ("graphite", "sluice.run.processed 40 "),
            ("influx", "processed=40i"), ("csv", "time,name,run,stage,processor"),
        ] {
            let stats = try await CommandRun.sluice(
                ["stats", "run", "--format", format], in: folder)
            #expect(
                stats.exitCode == 0 && stats.output.contains(text), "\(format): \(stats.output)")
        }
        let none = try await CommandRun.sluice(
            ["export", "run", "--to", "file:x.jsonl", "--until", "2001-01-01"], in: folder)
        #expect(none.exitCode == 2 && none.error.contains("no statistics"), "\(none.error)")
    }

    @Test(arguments: [
        ("  exporters: [{grafite: {host: h}}]", "did you mean graphite"),
        ("  exporters: [{file: {paht: x}}]", "did you mean path"),
        ("  exporters: [{influx: {}}]", "has no url"),
        ("  exporters: [{tcp: {host: h}}]", "has no port"),
        ("  exporters: [{graphite: {host: h, events: true}}]", "can't hold events"),
        ("  exporters: [{stdout: {name: a}}, {file: {path: x, name: a}}]", "like another"),
        ("  exporters: [{stdout: {name: \"a\\nb\"}}]", "without control characters"),
        ("  exporters: [{file: {path: a}}, {file: {path: ./b/../a, name: x}}]", "like another"),
        ("  route: {processors: [{drpo: {name: x}}]}", "drpo"),
        ("  prometheus: {listen: nonsense}", "127.0.0.1:9400"),
        ("  period: 0s", "period"),
        (
            "  exporters: [{tcp: {name: a, host: 127.0.0.1, port: 9, spool: {directory: s}}}, "
                + "{tcp: {name: b, host: 127.0.0.1, port: 9, spool: {directory: ./s}}}]",
            "give each exporter a directory of its own"
        ),
    ])
    func `bad settings are refused with what to do`(section: String, expected: String) async throws
    {
        let run = try await CommandRun.sluice(pipeline(section), in: folder)
        #expect(run.exitCode == 2)
        #expect(run.error.contains(expected), "\(run.error)")
        #expect(try !folder.files().contains("run"))
    }

    @Test func `that do not fit into the lines of a destination are told as lost`() async throws {
        let run = try await CommandRun.sluice(
            pipeline(
                "  exporters: [{graphite: {host: 127.0.0.1, port: 9, maximumBytes: 10}}]"),
            in: folder)
        #expect(run.exitCode == 0)
        #expect(run.error.contains("lines were longer than its maximumBytes"), "\(run.error)")
        let export = try await CommandRun.sluice(
            ["export", "run", "--to", "graphite"], in: folder)
        #expect(export.exitCode == 2 && export.error.contains("maximumBytes"), "\(export.error)")
    }

    @Test func `are in a record that is damaged: one error, or numbers held at the largest`()
        async throws
    {
        let run = try await CommandRun.sluice(pipeline("  period: 1s"), in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        let line = try #require(try folder.text(of: "run/stats.jsonl").split(separator: "\n").last)
        let damaged = line.replacing(#/"timestamp":[0-9.]+/#, with: "\"timestamp\":1e300")
        #expect(damaged != line)
        _ = try folder.write("\(damaged)\n{\"torn", to: "run/stats.jsonl")
        for arguments in [
            ["export", "run", "--to", "file:sent.jsonl"], ["stats", "run", "--format", "influx"],
        ] {
            let command = try await CommandRun.sluice(arguments, in: folder)
            #expect([0, 2].contains(command.exitCode), "\(command.error)")
            #expect(!command.error.contains("Fatal"), "\(command.error)")
        }
    }

    @Test(.enabled(if: InfluxServer.isThere, InfluxServer.hint))
    func `go to InfluxDB while it runs, and once more by sluice export, and are there once`()
        async throws
    {
        let influx = try InfluxServer()
        let url = "http://127.0.0.1:\(influx.port)/write?db=\(influx.database)"
        let arguments = try pipeline(
            "  period: 100ms\n  exporters: [{influx: {url: \"\(url)\"}}]", frames: 60, rate: "60",
            processors: "PixelStatistics")
        let run = try await CommandRun.sluice(arguments, in: folder)
        #expect(run.exitCode == 0 && !run.error.contains("telemetry"), "\(run.error)")
        #expect(try influx.rows("SELECT last(processed) FROM run").last?.last == "60")
        #expect(try influx.rows("SELECT last(receivedRate) FROM processor").count == 2)
        func counts() throws -> [String] {
            Array(
                try influx.rows("SELECT count(nReceived), count(sum) FROM processor").last?.suffix(
                    2)
                    ?? [])
        }
        let before = try counts()
        let export = try await CommandRun.sluice(
            ["export", "run", "--to", "influx:\(url)"], in: folder)
        #expect(export.exitCode == 0, "\(export.error)")
        // Sets that came too early for the period are in the record only.
        let after = try counts()
        let again = try await CommandRun.sluice(
            ["export", "run", "--to", "influx:\(url)"], in: folder)
        #expect(again.exitCode == 0, "\(again.error)")
        #expect(try counts() == after && before.first.flatMap { Int($0) } ?? 0 > 3)
        let lines = try folder.text(of: "run/stats.jsonl").split(separator: "\n").count
        #expect(after == ["\(lines)", "\(lines)"])
    }

    @Test func `wait while nobody is there, the run goes on, and its status says so`() async throws
    {
        let ports = try (0..<4).map { _ in try Loopback.freePort() }
        let section = """
              period: 100ms
              route:
                processors: [{drop: {name: "frame.*"}}, {enrich: {beamline: 13-IDD}}]
              exporters:
                - {graphite: {host: 127.0.0.1, port: \(ports[0]), maximumBytes: 1400}}
                - influx:
                    url: "http://127.0.0.1:\(ports[1])/write?db=det"
                    spool: {directory: spool, maximumBytes: 256MiB}
                - {postgresql: {url: "postgresql://127.0.0.1:\(ports[2])/det", table: sluice_stats}}
                - {file: {path: stats.jsonl}}
              prometheus: {listen: 127.0.0.1:\(ports[3])}
            """
        let run = try CommandRun.start(
            [try #require(BuiltProducts.executable("sluice"))]
                + pipeline(section, frames: 100_000, rate: "100"), in: folder)
        let names = ["graphite", "influx", "postgresql"]
        var status = ""
        for _ in 0..<200 {
            status = try await CommandRun.sluice(["status", "run"], in: folder).output
            if names.allSatisfy({ status.contains("\n\($0): ") }) { break }
        }
        for name in names { #expect(status.contains("\n\(name): "), "\(status)") }
        #expect(status.contains("retrying") && status.contains("running for"), "\(status)")
        let page = try Loopback.http("/metrics", port: ports[3])
        #expect(page.body.contains("exporter=\"graphite\"} 0.0\n"))
        #expect(page.body.contains("exporter=\"file\"} 1.0\n"))
        _ = try await CommandRun.sluice(["stop", "run"], in: folder)
        let ended = try await run.end()
        #expect(ended.exitCode == 0, "\(ended.error)")
        #expect(ended.error.contains("influx: ") && ended.error.contains("records wait in spool"))
        #expect(ended.error.contains("postgresql: ") && ended.error.contains("not delivered"))
        #expect(!ended.error.contains("dropped"), "\(ended.error)")
    }

    @Test(
        .enabled(
            if: CarbonServer.isThere && PostgreSQLServer.isThere && PrometheusServer.isThere,
            "needs carbon, PostgreSQL and Prometheus: run scripts/servers"))
    func `reach carbon, PostgreSQL and Prometheus`() async throws {
        let (carbon, postgreSQL) = (try CarbonServer(), try PostgreSQLServer())
        let page = try Loopback.freePort()
        let section = """
              period: 100ms
              exporters:
                - graphite: {host: 127.0.0.1, port: \(carbon.port), prefix: det}
                - postgresql: {url: "postgresql://det@127.0.0.1:\(postgreSQL.port)/postgres"}
              prometheus: {listen: "127.0.0.1:\(page)"}
            """
        let begun = Int(Date().timeIntervalSince1970)
        let run = try CommandRun.start(
            [try #require(BuiltProducts.executable("sluice"))]
                + pipeline(section, frames: 100_000, rate: "50"), in: folder)
        let prometheus = try PrometheusServer(targetPort: page)
        let quantile = "histogram_quantile(0.99, sluice_processor_frame_time_seconds_bucket)"
        let found = try prometheus.query(quantile)
        let targets = try prometheus.targets()
        #expect(found.first?.labels["processor"] == "PixelSum", "\(targets)")
        let accepted = try prometheus.query("sluice_run_accepted_total > 0")
        #expect(accepted.count == 1 && accepted[0].labels["run"] != nil)
        _ = try await CommandRun.sluice(["stop", "run"], in: folder)
        let ended = try await run.end()
        #expect(ended.exitCode == 0 && !ended.error.contains("telemetry"), "\(ended.error)")
        let record = try #require(try documents("run/stats.jsonl").last)
        let processed = try #require((record["ledger"] as? [String: Any])?["processed"] as? Int)
        // The last value of a second stays, and it is the last of the run; carbon writes it some time later.
        var values = try carbon.values(of: "det.run.processed", since: begun)
        for _ in 0..<200 where values.max(by: { $0.key < $1.key })?.value != Double(processed) {
            values = try carbon.values(of: "det.run.processed", since: begun)
        }
        let last = values.max { $0.key < $1.key }
        let metrics = try carbon.metrics()
        #expect(last?.value == Double(processed), "\(values), \(metrics)")
        let rows = try postgreSQL.query(
            "SELECT max((fields->>'processed')::bigint) FROM sluice_stats "
                + "WHERE name = 'statistics.run'")
        #expect(rows == ["\(processed)"])
        let twice = try postgreSQL.query(
            "SELECT count(*) - count(DISTINCT (source, seq)) FROM sluice_stats")
        #expect(twice == ["0"])
    }

    @Test func `go to places whose passwords nobody else sees`() async throws {
        let port = try Loopback.freePort()
        let url = "http://det:hunter2@127.0.0.1:\(port)/write?db=det"
        let run = try await CommandRun.sluice(
            pipeline("  exporters: [{influx: {url: \"\(url)\", spool: {directory: spool}}}]"),
            in: folder)
        #expect(run.exitCode == 0, "\(run.error)")
        let stored = folder.file("run/configuration.yaml")
        #expect(try folder.text(of: "run/configuration.yaml").contains("hunter2"))
        let mode = try FileManager.default.attributesOfItem(atPath: stored)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        let open = try await CommandRun.sluice(
            pipeline("  exporters: [{file: {path: out.jsonl}}]", run: "open"), in: folder)
        #expect(open.exitCode == 0, "\(open.error)")
        let ofOther = try FileManager.default.attributesOfItem(
            atPath: folder.file("open/configuration.yaml"))[.posixPermissions]
        #expect(ofOther as? Int != 0o600)
        let export = try await CommandRun.sluice(
            ["export", "run", "--to", "influx:\(url)"], in: folder)
        #expect(export.exitCode == 2)
        let drain = try await CommandRun.sluice(
            ["spool", "drain", "spool", "--to", "influx:\(url)"], in: folder)
        #expect(drain.exitCode == 1)
        let wrong = try await CommandRun.sluice(
            ["export", "run", "--to", "inflx:\(url)"], in: folder)
        #expect(wrong.exitCode == 2 && wrong.error.contains("det:***@127.0.0.1"), "\(wrong.error)")
        let events = try await CommandRun.sluice(["events", "run"], in: folder)
        for command in [run, export, drain, wrong, events] {
            #expect(!(command.output + command.error).contains("hunter2"))
        }
        for file in ["journal.jsonl", "stats.jsonl", "summary.json", "log.txt"] {
            #expect(try !folder.text(of: "run/\(file)").contains("hunter2"), "\(file)")
        }
    }

    @Test func `of two runs can't share a spool at a time`() async throws {
        let section = """
              exporters: [{tcp: {host: 127.0.0.1, port: 9, spool: {directory: spool}}}]
            """
        let first = try CommandRun.start(
            [try #require(BuiltProducts.executable("sluice"))]
                + pipeline(section, frames: 100_000, rate: "100"), in: folder)
        let deadline = Deadline(milliseconds: 30_000)
        #expect(
            deadline.wait {
                FileManager.default.fileExists(atPath: folder.file("run/control.sock"))
            })
        let second = try await CommandRun.sluice(pipeline(section, run: "again"), in: folder)
        #expect(second.exitCode == 2 && second.error.contains("spool"), "\(second.error)")
        _ = try await CommandRun.sluice(["stop", "run", "--now"], in: folder)
        _ = try await first.end()
    }
}

/// Listens at a port of the loopback and keeps what comes in a file.
private struct Receiver {
    private let command: StartedCommand
    private let file: String

    init(port: UInt16, in folder: TemporaryFolder) throws {
        file = folder.file("received")
        let script = """
            import socket, sys
            s = socket.create_server(("127.0.0.1", \(port)))
            with open(sys.argv[1], "wb", buffering=0) as f:
                while True:
                    c, _ = s.accept()
                    while b := c.recv(65536):
                        f.write(b)
            """
        command = try CommandRun.start([Python.path, "-c", script, file], in: folder)
        let deadline = Deadline(milliseconds: 20_000)
        try #require(deadline.wait { Loopback.isListening(port) })
    }

    /// Everything that came.
    func end() async throws -> String {
        // Not SIGTERM: what is started from a thread of the test run has it blocked.
        kill(command.processId, SIGKILL)
        _ = try await command.end()
        return try String(contentsOfFile: file, encoding: .utf8)
    }
}
