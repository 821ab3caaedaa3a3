import Telemetry
import TestSupport
import Testing

@Suite struct InfluxRenderTests {
    private func text(_ result: MetricResult, meta: Meta = Meta()) -> String {
        InfluxRender().text(
            of: ResultSet(timestampNanoseconds: 1_000_000_007, results: [result]), meta: meta)
    }

    @Test func `A line has sorted tags, typed fields and nanoseconds`() {
        let result = MetricResult(
            "stage", meta: ["stage": "main", "run": "r1"],
            fields: [
                .init("n", 60), .init("x", 1.5), .init("one", 1.0), .init("on", true),
                .init("s", "a\"b\\c"), .init("big", .float(1e300)),
            ])
        #expect(
            text(result, meta: ["host": "det1", "run": "of the host"])
                == #"stage,host=det1,run=r1,stage=main n=60i,x=1.5,one=1.0,on=true,s="a\"b\\c",big=1e+300 1000000007"#
                + "\n")
    }

    @Test func `Names are escaped, and what has no escape is mapped`() {
        let result = MetricResult(
            "a b,c=d", meta: ["k e,y=": "v a,l=", "time": "x", "back\\": "\\d\\,e\\", "e": ""],
            fields: [.init("f =,", 1), .init("time", 2), .init("line\nfeed", 3)])
        #expect(
            text(result)
                == #"a\ b\,c=d,back=\d\,e,k\ e\,y\==v\ a\,l\=,time_=x f\ \=\,=1i,time_=2i,line_feed=3i 1000000007"#
                + "\n")
        #expect(text(MetricResult("#a", fields: [.init("f", 1)])) == "_a f=1i 1000000007\n")
    }

    @Test func `P14: NaN and infinity are left out and counted, and so is a result without fields`()
    {
        let set = ResultSet(
            timestampNanoseconds: 7,
            results: [
                MetricResult(
                    "a",
                    fields: [
                        .init("n", .float(.nan)), .init("i", .float(.infinity)), .init("s", "x"),
                        .init("", 1), .init("\\", 1),
                    ]), MetricResult("empty"), MetricResult("", fields: [.init("f", 1)]),
                MetricResult("\\", fields: [.init("f", 1)]),
                MetricResult("b", fields: [.init("n", .float(.nan))]),
            ])
        var lines = RenderedLines()
        InfluxRender().render(set, meta: Meta(), into: &lines)
        #expect(String(decoding: lines.bytes, as: UTF8.self) == "a s=\"x\" 7\n")
        #expect(lines.counts.skippedValues == 3 && lines.counts.refusedNames == 4)
        #expect(lines.counts.emptyResults == 4)
    }

    @Test func `A long line is divided by its fields, and a field that fits in none is refused`() {
        let fields = (0..<6).map { MetricResult.Field("field\($0)", 1) }
        var lines = RenderedLines(maximumLineByteCount: 32)
        let set = ResultSet(
            timestampNanoseconds: 9,
            results: [
                MetricResult(
                    "m", meta: ["t": "v"],
                    fields: fields + [
                        .init("long", .string(String(repeating: "x", count: 30))), .init("z", 1),
                    ])
            ])
        InfluxRender().render(set, meta: Meta(), into: &lines)
        #expect(
            String(decoding: lines.bytes, as: UTF8.self) == """
                m,t=v field0=1i,field1=1i 9
                m,t=v field2=1i,field3=1i 9
                m,t=v field4=1i,field5=1i 9
                m,t=v z=1i 9

                """)
        #expect(lines.counts.oversizeDropped == 1 && lines.counts.lines == 4)
    }

    @Test(arguments: 0..<40)
    func `Divided or not, the same fields arrive, and no line is too long`(_ seed: UInt64) {
        var results = SeededResults(seed: seed)
        for limit in [20, 50, 120, 400] {
            let set = results.set()
            var (whole, divided) = (RenderedLines(), RenderedLines(maximumLineByteCount: limit))
            InfluxRender().render(set, meta: Meta(), into: &whole)
            InfluxRender().render(set, meta: Meta(), into: &divided)
            var start = 0
            for end in divided.ends {
                #expect(end - start <= limit)
                #expect(divided.bytes[end - 1] == UInt8(ascii: "\n"))
                start = end
            }
            #expect(start == divided.bytes.count)
            #expect(divided.counts.skippedValues == whole.counts.skippedValues)
            if divided.counts.oversizeDropped == 0 {
                #expect(divided.counts.emptyResults == whole.counts.emptyResults)
            }
        }
    }
}
