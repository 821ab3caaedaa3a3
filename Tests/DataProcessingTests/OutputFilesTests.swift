import DataProcessing
import Glibc
import TestSupport
import Testing

@Suite struct OutputFilesTests {
    private func frame(_ key: FrameKey = FrameKey(frameId: 17)) -> Frame {
        let frame = Frame()
        frame.reset(
            key: key, uniqueId: 1, content: .structure(Structure(), typeName: ""), region: nil,
            byteCount: 0, memory: PrivateFrameMemory())
        return frame
    }

    private func text(_ text: String) -> (Int32) throws -> WrittenFile {
        { descriptor in
            let bytes = Array(text.utf8)
            return WrittenFile(byteCount: write(descriptor, bytes, bytes.count), checksum: 5)
        }
    }

    @Test func `a staged file has a hidden name and all that a commit needs`() throws {
        let folder = try TemporaryFolder()
        let files = StagedOutputFiles(runName: "r1")
        let directory = try OutputDirectory(path: folder.path)
        files.begin(attempt: 2)
        let key = try #require(FrameKey(frameId: 17).child(0)?.child(3))
        try files.stage(
            in: directory, name: "a.tiff", frame: frame(key), overwrite: false, text("hello"))
        #expect(try folder.files() == [".a.tiff.r1.17-0-3.2.part"])
        let staged = files.take()
        #expect(
            staged == [
                StagedFile(
                    stagedPath: directory.path + "/.a.tiff.r1.17-0-3.2.part",
                    finalPath: directory.path + "/a.tiff", byteCount: 5, checksum: 5,
                    overwrite: false)
            ])
        #expect(files.take().isEmpty)
    }

    @Test func `two files of one frame have two staged names, even for one final name`() throws {
        let folder = try TemporaryFolder()
        let files = StagedOutputFiles(runName: "r1")
        let directory = try OutputDirectory(path: folder.path)
        files.begin(attempt: 0)
        for _ in 0..<2 {
            try files.stage(in: directory, name: "a", frame: frame(), overwrite: false, text("x"))
        }
        #expect(try folder.files() == [".a.r1.17.0.part", ".a.r1.17_1.0.part"])
        files.discard()
        #expect(try folder.files() == [])
    }

    @Test func `what the same attempt left is replaced, and a throw leaves nothing`() throws {
        struct Full: Error {}
        let folder = try TemporaryFolder()
        let directory = try OutputDirectory(path: folder.path)
        let files = StagedOutputFiles(runName: "r1")
        for content in ["a long text that stays behind", "short"] {
            files.begin(attempt: 0)
            try files.stage(
                in: directory, name: "a", frame: frame(), overwrite: false, text(content))
        }
        #expect(try folder.files().count == 1)
        var status = stat()
        #expect(stat(files.take()[0].stagedPath, &status) == 0 && status.st_size == 5)
        files.begin(attempt: 1)
        #expect(throws: Full.self) {
            try files.stage(in: directory, name: "b", frame: frame(), overwrite: false) { _ in
                throw Full()
            }
        }
        #expect(try folder.files() == [".a.r1.17.0.part"])
        #expect(files.take().isEmpty)
    }

    @Test func `without a controller a file has its name at once and replaces only when told`()
        throws
    {
        let folder = try TemporaryFolder()
        let directory = try OutputDirectory(path: folder.path)
        let files = ImmediateOutputFiles()
        try files.stage(in: directory, name: "a", frame: frame(), overwrite: false, text("one"))
        let error = #expect(throws: ProcessingError.self) {
            try files.stage(
                in: directory, name: "a", frame: frame(), overwrite: false, text("two!"))
        }
        #expect(error == .nameTaken(path: directory.path + "/a"))
        #expect(try folder.files() == ["a"])
        try files.stage(in: directory, name: "a", frame: frame(), overwrite: true, text("three"))
        var status = stat()
        #expect(stat(folder.path + "/a", &status) == 0 && status.st_size == 5)
    }

    @Test func `a long name is cut in the staged name, between characters`() throws {
        let folder = try TemporaryFolder()
        let directory = try OutputDirectory(path: folder.path)
        let files = StagedOutputFiles(runName: "run")
        let name = String(repeating: "é", count: 127)
        try files.stage(in: directory, name: name, frame: frame(), overwrite: false, text("x"))
        let staged = try #require(folder.files().first)
        #expect(staged.utf8.count <= 255)
        #expect(staged.hasSuffix("é.run.17.0.part"))
        #expect(files.take()[0].finalPath.hasSuffix("/" + name))
    }

    @Test func `folders are made with those above, and what can't be made is refused`() throws {
        let folder = try TemporaryFolder()
        let directory = try OutputDirectory(path: folder.path + "/x/y")
        #expect(directory.path.hasSuffix("/x/y"))
        try ImmediateOutputFiles().stage(
            in: try OutputDirectory(path: folder.path), name: "file", frame: frame(),
            overwrite: false, text("x"))
        let error = #expect(throws: ProcessingError.self) {
            try OutputDirectory(path: folder.path + "/file/z")
        }
        #expect(error?.description.contains("making output directory") == true)
        #expect(error?.description.contains("Not a directory") == true)
        #expect(throws: ProcessingError.self) { try OutputDirectory(path: "/proc/sluice") }
    }
}
