import FrameReaders
import Glibc
import NDArrays
import TestSupport
import Testing

@Suite struct NumPyTests {
    @Test(
        "arrays of every type, byte order, version and number of axes are read frame by frame",
        .enabled(if: Python.isThere, Python.hint))
    func everyKind() throws {
        let folder = try TemporaryFolder()
        let output = try Python.run(Self.make, folder.path)
        let lines = output.split(separator: "\n")
        #expect(lines.count == 11 * 2 * 5 + 3, "\(output)")
        let reader = FrameFileReader()
        for line in lines {
            let parts = line.split(separator: " ").map(String.init)
            let path = folder.file(parts[0] + ".npy")
            let want = try contents(folder.file(parts[0] + ".raw"))
            let count = try reader.frameCount(of: path)
            #expect(count == Int(parts[4]), "\(parts[0])")
            var got: [UInt8] = []
            for index in 0..<count {
                let array = try reader.readArray(
                    FrameReference(format: .npy, path: path, index: index))
                let sizes = array.layout.dimensions.map { "\($0.size)" }.joined(separator: "x")
                #expect(array.layout.elementType.name == parts[1], "\(parts[0])")
                #expect(array.layout.colorMode.name == parts[2], "\(parts[0])")
                #expect(sizes == parts[3], "\(parts[0])")
                got += array.bytes
            }
            #expect(got == want, "\(parts[0])")
        }
    }

    static let make = """
        import sys, numpy
        folder = sys.argv[1]
        def put(name, data, kind, mode, sizes, count, version=None):
            with open(folder + '/' + name + '.npy', 'wb') as file:
                numpy.lib.format.write_array(file, data, version=version)
            data.astype(data.dtype.newbyteorder('<')).tofile(folder + '/' + name + '.raw')
            print(name, kind, mode, sizes, count)
        for kind in 'b1 i1 i2 i4 i8 u1 u2 u4 u8 f4 f8'.split():
            for order in '<>':
                dtype = numpy.dtype(order + kind)
                name = 'boolean' if kind == 'b1' else numpy.dtype(kind).name
                def make(*shape):
                    ramp = numpy.arange(numpy.prod(shape)) * 37 % 127
                    return ramp.reshape(shape).astype(dtype)
                tag = kind + ('le' if order == '<' else 'be')
                put(tag + '-1d', make(7), name, 'Mono', '7', 1)
                put(tag + '-2d', make(5, 7), name, 'Mono', '7x5', 1, (2, 0))
                put(tag + '-2f', numpy.asfortranarray(make(5, 7)), name, 'Mono', '7x5', 1, (3, 0))
                put(tag + '-3d', make(4, 5, 7), name, 'Mono', '7x5', 4)
                put(tag + '-4d', make(4, 5, 7, 3), name, 'RGB1', '3x7x5', 4)
        def fortran(*shape):
            ramp = numpy.arange(numpy.prod(shape)) % 65521
            return numpy.asfortranarray(ramp.astype('u2').reshape(shape))
        put('large-f', fortran(1500, 1300), 'uint16', 'Mono', '1300x1500', 1)
        put('tall-f', fortran(900000, 2), 'uint16', 'Mono', '2x900000', 1)
        put('none', numpy.zeros((0, 5, 7), 'u2'), 'uint16', 'Mono', '7x5', 0)
        """

    private func error(_ bytes: [UInt8], _ folder: TemporaryFolder) throws -> FrameReaderError
        .Reason?
    {
        let path = folder.file("a.npy")
        try store(bytes, path)
        do throws(FrameReaderError) {
            let reader = try NumPyReader(path: path)
            guard reader.layout.byteCount <= bytes.count else {
                Issue.record("\(reader.layout.text) from \(bytes.count) bytes")
                return nil
            }
            let pixels = UnsafeMutableRawBufferPointer.allocate(
                byteCount: reader.layout.byteCount, alignment: 16)
            defer { pixels.deallocate() }
            for index in 0..<min(reader.frameCount, 4) {
                try reader.readPixels(index, into: pixels)
            }
            return nil
        } catch {
            #expect(error.path == path && error.description.hasPrefix(path))
            return error.reason
        }
    }

    private func file(_ header: String, pixels: Int = 24) -> [UInt8] {
        let text = header + "\n"
        return [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, UInt8(text.utf8.count), 0]
            + Array(text.utf8) + [UInt8](repeating: 1, count: pixels)
    }

    @Test(
        "a number of frames whose bytes no number holds is refused",
        arguments: ["4611686018427387904", "9223372036854775807", "2305843009213693952"])
    func countless(count: String) throws {
        let header = "{'descr': '<u2', 'fortran_order': False, 'shape': (\(count), 2, 2), }"
        guard case .truncated = try error(file(header), try TemporaryFolder()) else {
            Issue.record("\(count) frames were not refused")
            return
        }
    }

    @Test("headers that are not one, or of unknown kinds, are told in words")
    func refused() throws {
        let folder = try TemporaryFolder()
        let good = "{'descr': '<u2', 'fortran_order': False, 'shape': (3, 4), }"
        #expect(try error(file(good), folder) == nil)
        #expect(
            try error(file("{\"shape\":(3,4L),\"fortran_order\":False,\"descr\":\"<u2\"}"), folder)
                == nil)
        #expect(try error(file(good, pixels: 23), folder) == .truncated(needed: 94, had: 93))
        #expect(try error(Array("II*\0....".utf8), folder) == .notNumPy)
        #expect(try error([], folder) == .notNumPy)
        let unsupported = [
            "{'descr': '<c8', 'fortran_order': False, 'shape': (3, 4), }",
            "{'descr': [('a', '<u2')], 'fortran_order': False, 'shape': (3, 4), }",
            "{'descr': '|O', 'fortran_order': False, 'shape': (3, 4), }",
            "{'descr': '<u2', 'fortran_order': True, 'shape': (1, 3, 4), }",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (), }",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 1, 1, 4), }",
        ]
        for header in unsupported {
            guard case .unsupported = try error(file(header), folder) else {
                Issue.record("\(header)")
                continue
            }
        }
        let damaged = [
            "", "{", "{}", "{'descr'}", "{'descr': '<u2'", "{'descr': '<u2', 'shape': (3,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (3, -4), }",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (0, 4), }",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (9223372036854775807, 9), }",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,), }",
            good + "x", "{'descr': '<u2', 'fortran_order': Maybe, 'shape': (3, 4), }",
        ]
        for header in damaged {
            switch try error(file(header), folder) {
            case .damaged, .truncated: break
            case let other: Issue.record("\(header): \(String(describing: other))")
            }
        }
    }

    @Test("a file cut at any byte or with flipped bits gives an error or a frame of possible size")
    func damage() throws {
        let folder = try TemporaryFolder()
        let bytes = file("{'descr': '>u2', 'fortran_order': True, 'shape': (3, 4), }")
        for count in 0..<bytes.count {
            #expect(try error(Array(bytes[0..<count]), folder) != nil, "cut at \(count)")
        }
        var numbers = SeededNumbers(seed: 5)
        for _ in 0..<3000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                damaged[Int.random(in: 0..<bytes.count, using: &numbers)] = UInt8.random(
                    in: 0...255, using: &numbers)
            }
            _ = try error(damaged, folder)
        }
    }

    @Test("numpy reads what the writer wrote", .enabled(if: Python.isThere, Python.hint))
    func writer() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.npy")
        let layout = try ArrayLayout(.float32, width: 4, height: 3)
        var pixels = (0..<12).map { Float($0) }
        try withDescriptor(path) { descriptor in
            var writer = try NumPyWriter(descriptor: descriptor, path: path, layout: layout)
            for frame in 0..<3 {
                pixels[0] = Float(frame)
                try pixels.withUnsafeBytes { try writer.append($0) }
            }
            try writer.finish()
        }
        let script = """
            import sys, numpy
            data = numpy.load(sys.argv[1])
            assert data.shape == (3, 3, 4) and data.dtype == 'f4'
            assert data[:, 0, 0].tolist() == [0, 1, 2] and (data[:, 2, 3] == 11).all()
            """
        #expect(try Python.run(script, path) == "")
        #expect(try FrameFileReader().frameCount(of: path) == 3)
        let planes = try ArrayLayout(
            elementType: .uint8,
            dimensions: NDDimensions(
                NDDimension(size: 2), NDDimension(size: 2), NDDimension(size: 3)),
            colorMode: .rgb3)
        #expect(throws: FrameReaderError.self) {
            try NumPyWriter(descriptor: 1, path: path, layout: planes)
        }
    }
}
