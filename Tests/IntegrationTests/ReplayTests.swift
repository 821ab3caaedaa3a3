import Glibc
import Keys
import NDArrays
import Pipes
import TestSupport
import Testing

@testable import ControllerRuntime

/// A run that encrypts, gives every encrypted frame twice, decrypts, and does something more.
private struct ReplayedRun {
    let folder: TemporaryFolder
    let frames: Int

    init(frames: Int) throws {
        folder = try TemporaryFolder()
        self.frames = frames
        let key = try PrivateKey(generating: .x25519)
        try key.write(to: folder.file("key.pem"))
        try key.publicKey.write(to: folder.file("key.pub"))
    }

    var runDirectory: String { folder.file("run") }

    var encrypt: StageConfiguration {
        get throws {
            try Scenario.stage(
                named: "encrypt", workers: 2, worker: "sluice-encryption-worker",
                Scenario.processor(
                    "AdImageDataEncryptor", ["publicKeyFilePath": folder.file("key.pub")]))
        }
    }

    var twice: StageConfiguration {
        get throws {
            try Scenario.stage(
                named: "twice", from: "encrypt", worker: "FaultyWorker",
                Scenario.processor("Twice"))
        }
    }

    var decryptor: ProcessorConfiguration {
        Scenario.processor("DataDecryptor", ["privateKeyFilePath": folder.file("key.pem")])
    }

    func decrypt(
        named name: String = "decrypt", from: String, workers: Int = 2
    ) throws -> StageConfiguration {
        try Scenario.stage(
            named: name, from: from, workers: workers, worker: "sluice-encryption-worker", decryptor
        )
    }

    func run(_ stages: [StageConfiguration], resumes: Bool = false) async throws -> RunSummary {
        var configuration = RunConfiguration(stages: stages, runDirectory: runDirectory)
        configuration.resumes = resumes
        if resumes { try waitForLock() }
        return try await Controller(configuration, source: CountingSource(count: frames)).run()
    }

    /// The controller of the life before goes, and its lock with it, a little after its run has ended.
    func waitForLock() throws {
        let number = open(runDirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(number >= 0)
        RunDirectoryLock.waitUntilFree(in: OwnedDescriptor(owning: number))
    }

    /// Cuts the ledger behind some record, or within it; says where.
    func cutLedger(using random: inout SeededNumbers) throws -> String {
        var ends: [Int] = []
        var reader = try LedgerReader(path: runDirectory + "/ledger")
        while try reader.next() != nil { ends.append(Int(reader.wholeByteCount)) }
        let count = Int.random(in: 1..<ends.count, using: &random)
        let torn = Int.random(in: 0..<(ends[count] - ends[count - 1]), using: &random)
        let bytes = try folder.bytes(of: "run/ledger")
        try folder.write(Array(bytes[..<(ends[count - 1] + torn)]), to: "run/ledger")
        return "\(count) of \(ends.count) records and \(torn) bytes"
    }
}

@Suite(.timeLimit(.minutes(2))) struct ReplayTests {
    @Test func `a frame that comes twice is accepted once, without anybody's asking`() async throws
    {
        let run = try ReplayedRun(frames: 20)
        let summary = try await run.run([
            run.encrypt, run.twice, run.decrypt(from: "twice"),
        ])
        expectBalance(summary, accepted: 20)
        let decrypted = try #require(summary.stages.last).ledger
        #expect(decrypted.accepted == 40)
        #expect(decrypted.processed == 20)
        #expect(decrypted.failed == 20)
        for failure in summary.failures {
            #expect(failure.stage == "decrypt")
            #expect(failure.reason.contains("it is a replay: frame"), "\(failure.reason)")
        }
        #expect(try RunVerification.verify(runDirectory: run.runDirectory).problems == [])
    }

    @Test func `stages that take the same frames are no replay of each other`() async throws {
        let run = try ReplayedRun(frames: 20)
        let summary = try await run.run([
            run.encrypt, run.decrypt(named: "one", from: "encrypt"),
            run.decrypt(named: "other", from: "encrypt"),
        ])
        expectBalance(summary, accepted: 20)
        #expect(summary.stages.map(\.ledger.processed) == [20, 20, 20])
    }

    @Test func `a frame whose worker died behind the decryptor is no replay of itself`()
        async throws
    {
        let run = try ReplayedRun(frames: 20)
        let stage = try Scenario.stage(
            named: "decrypt", from: "encrypt", workers: 2, worker: "FaultyWorker", run.decryptor,
            Scenario.processor(
                "Faulty",
                [
                    "misdeed": "kill", "frames": "5", "once": run.folder.file("once"),
                ]))
        let summary = try await run.run([run.encrypt, stage])
        expectBalance(summary, accepted: 20)
        #expect(summary.processed == 20, "\(summary.failures)")
        let journal = try run.folder.text(of: "run/journal.jsonl")
        #expect(journal.contains("\"frame-retried\""))
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `wherever the ledger ends, a run that is taken up accepts every frame once`(
        seed: UInt64
    ) async throws {
        var random = SeededNumbers(seed: seed)
        let run = try ReplayedRun(frames: 10)
        let stages = [
            try run.encrypt, try run.twice, try run.decrypt(from: "twice"),
            try Scenario.stage(
                named: "bin", from: "decrypt", worker: "ExampleWorker",
                Scenario.processor("BinByTwo")),
        ]
        _ = try await run.run(stages)
        for life in 1...2 {
            let what = "seed \(seed), life \(life), \(try run.cutLedger(using: &random))"
            let summary = try await run.run(stages, resumes: true)
            expectBalance(summary, accepted: 10)
            let ends = summary.stages.map(\.ledger)
            #expect(ends.map(\.processed) == [10, 10, 10, 10], "\(what)")
            #expect(ends.map(\.failed) == [0, 0, 10, 0], "\(what)")
            let report = try RunVerification.verify(runDirectory: run.runDirectory)
            #expect(report.problems == [], "\(what)")
        }
    }

    @Test func `frames that failed behind the decryptor may be done again`() async throws {
        let run = try ReplayedRun(frames: 6)
        let out = run.folder.file("out")
        let stage = try Scenario.stage(
            named: "decrypt", from: "encrypt", worker: "sluice-encryption-worker", run.decryptor,
            Scenario.processor("AdOutputFileProcessor", ["outputDirectory": out]))
        try run.folder.write([1, 2, 3], to: "out/000003.tiff")
        let first = try await run.run([run.encrypt, stage])
        #expect(first.failed == 1)
        try run.folder.remove("out/000003.tiff")
        var configuration = RunConfiguration(
            stages: [try run.encrypt, stage], runDirectory: run.runDirectory)
        configuration.resumes = true
        configuration.reopenedOutcomes = [.failed]
        try run.waitForLock()
        let again = try await Controller(configuration, source: CountingSource(count: 6)).run()
        expectBalance(again, accepted: 6)
        #expect(again.processed == 6, "\(again.failures)")
    }
}
