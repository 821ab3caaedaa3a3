import Foundation
import TestSupport
import Testing

/// Runs with a section `telemetry`.
enum TelemetryPipeline {
    /// Writes a pipeline over simulated frames and returns the arguments of `sluice` that run it.
    static func arguments(
        _ telemetry: String, frames: Int, rate: String?, run: String = "run",
        processors: String = "PixelSum", in folder: TemporaryFolder
    ) throws -> [String] {
        let worker = try #require(BuiltProducts.executable("sluice-worker"))
        let text = """
            source: {sim: {count: \(frames), shape: 32x32}}
            \(rate.map { "rate: \($0)" } ?? "")
            stages:
              - worker: \(worker)
                processors: [\(processors)]
            telemetry:
            \(telemetry)
            """
        _ = try folder.write(text, to: "\(run).yaml")
        return ["run", "\(run).yaml", "--run-dir", run]
    }

    /// The objects in a file of JSON lines.
    static func documents(_ name: String, in folder: TemporaryFolder) throws -> [[String: Any]] {
        try folder.text(of: name).split(separator: "\n").map { line in
            try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }
}
