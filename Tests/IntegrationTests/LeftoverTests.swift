import NDArrays
import TestSupport
import Testing

// Whether the ledger knows a folder is to be seen in it.
@testable import ControllerRuntime

@Suite("Hidden files of workers that were lost", .timeLimit(.minutes(1)))
struct LeftoverTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Runs frames that are staged as files in two folders, and then take their worker down.
    private func run(frames: Int, workers: Int, attempts: Int, lives: Int = 10) async throws
        -> RunSummary
    {
        let saving = { (name: String) in
            Scenario.processor("AdOutputFileProcessor", ["outputDirectory": folder.file(name)])
        }
        var stage = try Scenario.stage(
            workers: workers, worker: "FaultyWorker", saving("out"), saving("more"),
            Scenario.processor("Faulty", ["misdeed": "kill"]))
        stage.maximumAttempts = attempts
        stage.maximumFruitlessLives = lives
        let configuration = RunConfiguration(stages: [stage], runDirectory: folder.file("run"))
        return try await Controller(configuration, source: CountingSource(count: frames)).run()
    }

    /// No file is left, and the ledger has said where some could be.
    private func expectClean() throws {
        #expect(try folder.files(in: "out") == [])
        #expect(try folder.files(in: "more") == [])
        var named: [String] = []
        var reader = try LedgerReader(path: folder.file("run/ledger"))
        while let record = try reader.next() {
            if case .directory(let path) = record { named.append(path) }
        }
        #expect(named == ["out", "more"].map { folder.file($0) + "/" })
    }

    @Test("are removed when no later life writes into their folder")
    func quarantined() async throws {
        let summary = try await run(frames: 1, workers: 1, attempts: 3)
        expectBalance(summary, accepted: 1)
        #expect(summary.quarantined == 1)
        try expectClean()
    }

    @Test("are removed when the run ends because its stage can't go on")
    func stageFailed() async throws {
        let summary = try await run(frames: 3, workers: 2, attempts: 100, lives: 2)
        expectBalance(summary, accepted: 3)
        #expect(summary.end == .stageFailed)
        try expectClean()
    }
}
