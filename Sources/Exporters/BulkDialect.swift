internal import Journal
internal import Synchronization
internal import Telemetry

/// The bulk API of Elasticsearch and OpenSearch: a line that says what is to be done, then the document.
final class BulkDialect: HTTPDialect {
    /// The longest id that Elasticsearch takes, in bytes.
    private static let maximumIdByteCount = 512

    private let configuration: ElasticsearchExporter.Configuration
    private let endpoints: [HTTPEndpoint]
    /// Which endpoint is used.
    private let place = Mutex(0)

    init(_ configuration: ElasticsearchExporter.Configuration, endpoints: [HTTPEndpoint]) {
        self.configuration = configuration
        self.endpoints = endpoints
    }

    var maximumBodyByteCount: Int { configuration.maximumBodyByteCount }

    private var endpoint: HTTPEndpoint { endpoints[place.withLock { $0 }] }

    private var operation: String {
        switch configuration.operation {
        case .index: "index"
        case .create: "create"
        }
    }

    func noteFailure() { place.withLock { $0 = ($0 + 1) % endpoints.count } }

    func encode(_ record: ExportRecord) throws(UnfitRecord) -> [UInt8] {
        let index = try record.textOption("index") ?? configuration.index
        guard !index.isEmpty else {
            throw UnfitRecord("neither the record nor the exporter names an index")
        }
        guard record.identity.utf8.count <= Self.maximumIdByteCount else {
            throw UnfitRecord(
                "its id 'source-seq' has more than \(Self.maximumIdByteCount) bytes; use a shorter "
                    + "source")
        }
        var fields: [JournalField]
        switch record.data {
        case .value(.object(let own)): fields = own
        case .value(.string(let text)): fields = [JournalField("message", .string(text))]
        case .value, .bytes: throw UnfitRecord("a document is an object; this is none")
        }
        if let field = configuration.timestampField, !fields.contains(where: { $0.key == field }) {
            let time = TimestampText.iso(nanoseconds: record.timestampNanoseconds)
            fields.insert(JournalField(field, .string(time)), at: 0)
        }
        let action: JournalValue = .object([
            JournalField(operation, ["_index": .string(index), "_id": .string(record.identity)])
        ])
        let newline = [UInt8(ascii: "\n")]
        return try action.jsonBytes() + newline + JournalValue.object(fields).jsonBytes() + newline
    }

    func request(_ parts: [[UInt8]], of records: [ExportRecord]) -> HTTPRequest {
        HTTPRequest(
            endpoint: endpoint, contentType: "application/x-ndjson", body: Array(parts.joined()))
    }

    func judge(_ answer: HTTPAnswer, of records: [ExportRecord]) -> Judgement {
        guard answer.status == 200 else {
            let outcome = answer.storeOutcome(
                at: endpoint, hint: "check user, password, API key and URL")
            if case .retryable = outcome { noteFailure() }
            return answer.mayBeRefusedForOne ? .notTogether(outcome) : .all(outcome)
        }
        let body = JournalValue(json: String(decoding: answer.body, as: UTF8.self))
        guard !answer.isCut, let body, case .bool(let hasErrors)? = body["errors"] else {
            return .all(
                .retryable(
                    reason: answer.text(at: endpoint)
                        + "; that is not what the bulk API answers: is it the right URL?",
                    after: OutcomeList.configurationPause))
        }
        guard hasErrors else {
            return .each(records.map { .delivered(.string($0.identity)) })
        }
        guard case .array(let items)? = body["items"], items.count == records.count else {
            return .all(
                .retryable(
                    reason: "\(endpoint.display) answered for another number of documents",
                    after: OutcomeList.configurationPause))
        }
        return .each(zip(items, records).map { outcome(of: $0, $1, answer.retryAfter) })
    }

    private func outcome(
        of item: JournalValue, _ record: ExportRecord, _ after: Duration?
    ) -> ExportOutcome {
        guard let result = item[operation], case .int(let status)? = result["status"] else {
            return .retryable(
                reason: "\(endpoint.display) did not say what became of it", after: nil)
        }
        func text(_ key: String) -> String {
            guard case .string(let text)? = result["error"]?[key] else { return "no \(key)" }
            return excerpt(text)
        }
        let reason =
            "\(endpoint.display) refused it with \(status) "
            + "(\(text("type")): \(text("reason")))"
        switch (status, configuration.operation) {
        case (200..<300, _): return .delivered(.string(record.identity))
        // It is there already: this one came again.
        case (409, .create): return .delivered(.string(record.identity))
        case (429, _), (500..<600, _): return .retryable(reason: reason, after: after)
        default: return .permanent(reason: reason)
        }
    }
}
