import ControllerRuntime
import NDArrays
import TestSupport
import Testing

@Suite("A run through real worker processes", .timeLimit(.minutes(2)))
struct RunTests {
    @Test(
        "hands every frame to a worker and balances", arguments: [PixelPlane.shared, .inline],
        [1, 2])
    func balances(plane: PixelPlane, workerCount: Int) async throws {
        let worker = try #require(BuiltProducts.executable("sluice-worker"))
        let configuration = RunConfiguration(
            stages: [
                StageConfiguration(
                    name: "only", workerCount: workerCount,
                    processors: [ProcessorConfiguration("PixelSum")], workerExecutable: worker)
            ], plane: plane)
        let controller = try Controller(configuration, source: CountingSource(count: 500))
        let summary = try await controller.run()
        #expect(summary.end == .completed)
        #expect(summary.accepted == 500)
        #expect(summary.processed == 500)
        #expect(summary.certificate.balanced)
        #expect(summary.bytesIn == 500 * 512)
    }
}
