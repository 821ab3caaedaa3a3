import Glibc
import NDArrays
import TestSupport
import Testing
import WorkerProtocol

// A ledger is cut at its records here, and so they must be seen.
@testable import ControllerRuntime

@Suite("A run that is taken up", .timeLimit(.minutes(5)))
struct ResumeTests {
    @Test(
        "after it was stopped at once does the rest, at any number of workers",
        arguments: [1, 2, 3])
    func stopped(workers: Int) async throws {
        let expected = try await ThreeStageRun.undisturbed(frames: 60)
        let run = try ThreeStageRun(frames: 60)
        let first = try run.controller(resumes: false)
        let going = Task { try await first.run() }
        try await first.waitUntilStarted()
        while await first.status()?.ledger.processed ?? 60 < 5 {}
        first.stop(now: true)
        let cut = try await going.value
        expectBalance(cut, accepted: cut.accepted)
        let summary = try await run.controller(workers: workers, resumes: true).run()
        try run.expectWhole(summary, expected, "\(workers) workers")
        // There is nothing left to do; all the same it can be taken up.
        let again = try await run.controller(resumes: true).run()
        try run.expectWhole(again, expected, "nothing left")
        #expect(again.workers.allSatisfy { $0.counters["nReceived"] ?? 0 == 0 })
    }

    @Test(
        "after it was killed does what is missing and nothing twice, wherever its ledger ends",
        arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func killed(seed: UInt64) async throws {
        var random = SeededNumbers(seed: seed)
        let run = try ThreeStageRun(frames: 10)
        _ = try await run.controller(workers: 2, resumes: false).run()
        let expected = try run.tree()
        #expect(expected.count == 50)
        // A life or two more, each killed at some record of the ledger.
        for life in 1...2 {
            let what = try run.kill(using: &random)
            let workers = Int.random(in: 1...2, using: &random)
            let summary = try await run.controller(workers: workers, resumes: true).run()
            try run.expectWhole(summary, expected, "seed \(seed), life \(life), \(what)")
            let stages = summary.stages.map(\.ledger.processed)
            #expect(stages == [10, 10, 40], "seed \(seed), life \(life), \(what)")
            #expect(summary.stages.map(\.files) == [10, 0, 40])
            #expect(summary.stages.map(\.outputs) == [10, 40, 40])
            #expect(try run.leftovers() == [])
        }
    }

    @Test("does frames again that failed, when that is asked for, and only those")
    func retried() async throws {
        let run = try ThreeStageRun(frames: 8)
        // A name that is taken fails its frame.
        try run.folder.write([1, 2, 3], to: "out/whole/000003.tiff")
        let first = try await run.controller(resumes: false).run()
        #expect(first.failed == 1)
        #expect(try run.rows().filter { $0.outcome == .failed }.map(\.frame.frameId) == [3])
        let failed = try LedgerQuery.frameIds(runDirectory: run.runDirectory, outcomes: [.failed])
        #expect(failed.ranges == [3...3])
        try run.folder.remove("out/whole/000003.tiff")
        let plain = try await run.controller(resumes: true).run()
        #expect(plain.failed == 1)
        #expect(plain.failures.map(\.frame) == ["3"])
        let again = try await run.controller(resumes: true, reopens: [.failed]).run()
        #expect(again.failed == 0)
        #expect(again.failures == [])
        try run.expectWhole(again, try run.tree(), "retried")
        #expect(
            again.workers.filter { $0.stage == "whole" }.map { $0.counters["nReceived"] } == [1])
        // Of a frame that was done again only the last row stands.
        let rows = try run.rows().filter { $0.stage == "whole" }
        #expect(rows.map(\.frame.frameId).sorted() == Array(1...8))
        #expect(rows.allSatisfy { $0.outcome == .processed && $0.files.count == 1 })
    }

    @Test("is refused with the reason where it could not be the same run")
    func refused() async throws {
        let run = try ThreeStageRun(frames: 4)
        await expectRefusal(run, resumes: true, "there is no run directory")
        _ = try await run.controller(resumes: false).run()
        await expectRefusal(run, resumes: false, "holds an earlier run")
        await expectRefusal(run, resumes: true, "does not give the frames", frames: 5)
        await expectRefusal(
            run, resumes: true, "is called other now"
        ) { $0.stages[2].name = "other" }
        await expectRefusal(
            run, resumes: true, "took its frames from parts"
        ) { $0.stages[2].from = "whole" }
        await expectRefusal(run, resumes: true, "has the stages") { $0.stages.removeLast() }
        await expectRefusal(
            run, resumes: true, "can't be done again"
        ) { $0.reopenedOutcomes = [.processed] }
        let before = try run.folder.bytes(of: "run/ledger")
        #expect(try RunVerification.verify(runDirectory: run.runDirectory).isClean)
        var damaged = before
        damaged[before.count / 2] ^= 1
        try run.folder.write(damaged, to: "run/ledger")
        await expectRefusal(run, resumes: true, "is damaged at byte")
        try run.folder.write([] as [UInt8], to: "run/ledger")
        await expectRefusal(run, resumes: true, "is empty")
        try run.folder.remove("run/ledger")
        await expectRefusal(run, resumes: true, "has no ledger")
    }

    private func expectRefusal(
        _ run: ThreeStageRun, resumes: Bool, _ words: String, frames: Int? = nil,
        _ change: (inout RunConfiguration) -> Void = { _ in }
    ) async {
        let error = await #expect(throws: ControllerError.self) {
            var configuration = try run.configuration(workers: 1, resumes: resumes)
            change(&configuration)
            return try await Controller(
                configuration, source: CountingSource(count: frames ?? run.frames)
            ).run()
        }
        #expect(error?.reason.contains(words) == true, "\(error?.reason ?? "")")
    }

    @Test("goes on in journal and statistics")
    func records() async throws {
        let run = try ThreeStageRun(frames: 6)
        _ = try await run.controller(resumes: false).run()
        for file in ["journal.jsonl", "stats.jsonl"] {
            try run.folder.append("{\"half", to: "run/" + file)
        }
        _ = try await run.controller(resumes: true).run()
        let journal = try run.folder.text(of: "run/journal.jsonl").split(separator: "\n")
        #expect(journal.contains { $0.contains("\"run-resume\"") && $0.contains("\"life\":2") })
        for (number, line) in journal.enumerated() {
            #expect(line.contains("\"seq\":\(number + 1),"), "\(line)")
        }
        let statistics = try run.folder.text(of: "run/stats.jsonl").split(separator: "\n")
        #expect(statistics.allSatisfy { $0.hasPrefix("{\"timestamp\"") && $0.hasSuffix("}") })
        #expect(statistics.count >= 2)
    }
}

/// A run whose first stage keeps the frame as a file, the second cuts it into four, and the third keeps
/// those.
struct ThreeStageRun {
    let folder: TemporaryFolder
    let frames: Int

    init(frames: Int) throws {
        folder = try TemporaryFolder()
        self.frames = frames
    }

    var runDirectory: String { folder.path + "/run" }

    static func undisturbed(frames: Int) async throws -> [String: [UInt8]] {
        let run = try ThreeStageRun(frames: frames)
        let summary = try await run.controller(resumes: false).run()
        #expect(summary.processed == UInt64(frames))
        return try run.tree()
    }

    func configuration(workers: Int, resumes: Bool) throws -> RunConfiguration {
        let saving = { (name: String) in
            Scenario.processor("AdOutputFileProcessor", ["outputDirectory": folder.file(name)])
        }
        var configuration = RunConfiguration(
            stages: [
                try Scenario.stage(named: "whole", workers: workers, saving("out/whole")),
                try Scenario.stage(
                    named: "parts", from: "whole", workers: workers, worker: "ExampleWorker",
                    Scenario.processor("SplitProcessor")),
                try Scenario.stage(
                    named: "save", from: "parts", workers: workers, saving("out/parts")),
            ], runDirectory: runDirectory)
        configuration.resumes = resumes
        return configuration
    }

    func controller(
        workers: Int = 1, resumes: Bool, reopens: Set<FrameReport.Outcome> = []
    ) throws -> Controller {
        var configuration = try configuration(workers: workers, resumes: resumes)
        configuration.reopenedOutcomes = reopens
        return try Controller(configuration, source: CountingSource(count: frames))
    }

    /// The output files with their bytes.
    func tree() throws -> [String: [UInt8]] {
        var tree: [String: [UInt8]] = [:]
        for place in ["out/whole", "out/parts"] {
            for name in try folder.files(in: place) where !name.hasPrefix(".") {
                tree["\(place)/\(name)"] = try folder.bytes(of: "\(place)/\(name)")
            }
        }
        return tree
    }

    /// Staged files that nobody took away.
    func leftovers() throws -> [String] {
        try ["out/whole", "out/parts"].flatMap { try folder.files(in: $0) }.filter {
            $0.hasPrefix(".")
        }
    }

    func rows() throws -> [LedgerRow] {
        var rows: [LedgerRow] = []
        _ = try LedgerQuery.forEachRow(runDirectory: runDirectory) { rows.append($0) }
        return rows
    }

    func expectWhole(_ summary: RunSummary, _ tree: [String: [UInt8]], _ what: String) throws {
        expectBalance(summary, accepted: UInt64(frames))
        #expect(summary.processed == UInt64(frames), "\(what): \(summary.failures)")
        #expect(try self.tree() == tree, "\(what)")
        let report = try RunVerification.verify(runDirectory: runDirectory)
        #expect(report.problems == [], "\(what)")
        #expect(report.wholeFiles == tree.count, "\(what)")
        #expect(summary.certificate.files == UInt64(tree.count), "\(what)")
        let keys = try rows().map { "\($0.stage) \($0.frame)" }
        #expect(keys.count == Set(keys).count, "\(what)")
    }

    // MARK: A kill

    /// Leaves folder and ledger as a kill at some record of the ledger would have; says where.
    func kill(using random: inout SeededNumbers) throws -> String {
        var records: [LedgerRecord] = []
        var ends: [Int] = []
        var reader = try LedgerReader(path: runDirectory + "/ledger")
        while let record = try reader.next() {
            records.append(record)
            ends.append(Int(reader.wholeByteCount))
        }
        let count = Int.random(in: 1..<records.count, using: &random)
        let bytes = try folder.bytes(of: "run/ledger")
        let torn = Int.random(in: 0..<(ends[count] - ends[count - 1]), using: &random)
        try folder.write(Array(bytes[..<(ends[count - 1] + torn)]), to: "run/ledger")
        var replay = LedgerReplay()
        var announced: [EntryId: [StagedFile]] = [:]
        var named: Set<String> = []
        for record in records[..<count] {
            replay.take(record)
            switch record {
            case .intent(let closing, let files): announced[closing.id] = files
            case .closings(let batch):
                for closing in batch.closings where closing.fileCount > 0 {
                    named.formUnion((announced[closing.id] ?? []).map(\.finalPath))
                }
            default: break
            }
        }
        var variants: [Int] = []
        for (_, intent) in replay.intents.sorted(by: { $0.key.key < $1.key.key }) {
            let variant = Int.random(in: 0..<4, using: &random)
            variants.append(variant)
            for file in intent.files where !named.contains(file.finalPath) {
                try leave(file, as: variant)
                named.insert(file.finalPath)
            }
        }
        for path in try tree().keys where !named.contains(folder.file(path)) {
            try folder.remove(path)
        }
        try folder.write([7], to: "out/parts/.left.\(replay.run?.runId ?? "").9.0.part")
        return "\(count) of \(records.count) records and \(torn) bytes, commits left as \(variants)"
    }

    /// 0: it has its name; 1: it is staged; 2: it is staged in part; 3: it is lost.
    private func leave(_ file: StagedFile, as variant: Int) throws {
        let final = String(file.finalPath.dropFirst(folder.path.count + 1))
        let staged = String(file.stagedPath.dropFirst(folder.path.count + 1))
        if variant == 0 { return }
        let bytes = try folder.bytes(of: final)
        try folder.remove(final)
        if variant == 1 { try folder.write(bytes, to: staged) }
        if variant == 2 { try folder.write(Array(bytes.dropLast(5)), to: staged) }
    }
}

extension TemporaryFolder {
    /// Removes a file of it.
    func remove(_ name: String) throws {
        let result = unlink(file(name))
        try #require(result == 0, "\(name)")
    }
}
