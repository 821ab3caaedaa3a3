import Journal
import Telemetry

/// The events of `routing` through a pool of two file exporters, as in `peers/resilient_exporters_trial.py`: each
/// call waits until both files have the line. With `--files background` calls return at once and the pool is
/// waited for at the end. Deliveries are lines.
func exporting(_ options: Options) throws -> TrialResult {
    let files = try ["one", "two"].map { (name: String) in
        try FileExporter("\(options.directory)/\(name).jsonl", name: name)
    }
    let pool = try ExporterPool(files, waitForResult: options.files != "background")
    let values = sampleEvents().map { event -> JournalValue in
        [
            "name": .string(event.name ?? ""), "timestamp": .double(event.timestamp),
            "data": event.data, "context": .object(event.context),
        ]
    }
    var lineCount = 0
    var result = try measure(options.eventCount) {
        try pool.send(values[$0 % values.count])
    } end: {
        lineCount = try pool.stop(within: .seconds(60)).reduce(0) { $0 + $1.delivered }
    }
    guard lineCount == 2 * options.eventCount else {
        throw BenchmarkError("\(lineCount) lines of \(2 * options.eventCount) were written")
    }
    result.deliveries = UInt64(lineCount)
    return result
}
