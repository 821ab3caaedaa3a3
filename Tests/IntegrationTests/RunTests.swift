import ControllerRuntime
import NDArrays
import TestSupport
import Testing

@Suite("A run through real worker processes", .timeLimit(.minutes(2)))
struct RunTests {
    @Test(
        "hands every frame to a worker and balances", arguments: [PixelPlane.shared, .inline],
        [1, 2])
    func balances(plane: PixelPlane, workers: Int) async throws {
        let summary = try await Scenario.run(
            Scenario.stage(workers: workers, Scenario.processor("PixelSum")), frames: 500,
            plane: plane)
        expectBalance(summary, accepted: 500)
        #expect(summary.end == .completed)
        #expect(summary.processed == 500)
        #expect(summary.bytesIn == 500 * 512)
    }

    @Test(
        "gives every worker its share whatever the policy",
        arguments: [DispatchPolicy.leastLoaded, .roundRobin, .hash(attribute: nil)])
    func policies(policy: DispatchPolicy) async throws {
        let summary = try await Scenario.run(
            Scenario.stage(workers: 3, Scenario.processor("PassThrough"), policy: policy),
            frames: 300)
        expectBalance(summary, accepted: 300)
        let shares = summary.workers.map { $0.counters["nReceived"] ?? 0 }
        #expect(shares.reduce(0, +) == 300)
        #expect(shares.allSatisfy { $0 > 0 })
    }

    @Test("writes one file a frame, each under its final name only", arguments: [1, 3])
    func files(workers: Int) async throws {
        let folder = try TemporaryFolder()
        let summary = try await Scenario.run(
            Scenario.stage(
                workers: workers,
                Scenario.processor(
                    "AdOutputFileProcessor", ["outputDirectory": folder.path + "/out"])),
            frames: 50, runDirectory: folder.path + "/run")
        expectBalance(summary, accepted: 50)
        #expect(summary.certificate.files == 50)
        #expect(
            try folder.files(in: "out")
                == (1...50).map { String(repeating: "0", count: 6 - "\($0)".count) + "\($0).tiff" })
        let report = try RunVerification.verify(runDirectory: folder.path + "/run")
        #expect(report.problems == [])
        #expect(report.wholeFiles == 50)
    }

    @Test(
        "splits a frame in one stage and saves the parts in another",
        arguments: [PixelPlane.shared, .inline])
    func split(plane: PixelPlane) async throws {
        let folder = try TemporaryFolder()
        let summary = try await Scenario.run(
            Scenario.stage(
                named: "split", workers: 2, worker: "ExampleWorker",
                Scenario.processor("SplitProcessor")),
            Scenario.stage(
                named: "save", from: "split",
                Scenario.processor(
                    "AdOutputFileProcessor", ["outputDirectory": folder.path + "/out"])),
            frames: 20, plane: plane)
        expectBalance(summary, accepted: 20)
        #expect(summary.processed == 20)
        #expect(summary.stages.map(\.ledger.accepted) == [20, 80])
        #expect(summary.stages.map(\.ledger.processed) == [20, 80])
        #expect(try folder.files(in: "out").count == 80)
    }

    @Test("feeds one source to several stages, each of which sees everything")
    func fanOut() async throws {
        let summary = try await Scenario.run(
            Scenario.stage(named: "one", Scenario.processor("PassThrough")),
            Scenario.stage(named: "two", Scenario.processor("PixelSum")), frames: 40)
        expectBalance(summary, accepted: 40)
        #expect(summary.stages.map(\.ledger.processed) == [40, 40])
    }

    @Test("lets user code print without harm")
    func printing() async throws {
        let folder = try TemporaryFolder()
        let summary = try await Scenario.run(
            Scenario.stage(
                worker: "FaultyWorker", Scenario.processor("Faulty", ["misdeed": "print"])),
            frames: 5, runDirectory: folder.path + "/run")
        expectBalance(summary, accepted: 5)
        #expect(summary.processed == 5)
    }

    @Test("gives two frames that want one name one file, and says which frames they are")
    func sameName() async throws {
        let folder = try TemporaryFolder()
        let summary = try await Scenario.run(
            Scenario.stage(
                Scenario.processor(
                    "AdOutputFileProcessor",
                    ["outputDirectory": folder.path + "/out", "outputFileNameFormat": "same.tiff"])),
            frames: 3, runDirectory: folder.path + "/run")
        expectBalance(summary, accepted: 3)
        #expect(summary.processed == 1)
        #expect(summary.failed == 2)
        #expect(try folder.files(in: "out") == ["same.tiff"])
        let failure = try #require(summary.failures.first)
        #expect(failure.reason.contains("output of frame 1"))
        #expect(failure.reason.contains("frame 2"))
    }
}
