import NDArrays
import TIFF
import TestSupport
import Testing

/// Files that tifffile made, read by us.
@Suite struct ForeignFileTests {
    @Test(
        "files of tifffile in all compressions, tiles, byte orders and sizes of offset are read",
        .enabled(if: Python.isThere, Python.hint))
    func everyKind() throws {
        let folder = try TemporaryFolder()
        let output = try Python.run(Self.make, folder.path)
        let lines = output.split(separator: "\n")
        #expect(lines.count > 300, "\(output)")
        for line in lines {
            let parts = line.split(separator: " ").map(String.init)
            let name = parts[0]
            let want = try contents(folder.file(name + ".raw"))
            do {
                let array = try TIFFReader(path: folder.file(name + ".tiff")).readArray()
                let sizes = array.layout.dimensions.map { "\($0.size)" }.joined(separator: "x")
                #expect(array.layout.elementType.name == parts[1], "\(name)")
                #expect(array.layout.colorMode.name == parts[2], "\(name)")
                #expect(sizes == parts[3], "\(name)")
                #expect(array.bytes == want, "\(name)")
            } catch {
                Issue.record("\(name): \(error)")
            }
        }
    }

    static let make = """
        import sys, numpy, tifffile
        folder = sys.argv[1]
        def put(name, data, want=None, kind=None, mode='Mono', sizes=None, **options):
            tifffile.imwrite(folder + '/' + name + '.tiff', data, **options)
            want = data if want is None else want
            want.astype(want.dtype.newbyteorder('<')).tofile(folder + '/' + name + '.raw')
            sizes = sizes or 'x'.join(str(n) for n in reversed(want.shape))
            print(name, kind or want.dtype.name, mode, sizes)
        def image(dtype, shape):
            count = int(numpy.prod(shape))
            low = 60 if numpy.dtype(dtype).kind in 'if' else 0
            return (numpy.arange(count) * 37 % 251 - low).astype(dtype).reshape(shape)
        kinds = ['i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f4', 'f8']
        compressions = [None, 'lzw', 'zlib', 'packbits', 'lzma', 'zstd']
        for kind in kinds:
            for order in '<>':
                for big in False, True:
                    for compression in compressions:
                        name = f'{kind}-{"le" if order == "<" else "be"}-{int(big)}-{compression}'
                        put(name, image(kind, (45, 37)), byteorder=order, bigtiff=big,
                            compression=compression, rowsperstrip=10)
                        if big: continue
                        put(name + '-tiled', image(kind, (45, 37)), byteorder=order,
                            compression=compression, tile=(16, 32))
            for compression in 'lzw', 'zlib', 'zstd':
                if kind in ('i8', 'u8'): continue
                put(f'{kind}-predicted-{compression}', image(kind, (45, 37)),
                    compression=compression, predictor=True)
        for kind in 'u1', 'u2', 'f4':
            for compression in None, 'zlib':
                for tile in None, (16, 16):
                    rows = {} if tile else {'rowsperstrip': 7}
                    data = image(kind, (20, 24, 3))
                    name = f'{kind}-{compression}-{tile is not None}'
                    put('rgb1-' + name, data, mode='RGB1', photometric='rgb',
                        compression=compression, tile=tile, **rows)
                    data = image(kind, (3, 20, 24))
                    put('rgb3-' + name, data, mode='RGB3', photometric='rgb',
                        planarconfig='separate', compression=compression, tile=tile, **rows)
        bits = (image('u1', (21, 19)) % 3 == 0)
        put('bilevel', bits, want=bits.astype('u1'), kind='boolean')
        put('bilevel-packbits', bits, want=bits.astype('u1'), kind='boolean',
            compression='packbits')
        for count in 2, 4, 6:
            data = image('u1', (21, 19)) % (1 << count)
            put(f'bits-{count}', data, bitspersample=count)
        for count in 10, 12, 14:
            data = (image('u2', (21, 19)) * 99) % (1 << count)
            put(f'bits-{count}', data, bitspersample=count)
        palette = numpy.zeros((3, 256), 'u2')
        put('palette', image('u1', (21, 19)), photometric='palette', colormap=palette)
        put('white', image('u2', (21, 19)), photometric='miniswhite')
        put('jpeg', numpy.full((16, 16), 77, 'u1'), compression='jpeg')
        put('jpeg-rgb', numpy.full((16, 16, 3), 77, 'u1'), compression='jpeg',
            photometric='rgb', mode='RGB1')
        put('page', image('u2', (3, 21, 19)), want=image('u2', (3, 21, 19))[0],
            photometric='minisblack')
        """

    @Test(
        "pages are read in any order, and only those that exist",
        .enabled(if: Python.isThere, Python.hint))
    func pages() throws {
        let folder = try TemporaryFolder()
        _ = try Python.run(
            """
            import sys, numpy, tifffile
            with tifffile.TiffWriter(sys.argv[1] + '/many.tiff', byteorder='>') as file:
                for index in range(50):
                    file.write(numpy.full((3, 4), index * 300, 'u2'), contiguous=False,
                               compression='zlib' if index % 3 == 0 else None)
            """, folder.path)
        let reader = try TIFFReader(path: folder.file("many.tiff"))
        for page in [49, 0, 17, 18, 48] {
            let array = try reader.readArray(page: page)
            #expect(
                try array.elements(of: UInt16.self)
                    == [UInt16](repeating: UInt16(page * 300), count: 12))
        }
        #expect(try reader.pageCount == 50)
        #expect(throws: TIFFError.self) { try reader.readHeader(page: 50) }
        #expect(throws: TIFFError.self) { try reader.readHeader(page: -1) }
    }

    @Test(
        "kinds that have no array type are refused in words",
        .enabled(if: Python.isThere, Python.hint))
    func refused() throws {
        let folder = try TemporaryFolder()
        _ = try Python.run(
            """
            import sys, numpy, tifffile
            def put(name, data, **options):
                tifffile.imwrite(sys.argv[1] + '/' + name, data, **options)
            put('half', numpy.zeros((3, 4), 'f2'))
            put('complex', numpy.zeros((3, 4), 'c8'))
            put('cmyk', numpy.zeros((3, 4, 4), 'u1'), photometric='separated')
            put('alpha', numpy.zeros((3, 4, 4), 'u1'), photometric='rgb')
            put('webp', numpy.zeros((16, 16, 3), 'u1'), photometric='rgb', compression='jpegxl')
            """, folder.path)
        for name in ["half", "complex", "cmyk", "alpha", "webp"] {
            let error = #expect(throws: TIFFError.self) {
                try TIFFReader(path: folder.file(name)).readHeader()
            }
            guard case .unsupported = error?.code else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
            #expect(error?.description.contains(folder.file(name)) == true)
        }
    }
}
