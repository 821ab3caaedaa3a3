import Foundation
public import Testing

/// Graphite's carbon-cache, with one point a second for an hour.
public final class CarbonServer: Sendable {
    /// Whether carbon and whisper-fetch are there.
    public static let isThere = TestServer.areThere(
        "/usr/bin/carbon-cache", "/usr/bin/whisper-fetch", "/usr/bin/setpriv")
    /// What to say where tests are skipped.
    public static let hint: Comment = "needs carbon: run scripts/servers"

    /// The port of plain text lines, for TCP and for UDP.
    public let port: UInt16
    /// The process, to stop, kill and start it again.
    public let process: TestServer
    private let folder: TemporaryFolder

    /// Starts carbon and waits until it takes lines.
    public init() throws {
        folder = try TemporaryFolder()
        port = try Loopback.freePort()
        try folder.write(Self.configuration(folder.path, port: port), to: "carbon.conf")
        try folder.write(
            "[default]\npattern = .*\nretentions = 1s:1h\n", to: "storage-schemas.conf")
        process = try TestServer(
            [
                "/usr/bin/carbon-cache", "--config=\(folder.file("carbon.conf"))", "--nodaemon",
                "start",
            ], listeningOn: [port], folder: folder)
    }

    private static func configuration(_ folder: String, port: UInt16) throws -> String {
        """
        [cache]
        STORAGE_DIR = \(folder)
        CONF_DIR = \(folder)
        LOG_DIR = \(folder)
        PID_DIR = \(folder)
        LOCAL_DATA_DIR = \(folder)/whisper
        USER =
        LINE_RECEIVER_INTERFACE = 127.0.0.1
        LINE_RECEIVER_PORT = \(port)
        ENABLE_UDP_LISTENER = True
        UDP_RECEIVER_INTERFACE = 127.0.0.1
        UDP_RECEIVER_PORT = \(port)
        PICKLE_RECEIVER_INTERFACE = 127.0.0.1
        PICKLE_RECEIVER_PORT = \(try Loopback.freePort())
        CACHE_QUERY_INTERFACE = 127.0.0.1
        CACHE_QUERY_PORT = \(try Loopback.freePort())
        ENABLE_TAGS = False
        MAX_CREATES_PER_MINUTE = inf
        MAX_UPDATES_PER_SECOND = inf
        """
    }

    /// The values of a metric (`det.w1.frames`) by their second, as whisper-fetch reads them from the disk
    /// since a second; waits until there are so many, and returns those that are there when it gives up.
    public func values(
        of metric: String, since second: Int, count: Int = 1
    ) throws -> [Int: Double] {
        let file =
            folder.file("whisper/") + metric.split(separator: ".").joined(separator: "/") + ".wsp"
        var found: [Int: Double] = [:]
        _ = try Deadline(milliseconds: 10_000).wait {
            guard (try? contents(file)) != nil else { return false }
            // whisper-fetch leaves out the second that it is asked to begin with. Its plain output has six
            // decimals, JSON all of them.
            let (status, text) = try TestServer.run(
                "/usr/bin/whisper-fetch", ["--from=\(second - 1)", "--json", file])
            guard status == 0 else { return false }
            let points = try JSONDecoder().decode(Points.self, from: Data(text.utf8))
            for (place, value) in points.values.enumerated() {
                found[points.start + place * points.step] = value
            }
            return found.count >= count
        }
        return found
    }

    private struct Points: Decodable {
        var start: Int
        var step: Int
        var values: [Double?]
    }

    /// The names of all metrics on the disk, in order.
    public func metrics() throws -> [String] {
        let (_, text) = try TestServer.run(
            "/usr/bin/find", [folder.file("whisper"), "-name", "*.wsp", "-printf", "%P\\n"])
        return text.split(separator: "\n").map {
            $0.dropLast(4).split(separator: "/").joined(separator: ".")
        }.sorted()
    }
}
