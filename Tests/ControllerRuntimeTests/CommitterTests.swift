import Glibc
import TestSupport
import Testing

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
}
