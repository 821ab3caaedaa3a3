import ControllerRuntime
import Endpoints
import NDArrays

/// The program of `Docs/Architecture.md` that embeds the controller.
enum EmbeddingSample {
    static func run(worker: String?) async throws -> RunSummary {
        let configuration = RunConfiguration(stages: [
            StageConfiguration(
                name: "measure", workerCount: 2,
                processors: [ProcessorConfiguration("PixelStatistics")], workerExecutable: worker)
        ])
        let settings = Structure([
            "count": .scalar(.int64(20)), "shape": .scalar(.string("128x128")),
        ])
        let source = try SourceFactory.makeSource(kind: "sim", settings: settings)
        let controller = try Controller(configuration, source: source) { report in
            for output in report.outputs {
                print(report.uniqueId, output.attributes["MeanValue"]?.value?.description ?? "-")
            }
        }
        let summary = try await controller.run()
        print(summary.certificate.statement)
        return summary
    }
}
