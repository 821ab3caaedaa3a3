import ControllerRuntime
import NDArrays
import TestSupport
import Testing

/// Short ways to say what a test runs.
enum Scenario {
    /// A stage of the worker executable called `worker` with the processors named.
    static func stage(
        named name: String = "only", from: String? = nil, workers: Int = 1,
        worker: String = "sluice-worker",
        _ processors: ProcessorConfiguration..., inFlight: Int = 8,
        policy: DispatchPolicy = .leastLoaded, overload: OverloadPolicy? = nil,
        queueLimit: Int? = nil
    ) throws -> StageConfiguration {
        StageConfiguration(
            name: name, from: from, workerCount: workers, processors: processors,
            workerExecutable: try #require(BuiltProducts.executable(worker)) as String,
            inFlight: inFlight, policy: policy, overload: overload, queueLimit: queueLimit)
    }

    /// A processor with settings as text, the way the command line gives them.
    static func processor(
        _ name: String, _ settings: KeyValuePairs<String, String> = [:]
    ) -> ProcessorConfiguration {
        var structure = Structure()
        for (key, value) in settings { structure[key] = .scalar(.string(value)) }
        return ProcessorConfiguration(name, settings: structure)
    }

    /// Runs stages over counted images.
    static func run(
        _ stages: StageConfiguration..., frames: Int, side: Int = 16, plane: PixelPlane = .shared,
        runDirectory: String? = nil
    ) async throws -> RunSummary {
        let configuration = RunConfiguration(
            stages: stages, runDirectory: runDirectory, plane: plane)
        let controller = try Controller(
            configuration, source: CountingSource(count: frames, side: side))
        return try await controller.run()
    }
}

/// What must hold of every summary.
func expectBalance(
    _ summary: RunSummary, accepted: UInt64, _ place: SourceLocation = #_sourceLocation
) {
    #expect(summary.certificate.balanced, "\(summary.certificate.statement)", sourceLocation: place)
    #expect(summary.accepted == accepted, sourceLocation: place)
    #expect(summary.inFlight == 0, sourceLocation: place)
}
