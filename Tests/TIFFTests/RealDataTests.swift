import NDArrays
import TIFF
import TestSupport
import Testing

@Suite(.enabled(if: TestData.isThere && Python.isThere, TestData.hint))
struct RealDataTests {
    @Test(
        "real frames are read as numpy reads them, and written so that nothing is lost",
        arguments: TestData.diffraction)
    func readAndWrite(_ path: String) throws {
        let folder = try TemporaryFolder()
        let array = try TIFFReader(path: path).readArray()
        try store(array.bytes, folder.file("raw"))
        try withDescriptor(folder.file("second.tiff")) { _ = try TIFFWriter().write(array, to: $0) }
        let again = try TIFFReader(path: folder.file("second.tiff")).readArray()
        #expect(again.layout == array.layout)
        #expect(again.attributes == array.attributes)
        #expect(again.uniqueId == array.uniqueId && again.timeStamp == array.timeStamp)
        try withDescriptor(folder.file("third.tiff")) { _ = try TIFFWriter().write(again, to: $0) }
        #expect(try contents(folder.file("second.tiff")) == contents(folder.file("third.tiff")))
        #expect(try Python.run(Self.check, path, folder.path) == "equal\n")
    }

    static let check = """
        import sys, numpy, tifffile
        first, folder = tifffile.TiffFile(sys.argv[1]), sys.argv[2]
        second = tifffile.TiffFile(folder + '/second.tiff')
        want = first.pages[0].asarray()
        assert want.tobytes() == open(folder + '/raw', 'rb').read()
        got = second.pages[0].asarray()
        assert got.dtype == want.dtype and got.shape == want.shape and (got == want).all()
        a, b = first.pages[0].tags, second.pages[0].tags
        areaDetector = 65001 in a
        for tag in a.values():
            code = tag.code
            if code in (254, 273) or 36864 <= code < 65000: continue
            if areaDetector or code in (256, 257, 258, 259, 262, 270, 272, 278, 279, 305, 306, 339):
                assert b[code].value == tag.value, (code, tag.value, b[code].value)
                if areaDetector:
                    assert (b[code].dtype, b[code].count) == (tag.dtype, tag.count), code
        if areaDetector:
            assert set(b.keys()) - set(a.keys()) == {65009}
        else:
            assert a[282].value[0] / a[282].value[1] == b[282].value[0] / b[282].value[1]
        print('equal')
        """

    @Test("attributes are typed, and their odd names and texts kept")
    func attributes() throws {
        let folder = try #require(TestData.folder) + "/diffraction/"
        let scan = try TIFFReader(path: folder + "Fe3O4C_M1_map_1_P1_E1_001.tif").readHeader()
        #expect(scan.layout == (try ArrayLayout(.int32, width: 981, height: 1043)))
        #expect(scan.uniqueId == 4051)
        #expect(scan.timeStamp?.nanoseconds == 375_356_916)
        #expect(scan.attributes.count == 26)
        #expect(scan.attributes["Exposure time(s)"]?.value == .float64(29.999))
        #expect(scan.attributes["ID RingCurrent"]?.value == .float64(101.78601))
        #expect(scan.attributes["Laser power, Up(W)"]?.value == .float64(-1))
        #expect(scan.attributes["Omega scan"]?.value == .string("start -92.0 range 2.0 time 5.0 s"))
        #expect(scan.attributes["Date"]?.value == .string("November 13, 2016 06:26:42"))
        #expect(scan.attributes["NDTimeStamp"]?.value == .float64(847887973.0332916))
        let lines = try TIFFReader(path: folder + "Pilatus300KW_original.tif").readHeader()
        guard case .string(let text) = lines.attributes["TIFFImageDescription"]?.value else {
            Issue.record("no description")
            return
        }
        #expect(text.split(separator: "\r\n").count == 17)
        let detector = try TIFFReader(path: folder + "CeO2_Pilatus1M.tif").readHeader()
        #expect(detector.attributes["Model"]?.value == .string("PILATUS 1M-F"))
        #expect(detector.attributes["TIFFDateTime"]?.value == .string("2014:10:24 16:33:09"))
        #expect(detector.uniqueId == nil && detector.timeStamp == nil)
    }
}
