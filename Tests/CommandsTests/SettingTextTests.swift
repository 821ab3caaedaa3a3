import ControllerRuntime
import NDArrays
import Testing

@testable import Commands

@Suite struct SettingTextTests {
    private func values(_ text: String) throws -> [String] {
        try SettingText.processor(text).settings.fields.map { field in
            guard case .scalar(let value) = field.value else { return "?" }
            return "\(field.name)=\(value)"
        }
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test func `a processor is a name, or a name with settings in order`() throws {
        #expect(try SettingText.processor("PixelStatistics").name == "PixelStatistics")
        #expect(try SettingText.processor("PixelStatistics").settings.fields.isEmpty)
        #expect(try SettingText.processor("A:").settings.fields.isEmpty)
        #expect(try values("A:x=1,y=two") == ["x=1", "y=two"])
    }

    @Test(arguments: [
        ("A:x=1", "x=1"), ("A:x=", "x="), ("A: x = 1 ", "x=1"), ("A:x=a:b=c", "x=a:b=c"),
        ("A:x={uniqueId:06}.tiff", "x={uniqueId:06}.tiff"), ("A:x=it's", "x=it's"),
        (#"A:x="a,b""#, "x=a,b"), (#"A:x="a\"b\\c\n\t""#, "x=a\"b\\c\n\t"),
        (#"A:x='a,\n"b"'"#, #"x=a,\n"b""#), (#"A:x="" "#, "x="), (#"A:x=" a ""#, "x= a "),
        ("A:x=[1, 2]", "x=[1, 2]"), ("A:x=['a]', \"b,c\", [d]]", "x=['a]', \"b,c\", [d]]"),
        (#"A:x="[""#, "x=["), ("A:x=a\"b", "x=a\"b"),
        ("A:path=/data/µ/x.tif", "path=/data/µ/x.tif"),
    ])
    func `a value is what the rule says`(text: String, expected: String) throws {
        #expect(try values(text) == [expected])
    }

    @Test func `values of every form stand side by side`() throws {
        #expect(
            try values(#"A:a=1,b="2,3",c='4,5' , d=[6,7],e=8"#)
                == ["a=1", "b=2,3", "c=4,5", "d=[6,7]", "e=8"])
    }

    @Test(arguments: [
        ("", "no processor"), (":x=1", "no processor"), ("A,x=1", "no processor"),
        ("A=1", "no processor"), ("A:x", "`x` of A has no value: write x=VALUE"),
        ("A:=1", "a value without a key"), ("A:x=1,", "a comma with nothing beside it"),
        ("A:,x=1", "a comma with nothing beside it"), ("A:x=1,,y=2", "a comma with nothing"),
        ("A:x=1,x=2", "has the setting x twice"), (#"A:x="1"#, "is not closed"),
        ("A:x='1", "is not closed"), (#"A:x="a\q""#, #"the unknown escape \q"#),
        (#"A:x="a"b"#, "goes on after its closing quote"),
        ("A:x=[1]b", "goes on after its closing bracket"), ("A:x=[1", "the [ of x is not closed"),
        ("A:x,y=1", "`x` of A has no value"),
    ])
    func `what is wrong is said in a sentence`(text: String, expected: String) {
        let message = message { _ = try SettingText.processor(text) }
        #expect(message.contains(expected), "\(message)")
    }

    @Test func `any value that is quoted is read back as it was`() throws {
        let values = [
            "", "a", "a,b", " a", "a ", "\"", "'", "[", "a\"b", "\\", "\\\"", "\n", "\t", "a\nb,",
            "[1, 2]", "it's", "é,è",
            "\n\u{301}", ",\u{301}", "\"\u{301}", "\\\u{301}n", " \u{301}", "\r\n", "\u{301}",
        ]
        for value in values {
            let text = "A:x=\(SettingText.quoted(value)),y=1"
            #expect(try self.values(text) == ["x=\(value)", "y=1"], "\(text)")
        }
    }

    @Test func `an assignment takes the rest of the word as it is`() throws {
        #expect(try SettingText.assignment("a=b,c=d", of: "P") == ("a", "b,c=d"))
        #expect(try SettingText.assignment("a=", of: "P") == ("a", ""))
        #expect(try SettingText.assignment(#"a="b\n""#, of: "P") == ("a", "b\n"))
        #expect(message { _ = try SettingText.assignment("a", of: "P") }.contains("key=value"))
        #expect(message { _ = try SettingText.assignment("=a", of: "P") }.contains("key=value"))
        #expect(message { _ = try SettingText.assignment("a='b'c", of: "P") }.contains("goes on"))
        #expect(
            message { _ = try SettingText.assignment("a='b',c", of: "P") }.contains("there is text")
        )
    }

    @Test func `sources are paths or settings, by kind`() throws {
        let tiff = try SourceSpecification.parse("tiff:scan/*.tif")
        #expect(tiff.kind == "tiff")
        #expect(tiff.paths == ["scan/*.tif"])
        #expect(
            try SourceSpecification.parse(#"tiff:a.tif,"b,c.tif""#).paths == ["a.tif", "b,c.tif"])
        #expect(try SourceSpecification.parse("tiff:/a:b.tif").paths == ["/a:b.tif"])
        #expect(try SourceSpecification.parse("sim").settings.fields.isEmpty)
        let sim = try SourceSpecification.parse("sim:count=200,shape=10x20")
        #expect(sim.settings["shape"] == .scalar(.string("10x20")))
    }

    @Test(arguments: [
        ("scan/a.tif", "write tiff:scan/a.tif"), ("stack.npy", "write npy:stack.npy"),
        ("tif:scan", "did you mean tiff?"), ("camera:x", "there are tiff, npy, sim"),
        ("tiff:", "has no files"), ("tiff", "has no files"), ("sim:count", "has no value"),
    ])
    func `what is no source is told with the way out`(text: String, expected: String) {
        let message = message { _ = try SourceSpecification.parse(text) }
        #expect(message.contains(expected), "\(message)")
    }

    @Test func `durations and sizes`() {
        #expect(QuantityText.duration("1s") == .seconds(1))
        #expect(QuantityText.duration("500ms") == .milliseconds(500))
        #expect(QuantityText.duration("2 min") == .seconds(120))
        #expect(QuantityText.duration("1.5") == .milliseconds(1500))
        for text in ["", "s", "-1s", "1x", "nan", "1 s s", "1e400s", ".7\0x", "1\0s"] {
            #expect(QuantityText.duration(text) == nil, "\(text)")
        }
        #expect(QuantityText.byteCount("4GiB") == 4 << 30)
        #expect(QuantityText.byteCount("100MB") == 100_000_000)
        #expect(QuantityText.byteCount("12") == 12)
        #expect(QuantityText.byteCount("1e30GB") == nil)
        for text in [
            "1s", "1ms", "1250ms", "0.7", "0.1ms", "1.1s", "33.3h", "7ns", "1e13", "1234567.89",
        ] {
            let duration = QuantityText.duration(text)
            let written = duration.map(QuantityText.text)
            #expect(
                written.flatMap(QuantityText.duration) == duration, "\(text) as \(written ?? "")")
        }
    }

    @Test func `the nearest name is offered, a far one is not`() {
        let known = ["name", "workers"]
        #expect(nearestNameHint(for: "wokers", in: known) == "; did you mean workers?")
        #expect(nearestNameHint(for: "xyzzy", in: known) == "; there are name, workers")
        #expect(nearestNameHint(for: "xyzzy", in: []) == "")
    }
}
