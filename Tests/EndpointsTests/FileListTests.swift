import Glibc
import TestSupport
import Testing

@testable import Endpoints

@Suite struct NamePatternTests {
    @Test(arguments: [
        ("*.tif", "a.tif", true), ("*.tif", "a.tiff", false), ("*.tif*", "a.tiff", true),
        ("*", "anything", true), ("*", ".hidden", false), (".*", ".hidden", true),
        ("?", "ab", false), ("a?c", "abc", true), ("?x", "éx", true),
        ("scan[0-9].tif", "scan7.tif", true), ("scan[0-9].tif", "scan10.tif", false),
        ("[!a-c]", "d", true), ("[^a-c]", "b", false), ("[]x]", "]", true), ("[a-]", "-", true),
        ("[z-a]", "m", false), ("a[b", "a[b", true), ("\\*", "*", true), ("\\*", "x", false),
        ("a*b*c", "a1b2b3c", true), ("a*b*c", "a1b2b3", false), ("", "", true), ("", "a", false),
        ("**", "a", true), ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ])
    func `A pattern matches as in a shell`(_ pattern: String, _ name: String, _ matches: Bool) {
        #expect(NamePattern(pattern).matches(name) == matches)
    }
}

@Suite struct FileListTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for name in [
            "scan10.tif", "scan2.tif", "scan1.tif", "Scan3.TIF", "notes.txt", "scan[1].tif",
            ".hidden.tif", "run2/a.tiff", "run10/a.tiff", "run10/deep/b.tif", "empty/readme",
        ] {
            try folder.write("", to: name)
        }
    }

    private func list(_ arguments: String...) throws -> [String] {
        let files = try FileList(
            arguments.map { "\(folder.path)/\($0)" }, extensions: ["tif", "tiff"])
        return folder.relative((0..<files.count).map { files[$0] })
    }

    @Test func `A pattern gives its files in natural order, hidden ones left out`() throws {
        #expect(try list("*.tif") == ["scan1.tif", "scan2.tif", "scan10.tif", "scan[1].tif"])
        #expect(try list("scan[0-9].tif") == ["scan1.tif", "scan2.tif"])
        #expect(try list("s*1?.tif") == ["scan10.tif", "scan[1].tif"])
    }

    @Test func `A folder gives its files by extension, whatever its case, and not those below`()
        throws
    {
        let expected = ["scan1.tif", "scan2.tif", "Scan3.TIF", "scan10.tif", "scan[1].tif"]
        #expect(try list("") == expected)
        #expect(try list("run10") == ["run10/a.tiff"])
    }

    @Test func `Two stars go to any depth, also none`() throws {
        #expect(try list("run10/**/*.tif*") == ["run10/a.tiff", "run10/deep/b.tif"])
        #expect(try list("**/a.tiff") == ["run2/a.tiff", "run10/a.tiff"])
        #expect(try list("run*/**") == ["run2/a.tiff", "run10/a.tiff", "run10/deep/b.tif"])
    }

    @Test func `A pattern that matches folders stands for them`() throws {
        #expect(try list("run*") == ["run2/a.tiff", "run10/a.tiff"])
    }

    @Test func `A file is itself even when its name looks like a pattern`() throws {
        #expect(try list("scan[1].tif") == ["scan[1].tif"])
    }

    @Test func `Arguments keep their order, and a file that comes twice is taken once`() throws {
        let expected = ["scan10.tif", "scan1.tif", "scan2.tif"]
        #expect(try list("scan10.tif", "scan[12].tif", "scan2.tif") == expected)
    }

    @Test func `A link in a circle is no trap`() throws {
        #expect(symlink("..", "\(folder.path)/run10/deep/up") == 0)
        #expect(try list("run10/**/*.tif") == ["run10/deep/b.tif"])
    }

    @Test func `What is not there, empty or no file is refused with its path`() throws {
        #expect(throws: SourceError.noMatch(pattern: "\(folder.path)/*.nothing")) {
            try list("*.nothing")
        }
        #expect(throws: SourceError.noMatch(pattern: "\(folder.path)/missing.tif")) {
            try list("missing.tif")
        }
        let empty = "\(folder.path)/empty"
        #expect(throws: SourceError.emptyFolder(path: empty, extensions: ["tif", "tiff"])) {
            try list("empty")
        }
        #expect(throws: SourceError.notAFile(path: "/dev/null")) {
            try FileList(["/dev/null"], extensions: ["tif"])
        }
    }

    @Test func `A folder that may not be read is refused, not left out`() async {
        // In a process of its own, where root can give up its right to read every folder.
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            let closed = folder.file("closed")
            try folder.write("", to: "closed/a.tif")
            chmod(closed, 0)
            let isRoot = geteuid() == 0
            if isRoot { try #require(seteuid(65534) == 0) }
            #expect(throws: SourceError.unreadable(path: closed, errorNumber: EACCES)) {
                try FileList([closed], extensions: ["tif"])
            }
            #expect(throws: SourceError.self) {
                try FileList([folder.path + "/**/*.tif"], extensions: ["tif"])
            }
            if isRoot { try #require(seteuid(0) == 0) }
            chmod(closed, 0o755)
        }
    }

    @Test func `Two thousand files are listed in order`() throws {
        for number in 1...2000 { try folder.write("", to: "many/f\(number * 10).tif") }
        #expect(try list("many/f*.tif") == (1...2000).map { "many/f\($0 * 10).tif" })
    }
}

extension TemporaryFolder {
    /// `paths` without the folder in front.
    func relative(_ paths: [String]) -> [String] {
        paths.map { $0.hasPrefix(path + "/") ? String($0.dropFirst(path.count + 1)) : $0 }
    }
}
