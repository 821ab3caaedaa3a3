import Foundation
public import Testing

/// Prometheus, which reads one page every second. Its first reading is some 5 s after the start.
public final class PrometheusServer: Sendable {
    /// Whether Prometheus is there.
    public static let isThere = TestServer.areThere("/usr/bin/prometheus", "/usr/bin/setpriv")
    /// What to say where tests are skipped.
    public static let hint: Comment = "needs Prometheus and promtool: run scripts/servers"

    /// The port of HTTP.
    public let port: UInt16
    /// The process, to stop, kill and start it again.
    public let process: TestServer
    private let folder: TemporaryFolder

    /// Starts Prometheus on the page `http://127.0.0.1:targetPort/metrics`; `rules` is the text of a file
    /// of rules, empty for none.
    public init(targetPort: UInt16, rules: String = "") throws {
        folder = try TemporaryFolder()
        port = try Loopback.freePort()
        try folder.write(rules.isEmpty ? "groups: []\n" : rules, to: "rules.yml")
        try folder.write(
            """
            global:
              scrape_interval: 1s
              evaluation_interval: 1s
            rule_files: [rules.yml]
            scrape_configs:
              - job_name: sluice
                static_configs: [{targets: ["127.0.0.1:\(targetPort)"]}]

            """, to: "prometheus.yml")
        process = try TestServer(
            [
                "/usr/bin/prometheus", "--config.file=\(folder.file("prometheus.yml"))",
                "--storage.tsdb.path=\(folder.file("data"))",
                "--web.listen-address=127.0.0.1:\(port)", "--log.level=warn",
            ], listeningOn: [port], folder: folder)
    }

    /// What an expression gives now: the labels of each series with its value as text; waits until there is
    /// at least one, and returns none when it gives up.
    public func query(
        _ expression: String, patienceMilliseconds: Int = 30_000
    ) throws -> [(labels: [String: String], value: String)] {
        var found: [(labels: [String: String], value: String)] = []
        _ = try Deadline(milliseconds: patienceMilliseconds).wait {
            let answer = try Loopback.http(
                "/api/v1/query?query=\(Loopback.escaped(expression))", port: port)
            // Not ready yet, or an error in the expression.
            if answer.status == 503 { return false }
            guard answer.status == 200 else { throw TestServer.Failure("\(answer)") }
            let reply = try JSONDecoder().decode(Reply.self, from: Data(answer.body.utf8))
            found = reply.data.result.map { ($0.metric, $0.value.text) }
            return !found.isEmpty
        }
        return found
    }

    /// What the targets interface says: health and the last error are in it.
    public func targets() throws -> String { try Loopback.http("/api/v1/targets", port: port).body }

    private struct Reply: Decodable {
        struct Series: Decodable {
            var metric: [String: String]
            var value: Sample
        }
        struct Result: Decodable {
            var result: [Series]
        }
        var data: Result
    }

    /// A list of a time and a text.
    private struct Sample: Decodable {
        var text: String

        init(from decoder: any Decoder) throws {
            var values = try decoder.unkeyedContainer()
            _ = try values.decode(Double.self)
            text = try values.decode(String.self)
        }
    }
}

/// Prometheus's own checker of pages and rules.
public enum Promtool {
    /// Whether it is there.
    public static let isThere = TestServer.areThere("/usr/bin/promtool")

    /// `promtool check metrics`: status 0 and no output for a page without faults, 1 for one that it cannot
    /// read, 3 for one that breaks conventions.
    public static func check(metrics page: String) throws -> (status: Int32, output: String) {
        try TestServer.run("/usr/bin/promtool", ["check", "metrics"], input: Array(page.utf8))
    }

    /// `promtool check rules` of a file.
    public static func check(rules file: String) throws -> (status: Int32, output: String) {
        try TestServer.run("/usr/bin/promtool", ["check", "rules", file])
    }
}
