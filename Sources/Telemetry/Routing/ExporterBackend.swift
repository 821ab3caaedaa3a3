public import Journal
public import Logging
internal import Synchronization

/// Makes a record of each event and hands it on, such as to an exporter pool: this is how routers feed
/// exporters.
public final class ExporterBackend: FlushableBackend {
    /// What the records are numbered by; with the source a number is to be unique.
    public enum Numbering: Sendable, Equatable {
        /// In the order in which events come, from this number on.
        case fresh(from: UInt64)
        /// The `seq` of the event; one without is refused, which the router counts as a failure.
        case ofEvents
    }

    /// What became of records at an exporter; all are 0 where records go to a closure.
    public struct Counts: Sendable, Equatable {
        /// Records that the exporter delivered.
        public var delivered: UInt64 = 0
        /// Records that it did not deliver; nothing is sent again here, that is what a pool is for.
        public var failed: UInt64 = 0
        /// Records given up because the queue before it was full.
        public var overflowed: UInt64 = 0

        /// Counters.
        public init(delivered: UInt64 = 0, failed: UInt64 = 0, overflowed: UInt64 = 0) {
            self.delivered = delivered
            self.failed = failed
            self.overflowed = overflowed
        }
    }

    private enum Target {
        case closure(@Sendable (ExportRecord) throws -> Void)
        case queue(EventQueue<ExportRecord>)
    }

    private let source: String
    private let options: [JournalField]
    private let numbering: Numbering
    private let next: Atomic<UInt64>
    private let target: Target
    private let counts: ExportCounts

    /// Hands each record to a closure, on the thread that sends the event. `options` are those of each
    /// record.
    public init(
        source: String, numbering: Numbering = .fresh(from: 1), options: [JournalField] = [],
        deliver: @escaping @Sendable (ExportRecord) throws -> Void
    ) {
        self.source = source
        self.options = options
        self.numbering = numbering
        next = Atomic(Self.first(numbering))
        target = .closure(deliver)
        counts = ExportCounts()
    }

    /// Hands records to one exporter, in batches as large as it takes, from a thread of this backend's own;
    /// each call has `limit` to end. The exporter stays open.
    public init(
        source: String, exporter: any Exporter, within limit: Duration = .seconds(5),
        queue: SinkIsolation = SinkIsolation(), numbering: Numbering = .fresh(from: 1),
        options: [JournalField] = [], logger: Logger = Logger(label: "sluice.routing")
    ) throws(RoutingError) {
        self.source = source
        self.options = options
        self.numbering = numbering
        next = Atomic(Self.first(numbering))
        let counts = ExportCounts()
        self.counts = counts
        target = .queue(
            try EventQueue(
                name: exporter.name, isolation: queue,
                maximumBatch: max(1, exporter.maximumBatchCount)
            ) { batch in
                let outcomes = exporter.deliver(batch, within: limit)
                counts.add(outcomes, of: batch.count, exporter.name, logger)
            })
    }

    private static func first(_ numbering: Numbering) -> UInt64 {
        switch numbering {
        case .fresh(let first): first
        case .ofEvents: 0
        }
    }

    /// What became of the records so far.
    public var counted: Counts { counts.value }

    public func send(_ event: TelemetryEvent) throws {
        let record = try record(of: event)
        switch target {
        case .closure(let deliver): try deliver(record)
        case .queue(let queue):
            switch queue.offer(record) {
            case .accepted: break
            case .displacedOldest, .refused: counts.overflowed()
            }
        }
    }

    private func record(of event: TelemetryEvent) throws(RoutingError) -> ExportRecord {
        let nanoseconds = (event.timestamp * 1e9).rounded()
        guard let time = Int64(exactly: nanoseconds) else { throw .invalidTime(event.timestamp) }
        let seq: UInt64
        switch numbering {
        case .fresh: seq = next.wrappingAdd(1, ordering: .relaxed).oldValue
        case .ofEvents:
            guard let number = event.seq else { throw .unnumbered }
            seq = number
        }
        return ExportRecord(
            source: source, seq: seq, timestampNanoseconds: time, data: .value(event.value),
            options: options)
    }

    public func flush(within limit: Duration) -> Bool {
        switch target {
        case .closure: true
        case .queue(let queue): queue.flush(until: ContinuousClock.now.advanced(by: limit))
        }
    }
}

/// The counters, which the thread of the queue holds, too.
private final class ExportCounts: Sendable {
    private let counts = Mutex<ExporterBackend.Counts>(ExporterBackend.Counts())

    var value: ExporterBackend.Counts { counts.withLock { $0 } }

    func overflowed() { counts.withLock { $0.overflowed += 1 } }

    func add(
        _ outcomes: [ExportOutcome], of count: Int, _ exporter: String, _ logger: Logger
    ) {
        var delivered: UInt64 = 0
        var reason = "no outcome"
        for outcome in outcomes.prefix(count) {
            switch outcome {
            case .delivered: delivered += 1
            case .retryable(let why, _), .permanent(let why): reason = why
            }
        }
        let failed = UInt64(count) - delivered
        let total = counts.withLock { counts in
            counts.delivered += delivered
            counts.failed += failed
            return counts.failed
        }
        if failed > 0, total <= 100 || total / 1000 > (total - failed) / 1000 {
            logger.error(
                "Exporter did not deliver",
                metadata: [
                    "exporter": "\(exporter)", "records": "\(failed)", "reason": "\(reason)",
                ])
        }
    }
}
