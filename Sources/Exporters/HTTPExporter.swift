internal import Journal
public import Telemetry

/// Sends records to an HTTP server, several in a request: bytes and lines as they are, values as JSON.
///
/// Delivered is what was answered with 2xx. 408, 425, 429, 5xx and no answer are tried again, everything else
/// is refused for good; a request of several that got 400, 413 or 422 is sent again record by record.
public final class HTTPExporter: Exporter {
    /// What the body of a request is made of.
    public enum BodyFormat: Sendable, Hashable {
        /// The records one after the other, each on lines of its own: bytes and text as they are, other
        /// values as compact JSON.
        case lines
        /// One JSON list of the values; bytes are refused.
        case list
    }

    /// How it is made.
    public struct Configuration: Sendable {
        /// The name in messages, statistics and the spool.
        public var name: String
        /// Where requests go, with scheme, port and query.
        public var url: String
        /// The method, such as `POST` or `PUT`.
        public var method: String
        /// What the bodies are.
        public var contentType: String
        /// How they are made.
        public var bodyFormat: BodyFormat
        /// The most records of one request.
        public var maximumBatchCount: Int
        /// The most bytes of one body; a longer record goes alone.
        public var maximumBodyByteCount: Int
        /// Credentials, headers, TLS and limits.
        public var settings: HTTPSettings

        /// A configuration; without a content type lines are `text/plain`, lists `application/json`.
        public init(
            name: String = "http", url: String, method: String = "POST", contentType: String? = nil,
            bodyFormat: BodyFormat = .lines, maximumBatchCount: Int = 100,
            maximumBodyByteCount: Int = 1 << 20, settings: HTTPSettings = HTTPSettings()
        ) {
            self.name = name
            self.url = url
            self.method = method
            self.contentType =
                contentType
                ?? (bodyFormat == .lines ? "text/plain; charset=utf-8" : "application/json")
            self.bodyFormat = bodyFormat
            self.maximumBatchCount = maximumBatchCount
            self.maximumBodyByteCount = maximumBodyByteCount
            self.settings = settings
        }
    }

    /// The name in messages, statistics and the spool.
    public let name: String
    /// The most records of one request.
    public let maximumBatchCount: Int
    private let batches: HTTPBatches<PlainDialect>

    /// Makes the exporter; throws `ExporterConfigurationError`. It connects when it delivers.
    public init(_ configuration: Configuration) throws {
        try ExporterConfigurationError.check(
            name: configuration.name, maximumBatchCount: configuration.maximumBatchCount)
        name = configuration.name
        maximumBatchCount = configuration.maximumBatchCount
        let dialect = PlainDialect(
            endpoint: try HTTPEndpoint.read(configuration.url, exporter: name),
            configuration: configuration)
        guard HTTPHeader(configuration.method, Secret(configuration.contentType)).isSound else {
            throw ExporterConfigurationError(
                name, "its method or content type has a character that none may have")
        }
        batches = try HTTPBatches(
            exporter: name, settings: configuration.settings, dialect: dialect)
    }

    /// Sends records, as many in a request as its limits allow.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        batches.deliver(records, within: limit)
    }

    /// Ends a delivery that is under way at once.
    public func interrupt() { batches.interrupt() }

    /// Ends the connection.
    public func close() { batches.close() }
}

private struct PlainDialect: HTTPDialect {
    let endpoint: HTTPEndpoint
    let configuration: HTTPExporter.Configuration

    var maximumBodyByteCount: Int { configuration.maximumBodyByteCount }

    func encode(_ record: ExportRecord) throws(UnfitRecord) -> [UInt8] {
        switch (configuration.bodyFormat, record.data) {
        case (.list, .bytes):
            throw UnfitRecord("bytes can't stand in a JSON list; use the body format lines")
        case (.list, .value(let value)): return try value.jsonBytes()
        case (.lines, _): return try record.lines()
        }
    }

    func request(_ parts: [[UInt8]], of records: [ExportRecord]) -> HTTPRequest {
        HTTPRequest(
            method: configuration.method, endpoint: endpoint,
            contentType: configuration.contentType,
            body: configuration.bodyFormat == .lines
                ? Array(parts.joined()) : JSONList.bytes(of: parts))
    }

    func judge(_ answer: HTTPAnswer, of records: [ExportRecord]) -> Judgement {
        let outcome = answer.outcome(at: endpoint)
        return answer.mayBeRefusedForOne ? .notTogether(outcome) : .all(outcome)
    }
}

extension ExportRecord {
    /// The record on lines of its own: bytes and text as they are, with a line feed where there is none at
    /// the end, other values as compact JSON.
    func lines() throws(UnfitRecord) -> [UInt8] {
        var lines: [UInt8]
        switch data {
        case .bytes(let bytes): lines = bytes
        case .value(.string(let text)): lines = Array(text.utf8)
        case .value(let value): lines = try value.jsonBytes()
        }
        if let last = lines.last, last != UInt8(ascii: "\n") { lines.append(UInt8(ascii: "\n")) }
        return lines
    }
}

/// A JSON list of values that are JSON already.
enum JSONList {
    static func bytes(of parts: [[UInt8]]) -> [UInt8] {
        [UInt8(ascii: "[")] + parts.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
    }
}
