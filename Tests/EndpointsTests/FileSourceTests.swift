import ControllerRuntime
import FrameReaders
import Glibc
import NDArrays
import TIFF
import TestSupport
import Testing

@testable import Endpoints

@Suite struct FileSourceTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func tiff(_ name: String, pages: Int) throws {
        var dimensions = NDDimensions(NDDimension(size: 4), NDDimension(size: 3))
        if pages > 1 {
            dimensions = NDDimensions(
                NDDimension(size: 4), NDDimension(size: 3), NDDimension(size: pages))
        }
        let layout = try ArrayLayout(elementType: .uint16, dimensions: dimensions)
        let path = folder.file(name)
        try withDescriptor(path) { descriptor in
            _ = try TIFFWriter().write(NDArray(layout: layout), to: descriptor, path: path)
        }
    }

    private func announced(_ source: FileSource) -> [String] {
        var found: [String] = []
        while let announcement = source.next() {
            #expect(announcement.uniqueId == nil, "the position is the run's business")
            let name = folder.relative([announcement.sourceName])[0]
            switch announcement.content {
            case .reference(let format, let path, let index):
                #expect(path == announcement.sourceName)
                found.append("\(format) \(name) \(index)")
            case .unreadable: found.append("unreadable \(name)")
            case .image, .bytes, .structure: Issue.record("files are sent by reference")
            }
        }
        return found
    }

    @Test func `Files come in natural order and page by page`() throws {
        try tiff("s10.tif", pages: 1)
        try tiff("s9.tif", pages: 3)
        try tiff("s1.tif", pages: 1)
        let source = try FileSource(.tiff, paths: ["\(folder.path)/s*.tif"])
        #expect(source.information.frameCount == 5)
        #expect(source.information.slotByteCount == 0)
        let expected = [
            "tiff s1.tif 0", "tiff s9.tif 0", "tiff s9.tif 1", "tiff s9.tif 2", "tiff s10.tif 0",
        ]
        #expect(announced(source) == expected)
        #expect(source.next() == nil, "the end stays the end")
    }

    @Test func `A file that is no TIFF is announced once, to fail where it is read`() throws {
        try folder.write("no picture", to: "a1.tif")
        try folder.write("", to: "a2.tif")
        try tiff("a3.tif", pages: 1)
        let source = try FileSource(.tiff, paths: [folder.path])
        #expect(source.information.frameCount == 3)
        #expect(announced(source) == ["tiff a1.tif 0", "tiff a2.tif 0", "tiff a3.tif 0"])
    }

    @Test func `A file that vanished after it was listed is announced`() throws {
        try tiff("a1.tif", pages: 1)
        try tiff("a2.tif", pages: 1)
        let source = try FileSource(.tiff, paths: [folder.path])
        unlink("\(folder.path)/a1.tif")
        #expect(announced(source) == ["tiff a1.tif 0", "tiff a2.tif 0"])
    }

    @Test func `Pages before damage are announced, and the damage as one frame that fails`() throws
    {
        try tiff("whole.tif", pages: 3)
        let bytes = try folder.bytes(of: "whole.tif")
        var outcomes: Set<Int> = []
        for cut in stride(from: bytes.count - 1, to: 0, by: -5) {
            try folder.write(Array(bytes[..<cut]), to: "cut.tif")
            let source = try FileSource(.tiff, paths: ["\(folder.path)/cut.tif"])
            let expected = source.information.frameCount
            let found = announced(source)
            outcomes.insert(found.count)
            #expect(found.count == expected)
            #expect(found.first == "tiff cut.tif 0")
            #expect(found.dropLast().allSatisfy { $0.hasPrefix("tiff") })
        }
        #expect(outcomes.isSubset(of: [1, 2, 3]))
    }

    @Test func `Frames of a NumPy file are counted by its first axis`() throws {
        let simulation = Simulation(try ArrayLayout(.float32, width: 5, height: 2), count: 4)
        try simulation.write(to: folder.path, format: .npy)
        let source = try FileSource(.npy, paths: [folder.path])
        #expect(source.information.frameCount == 4)
        #expect(announced(source) == (0..<4).map { "npy frames.npy \($0)" })
    }

    @Test func `Of many files the count is known while each has one page, and not after`() throws {
        for number in 1...70 { try tiff("m\(number).tif", pages: number == 20 ? 2 : 1) }
        let source = try FileSource(.tiff, paths: [folder.path])
        #expect(source.information.frameCount == 70)
        #expect(announced(source).count == 71)
        #expect(source.information.frameCount == nil)
    }

    @Test func `Words make sources, and wrong ones name the nearest`() throws {
        try tiff("a.tif", pages: 1)
        let named = try SourceFactory.makeSource(kind: "tiff", paths: [folder.path])
        #expect(named.information.name == "tiff:\(folder.path)")
        let list = Structure(["paths": .list([.scalar(.string("\(folder.path)/a.tif"))])])
        let listed = try SourceFactory.makeSource(kind: "tiff", settings: list)
        #expect(listed.information.frameCount == 1)
        let known = ["tiff", "npy", "sim"]
        #expect(throws: SourceError.unknownKind("tif", nearest: "tiff", known: known)) {
            try SourceFactory.makeSource(kind: "tif")
        }
        #expect(throws: SourceError.noPaths(kind: "npy")) {
            try SourceFactory.makeSource(kind: "npy")
        }
        #expect(throws: SourceError.pathsNotTaken(kind: "sim", path: "x")) {
            try SourceFactory.makeSource(kind: "sim", paths: ["x"])
        }
        let error = #expect(throws: SourceError.self) {
            try SourceFactory.makeSource(
                kind: "sim", settings: Structure(["patern": .scalar(.string("rings"))]))
        }
        let text = "a sim source has no setting 'patern'; did you mean 'pattern'?"
        #expect(error?.description == text)
    }

    @Test(arguments: [
        ("shape", "0x5"), ("shape", "100"), ("shape", "4x4x4"), ("shape", "99999x4"),
        ("type", "uint12"), ("count", "-1"), ("count", "many"), ("pattern", "ring"), ("seed", "-2"),
        ("rate", "-1"), ("rate", "nan"), ("rate", "inf"), ("level", "high"),
    ])
    func `A value out of range is refused with what is allowed`(_ name: String, _ value: String) {
        var settings = Structure()
        settings[name] = .scalar(.string(value))
        let error = #expect(throws: SourceError.self) {
            try SourceFactory.makeSource(kind: "sim", settings: settings)
        }
        let text = "'\(name)' of the sim source can't be '\(value)'"
        #expect(error?.description.contains(text) == true)
    }
}
