public import Testing

/// InfluxDB 1, with one database.
public final class InfluxServer: Sendable {
    /// Whether influxd is there.
    public static let isThere = TestServer.areThere("/usr/bin/influxd", "/usr/bin/setpriv")
    /// What to say where tests are skipped.
    public static let hint: Comment = "needs influxd: run scripts/servers"

    /// The port of HTTP.
    public let port: UInt16
    /// The port that takes lines as UDP datagrams.
    public let datagramPort: UInt16
    /// The name of the database.
    public let database: String
    /// The process, to stop, kill and start it again.
    public let process: TestServer
    private let folder: TemporaryFolder

    /// Starts InfluxDB and makes the database.
    public init(database: String = "det") throws {
        folder = try TemporaryFolder()
        port = try Loopback.freePort()
        datagramPort = try Loopback.freePort()
        self.database = database
        try folder.write(
            """
            reporting-disabled = true
            bind-address = "127.0.0.1:\(try Loopback.freePort())"
            [meta]
            dir = "\(folder.path)/meta"
            [data]
            dir = "\(folder.path)/data"
            wal-dir = "\(folder.path)/wal"
            [http]
            bind-address = "127.0.0.1:\(port)"
            [monitor]
            store-enabled = false
            [[udp]]
            enabled = true
            bind-address = "127.0.0.1:\(datagramPort)"
            database = "\(database)"
            batch-size = 1

            """, to: "influxdb.conf")
        process = try TestServer(
            ["/usr/bin/influxd", "run", "-config", folder.file("influxdb.conf")],
            listeningOn: [port], folder: folder)
        try query("CREATE DATABASE \"\(database)\"")
    }

    /// The answer to a query in InfluxQL, as comma separated values with a line of names (`name,tags,time`
    /// …), times in nanoseconds; an empty answer is empty.
    @discardableResult
    public func query(_ text: String) throws -> String {
        let answer = try Loopback.http(
            "/query?db=\(Loopback.escaped(database))&epoch=ns&q=\(Loopback.escaped(text))",
            method: "POST", port: port, fields: ["Accept: application/csv"])
        guard answer.status == 200 else { throw TestServer.Failure("\(text): \(answer)") }
        return answer.body
    }

    /// The answer to a query as lines of words, that of the names first; for values without commas.
    public func rows(_ text: String) throws -> [[String]] {
        try query(text).split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// Writes lines in nanoseconds and returns the answer; 204 is success.
    public func write(_ lines: [UInt8]) throws -> Loopback.Answer {
        try Loopback.http(
            "/write?db=\(Loopback.escaped(database))", method: "POST", port: port, body: lines)
    }
}
