import Logging
import RunTelemetry
import Synchronization
import Telemetry

/// The events and routers of `routing`, where each backend makes a text of each event: JSON for a log, as
/// event-tracking's own backend does, or with `--files influx` lines for InfluxDB, as an exporter of a run gets
/// them. Deliveries are texts.
func rendering(_ options: Options) throws -> TrialResult {
    if options.files == "influx" {
        let (all, alarms) = (try LineBackend(), try LineBackend())
        return try route(options, to: all, alarms: alarms) { all.count + alarms.count }
    }
    let texts = CountingBackend()
    func log() -> LoggerBackend {
        let logger = Logger(label: "benchmark") { _ in CountingLog(texts: texts) }
        return LoggerBackend(logger: logger, maximumLength: nil)
    }
    return try route(options, to: log(), alarms: log()) { texts.count }
}

/// Makes lines of events, and counts what comes out.
private final class LineBackend: EventBackend {
    private let maker: Mutex<RecordMaker>
    private let counter = Atomic<UInt64>(0)

    init() throws {
        maker = Mutex(try RecordMaker(.lines(InfluxRender(), maximumBytes: 65_536)))
    }

    var count: UInt64 { counter.load(ordering: .relaxed) }

    func send(_ event: TelemetryEvent) {
        var event = event
        // An event without a number would be a result of statistics.
        event.seq = 1
        let records = maker.withLock { [event] in $0.take(event) }
        counter.wrappingAdd(UInt64(records.count), ordering: .relaxed)
    }
}

/// A log that counts its lines.
private struct CountingLog: LogHandler {
    let texts: CountingBackend
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    func log(event: LogEvent) { texts.add() }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
}
