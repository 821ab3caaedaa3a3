import Foundation
import NDArrays
import TIFF
import TestSupport
import Testing

/// What tifffile and imagecodecs say about our files.
@Suite struct SecondReaderTests {
    @Test(
        "tifffile reads the same pixels, types and tags from our files",
        .enabled(if: Python.isThere, Python.hint))
    func pixelsAndTags() throws {
        let folder = try TemporaryFolder()
        var manifest = ""
        for compression in TIFFCompression.allCases where compression.isAvailable {
            for isBig in [false, true] where !isBig || compression == .none {
                for predicts in [true, false] where predicts || compression != .none {
                    let settings = TIFFSettings(
                        compression: compression, usesPredictor: predicts, alwaysBigTIFF: isBig)
                    manifest += try write(settings, folder, "\(compression)-\(isBig)-\(predicts)")
                }
            }
        }
        try store(Array(manifest.utf8), folder.file("manifest"))
        let count = manifest.split(separator: "\n").count
        #expect(count == 11 * 5 * 8)
        #expect(try Python.run(Self.check, folder.path) == "\(count) equal\n")
    }

    private func write(
        _ settings: TIFFSettings, _ folder: TemporaryFolder, _ prefix: String
    ) throws -> String {
        let writer = TIFFWriter(settings)
        var manifest = ""
        for type in ElementType.allCases {
            for (index, layout) in try layouts(type).enumerated() {
                var array = ramp(layout, uniqueId: 4051)
                array.timeStamp = TimeStamp(
                    secondsPastEpoch: TimeStamp.epicsEpochOffset + 847_888_003,
                    nanoseconds: 375_356_916)
                array.attributes.set("Model", .string("Simulated"))
                array.attributes.set("Exposure time(s)", .float64(29.999))
                let name = "\(prefix)-\(type)-\(index)"
                try withDescriptor(folder.file(name + ".tiff")) {
                    _ = try writer.write(array, to: $0)
                }
                try store(array.bytes, folder.file(name + ".raw"))
                let (height, width) = (layout.height, layout.width)
                manifest +=
                    "\(name) \(type) \(height) \(width) \(layout.colorMode.name) "
                    + "\(settings.compression.code) \(settings.alwaysBigTIFF ? 1 : 0)\n"
            }
        }
        return manifest
    }

    static let check = """
        import sys, numpy, tifffile
        folder, count = sys.argv[1], 0
        for line in open(folder + '/manifest'):
            name, kind, height, width, mode, compression, big = line.split()
            height, width = int(height), int(width)
            dtype = numpy.dtype('uint8' if kind == 'boolean' else kind)
            raw = numpy.fromfile(folder + '/' + name + '.raw', dtype)
            if mode == 'Mono': want = raw.reshape(height, width)
            if mode == 'RGB1': want = raw.reshape(height, width, 3)
            if mode == 'RGB2': want = raw.reshape(height, 3, width).transpose(1, 0, 2)
            if mode == 'RGB3': want = raw.reshape(3, height, width)
            with tifffile.TiffFile(folder + '/' + name + '.tiff') as file:
                page = file.pages[0]
                got = page.asarray()
                assert len(file.pages) == 1, name
                assert got.dtype == dtype, (name, got.dtype)
                same = got.shape == want.shape or mode == 'Mono' and got.size == want.size
                assert same, (name, got.shape, want.shape)
                assert got.reshape(want.shape).tobytes() == want.tobytes(), name
                assert file.is_bigtiff == (big == '1'), name
                tags = {t.code: t for t in page.tags.values()}
                assert list(tags) == sorted(tags), name
                assert tags[259].value == int(compression), name
                samples = 1 if mode == 'Mono' else 3
                types = {256: 3, 257: 3, 258: 3, 259: 3, 262: 3, 271: 2, 272: 2, 277: 3, 278: 3,
                         284: 3, 305: 2, 339: 3, 65000: 12, 65001: 4, 65002: 4, 65003: 4, 65009: 2,
                         65010: 2, 65011: 2}
                for code, type_ in types.items():
                    assert tags[code].dtype == type_, (name, code, tags[code].dtype)
                assert tags[258].count == tags[339].count == samples == tags[277].value, name
                assert tags[262].value == (1 if samples == 1 else 2), name
                assert tags[284].value == (2 if mode in ('RGB2', 'RGB3') else 1), name
                if mode == 'RGB2': assert tags[278].value == 1, name
                elif compression == '1': assert tags[278].value == height, name
                assert tags[305].value == 'EPICS areaDetector', name
                assert tags[271].value == 'Unknown' and tags[272].value == 'Simulated', name
                assert tags[65000].value == 847888003.375356916, name
                assert tags[65001].value == 4051, name
                assert tags[65002].value == 847888003, name
                assert tags[65003].value == 375356916, name
                assert tags[65010].value == 'Model:Simulated', name
                assert tags[65011].value == 'Exposure time(s):29.999000', name
            count += 1
        print(count, 'equal')
        """

    @Test(
        "tifffile sees the planes of a stack and the frames of a sequence as pages",
        .enabled(if: Python.isThere, Python.hint),
        arguments: [TIFFCompression.none, .deflate], [false, true])
    func pages(_ compression: TIFFCompression, _ isBig: Bool) throws {
        let folder = try TemporaryFolder()
        let layout = try ArrayLayout(
            elementType: .int32,
            dimensions: NDDimensions(
                NDDimension(size: 5), NDDimension(size: 4), NDDimension(size: 6)))
        let stack = ramp(layout)
        let writer = TIFFWriter(TIFFSettings(compression: compression, alwaysBigTIFF: isBig))
        try withDescriptor(folder.file("stack.tiff")) { _ = try writer.write(stack, to: $0) }
        try withDescriptor(folder.file("sequence.tiff")) { descriptor in
            var sequence = TIFFSequence(descriptor: descriptor, isBigTIFF: isBig)
            for page in 0..<6 {
                var plane = NDArray(layout: try ArrayLayout(.int32, width: 5, height: 4))
                plane.withUnsafeMutableBytes { target in
                    stack.withUnsafeBytes {
                        target.copyMemory(from: .init(rebasing: $0[page * 80..<page * 80 + 80]))
                    }
                }
                try plane.withUnsafeBytes { bytes in
                    _ = try writer.append(
                        bytes, layout: plane.layout, uniqueId: UInt64(page),
                        timeStamp: TimeStamp(), attributes: NDAttributes(), to: &sequence)
                }
            }
            #expect(sequence.pageCount == 6)
        }
        try store(stack.bytes, folder.file("raw"))
        let script = """
            import sys, numpy, tifffile
            want = numpy.fromfile(sys.argv[1] + '/raw', 'int32').reshape(6, 4, 5)
            for name in 'stack', 'sequence':
                with tifffile.TiffFile(sys.argv[1] + '/' + name + '.tiff') as file:
                    assert len(file.pages) == 6, len(file.pages)
                    for index, page in enumerate(file.pages):
                        assert (page.asarray() == want[index]).all(), (name, index)
                    assert file.is_bigtiff == (sys.argv[2] == 'true')
            """
        #expect(try Python.run(script, folder.path, "\(isBig)") == "")
        let read = try #require(try TIFFReader(path: folder.file("stack.tiff")).readStack())
        #expect(read.layout == layout)
        #expect(read.bytes == stack.bytes)
        let sequence = try TIFFReader(path: folder.file("sequence.tiff"))
        #expect(try sequence.pageCount == 6)
        for page in [5, 0, 3] {
            let array = try sequence.readArray(page: page)
            #expect(array.uniqueId == UInt64(page))
            #expect(array.bytes == Array(stack.bytes[page * 80..<page * 80 + 80]))
        }
    }
}

extension TIFFCompression {
    var code: Int {
        switch self {
        case .none: 1
        case .deflate: 8
        case .lzw: 5
        case .zstd: 50000
        }
    }
}
