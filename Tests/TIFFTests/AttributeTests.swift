import Foundation
import NDArrays
import TIFF
import TestSupport
import Testing

@Suite struct AttributeTests {
    /// One attribute of each type with hard values, and the odd names and texts that real files
    /// have.
    static var hard: NDAttributes {
        NDAttributes([
            NDAttribute("flag", .boolean(true), description: "on or \"off\"\n"),
            NDAttribute("i8", .int8(-128)), NDAttribute("i16", .int16(-32768)),
            NDAttribute("i32", .int32(.min)), NDAttribute("i64", .int64(.min)),
            NDAttribute("u8", .uint8(255)), NDAttribute("u16", .uint16(65535)),
            NDAttribute("u32", .uint32(.max)), NDAttribute("u64", .uint64(.max)),
            NDAttribute("f32", .float32(0.1)), NDAttribute("f32 tiny", .float32(1.1754944e-38)),
            NDAttribute("f64", .float64(0.1)), NDAttribute("f64 third", .float64(1.0 / 3)),
            NDAttribute("huge", .float64(1e300)), NDAttribute("minus zero", .float64(-0.0)),
            NDAttribute("inf", .float64(-.infinity)),
            NDAttribute("undefined", nil, description: "?"),
            NDAttribute(
                "Exposure time(s)", .float64(29.999), description: "set point",
                sourceType: .epicsProcessVariable, source: "13PIL:cam1:AcquireTime"),
            NDAttribute("text", .string("a:b:c \"q\" \\ \r\nß µ 日 😀\t")),
            NDAttribute("empty", .string("")), NDAttribute("zero", .string("a\0b")),
            NDAttribute("number", .string("12")), NDAttribute("with:colon", .int32(5)),
        ])
    }

    private func roundTrip(_ array: NDArray, _ settings: TIFFSettings = TIFFSettings()) throws
        -> NDArray
    {
        let folder = try TemporaryFolder()
        let path = folder.file("a.tiff")
        try withDescriptor(path) { _ = try TIFFWriter(settings).write(array, to: $0) }
        return try TIFFReader(path: path).readArray()
    }

    @Test(
        "attributes of every type come back exactly, with description and source",
        arguments: TIFFCompression.allCases)
    func exact(_ compression: TIFFCompression) throws {
        guard compression.isAvailable else { return }
        var array = ramp(try ArrayLayout(.uint16, width: 4, height: 3))
        array.attributes = Self.hard
        let read = try roundTrip(array, TIFFSettings(compression: compression))
        #expect(read.attributes == array.attributes)
        #expect(Array(read.attributes) == Array(array.attributes))
    }

    @Test("NaN comes back as NaN")
    func notANumber() throws {
        var array = ramp(try ArrayLayout(.uint16, width: 4, height: 3))
        array.attributes.set("nan", .float64(.nan))
        #expect(try roundTrip(array).attributes["nan"]?.value?.doubleValue?.isNaN == true)
    }

    @Test("offset, full size, binning and direction of dimensions come back")
    func dimensions() throws {
        let layout = try ArrayLayout(
            elementType: .float32,
            dimensions: NDDimensions(
                NDDimension(size: 4, offset: 10, fullSize: 2048, binning: 2, reverse: true),
                NDDimension(size: 3, offset: 5, fullSize: 1024, binning: 4)))
        #expect(try roundTrip(ramp(layout)).layout == layout)
    }

    static let wideFrames: [(UInt64, TimeStamp)] = [
        (.max, TimeStamp(secondsPastEpoch: 5, nanoseconds: 6)),
        (1 << 32, TimeStamp(secondsPastEpoch: .max, nanoseconds: 999_999_999)),
        (2, TimeStamp(secondsPastEpoch: .min, nanoseconds: 1)),
        (0, TimeStamp()), (1, TimeStamp(secondsPastEpoch: TimeStamp.epicsEpochOffset)),
        (9, TimeStamp(secondsPastEpoch: 4_926_119_295, nanoseconds: 1)),
    ]

    @Test(
        "ids and times beyond the 32-bit tags come back",
        arguments: Self.wideFrames)
    func wide(_ uniqueId: UInt64, _ timeStamp: TimeStamp) throws {
        var array = ramp(try ArrayLayout(.uint16, width: 4, height: 3), uniqueId: uniqueId)
        array.timeStamp = timeStamp
        let read = try roundTrip(array)
        #expect(read.uniqueId == uniqueId)
        #expect(read.timeStamp == timeStamp)
    }

    @Test("attributes beyond the 410 tags are in the provenance block only, and none is lost")
    func many() throws {
        var array = ramp(try ArrayLayout(.uint16, width: 4, height: 3))
        array.attributes = NDAttributes((0..<600).map { NDAttribute("a\($0)", .int32($0)) })
        let folder = try TemporaryFolder()
        let path = folder.file("a.tiff")
        try withDescriptor(path) { _ = try TIFFWriter().write(array, to: $0) }
        let header = try TIFFReader(path: path).readHeader()
        #expect(header.attributes == array.attributes)
        #expect(header.sourceTags.filter { $0.code >= 65010 }.count == 410)
        array.attributes = NDAttributes((0..<4097).map { NDAttribute("a\($0)", .int32($0)) })
        let tooMany = array
        #expect(throws: TIFFError.self) {
            try withDescriptor(path) { _ = try TIFFWriter().write(tooMany, to: $0) }
        }
    }

    @Test(
        "tifffile reads every attribute's text; floating point reads back as the same number",
        .enabled(if: Python.isThere, Python.hint))
    func texts() throws {
        let folder = try TemporaryFolder()
        var array = ramp(try ArrayLayout(.uint16, width: 4, height: 3))
        var numbers = SeededNumbers(seed: 42)
        for index in 0..<300 {
            let value = Double(bitPattern: numbers.next())
            array.attributes.set("v\(index)", .float64(value.isFinite ? value : 2.5e9 + 1e-6))
        }
        for index in 0..<200 {
            let value = Double(Int64(bitPattern: numbers.next()) >> (index % 50)) / 1e6
            array.attributes.set("w\(index)", .float64(value))
        }
        try withDescriptor(folder.file("a.tiff")) { _ = try TIFFWriter().write(array, to: $0) }
        let script = """
            import sys, json, tifffile
            page = tifffile.TiffFile(sys.argv[1]).pages[0]
            block = json.loads(page.tags[65009].value)
            assert block['sluice'] == 1 and block['elementType'] == 'uint16'
            assert len(block['attributes']) == 500
            for index, entry in enumerate(block['attributes'][:410]):
                name, text = page.tags[65010 + index].value.split(':', 1)
                assert name == entry['name'] and float(text) == float(entry['value']), (name, text)
                fixed = '%f' % float(text)
                assert text == fixed or float(fixed) != float(text), (text, fixed)
            """
        #expect(try Python.run(script, folder.file("a.tiff")) == "")
        #expect(
            try TIFFReader(path: folder.file("a.tiff")).readArray().attributes == array.attributes)
    }

    @Test(
        "texts without types become numbers only where they are written as that text again",
        .enabled(if: Python.isThere, Python.hint))
    func inferred() throws {
        let folder = try TemporaryFolder()
        let texts = [
            "a:1", "b:-7", "c:0", "d:18446744073709551615", "e:007", "f:+5", "g:-0", "h:1.500000",
            "i:1.5", "j:0.1234567", "k:nan", "l:1e5", "m:", "n:x:y", "o:start -92.0 range 2.0",
            "p:98999999999999993426744560981400092672.000000", "q:1.0000000", "r:.5", "s:5.",
            "t:18446744073709551616", "u:1e-07", "no colon", ":no name", "a:twice",
        ]
        let script = """
            import sys, numpy, tifffile
            texts = enumerate(sys.argv[2].split('|'))
            tags = [(65010 + i, 's', 0, text, True) for i, text in texts]
            tags += [(65000, 'd', 1, 847887973.0332916, True), (65002, 'I', 1, 847888003, True),
                     (65003, 'I', 1, 375356916, True), (65001, 'I', 1, 4051, True)]
            tifffile.imwrite(sys.argv[1], numpy.zeros((3, 4), 'u2'), extratags=tags,
                             software='x 1.0',
                             description='two\\r\\nlines', datetime='2014:10:24 16:33:09',
                             resolution=(1043 / 7, 1 / 3),
                             resolutionunit='CENTIMETER', metadata=None)
            """
        let path = folder.file("a.tiff")
        _ = try Python.run(script, path, texts.joined(separator: "|"))
        let array = try TIFFReader(path: path).readArray()
        let want: [String: ScalarValue] = [
            "a": .int64(1), "b": .int64(-7), "c": .int64(0), "d": .uint64(.max),
            "e": .string("007"), "f": .string("+5"), "g": .string("-0"), "h": .float64(1.5),
            "i": .string("1.5"), "j": .float64(0.1234567), "k": .string("nan"),
            "l": .string("1e5"), "m": .string(""), "n": .string("x:y"),
            "o": .string("start -92.0 range 2.0"), "p": .float64(9.8999999999999993e37),
            "q": .string("1.0000000"), "r": .string(".5"), "s": .string("5."),
            "t": .string("18446744073709551616"), "u": .float64(1e-7),
            "TIFFImageDescription": .string("two\r\nlines"), "TIFFSoftware": .string("x 1.0"),
            "TIFFDateTime": .string("2014:10:24 16:33:09"), "TIFFXResolution": .float64(149),
            "TIFFResolutionUnit": .uint16(3), "NDTimeStamp": .float64(847887973.0332916),
        ]
        for (name, value) in want { #expect(array.attributes[name]?.value == value, "\(name)") }
        #expect(array.attributes.count == want.count + 1)
        #expect(array.uniqueId == 4051)
        #expect(
            array.timeStamp
                == TimeStamp(
                    secondsPastEpoch: 847_888_003 + TimeStamp.epicsEpochOffset,
                    nanoseconds: 375_356_916))
        try checkRewritten(array, folder, texts: texts)
    }

    private func checkRewritten(_ array: NDArray, _ folder: TemporaryFolder, texts: [String]) throws
    {
        let (second, third) = (folder.file("b.tiff"), folder.file("c.tiff"))
        try withDescriptor(second) { _ = try TIFFWriter().write(array, to: $0) }
        let again = try TIFFReader(path: second).readArray()
        #expect(again.attributes == array.attributes)
        try withDescriptor(third) { _ = try TIFFWriter().write(again, to: $0) }
        #expect(try contents(second) == contents(third))
        let script = """
            import sys, tifffile
            tags = tifffile.TiffFile(sys.argv[1]).pages[0].tags
            texts = [t for t in sys.argv[2].split('|')][:-3]
            assert [tags[65010 + i].value for i in range(len(texts))] == texts
            assert 65010 + len(texts) not in tags
            assert tags[270].value == 'two\\r\\nlines' and tags[305].value == 'x 1.0'
            assert tags[306].value == '2014:10:24 16:33:09'
            assert tags[282].value[0] / tags[282].value[1] == 149 and tags[296].value == 3
            assert abs(tags[283].value[0] / tags[283].value[1] - 1 / 3) < 1e-6
            assert tags[65000].value == 847887973.0332916 and tags[65002].value == 847888003
            """
        #expect(try Python.run(script, second, texts.joined(separator: "|")) == "")
    }
}
