internal import Synchronization
internal import Telemetry

/// The last part of the way to one destination: what comes from the router becomes records, and they go to
/// the exporter with its spool.
///
/// Results of one moment come one by one; `endSet` says that all are there. Only the telemetry thread calls.
final class ExportChannel: EventBackend {
    let configuration: ExporterConfiguration
    let exporter: ResilientExporter
    private let maker: Mutex<RecordMaker>

    /// The channel to a destination; `source` is who makes the records.
    init(_ configuration: ExporterConfiguration, source: String) throws {
        self.configuration = configuration
        let made = try ExporterMaking.make(configuration)
        maker = Mutex(try RecordMaker(made.form))
        let spool = configuration.spool
        exporter = try ResilientExporter(
            made.exporter, waitForResult: false, useMemory: spool == nil, manualReexport: false,
            spoolDirectory: spool?.directory,
            spoolLimits: SpoolLimits(
                maximumBytes: spool?.maximumBytes ?? configuration.maximumMemoryBytes,
                whenFull: spool?.whenFull == .dropNewest ? .dropNewest : .dropOldest),
            source: source)
    }

    /// Lines that were left out so far, because they are longer than its `maximumBytes`.
    var oversizeCount: UInt64 { maker.withLock { $0.oversizeCount } }

    /// Takes an event, or a result of the set that is under way.
    func send(_ event: TelemetryEvent) throws {
        let isWanted =
            event.isResult ? configuration.takesStatistics : configuration.takesEvents
        guard isWanted else { return }
        for data in maker.withLock({ $0.take(event) }) { _ = try exporter.send(data) }
    }

    /// Sends what has come of the set.
    func endSet() throws {
        for data in maker.withLock({ $0.endSet() }) { _ = try exporter.send(data) }
    }
}
