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

    // MARK: Places that can't take files

    @Test(arguments: [ENOSPC, EDQUOT, EIO, ESTALE])
    func `the trouble of a disk is noted, whatever becomes of the error, and leaves nothing`(
        code: Int32
    ) throws {
        let folder = try TemporaryFolder()
        let directory = try OutputDirectory(path: folder.path)
        let files = StagedOutputFiles(runName: "r1")
        files.begin(attempt: 0)
        try files.stage(in: directory, name: "a", frame: frame(), overwrite: false, text("x"))
        _ = try? files.stage(in: directory, name: "b", frame: frame(), overwrite: false) { _ in
            throw ProcessingError.refused(operation: "writing", path: "b", errno: code)
        }
        #expect(files.trouble?.contains(directory.path) == true)
        #expect(files.trouble?.contains("errno \(code)") == true)
        files.discard()
        #expect(try folder.files() == [])
        files.begin(attempt: 0)
        #expect(files.trouble == nil)
    }

    @Test func `a frame's own trouble is none of the place`() throws {
        struct Mistake: Error {}
        let folder = try TemporaryFolder()
        let directory = try OutputDirectory(path: folder.path)
        let files = StagedOutputFiles(runName: "r1")
        // ENOENT within the writer is of a file that it reads: the folder was just written into.
        let errors: [any Error] = [
            Mistake(), ProcessingError.badInput("a", reason: "b"),
            ProcessingError.refused(operation: "reading", path: "mask", errno: ENOENT),
            ProcessingError.refused(operation: "writing", path: "b", errno: EFBIG),
        ]
        for error in errors {
            files.begin(attempt: 0)
            #expect(throws: (any Error).self) {
                try files.stage(in: directory, name: "b", frame: frame(), overwrite: false) { _ in
                    throw error
                }
            }
            #expect(files.trouble == nil, "\(error)")
        }
    }

    @Test func `a full device holds what is written with the helper of the guide`() throws {
        let full = open("/dev/full", O_WRONLY)
        defer { close(full) }
        let error = #expect(throws: ProcessingError.self) {
            try WrittenFile(writing: [1, 2, 3], to: full, name: "a")
        }
        #expect(error?.errorNumber == ENOSPC)
        #expect(ProcessingError.nameTaken(path: "a").errorNumber == nil)
    }

    @Test func `a folder that vanished is waited for and never made again`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/out"
        let directory = try OutputDirectory(path: path)
        let files = StagedOutputFiles(runName: "r1")
        #expect(rmdir(path) == 0)
        for _ in 0..<2 {
            files.begin(attempt: 0)
            let error = #expect(throws: ProcessingError.self) {
                try files.stage(
                    in: directory, name: "a", frame: frame(), overwrite: false, text("x"))
            }
            #expect(error?.errorNumber == ENOENT)
            #expect(files.trouble?.contains(directory.path) == true)
            #expect(try folder.files() == [])
        }
        #expect(mkdir(path, 0o755) == 0)
        files.begin(attempt: 0)
        try files.stage(in: directory, name: "a", frame: frame(), overwrite: false, text("x"))
        #expect(files.trouble == nil)
        #expect(try folder.files(in: "out") == [".a.r1.17.0.part"])
    }

    @Test func `the folder that has the path now is the one that is written into`() throws {
        let folder = try TemporaryFolder()
        let (path, other) = (folder.path + "/out", folder.path + "/elsewhere")
        let directory = try OutputDirectory(path: path)
        #expect(rename(path, other) == 0)
        #expect(mkdir(path, 0o755) == 0)
        // It is noticed within a tenth of a second; files go to the old folder till then.
        let files = ImmediateOutputFiles()
        var serial = 0
        while try folder.files(in: "out").isEmpty, serial < 10_000_000 {
            serial += 1
            try files.stage(
                in: directory, name: "a", frame: frame(), overwrite: true, text("\(serial)"))
        }
        #expect(try folder.files(in: "out") == ["a"])
    }

    @Test func `where folders are expected a missing one is no error before a file is`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/out"
        let directory = try OutputDirectory.$areExpected.withValue(true) {
            try OutputDirectory(path: path)
        }
        #expect(try folder.files() == [])
        let files = ImmediateOutputFiles()
        #expect(throws: ProcessingError.self) {
            try files.stage(in: directory, name: "a", frame: frame(), overwrite: false, text("x"))
        }
        #expect(mkdir(path, 0o755) == 0)
        try files.stage(in: directory, name: "a", frame: frame(), overwrite: false, text("x"))
        #expect(try folder.files(in: "out") == ["a"])
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
