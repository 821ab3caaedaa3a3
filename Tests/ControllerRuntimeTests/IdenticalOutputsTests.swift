import NDArrays
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

@Suite("A name that is taken by a file with the very same bytes")
struct IdenticalOutputsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The files of a run, of its first life or of a later one.
    private func files(accepts: Bool = true, isNew: Bool = true) -> CommitFiles {
        let paths = RecordPaths(
            ledger: folder.file("ledger"), statistics: folder.file("stats"),
            log: folder.file("log"))
        if isNew {
            let run = LedgerRun(
                runId: "r", source: "s", fingerprint: nil, frameCount: nil,
                stages: [.init(name: "only", from: nil)])
            #expect(run.begin(RecordFile(path: paths.ledger)) == 0)
        }
        return CommitFiles(
            CommitterLaunch(runId: "r", paths: paths, acceptsIdenticalOutputs: accepts)
        ) { _ in false }
    }

    /// A commit of a frame with a staged file; without a checksum, as some writers leave it.
    private func commit(
        frame: UInt64, _ text: String, as names: String...
    ) throws -> CommitJob {
        var staged: [StagedFile] = []
        for (place, name) in names.enumerated() {
            let path = try folder.write(text, to: ".\(frame).\(place).part")
            staged.append(
                StagedFile(
                    stagedPath: path, finalPath: folder.file(name),
                    byteCount: UInt64(text.utf8.count), checksum: nil, mayReplace: false))
        }
        var closing = Closing(key: FrameKey(frameId: frame), stage: 0, fate: .processed)
        closing.fileCount = UInt32(names.count)
        return .commit(
            CommitRequest(
                place: Int(frame), closing: closing, files: staged, report: nil, outputs: []))
    }

    /// No staged file is left, whatever became of its frame.
    private func expectNothingStaged() throws {
        #expect(try !folder.files().contains { $0.hasSuffix(".part") })
    }

    @Test("counts as written, and stays as it is")
    func same() throws {
        try folder.write("pixels", to: "1.tiff")
        let before = try #require(FileCheck.identity(folder.file("1.tiff")))
        var files = files()
        let outcomes = files.carryOut([try commit(frame: 1, "pixels", as: "1.tiff")])
        #expect(outcomes.map(\.failure) == [nil])
        #expect(outcomes.map(\.fileCount) == [1])
        #expect(FileCheck.identity(folder.file("1.tiff")) == before)
        try expectNothingStaged()
    }

    @Test(
        "is refused when one byte is another, one is missing, or one is too many",
        arguments: ["pixelS", "pixel", "pixels ", ""])
    func other(text: String) throws {
        try folder.write(text, to: "1.tiff")
        var files = files()
        let outcomes = files.carryOut([try commit(frame: 1, "pixels", as: "1.tiff")])
        #expect(outcomes.map(\.fileCount) == [0])
        #expect(outcomes[0].failure?.contains("exists already and is not overwritten") == true)
        #expect(try folder.text(of: "1.tiff") == text)
        try expectNothingStaged()
    }

    @Test("is refused where nobody asked for that")
    func notAccepted() throws {
        try folder.write("pixels", to: "1.tiff")
        var files = files(accepts: false)
        let outcomes = files.carryOut([try commit(frame: 1, "pixels", as: "1.tiff")])
        #expect(outcomes[0].failure?.contains("exists already and is not overwritten") == true)
        try expectNothingStaged()
    }

    @Test("is refused when the files differ far behind their beginnings")
    func long() throws {
        let text = String(repeating: "x", count: 3 << 20)
        try folder.write(text.dropLast() + "y", to: "1.tiff")
        try folder.write(text, to: "2.tiff")
        var files = files()
        let outcomes = files.carryOut([
            try commit(frame: 1, text, as: "1.tiff"), try commit(frame: 2, text, as: "2.tiff"),
        ])
        #expect(outcomes.map { $0.failure == nil } == [false, true])
    }

    @Test("is refused when it is that of another frame of the run", arguments: [1, 2, 3])
    func ofAnotherFrame(lives: Int) throws {
        try folder.write("pixels", to: "0.tiff")
        var first = files()
        let jobs = [
            // The first name that is taken makes the run look for whose they are.
            try commit(frame: 1, "pixels", as: "0.tiff"),
            try commit(frame: 2, "pixels", as: "2.tiff"),
            try commit(frame: 3, "pixels", as: "2.tiff"),
        ]
        var outcomes: [CommitOutcome] = []
        switch lives {
        // In one batch, in one life, in two lives.
        case 1: outcomes = first.carryOut(jobs)
        case 2: for job in jobs { outcomes += first.carryOut([job]) }
        default:
            outcomes = first.carryOut(Array(jobs[..<2]))
            first.writeClosings()
            outcomes += secondLife { $0.carryOut([jobs[2]]) }
        }
        #expect(outcomes.map { $0.failure == nil } == [true, true, false])
        let reason = try #require(outcomes.last?.failure)
        #expect(reason.contains("is already the output of frame 2 of this run"), "\(reason)")
        #expect(try folder.files().filter { $0.hasSuffix(".tiff") } == ["0.tiff", "2.tiff"])
        try expectNothingStaged()
    }

    private func secondLife<Result>(_ body: (inout CommitFiles) -> Result) -> Result {
        var files = files(isNew: false)
        return body(&files)
    }

    @Test("is refused when a frame has two files of that name")
    func twice() throws {
        try folder.write("pixels", to: "1.tiff")
        var files = files()
        let outcomes = files.carryOut([
            try commit(frame: 1, "pixels", as: "1.tiff", "1.tiff")
        ])
        #expect(outcomes[0].failure != nil)
        #expect(try folder.text(of: "1.tiff") == "pixels")
        try expectNothingStaged()
    }
}
