import ControllerRuntime
import NDArrays
import Statistics
import TestSupport
import Testing

@Suite("A running controller", .timeLimit(.minutes(2)))
struct ControlTests {
    private func slowController(
        frames: Int, milliseconds: String = "5", workers: Int = 2
    ) throws -> Controller {
        try Controller(
            RunConfiguration(stages: [
                Scenario.stage(
                    workers: workers, worker: "FaultyWorker",
                    Scenario.processor("Slow", ["milliseconds": milliseconds]))
            ]), source: CountingSource(count: frames))
    }

    @Test("drains on request: what was accepted is finished")
    func drains() async throws {
        let controller = try slowController(frames: 100_000)
        async let run = controller.run()
        try await controller.waitUntilStarted()
        controller.stop()
        let summary = try await run
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == .drained)
        #expect(summary.processed == summary.accepted)
    }

    @Test("stops at once on request, and accounts for what was left")
    func stopsNow() async throws {
        let controller = try slowController(frames: 100_000, milliseconds: "200")
        async let run = controller.run()
        try await controller.waitUntilStarted()
        var status = await controller.status()
        while status?.ledger.inFlight ?? 0 < 16 { status = await controller.status() }
        controller.stop(now: true)
        let summary = try await run
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.end == .stopped)
        #expect(summary.dropped["stopped"] ?? 0 > 0)
    }

    @Test("answers for statistics while workers are in user code")
    func statistics() async throws {
        let controller = try slowController(frames: 10_000, milliseconds: "100")
        async let run = controller.run()
        try await controller.waitUntilStarted()
        let record = try await controller.statistics()
        #expect(record.stages.map(\.name) == ["only"])
        #expect(record.stages[0].processors.map(\.name) == ["Slow"])
        controller.stop()
        _ = try await run
        await #expect(throws: ControllerError.self) { try await controller.statistics() }
    }

    @Test("changes settings of all workers, or of none")
    func configure() async throws {
        let controller = try Controller(
            RunConfiguration(stages: [
                Scenario.stage(
                    named: "tag", workers: 2, worker: "FaultyWorker", Scenario.processor("Faulty"),
                    Scenario.processor("Slow", ["milliseconds": "1"]))
            ]), source: CountingSource(count: 100_000))
        async let run = controller.run()
        try await controller.waitUntilStarted()
        let version = try await controller.configure(
            processor: "Faulty", changes: Structure(["tag": .scalar(.string("7"))]))
        #expect(version == 2)
        let error = await #expect(throws: ControllerError.self) {
            try await controller.configure(
                processor: "Faulty", changes: Structure(["tag": .scalar(.string("minus one"))]))
        }
        #expect(error?.reason.contains("tag") == true, "\(error?.reason ?? "")")
        let next = try await controller.configure(
            processor: "Faulty", stage: "tag", changes: Structure(["tag": .scalar(.string("8"))]))
        #expect(next == 3)
        await #expect(throws: ControllerError.self) {
            try await controller.configure(processor: "Nobody", changes: Structure())
        }
        controller.stop()
        let summary = try await run
        expectBalance(summary, accepted: summary.accepted)
        #expect(summary.failed == 0)
    }

    @Test("sets counters to zero and keeps the ledger")
    func reset() async throws {
        let controller = try slowController(frames: 100_000, milliseconds: "1")
        async let run = controller.run()
        try await controller.waitUntilStarted()
        var status = await controller.status()
        while status?.ledger.processed ?? 0 < 20 { status = await controller.status() }
        try await controller.resetStatistics()
        let record = try await controller.statistics()
        let received = record.stages[0].processors[0].statistics.first { $0.key == "nReceived" }
        #expect(
            received.flatMap { $0.value.statisticValue.doubleValue } ?? .infinity
                < Double(record.ledger.accepted))
        controller.stop()
        let summary = try await run
        expectBalance(summary, accepted: summary.accepted)
    }

    @Test("drives one worker from a program, frame by frame")
    func oneWorker() async throws {
        let controller = try UserMpWorkerController(
            workerId: 4,
            processors: [Scenario.processor("PixelSum"), Scenario.processor("PixelStatistics")],
            workerExecutable: try #require(BuiltProducts.executable("sluice-worker")) as String)
        try await controller.start()
        let image = try NDArray([1, 2, 3, 4] as [UInt16], width: 2, height: 2, uniqueId: 42)
        let report = try await controller.process(image)
        #expect(report.outcome == .processed)
        #expect(report.uniqueId == 42)
        let output = try #require(report.outputs.first)
        guard case .image(let result) = output.payload else {
            Issue.record("not an image")
            return
        }
        #expect(try result.elements(of: UInt16.self) == [1, 2, 3, 4])
        let statistics = await controller.getStats(prefix: "w4.")
        #expect(
            statistics.contains { $0.key == "w4.PixelSum.nProcessed" && $0.value == .unsigned(1) })
        try await controller.resetStats()
        let last = try await controller.stop(prefix: "last.")
        #expect(last.contains { $0.key == "last.PixelSum.nReceived" })
        #expect(controller.summary?.certificate.balanced == true)
        await #expect(throws: ControllerError.self) { try await controller.process(image) }
    }

    @Test("carries bytes and structures as well as images")
    func payloads() async throws {
        let controller = try UserMpWorkerController(
            processors: [Scenario.processor("PassThrough")],
            workerExecutable: try #require(BuiltProducts.executable("sluice-worker")) as String)
        try await controller.start()
        let bytes = try await controller.process(
            .bytes([1, 2, 3], typeName: "secret"), uniqueId: 1)
        guard case .bytes([1, 2, 3], typeName: "secret") = bytes.outputs.first?.payload else {
            Issue.record("\(bytes)")
            return
        }
        let motor = Structure(["position": .scalar(.float64(1.5))])
        let values = try await controller.process(.structure(motor, typeName: "motor"), uniqueId: 2)
        guard case .structure(motor, typeName: "motor") = values.outputs.first?.payload else {
            Issue.record("\(values)")
            return
        }
        try await controller.stop()
    }
}
