import ControllerRuntime
import FoundationEssentials
import NDArrays
import Statistics
import TestSupport
import Testing

@Suite("A worker in plain Python", .timeLimit(.minutes(2)))
struct ForeignWorkerTests {
    private static let script = Checkout.fixtures + "/python_worker.py"

    @Test("hosts a processor under the controller", arguments: [PixelPlane.shared, .inline])
    func hosts(plane: PixelPlane) async throws {
        let controller = try UserMpWorkerController(
            processors: [Scenario.processor("PyScale", ["gain": "3"])],
            workerExecutable: Self.script, maximumFrameByteCount: 1 << 16, plane: plane)
        try await controller.start()
        for number in 1...20 as ClosedRange<UInt16> {
            let image = try NDArray([number, 2, 3, 65_000], width: 2, height: 2)
            let report = try await controller.process(image)
            guard case .image(let result) = report.outputs.first?.payload else {
                Issue.record("\(report)")
                return
            }
            #expect(try result.elements(of: UInt16.self) == [number * 3, 6, 9, 65_535])
        }
        try await controller.configure(Structure(["gain": .scalar(.int64(5))]))
        let report = try await controller.process(NDArray([1] as [UInt8], width: 1, height: 1))
        guard case .image(let result) = report.outputs.first?.payload else {
            Issue.record("\(report)")
            return
        }
        #expect(try result.elements(of: UInt8.self) == [5])
        let statistics = await controller.getStats()
        #expect(statistics.contains { $0.key == "nProcessed" && $0.value == .unsigned(21) })
        try await controller.stop()
        #expect(controller.summary?.certificate.balanced == true)
    }

    @Test("says which settings are wrong")
    func refuses() async throws {
        let controller = try UserMpWorkerController(
            processors: [Scenario.processor("PyScale", ["gian": "3"])],
            workerExecutable: Self.script)
        let error = await #expect(throws: ControllerError.self) { try await controller.start() }
        #expect(error?.reason.contains("gian") == true, "\(error?.reason ?? "")")
    }
}
