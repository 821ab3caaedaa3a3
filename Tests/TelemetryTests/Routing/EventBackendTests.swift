import Journal
import Logging
import Synchronization
import Telemetry
import Testing

@Suite(.timeLimit(.minutes(1))) struct LoggerBackendTests {
    private let log = LogRecorder()

    @Test func `An event is one line of JSON in the logger, at info`() throws {
        var given = event("frame.done", ["id": 7, "list": [1.5, nil, "\u{E9}"]])
        given.context = [.init("run", "a")]
        given.seq = 3
        try LoggerBackend(logger: log.logger()).send(given)
        try LoggerBackend(logger: log.logger()).send(event(nil))
        #expect(
            log.lines.map(\.message) == [
                #"{"name":"frame.done","timestamp":"1970-01-01T00:00:00+00:00","seq":3,"#
                    + #""data":{"id":7,"list":[1.5,null,"é"]},"context":{"run":"a"}}"#,
                #"{"name":null,"timestamp":"1970-01-01T00:00:00+00:00","data":{},"context":{}}"#,
            ])
        #expect(log.lines.allSatisfy { $0.level == .info })
    }

    @Test func `The level is the one that was asked for`() throws {
        try LoggerBackend(logger: log.logger(), level: .warning).send(event())
        #expect(log.lines.map(\.level) == [.warning])
    }

    @Test func `An event that cannot be text throws, and nothing is logged`() {
        var nest: JournalValue = []
        for _ in 0..<70 { nest = [nest] }
        let backend = LoggerBackend(logger: log.logger(), maximumLength: nil)
        #expect(throws: JournalError.self) { try backend.send(event("deep", nest)) }
        for time in [Double.nan, .infinity, -1e18, 1e18, 253_402_300_800] {
            let given = TelemetryEvent(name: "late", timestamp: time)
            #expect(throws: RoutingError.self) { try backend.send(given) }
        }
        #expect(log.lines.isEmpty)
    }

    @Test func `An event that is too long is not logged but counted, to the character`() throws {
        let text =
            #"{"name":"sample","timestamp":"1970-01-01T00:00:00+00:00","data":"é","context":{}}"#
        let count = text.unicodeScalars.count
        try LoggerBackend(logger: log.logger(), maximumLength: count).send(event("sample", "é"))
        #expect(log.lines.map(\.message) == [text])
        let short = LoggerBackend(logger: log.logger(), maximumLength: count - 1)
        let router = try RoutingBackend(backends: ["log": short])
        router.send(event("sample", "é"))
        #expect(log.lines.count == 1 && short.tooLongCount == 1)
        #expect(router.statistics.backends.map(\.declined) == [1])
        #expect(throws: LoggerBackend.TooLong(length: count, limit: count - 1)) {
            try short.send(event("sample", "é"))
        }
    }

    @Test func `The limit is 1024 characters, or none`() throws {
        let long = event("long", .string(String(repeating: "a", count: 1025)))
        let standard = LoggerBackend(logger: log.logger())
        #expect(throws: LoggerBackend.TooLong.self) { try standard.send(long) }
        #expect(log.lines.isEmpty)
        try LoggerBackend(logger: log.logger(), maximumLength: nil).send(long)
        #expect(log.lines.count == 1)
    }

    @Test(arguments: [
        (1_335_857_221.0002, "2012-05-01T07:27:01.000200+00:00"),
        (1_335_857_221, "2012-05-01T07:27:01+00:00"), (0, "1970-01-01T00:00:00+00:00"),
        (-0.5, "1969-12-31T23:59:59.500000+00:00"), (0.9999999, "1970-01-01T00:00:01+00:00"),
        (951_782_400, "2000-02-29T00:00:00+00:00"), (253_402_300_799, "9999-12-31T23:59:59+00:00"),
        (-62_135_596_800, "0001-01-01T00:00:00+00:00"),
    ])
    func `Times are in ISO 8601 and UTC`(seconds: Double, text: String) throws {
        try LoggerBackend(logger: log.logger()).send(
            TelemetryEvent(name: "a", timestamp: seconds))
        #expect(log.lines.first?.message.contains("\"timestamp\":\"\(text)\"") == true)
    }

    @Test func `Ten events through a tracker are the same in the log and in memory`() throws {
        let memory = InMemoryBackend()
        let tracker = try Tracker(
            backends: ["memory": memory, "log": LoggerBackend(logger: log.logger())],
            now: { 86_400.25 })
        for number in 0..<10 { tracker.emit("event.\(number)", data: ["number": .init(number)]) }
        #expect(memory.events.count == 10)
        let logged = log.lines.compactMap { JournalValue(json: $0.message) }
        let expected = memory.events.map { event -> JournalValue in
            guard case .object(var fields) = event.value else { return .null }
            fields[key: "timestamp"] = "1970-01-02T00:00:00.250000+00:00"
            return .object(fields)
        }
        #expect(logged == expected)
    }
}

@Suite(.timeLimit(.minutes(1))) struct InMemoryBackendTests {
    @Test(arguments: [1, 2, 3, 7])
    func `The last events are kept, the rest counted`(limit: Int) {
        let backend = InMemoryBackend(limit: limit)
        for number in 0..<20 {
            backend.send(event("\(number)"))
            let first = max(0, number + 1 - limit)
            #expect(backend.events.map(\.name) == (first...number).map { "\($0)" })
            #expect(backend.displaced == UInt64(first))
        }
        #expect(backend.total == 20)
    }
}

/// Delivers what it is told to, and keeps the batches.
private final class RecordingExporter: Exporter {
    let name = "recording"
    let maximumBatchCount = 3
    let gate = Gate()
    private let state = Mutex<[[ExportRecord]]>([])

    var batches: [[ExportRecord]] { state.withLock { $0 } }

    func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        gate.pass()
        state.withLock { $0.append(records) }
        // Half of what is due is not even answered.
        if records.contains(where: { $0.options.isEmpty }) { return [.delivered(.null)] }
        return records.map { record in
            switch record.seq % 3 {
            case 0: .permanent(reason: "never")
            case 1: .retryable(reason: "later", after: nil)
            default: .delivered(.null)
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ExporterBackendTests {
    private let records = Kept<ExportRecord>()

    @Test func `Each event becomes a record with its own number`() throws {
        let table = [JournalField("table", "events")]
        let backend = ExporterBackend(
            source: "run-1", numbering: .fresh(from: 5), options: table
        ) { record in
            records.add(record)
        }
        let router = try RoutingBackend(backends: ["pool": backend])
        let given = TelemetryEvent(name: "a", timestamp: 1.5, seq: 9, data: ["b": 1])
        router.send(given)
        router.send(event(nil))
        let made = records.values
        #expect(made.map(\.seq) == [5, 6])
        #expect(made.map(\.source) == ["run-1", "run-1"] && made.map(\.options) == [table, table])
        #expect(made.map(\.timestampNanoseconds) == [1_500_000_000, 0])
        #expect(
            made[0].data
                == .value([
                    "name": "a", "timestamp": 1.5, "seq": 9, "data": ["b": 1], "context": [:],
                ]))
        #expect(backend.flush(within: .zero))
    }

    @Test func `Records may have the numbers of their events, and an event without is refused`()
        throws
    {
        let backend = ExporterBackend(source: "run", numbering: .ofEvents) { record in
            records.add(record)
        }
        let router = try RoutingBackend(backends: ["pool": backend])
        router.send(TelemetryEvent(name: "a", timestamp: 0, seq: 7))
        router.send(event("none"))
        router.send(TelemetryEvent(name: "never", timestamp: .nan, seq: 8))
        #expect(records.values.map(\.seq) == [7])
        #expect(router.statistics.backends.map(\.failed) == [2])
    }

    @Test func `What the closure throws is a failure of the backend`() throws {
        let backend = ExporterBackend(source: "run") { _ in throw Trouble() }
        let router = try RoutingBackend(backends: ["pool": backend])
        router.send(event())
        #expect(router.statistics.backends.map(\.failed) == [1])
    }

    @Test func `An exporter gets batches in order from one thread, and outcomes are counted`()
        async throws
    {
        let exporter = RecordingExporter()
        let log = LogRecorder()
        let backend = try ExporterBackend(
            source: "run", exporter: exporter, queue: SinkIsolation(whenFull: .block),
            options: [.init("table", "a")], logger: log.logger())
        let router = try RoutingBackend(backends: ["exporter": backend])
        router.send(event())
        await exporter.gate.isReached()
        for _ in 1..<8 { router.send(event()) }
        #expect(!router.flush(within: .zero))
        exporter.gate.open()
        #expect(router.flush(within: .seconds(50)))
        #expect(exporter.batches.map(\.count) == [1, 3, 3, 1])
        #expect(exporter.batches.flatMap { $0.map(\.seq) } == Array(1...8))
        #expect(backend.counted == ExporterBackend.Counts(delivered: 3, failed: 5))
        #expect(log.lines.allSatisfy { $0.metadata["exporter"] == "recording" })
        #expect(log.lines.count == 3)
    }

    @Test func `A full queue gives up records, and an outcome that is missing is a failure`()
        async throws
    {
        let exporter = RecordingExporter()
        let backend = try ExporterBackend(
            source: "run", exporter: exporter,
            queue: SinkIsolation(queueLimit: 2, whenFull: .dropNewest),
            logger: LogRecorder().logger())
        try backend.send(event())
        await exporter.gate.isReached()
        for _ in 1..<6 { try backend.send(event()) }
        #expect(backend.counted.overflowed == 3)
        exporter.gate.open()
        #expect(backend.flush(within: .seconds(50)))
        #expect(
            backend.counted == ExporterBackend.Counts(delivered: 2, failed: 1, overflowed: 3))
    }
}
