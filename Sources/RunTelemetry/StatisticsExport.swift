public import ControllerRuntime
internal import Telemetry

/// Sends stored statistics of a run to a destination, one set after the other, and waits for each.
///
/// A set that is sent again has the same identity as before, so a destination that knows what it has keeps it
/// once.
public final class StatisticsExport {
    /// How long one delivery may take.
    private static let timeLimit: Duration = .seconds(30)

    private let exporter: any Exporter
    private var maker: RecordMaker
    private let runId: String

    /// An export of run `runId`.
    ///
    /// - Throws: `TelemetryError` for a destination that can't be.
    public init(of runId: String, to destination: ExportDestination) throws(TelemetryError) {
        self.runId = runId
        do {
            let made = try ExporterMaking.make(
                ExporterConfiguration(name: destination.kind, destination: destination))
            exporter = made.exporter
            maker = try RecordMaker(made.form)
        } catch {
            throw TelemetryError("\(error)")
        }
    }

    deinit { exporter.close() }

    /// Sends a set of statistics; returns when the destination has it.
    ///
    /// - Throws: `TelemetryError` with what it answered; the set may be there in part.
    public func send(_ record: RunStatisticsRecord) throws(TelemetryError) {
        let set = RunMetrics.results(of: record, runId: runId)
        var data: [ExportData] = []
        for result in set.results {
            data += maker.take(RecordMaker.event(of: result, timestamp: record.timestamp))
        }
        data += maker.endSet()
        guard maker.oversizeCount == 0 else {
            throw TelemetryError("a line is longer than the maximumBytes of its destination")
        }
        // Sets are taken at least 10 ms apart, and have far fewer records than this.
        let first = UInt64(max(0, set.timestampNanoseconds) / 1_000_000) << 16
        var records = data.enumerated().map { index, data in
            ExportRecord(
                source: "\(runId)/statistics", seq: first + UInt64(index),
                timestampNanoseconds: set.timestampNanoseconds, data: data)
        }
        while !records.isEmpty {
            let batch = Array(records.prefix(exporter.maximumBatchCount))
            for outcome in exporter.deliver(batch, within: Self.timeLimit) {
                switch outcome {
                case .delivered: break
                case .retryable(let reason, _), .permanent(let reason):
                    throw TelemetryError(reason)
                }
            }
            records.removeFirst(batch.count)
        }
    }
}
