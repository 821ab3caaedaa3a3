/// What one trial is asked to do: `LOAD --key value …`, as scripts/bench writes it.
struct Options {
    /// `hand-over`, `sum`, `write`, `process`, `latency`, `control`, `routing`, `rendering` or `exporting`.
    let load: String
    private let values: [String: String]

    /// The options of a command line, without the program's name.
    ///
    /// - Throws: `BenchmarkError` for a key without value.
    init(_ words: [String]) throws(BenchmarkError) {
        guard let load = words.first else { throw BenchmarkError("name a load") }
        self.load = load
        var values: [String: String] = [:]
        var rest = words.dropFirst()
        while let key = rest.popFirst() {
            guard key.hasPrefix("--"), let value = rest.popFirst() else {
                throw BenchmarkError("\(key) is no option with a value")
            }
            values[String(key.dropFirst(2))] = value
        }
        self.values = values
    }

    /// Pixels in a row and number of rows of the square frames.
    var width: Int { number("width", 128) }
    /// Number of worker processes.
    var workers: Int { number("workers", 1) }
    /// Frames in flight per worker.
    var inFlight: Int { number("in-flight", 8) }
    /// Slots of the source's pool; 0: what the controller finds right.
    var slots: Int { number("slots", 0) }
    /// Length of the window.
    var seconds: Double { values["seconds"].flatMap(Double.init) ?? 1 }
    /// Time before the window.
    var warmUp: Double { values["warm-up"].flatMap(Double.init) ?? 0.1 }
    /// Frames after which the source ends in any case.
    var maximumFrames: Int { number("maximum-frames", Int.max) }
    /// Time between two gatherings of statistics.
    var statisticsPeriodMilliseconds: Int { number("statistics-period-ms", 1000) }
    /// Folder for output files.
    var directory: String { values["directory"] ?? "/dev/shm/sluice-benchmark" }
    /// Folder that the run leaves; nil (the word `none`): no ledger on disk, no journal, no statistics file.
    var runDirectory: String? { values["run-directory"].flatMap { $0 == "none" ? nil : $0 } }
    /// Whether workers are watched for hangs (`--supervision off`: their ends only).
    var isSupervised: Bool { values["supervision"] != "off" }
    /// Whether statistics and events go to exporters (`--telemetry on`): a file, and a destination that is not
    /// there, with a spool on disk.
    var hasTelemetry: Bool { values["telemetry"] == "on" }
    /// With telemetry: the port of the page for Prometheus; 0: one that is free.
    var pagePort: Int { number("page-port", 0) }
    /// Path of the worker executable; nil: `sluice-worker` beside this program.
    var worker: String? { values["worker"] }
    /// Another form of the same load: `staged` or `committed` where the processor runs alone, `influx` for
    /// `rendering`, `background` for `exporting`.
    var files: String { values["files"] ?? "immediate" }
    /// `shared` or `inline`.
    var plane: String { values["plane"] ?? "shared" }
    /// Bytes of a uint16 frame.
    var byteCount: Int { width * width * 2 }

    private func number(_ key: String, _ standard: Int) -> Int {
        values[key].flatMap { Int($0) } ?? standard
    }
}

/// Why a trial could not be made.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
