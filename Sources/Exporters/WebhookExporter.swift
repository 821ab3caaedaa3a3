internal import Journal
public import Telemetry

/// Tells a web service of each record, or of several at once, with a JSON object each:
/// `{"source":…,"seq":…,"timestamp":…,"data":…}`.
///
/// Delivered is what was answered with 2xx. 408, 425, 429, 5xx and no answer are tried again, not before the
/// time that Retry-After names; everything else is refused for good, redirects too unless they are followed.
/// A service that got a record and whose answer did not arrive gets it again: `source` and `seq`, and the
/// header `Idempotency-Key` of a request with one record, tell that it is the same.
public final class WebhookExporter: Exporter, PostDestination {
    /// How it is made. With a `maximumBatchCount` of 1 the body is an object, with more always a list of them.
    public typealias Configuration = PostConfiguration<WebhookExporter>

    /// The standard name.
    public static let standardName = "webhook"
    /// The most records of one request unless told otherwise.
    public static let standardBatchCount = 1

    /// The name in messages, statistics and the spool.
    public let name: String
    /// The most records of one request.
    public let maximumBatchCount: Int
    private let batches: HTTPBatches<WebhookDialect>

    /// Makes the exporter; throws `ExporterConfigurationError`. It connects when it delivers.
    public init(_ configuration: Configuration) throws {
        name = configuration.name
        maximumBatchCount = configuration.maximumBatchCount
        batches = try configuration.batches {
            WebhookDialect(
                endpoint: $0, maximumBodyByteCount: configuration.maximumBodyByteCount,
                isList: configuration.maximumBatchCount > 1)
        }
    }

    /// Tells of records, as many in a request as its limits allow.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        batches.deliver(records, within: limit)
    }

    /// Ends a delivery that is under way at once.
    public func interrupt() { batches.interrupt() }

    /// Ends the connection.
    public func close() { batches.close() }
}

private struct WebhookDialect: HTTPDialect {
    let endpoint: HTTPEndpoint
    let maximumBodyByteCount: Int
    let isList: Bool

    func encode(_ record: ExportRecord) throws(UnfitRecord) -> [UInt8] {
        guard case .value(let value) = record.data else {
            throw UnfitRecord("bytes are no JSON; use an HTTP exporter for them")
        }
        let message: JournalValue = [
            "source": .string(record.source), "seq": .uint(record.seq),
            "timestamp": .double(Double(record.timestampNanoseconds / 1000) / 1e6), "data": value,
        ]
        return try message.jsonBytes()
    }

    func request(_ parts: [[UInt8]], of records: [ExportRecord]) -> HTTPRequest {
        var request = HTTPRequest(
            endpoint: endpoint, contentType: "application/json",
            body: isList ? JSONList.bytes(of: parts) : Array(parts.joined()))
        if records.count == 1 {
            let header = HTTPHeader("Idempotency-Key", Secret(records[0].identity))
            // A source with a line feed would make another header of it.
            if header.isSound { request.headers.append(header) }
        }
        return request
    }

    func judge(_ answer: HTTPAnswer, of records: [ExportRecord]) -> Judgement {
        let outcome = answer.outcome(at: endpoint)
        return answer.mayBeRefusedForOne ? .notTogether(outcome) : .all(outcome)
    }
}
