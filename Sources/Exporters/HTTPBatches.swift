internal import Telemetry

/// What an answer says of the records that a request carried.
enum Judgement {
    /// The same of all.
    case all(ExportOutcome)
    /// One each, in the order of the records.
    case each([ExportOutcome])
    /// The request was refused whole, because of one of them or of their number: they are sent one by one,
    /// and what is refused alone has the outcome.
    case notTogether(ExportOutcome)
}

/// What one kind of destination expects, without how it gets there.
protocol HTTPDialect: Sendable {
    /// The most bytes of the body of one request; a record that is longer goes alone.
    var maximumBodyByteCount: Int { get }
    /// A record as a part of a body; throws for one that can never be.
    func encode(_ record: ExportRecord) throws(UnfitRecord) -> [UInt8]
    /// The request that carries records; `parts` are as many.
    func request(_ parts: [[UInt8]], of records: [ExportRecord]) -> HTTPRequest
    /// What became of the records.
    func judge(_ answer: HTTPAnswer, of records: [ExportRecord]) -> Judgement
    /// Called when a request got no answer, for those that have another place to try next.
    func noteFailure()
}

extension HTTPDialect {
    func noteFailure() {}
}

/// Delivers records in requests of several.
final class HTTPBatches<Dialect: HTTPDialect>: Sendable {
    private let exporter: String
    private let client: HTTPClient
    let dialect: Dialect

    init(
        exporter: String, settings: HTTPSettings, dialect: Dialect
    ) throws(ExporterConfigurationError) {
        self.exporter = exporter
        self.dialect = dialect
        client = try HTTPClient(exporter: exporter, settings: settings)
    }

    func interrupt() { client.interruption.request() }

    func close() { client.close() }

    func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        defer { client.interruption.clear() }
        let deadline = ContinuousClock.now + limit
        var outcomes = OutcomeList(exporter: exporter, count: records.count)
        var parts: [Int: [UInt8]] = [:]
        for (index, record) in records.enumerated() {
            do {
                parts[index] = try dialect.encode(record)
            } catch {
                outcomes.set(index, .permanent(reason: error.reason))
            }
        }
        // In reverse, so that the next is the last.
        var waiting = Array(requests(of: parts).reversed())
        while let indices = waiting.popLast(), !outcomes.isHeldBack {
            let carried = indices.map { records[$0] }
            let request = dialect.request(indices.compactMap { parts[$0] }, of: carried)
            do {
                let answer = try client.send(request, until: deadline)
                switch dialect.judge(answer, of: carried) {
                case .all(let outcome): for index in indices { outcomes.set(index, outcome) }
                case .each(let each):
                    for (index, outcome) in zip(indices, each) { outcomes.set(index, outcome) }
                case .notTogether(let outcome):
                    if indices.count == 1 {
                        outcomes.set(indices[0], outcome)
                    } else {
                        waiting += indices.reversed().map { [$0] }
                    }
                }
            } catch {
                dialect.noteFailure()
                let pause = error.isConfiguration ? OutcomeList.configurationPause : nil
                outcomes.set(indices[0], .retryable(reason: error.reason, after: pause))
            }
        }
        return outcomes.finished()
    }

    /// The records of each request, in order, as many as the limit of bytes allows.
    private func requests(of parts: [Int: [UInt8]]) -> [[Int]] {
        var requests: [[Int]] = []
        var byteCount = 0
        for (index, part) in parts.sorted(by: { $0.key < $1.key }) {
            byteCount += part.count
            if requests.isEmpty || byteCount > dialect.maximumBodyByteCount {
                requests.append([])
                byteCount = part.count
            }
            requests[requests.count - 1].append(index)
        }
        return requests
    }
}
