internal import Journal
public import Telemetry

/// Writes line protocol to InfluxDB by its `/write` end point: chunks of lines as a renderer sealed them, or
/// lines as text.
///
/// 204 is delivered. 400 is refused for good: either nothing of it could be read, or some lines do not fit
/// and the server has stored the others ("partial write"). A wrong user, password or database (401, 403, 404)
/// keeps the lines until somebody has put that right. Lines that arrive twice overwrite themselves, because
/// they have the same series and time.
public final class InfluxExporter: Exporter, PostDestination {
    /// How it is made; `url` is that of `/write`. InfluxDB takes bodies of 25 MB unless it is set to take less
    /// (`max-body-size`).
    public typealias Configuration = PostConfiguration<InfluxExporter>

    /// The standard name.
    public static let standardName = "influx"
    /// The most records of one request unless told otherwise.
    public static let standardBatchCount = 100

    /// The name in messages, statistics and the spool.
    public let name: String
    /// The most records of one request.
    public let maximumBatchCount: Int
    private let batches: HTTPBatches<InfluxDialect>

    /// Makes the exporter; throws `ExporterConfigurationError`. It connects when it delivers.
    public init(_ configuration: Configuration) throws {
        name = configuration.name
        maximumBatchCount = configuration.maximumBatchCount
        batches = try configuration.batches {
            InfluxDialect(
                endpoint: $0, maximumBodyByteCount: configuration.maximumBodyByteCount)
        }
    }

    /// Writes lines, as many in a request as its limits allow.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        batches.deliver(records, within: limit)
    }

    /// Ends a delivery that is under way at once.
    public func interrupt() { batches.interrupt() }

    /// Ends the connection.
    public func close() { batches.close() }
}

private struct InfluxDialect: HTTPDialect {
    let endpoint: HTTPEndpoint
    let maximumBodyByteCount: Int

    func encode(_ record: ExportRecord) throws(UnfitRecord) -> [UInt8] {
        switch record.data {
        case .bytes, .value(.string): return try record.lines()
        case .value: throw UnfitRecord("a value is no line protocol; render it before")
        }
    }

    func request(_ parts: [[UInt8]], of records: [ExportRecord]) -> HTTPRequest {
        HTTPRequest(
            endpoint: endpoint, contentType: "text/plain; charset=utf-8",
            body: Array(parts.joined()))
    }

    func judge(_ answer: HTTPAnswer, of records: [ExportRecord]) -> Judgement {
        // The page of another server may answer 200: only 204 says that lines were stored.
        if answer.status != 204, (200..<300).contains(answer.status) {
            return .all(
                .retryable(
                    reason: answer.text(at: endpoint)
                        + "; InfluxDB answers 204: is it the right URL?",
                    after: OutcomeList.configurationPause))
        }
        let outcome = answer.storeOutcome(
            at: endpoint, hint: "check user, password and that the database is there")
        // Writing lines again that are there already changes nothing, so the good ones of a refused
        // request can be told from the bad by sending all alone.
        return answer.mayBeRefusedForOne ? .notTogether(outcome) : .all(outcome)
    }
}
