internal import Journal
internal import Synchronization
public import Telemetry

/// Writes documents to Elasticsearch or OpenSearch by their bulk API.
///
/// The id of a document is `source-seq` of its record, so that one that arrives twice is there once. Each
/// document has an outcome of its own: 2xx is delivered; 429 and 5xx are tried again; others are refused for
/// good, such as one that does not fit the mapping of its index. A wrong user or password keeps all until
/// somebody has put that right.
public final class ElasticsearchExporter: Exporter {
    /// How a document gets into its index.
    public enum Operation: Sendable, Hashable {
        /// It takes the place of one with the same id.
        case index
        /// One with the same id stays as it is; what data streams want.
        case create
    }

    /// How it is made.
    public struct Configuration: Sendable {
        /// The name in messages, statistics and the spool.
        public var name: String
        /// The nodes, such as `http://node1:9200`; `node1` alone means that port, because 9300, which other
        /// clients have as their default, is for nodes among themselves and speaks no HTTP. One is used as
        /// long as it answers, then the next.
        public var hosts: [String]
        /// The index or data stream of records that name none in their option `index`.
        public var index: String
        /// How documents get there.
        public var operation: Operation
        /// The field that gets the time of the record where the document has none of that name; nil: none.
        public var timestampField: String?
        /// The most records of one request.
        public var maximumBatchCount: Int
        /// The most bytes of one body; a longer record goes alone.
        public var maximumBodyByteCount: Int
        /// Credentials, headers, TLS and limits. An API key is `.scheme("ApiKey", key)`.
        public var settings: HTTPSettings

        /// A configuration.
        public init(
            name: String = "elasticsearch", hosts: [String], index: String,
            operation: Operation = .index, timestampField: String? = "@timestamp",
            maximumBatchCount: Int = 500, maximumBodyByteCount: Int = 4 << 20,
            settings: HTTPSettings = HTTPSettings(maximumAnswerByteCount: 8 << 20)
        ) {
            self.name = name
            self.hosts = hosts
            self.index = index
            self.operation = operation
            self.timestampField = timestampField
            self.maximumBatchCount = maximumBatchCount
            self.maximumBodyByteCount = maximumBodyByteCount
            self.settings = settings
        }
    }

    /// The name in messages, statistics and the spool.
    public let name: String
    /// The most records of one request.
    public let maximumBatchCount: Int
    private let batches: HTTPBatches<BulkDialect>

    /// Makes the exporter; throws `ExporterConfigurationError`. It connects when it delivers.
    public init(_ configuration: Configuration) throws {
        try ExporterConfigurationError.check(
            name: configuration.name, maximumBatchCount: configuration.maximumBatchCount)
        name = configuration.name
        maximumBatchCount = configuration.maximumBatchCount
        guard !configuration.hosts.isEmpty else {
            throw ExporterConfigurationError(name, "it has no hosts; name one")
        }
        var endpoints: [HTTPEndpoint] = []
        for host in configuration.hosts {
            endpoints.append(
                try HTTPEndpoint.read(Self.bulkURL(ofHost: host), exporter: configuration.name))
        }
        batches = try HTTPBatches(
            exporter: name, settings: configuration.settings,
            dialect: BulkDialect(configuration, endpoints: endpoints))
    }

    /// The bulk end point of a host as people write it.
    static func bulkURL(ofHost host: String) -> String {
        var url = host.contains("://") ? host : "http://" + host
        let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        let end = url[start...].firstIndex(of: "/") ?? url.endIndex
        let authority = url[start..<end]
        // The port follows the last colon that is not within an IPv6 address.
        let hasPort = authority.lastIndex(of: ":").map { colon in
            !authority[colon...].contains("]") && !authority[colon...].contains("@")
        }
        if hasPort != true { url.insert(contentsOf: ":9200", at: end) }
        // Answers name only what is looked at.
        return (url.hasSuffix("/") ? url : url + "/")
            + "_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
    }

    /// Writes documents, as many in a request as its limits allow.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        batches.deliver(records, within: limit)
    }

    /// Ends a delivery that is under way at once.
    public func interrupt() { batches.interrupt() }

    /// Ends the connection.
    public func close() { batches.close() }
}
