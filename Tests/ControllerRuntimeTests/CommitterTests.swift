import Glibc
import NDArrays
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

@Suite("The committer", .timeLimit(.minutes(1)))
struct CommitterTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("goes on without records that can't be opened, and says so")
    func records() throws {
        for name in ["log", "statistics"] { #expect(mkdir(folder.path + "/" + name, 0o700) == 0) }
        let committer = try Committer(wakeEngine: {})
        var jobs: [CommitJob] = [.log(Array("one\n".utf8))]
        committer.submit(&jobs)
        committer.close()
        committer.run(launch)
        #expect(committer.problem?.contains("/log could not be written") == true)
        #expect(committer.surrender == nil)
    }

    @Test("waits for a ledger that can't be opened, and then has everything in it")
    func ledger() throws {
        let file = RecordFile(path: folder.path + "/later/ledger")
        let record = Array("record".utf8)
        #expect(record.withUnsafeBytes { file.append($0) } == ENOENT)
        #expect(file.sync() == ENOENT)
        #expect(file.problem == nil)
        #expect(mkdir(folder.path + "/later", 0o700) == 0)
        #expect(record.withUnsafeBytes { file.append($0) } == 0)
        #expect(file.sync() == 0)
        #expect(try folder.text(of: "later/ledger") == "record")
    }

    private var launch: CommitterLaunch {
        CommitterLaunch(
            runId: "abc",
            paths: RecordPaths(
                ledger: folder.path + "/ledger", statistics: folder.path + "/statistics",
                log: folder.path + "/log"))
    }

    @Test("says how much of the log waits to be written")
    func waitingLog() throws {
        let committer = try Committer(wakeEngine: {})
        #expect(committer.waitingLogByteCount == 0)
        var jobs: [CommitJob] = [.log(Array("one\n".utf8)), .discard(files: [])]
        committer.submit(&jobs)
        jobs = [.log(Array("three\n".utf8))]
        committer.submit(&jobs)
        #expect(committer.waitingLogByteCount == 10)
        committer.close()
        committer.run(launch)
        #expect(committer.waitingLogByteCount == 0)
        #expect(try folder.text(of: "log") == "one\nthree\n")
    }

    @Test("writes what was committed with the intents of the next batch, in order")
    func sharedWrite() throws {
        try beginLedger()
        var files = CommitFiles(launch) { _ in false }
        let outcomes = files.carryOut([try commit(frame: 1)])
        #expect(outcomes.map(\.fileCount) == [1])
        #expect(try ledgerWords() == ["intent 1"])
        let owes = files.owesClosings
        #expect(owes)
        let parts = Closing(key: FrameKey(frameId: 9), stage: 1, fate: .processed)
        _ = files.carryOut([.closings([parts], highestFrameId: 9), try commit(frame: 2)])
        #expect(try ledgerWords() == ["intent 1", "closed 1", "closed 9", "intent 2"])
        _ = files.carryOut([.end([])])
        #expect(try ledgerWords().last == "closed 2")
        let stillOwes = files.owesClosings
        #expect(!stillOwes)
    }

    @Test("writes what was committed soon when no other batch comes")
    func rest() async throws {
        try beginLedger()
        let committer = try Committer(wakeEngine: {})
        let launch = launch
        let thread = Task.detached { committer.run(launch) }
        var jobs = [try commit(frame: 1)]
        committer.submit(&jobs)
        // The time limit of the suite ends it.
        while try ledgerWords().last != "closed 1" { await Task.yield() }
        committer.close()
        await thread.value
    }

    private func beginLedger() throws {
        let run = LedgerRun(
            runId: "abc", source: "s", fingerprint: nil, frameCount: nil,
            stages: [.init(name: "first", from: nil), .init(name: "second", from: "first")])
        #expect(run.begin(RecordFile(path: folder.file("ledger"))) == 0)
    }

    private func commit(frame: UInt64) throws -> CommitJob {
        let staged = try folder.write("pixels", to: ".\(frame).part")
        let file = StagedFile(
            stagedPath: staged, finalPath: folder.file("\(frame).tiff"), byteCount: 6,
            checksum: nil, mayReplace: false)
        var closing = Closing(key: FrameKey(frameId: frame), stage: 0, fate: .processed)
        closing.fileCount = 1
        return .commit(
            CommitRequest(
                place: Int(frame), closing: closing, files: [file], report: nil, outputs: []))
    }

    /// The intents and closings of the ledger, in order.
    private func ledgerWords() throws -> [String] {
        var reader = try LedgerReader(path: folder.file("ledger"))
        var words: [String] = []
        while let record = try reader.next() {
            switch record {
            case .intent(let closing, _): words.append("intent \(closing.key)")
            case .closings(let batch): words += batch.closings.map { "closed \($0.key)" }
            default: break
            }
        }
        return words
    }
}
