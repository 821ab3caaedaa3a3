internal import Telemetry

/// How an exporter that posts to one URL is made.
public struct PostConfiguration<Destination: PostDestination>: Sendable {
    /// The name in messages, statistics and the spool.
    public var name: String
    /// Where requests go, such as `http://127.0.0.1:8086/write?db=det`.
    public var url: String
    /// The most records of one request; 1 or more.
    public var maximumBatchCount: Int
    /// The most bytes of one body; a longer record goes alone.
    public var maximumBodyByteCount: Int
    /// Credentials, headers, TLS and limits.
    public var settings: HTTPSettings

    /// A configuration; with the name and the records of a request that are standard for the destination.
    public init(
        name: String = Destination.standardName, url: String,
        maximumBatchCount: Int = Destination.standardBatchCount,
        maximumBodyByteCount: Int = 1 << 20, settings: HTTPSettings = HTTPSettings()
    ) {
        self.name = name
        self.url = url
        self.maximumBatchCount = maximumBatchCount
        self.maximumBodyByteCount = maximumBodyByteCount
        self.settings = settings
    }

    /// What delivers, once the dialect knows where to.
    func batches<Dialect: HTTPDialect>(
        _ dialect: (HTTPEndpoint) -> Dialect
    ) throws -> HTTPBatches<Dialect> {
        try ExporterConfigurationError.check(name: name, maximumBatchCount: maximumBatchCount)
        return try HTTPBatches(
            exporter: name, settings: settings,
            dialect: dialect(try HTTPEndpoint.read(url, exporter: name)))
    }
}

/// A kind of destination that takes posts at one URL, with what is standard for it.
public protocol PostDestination {
    /// The name that an exporter has unless another is given.
    static var standardName: String { get }
    /// The most records of one request unless another number is given.
    static var standardBatchCount: Int { get }
}
