/// Where an exporter sends to, with what it has to know.
public enum ExportDestination: Sendable, Hashable {
    /// carbon, plaintext protocol; over UDP a chunk is a datagram. Statistics only. Tags of `excludedTags` are
    /// no part of paths.
    case graphite(
        host: String, port: UInt16, transport: TextTransport, prefix: String,
        excludedTags: Set<String> = RunMetrics.tagsOutsidePaths, maximumBytes: Int)
    /// InfluxDB, line protocol over HTTP.
    case influx(url: String, token: String?, maximumBytes: Int)
    /// A table; it is made when it is missing, unless `createsTable` is false.
    case postgresql(url: String, table: String, createsTable: Bool)
    /// A table in a file of SQLite.
    case sqlite(path: String, table: String)
    /// The bulk API of Elasticsearch and OpenSearch.
    case elasticsearch(url: String, index: String, apiKey: String?)
    /// A POST of JSON for each batch.
    case webhook(url: String, token: String?)
    /// Lines in a file; `maximumBytes` 0 lets it grow, otherwise so many files are kept beside it.
    case file(path: String, format: LineFormat, maximumBytes: Int, keptFiles: Int)
    /// Lines on standard output.
    case standardOutput(format: LineFormat)
    /// Lines over TCP or UDP.
    case text(host: String, port: UInt16, transport: TextTransport, format: LineFormat)

    /// How lines travel.
    public enum TextTransport: String, Sendable, Hashable, CaseIterable {
        case tcp, udp
    }

    /// How lines are written.
    public enum LineFormat: String, Sendable, Hashable, CaseIterable {
        case json, influx, graphite
    }

    /// The word of the configuration file.
    public var kind: String {
        switch self {
        case .graphite: "graphite"
        case .influx: "influx"
        case .postgresql: "postgresql"
        case .sqlite: "sqlite"
        case .elasticsearch: "elasticsearch"
        case .webhook: "webhook"
        case .file: "file"
        case .standardOutput: "stdout"
        case .text(_, _, .tcp, _): "tcp"
        case .text(_, _, .udp, _): "udp"
        }
    }

    /// Whether an event has a place there: Graphite holds numbers with a name.
    public var holdsEvents: Bool {
        switch self {
        case .graphite: false
        case .influx, .postgresql, .sqlite, .elasticsearch, .webhook: true
        case .file(_, let format, _, _), .standardOutput(let format), .text(_, _, _, let format):
            format != .graphite
        }
    }

    /// Whether it is a file or the standard output, which making an exporter opens.
    var isLocal: Bool {
        switch self {
        case .file, .sqlite, .standardOutput: true
        case .graphite, .influx, .postgresql, .elasticsearch, .webhook, .text: false
        }
    }
}
