import DataProcessing
import Testing

@Suite struct OutputNameFormatTests {
    private let memory = PrivateFrameMemory()

    private func frame(_ change: (Frame) -> Void = { _ in }) -> Frame {
        let frame = Frame()
        frame.reset(
            key: FrameKey(frameId: 5, branch: 3), uniqueId: 123,
            timeStamp: TimeStamp(secondsPastEpoch: 1_709_210_096, nanoseconds: 5_000_000),
            attributes: NDAttributes([
                NDAttribute("Energy", .float64(8.9789)), NDAttribute("Sample", .string("Fe3O4")),
                NDAttribute("Run", .int32(-7)), NDAttribute("None", nil),
                NDAttribute("Path", .string("a/b")),
            ]), sourceName: "data/2024/scan.7.tif",
            content: .structure(Structure(), typeName: ""), region: nil, byteCount: 0,
            memory: memory)
        change(frame)
        return frame
    }

    @Test(arguments: [
        ("{uniqueId:06}.tiff", "000123.tiff"), ("{uniqueId}", "123"), ("{frameId:4}|", "   5|"),
        ("{index}", "2"), ("{processorId:03d}", "009"), ("{objectId}", "123"),
        ("{uniqueId:04x}", "007b"), ("{Energy:.3f}", "8.979"), ("{Energy:08.2f}", "00008.98"),
        ("{Energy}", "8.9789"), ("{Run}", "-7"), ("{Run:04}", "-007"), ("{Run:.1f}", "-7.0"),
        ("{Sample:7}|", "Fe3O4  |"), ("{sourceName}_{uniqueId:02}", "scan.7_123"),
        ("{{{uniqueId}}}", "{123}"), ("a{{b}}c", "a{b}c"), ("é{uniqueId}", "é123"),
        ("{timestamp}", "20240229T123456.005000000Z"), ("{outputFileId:02}", "08"),
    ])
    func `placeholders are filled as Python does it`(format: String, expected: String) throws {
        let name = try OutputNameFormat(format).name(
            for: frame(), processorId: 9, outputFileId: 8)
        #expect(name == expected)
    }

    @Test(arguments: [
        ("", 1, "empty"), ("a{uniqueId", 2, "closed"), ("a}b", 2, "single"), ("{}", 2, "name"),
        ("{:06}", 2, "name"), ("{uniqueId:q}", 11, "width"), ("{uniqueId:06.}", 14, "digits"),
        ("{a:99999}", 4, "places"), ("x/y", 2, "'/'"), ("é{a:0z}", 6, "width"),
        ("{a:.2x}", 6, "width"), ("{a{b}}", 3, "'{'"),
    ])
    func `a format that can't be read is refused at its column`(
        format: String, column: Int, reason: String
    ) throws {
        let error = #expect(throws: ProcessingError.self) { try OutputNameFormat(format) }
        guard case .nameFormat(format, column, let said) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(said.contains(reason))
    }

    @Test func `a placeholder without a value fails the frame and names the nearest`() throws {
        let format = try OutputNameFormat("{energy}.tiff")
        let error = #expect(throws: ProcessingError.self) { try format.name(for: frame()) }
        #expect(
            error?.description
                == "name format '{energy}.tiff': the frame has no attribute energy; "
                + "did you mean Energy?"
        )
        #expect(throws: ProcessingError.self) {
            try OutputNameFormat("{None}").name(for: frame())
        }
        #expect(throws: ProcessingError.self) {
            try OutputNameFormat("{outputFileId}").name(for: frame())
        }
        #expect(
            try OutputNameFormat("{objectId:03}").name(for: frame(), objectIdField: "Run") == "-07")
    }

    @Test(arguments: ["", ".", "..", "a/b", "a\0b", String(repeating: "é", count: 128)])
    func `a result that is no file name is refused`(value: String) throws {
        let bad = frame { $0.attributes.set("Name", .string(value)) }
        let error = #expect(throws: ProcessingError.self) {
            try OutputNameFormat("{Name}").name(for: bad)
        }
        guard case .badName = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let longest = String(repeating: "x", count: 255)
        let good = frame { $0.attributes.set("Name", .string(longest)) }
        #expect(try OutputNameFormat("{Name}").name(for: good) == longest)
    }

    @Test(
        arguments: [
            (0, "19700101T000000.000000000Z"), (-1, "19691231T235959.000000000Z"),
            (951_827_696, "20000229T123456.000000000Z"),
            (4_107_542_399, "21000228T235959.000000000Z"),
            (4_107_542_400, "21000301T000000.000000000Z"),
            (-62_135_596_800, "00010101T000000.000000000Z"),
            (.min, "-2922770226570127T082952.000000000Z"),
            (.max, "2922770265961204T153007.000000000Z"),
        ] as [(Int64, String)])
    func `time stamps are dates of the Gregorian calendar`(seconds: Int64, expected: String) throws
    {
        let dated = frame { $0.timeStamp = TimeStamp(secondsPastEpoch: seconds) }
        #expect(try OutputNameFormat("{timestamp}").name(for: dated) == expected)
    }

    @Test(arguments: [
        ("plain", "plain"), (".hidden", ".hidden"), ("dir.d/x", "x"),
        ("13SIM1:Pva1:Image", "13SIM1:Pva1:Image"),
        ("a/b.tar.gz", "b.tar"),
    ])
    func `the source name is without folder and extension`(source: String, expected: String) throws
    {
        let named = Frame()
        named.reset(
            key: FrameKey(frameId: 1), uniqueId: 1, sourceName: source,
            content: .structure(Structure(), typeName: ""), region: nil, byteCount: 0,
            memory: memory)
        #expect(try OutputNameFormat("{sourceName}").name(for: named) == expected)
    }
}
