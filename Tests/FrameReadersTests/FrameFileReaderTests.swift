import FrameReaders
import NDArrays
import TIFF
import TestSupport
import Testing

@Suite struct FrameFileReaderTests {
    @Test("the format follows from the name's ending")
    func endings() {
        #expect(FileFormat(path: "a/B.TIF") == .tiff)
        #expect(FileFormat(path: "x.tiff") == .tiff)
        #expect(FileFormat(path: "x.npy") == .npy)
        #expect(FileFormat(path: "tiff") == nil)
    }

    private func write(_ pages: [UInt16], _ path: String) throws {
        let layout = try ArrayLayout(.uint16, width: 4, height: 3)
        let writer = TIFFWriter()
        try withDescriptor(path) { descriptor in
            var sequence = TIFFSequence(descriptor: descriptor)
            for page in pages {
                try [UInt16](repeating: page, count: 12).withUnsafeBytes { pixels in
                    _ = try writer.append(
                        pixels, layout: layout, uniqueId: UInt64(page) + 100,
                        timeStamp: TimeStamp(secondsPastEpoch: 1_700_000_000),
                        attributes: NDAttributes([NDAttribute("page", .uint16(page))]),
                        to: &sequence)
                }
            }
        }
    }

    @Test("a reference becomes a frame in the buffer that was allocated for its layout")
    func inPlace() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.tiff")
        try write([1, 2, 3], path)
        let reader = FrameFileReader()
        #expect(try reader.frameCount(of: path) == 3)
        let slot = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 16)
        defer { slot.deallocate() }
        for index in [2, 0, 1] {
            var calls = 0
            let header = try reader.read(FrameReference(format: .tiff, path: path, index: index)) {
                layout in
                calls += 1
                #expect(layout.byteCount == 24)
                return .init(rebasing: slot[0..<layout.byteCount])
            }
            #expect(calls == 1)
            #expect(header.uniqueId == UInt64(index + 101))
            #expect(header.timeStamp.secondsPastEpoch == 1_700_000_000)
            #expect(header.attributes["page"]?.value == .uint16(UInt16(index + 1)))
            #expect(slot.load(fromByteOffset: 22, as: UInt16.self) == UInt16(index + 1))
        }
    }

    @Test("a file of one frame that is replaced is read anew, and many files take turns")
    func replaced() throws {
        let folder = try TemporaryFolder()
        let reader = FrameFileReader()
        for value in [5, 6] as [UInt16] {
            try write([value], folder.file("one.tiff"))
            let array = try reader.readArray(
                FrameReference(format: .tiff, path: folder.file("one.tiff")))
            #expect(array.uniqueId == UInt64(value) + 100)
        }
        for file in 0..<7 {
            try write([UInt16(file), UInt16(file + 10)], folder.file("\(file).tiff"))
        }
        for round in 0..<2 {
            for file in 0..<7 {
                let reference = FrameReference(
                    format: .tiff, path: folder.file("\(file).tiff"), index: round)
                #expect(
                    try reader.readHeader(reference).uniqueId == UInt64(100 + file + 10 * round))
            }
        }
    }

    @Test("errors carry path, index and reason, and nothing is allocated for them")
    func errors() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.tiff")
        try write([1], path)
        let bytes = try contents(path)
        try store(bytes[0..<bytes.count - 1], path)
        func reason(_ reference: FrameReference) -> FrameReaderError.Reason? {
            do {
                _ = try FrameFileReader().read(reference) { _ in
                    Issue.record("allocated")
                    return .init(start: nil, count: 0)
                }
                return nil
            } catch let error as FrameReaderError {
                #expect(error.path == reference.path && error.index == reference.index)
                #expect(error.description.hasPrefix(reference.path))
                return error.reason
            } catch {
                Issue.record("\(error)")
                return nil
            }
        }
        guard case .tiff(let cut) = reason(FrameReference(format: .tiff, path: path)),
            case .truncated = cut.code
        else {
            Issue.record("not truncated")
            return
        }
        try write([1], path)
        guard case .tiff(let missing) = reason(FrameReference(format: .tiff, path: path, index: 3))
        else {
            Issue.record("page 3 of 1")
            return
        }
        #expect(missing.code == .noSuchPage(had: 1))
        #expect(reason(FrameReference(format: .npy, path: path)) == .notNumPy)
        #expect(
            reason(FrameReference(format: .npy, path: folder.file("none")))
                == .systemCall(name: "open", errno: 2))
        #expect(throws: FrameReaderError(path: "x.jpg", .unknownFormat)) {
            try FrameFileReader().frameCount(of: "x.jpg")
        }
    }
}
