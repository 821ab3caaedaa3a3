import Foundation
import TestSupport
import Testing

@testable import ControllerRuntime

@Suite struct RunDirectoryTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func refusal(_ path: String) -> ControllerError? {
        do {
            _ = try RunDirectory(creating: path)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a run directory is made with its parents`() throws {
        let directory = try RunDirectory(creating: folder.path + "/a/b/run/")
        #expect(directory.path == folder.path + "/a/b/run")
        #expect(directory.path(of: .journal) == folder.path + "/a/b/run/journal.jsonl")
        #expect(RunDirectory.state(of: directory.path) == .running(processId: getpid()))
    }

    @Test func `names of runs are short, fit file names and differ`() throws {
        let first = try RunDirectory(creating: folder.path + "/1")
        let second = try RunDirectory(creating: folder.path + "/2")
        #expect(first.runId.count == 8)
        #expect(first.runId.allSatisfy { $0.isLetter || $0.isNumber })
        #expect(first.runId != second.runId)
    }

    @Test func `a run directory in use is refused with the process that holds it`() throws {
        let path = folder.path + "/run"
        let directory = try RunDirectory(creating: path)
        let error = try #require(refusal(path))
        #expect(error.code == .runDirectory)
        #expect(error.reason.contains("in use by another run (process \(getpid()))"))
        withExtendedLifetime(directory) {}
    }

    @Test func `the lock goes with the run, and the state then says ended`() throws {
        let path = folder.path + "/run"
        do { _ = try RunDirectory(creating: path) }
        #expect(RunDirectory.state(of: path) == .ended)
    }

    @Test func `a directory that a run has used is refused, one it left untouched is taken`() throws
    {
        let path = folder.path + "/run"
        do { _ = try RunDirectory(creating: path) }
        #expect(refusal(path) == nil)
        do { try RunDirectory(creating: path).write(configuration: "stages: []\n") }
        let error = try #require(refusal(path))
        #expect(error.reason.contains("holds an earlier run"))
    }

    @Test func `a folder with other files is refused and stays as it is`() throws {
        try folder.write("x", to: "data/precious.tif")
        let error = try #require(refusal(folder.path + "/data"))
        #expect(error.reason.contains("precious.tif"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path + "/data")
                == ["precious.tif"])
    }

    @Test func `what can't be made is refused with the system's reason`() throws {
        try folder.write("x", to: "file")
        let error = try #require(refusal(folder.path + "/file/run"))
        #expect(error.reason.contains("Not a directory"))
        #expect(refusal("")?.reason.contains("empty") == true)
    }

    @Test func `a run that did not begin leaves nothing`() throws {
        let directory = try RunDirectory(creating: folder.path + "/run")
        try directory.write(configuration: "x")
        directory.discard()
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/run"))
        #expect(RunDirectory.state(of: folder.path + "/run") == .missing)
    }

    @Test func `states of folders that are no run directories`() throws {
        try folder.write("x", to: "some/file")
        #expect(RunDirectory.state(of: folder.path + "/some") == .foreign)
        #expect(RunDirectory.state(of: folder.path + "/some/file") == .missing)
    }

    @Test func `a file is replaced whole and leaves no temporary name`() throws {
        let path = folder.path + "/summary.json"
        try AtomicFile.write(Array("one".utf8), to: path)
        try AtomicFile.write(Array("two".utf8), to: path)
        #expect(try folder.text(of: "summary.json") == "two")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 1)
    }
}
