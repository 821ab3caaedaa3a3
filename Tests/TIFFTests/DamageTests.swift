import Foundation
import NDArrays
import TIFF
import TestSupport
import Testing

@Suite struct DamageTests {
    /// Reads all a file offers; the number of frames that came, after which an error may have.
    static func readAll(_ path: String, maximumByteCount: Int) -> (
        frames: [NDArray], error: TIFFError?
    ) {
        var frames: [NDArray] = []
        do throws(TIFFError) {
            let reader = try TIFFReader(path: path, maximumDecodedByteCount: maximumByteCount)
            let count = try reader.pageCount
            for page in 0..<min(count, 4) {
                let header = try reader.readHeader(page: page)
                // Nothing may be larger than what the file could hold.
                guard header.layout.byteCount <= maximumByteCount else {
                    Issue.record("\(header.layout.text) claimed")
                    return (frames, nil)
                }
                frames.append(try reader.readArray(page: page))
            }
            return (frames, nil)
        } catch {
            return (frames, error)
        }
    }

    static let kinds: [TIFFSettings] = [
        TIFFSettings(), TIFFSettings(alwaysBigTIFF: true), TIFFSettings(compression: .deflate),
        TIFFSettings(compression: .lzw), TIFFSettings(compression: .zstd),
    ]

    @Test("a file cut at any byte gives an error", arguments: kinds)
    func cut(_ settings: TIFFSettings) throws {
        guard settings.compression.isAvailable else { return }
        let folder = try TemporaryFolder()
        let path = folder.file("a.tiff")
        let array = try WriterTests.goldenFrame()
        try withDescriptor(path) { _ = try TIFFWriter(settings).write(array, to: $0) }
        let bytes = try contents(path)
        for count in 0..<bytes.count {
            try store(bytes[0..<count], path)
            let (frames, error) = Self.readAll(path, maximumByteCount: 1 << 20)
            #expect(frames.isEmpty && error != nil, "cut at \(count)")
        }
    }

    @Test(
        "flipped bits give an error or a frame of possible size",
        arguments: kinds, [1, 2, 3] as [UInt64])
    func flipped(_ settings: TIFFSettings, _ seed: UInt64) throws {
        guard settings.compression.isAvailable else { return }
        let folder = try TemporaryFolder()
        let path = folder.file("a.tiff")
        let array = try WriterTests.goldenFrame()
        try withDescriptor(path) { _ = try TIFFWriter(settings).write(array, to: $0) }
        let bytes = try contents(path)
        var numbers = SeededNumbers(seed: seed)
        for _ in 0..<1500 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &numbers) {
                // Most of them in the directory, where they do the most.
                let end = Bool.random(using: &numbers) ? bytes.count : 300
                damaged[Int.random(in: 0..<end, using: &numbers)] = UInt8.random(
                    in: 0...255, using: &numbers)
            }
            try store(damaged, path)
            _ = Self.readAll(path, maximumByteCount: 64 << 20)
        }
    }

    @Test(
        "flipped bits in files of tifffile give an error or a frame of possible size",
        .enabled(if: Python.isThere, Python.hint))
    func flippedForeign() throws {
        let folder = try TemporaryFolder()
        let kinds = try Python.run(
            """
            import sys, numpy, tifffile
            image = (numpy.arange(45 * 37) * 37 % 251).astype('u2').reshape(45, 37)
            for name, options in {
                'tiled': dict(tile=(16, 32)), 'tiled-zlib': dict(tile=(16, 16), compression='zlib'),
                'big': dict(bigtiff=True, byteorder='>', rowsperstrip=7),
                'packbits': dict(compression='packbits'),
                'lzma': dict(compression='lzma'), 'lzw': dict(compression='lzw', predictor=True),
                'bits': dict(bitspersample=12),
            }.items():
                tifffile.imwrite(sys.argv[1] + '/' + name, image, **options)
                print(name)
            tifffile.imwrite(sys.argv[1] + '/jpeg', image.astype('u1'), compression='jpeg')
            print('jpeg')
            """, folder.path)
        var numbers = SeededNumbers(seed: 4)
        for kind in kinds.split(separator: "\n") {
            let bytes = try contents(folder.file(String(kind)))
            for _ in 0..<400 {
                var damaged = bytes
                for _ in 0..<Int.random(in: 1...4, using: &numbers) {
                    let end = Bool.random(using: &numbers) ? bytes.count : 400
                    damaged[Int.random(in: 0..<end, using: &numbers)] = UInt8.random(
                        in: 0...255, using: &numbers)
                }
                try store(damaged, folder.file("damaged"))
                _ = Self.readAll(folder.file("damaged"), maximumByteCount: 64 << 20)
            }
        }
    }

    @Test("what can't be opened is told with path and reason")
    func unreadable() throws {
        let folder = try TemporaryFolder()
        func code(_ path: String) -> TIFFError.Code? {
            do throws(TIFFError) {
                _ = try TIFFReader(path: path).readHeader()
                return nil
            } catch {
                #expect(error.path == path && error.description.hasPrefix(path))
                return error.code
            }
        }
        #expect(code(folder.file("none")) == .systemCall(name: "open", errno: ENOENT))
        #expect(code(folder.path) == .notARegularFile)
        #expect(code("/dev/null") == .notARegularFile)
        try store([], folder.file("empty"))
        #expect(code(folder.file("empty")) == .notATIFF(found: "nothing (the file is empty)"))
        try store(Array("PK\u{3}\u{4}....".utf8), folder.file("zip"))
        #expect(code(folder.file("zip")) == .notATIFF(found: "bytes 50 4b 03 04"))
    }

    @Test("impossible sizes are refused before anything is allocated")
    func absurd() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.tiff")
        func code(
            width: UInt32, height: UInt32, compression: UInt16 = 1, loop: Bool = false
        ) throws -> TIFFError.Code? {
            try store(
                Self.minimal(width: width, height: height, compression: compression, loop: loop),
                path)
            return Self.readAll(path, maximumByteCount: 1 << 40).error?.code
        }
        #expect(try code(width: 2, height: 2) == nil)
        #expect(try code(width: 0, height: 0) == .emptyImage(width: 0, height: 0))
        #expect(try code(width: 5, height: 0) == .emptyImage(width: 5, height: 0))
        let sizes: [(UInt32, UInt32, UInt16)] = [
            (.max, 2, 1), (2, .max, 1), (100_000, 100_000, 1), (1 << 30, 1 << 30, 1),
            (20_000, 20_000, 8), (200, 20_000, 32773),
        ]
        for (width, height, compression) in sizes {
            switch try code(width: width, height: height, compression: compression) {
            case .tooLarge, .truncated: break
            case let other: Issue.record("\(width)×\(height): \(String(describing: other))")
            }
        }
        #expect(try code(width: 2, height: 2, loop: true) == .damaged("the chain of pages loops"))
    }

    /// The smallest file: one strip of 4 bytes.
    static func minimal(width: UInt32, height: UInt32, compression: UInt16, loop: Bool) -> [UInt8] {
        var bytes: [UInt8] = [0x49, 0x49, 42, 0, 8, 0, 0, 0]
        func add<Value: FixedWidthInteger>(_ value: Value) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        let entries: [(UInt16, UInt32)] = [
            (256, width), (257, height), (258, 8), (259, UInt32(compression)), (273, 86), (279, 4),
        ]
        add(UInt16(entries.count))
        for (tag, value) in entries {
            add(tag)
            add(UInt16(4))
            add(UInt32(1))
            add(value)
        }
        add(UInt32(loop ? 8 : 0))
        bytes.append(contentsOf: [1, 2, 3, 4])
        return bytes
    }

    @Test("nothing is printed, whatever libtiff thinks of a file")
    func silent() async throws {
        let result = await #expect(
            processExitsWith: .success,
            observing: [\.standardErrorContent, \.standardOutputContent]
        ) {
            let folder = try TemporaryFolder()
            let path = folder.file("a.tiff")
            let array = try WriterTests.goldenFrame()
            for compression in [TIFFCompression.deflate, .lzw] {
                let settings = TIFFSettings(compression: compression)
                try withDescriptor(path) { _ = try TIFFWriter(settings).write(array, to: $0) }
                let bytes = try contents(path)
                for place in bytes.count - 20..<bytes.count {
                    var damaged = bytes
                    damaged[place] ^= 0xFF
                    try store(damaged, path)
                    _ = try? TIFFReader(path: path).readArray()
                }
            }
        }
        #expect(result?.standardErrorContent.isEmpty == true)
    }
}
