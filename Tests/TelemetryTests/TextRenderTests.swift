import Telemetry
import TestSupport
import Testing

@Suite struct JSONLinesRenderTests {
    @Test func `One object for each result`() {
        let result = MetricResult(
            "stage", meta: ["stage": "main"],
            fields: [
                .init("n", 60, kind: .counter, unit: "count", summary: "Frames."),
                .init("x", .float(.nan)), .init("s", "a\n"),
            ])
        let set = ResultSet(timestampNanoseconds: 7, results: [result])
        let start =
            #"{"time":7,"name":"stage","tags":{"host":"d","stage":"main"},"#
            + #""fields":{"n":60,"x":{"float":"NaN"},"s":"a\n"}"#
        #expect(
            JSONLinesRender().text(of: set, meta: ["host": "d"])
                == start + #","counters":["n"],"units":{"n":"count"},"summaries":{"n":"Frames."}}"#
                + "\n")
        #expect(
            JSONLinesRender(describesFields: false).text(of: set, meta: ["host": "d"])
                == start + "}\n")
    }

    /// NaN is not equal to itself; its text is.
    private func described(_ result: MetricResult) -> String { "\(result)" }

    @Test(arguments: 0..<60)
    func `A line is read back as the same result`(_ seed: UInt64) throws {
        var results = SeededResults(seed: seed)
        let host = results.meta()
        for _ in 0..<20 {
            let set = results.set()
            let text = JSONLinesRender().text(of: set, meta: host)
            let lines = text.split(separator: "\n")
            #expect(lines.count == set.results.count)
            for (line, result) in zip(lines, set.results) {
                let parsed = try #require(JSONLinesRender.parse(String(line)))
                #expect(parsed.timestampNanoseconds == set.timestampNanoseconds)
                var expected = result
                expected.meta = host.merging(result.meta)
                #expect(described(parsed.result) == described(expected))
            }
        }
    }

    @Test func `A field name that occurs twice is kept twice`() throws {
        let result = MetricResult(
            "a", fields: [.init("x", 1, unit: "s"), .init("x", 2.5, kind: .counter)])
        let line = JSONLinesRender().text(of: ResultSet(timestampNanoseconds: 1, results: [result]))
        #expect(JSONLinesRender.parse(String(line.dropLast()))?.result == result)
    }

    @Test(arguments: [
        "", "{}", "[]", "null", #"{"time":1,"name":"a","tags":{},"fields":3}"#,
        #"{"time":1.5,"name":"a","tags":{},"fields":{}}"#,
        #"{"time":1,"name":"a","tags":{"x":null},"fields":{}}"#,
        #"{"time":1,"name":"a","tags":{},"fields":{"x":{"float":"1"}}}"#,
        #"{"time":1,"name":"a","tags":{},"fields":{},"distributions":[{}]}"#,
        #"{"time":1,"name":"a","tags":{},"fields":[["x",1],["x"]]}"#,
    ])
    func `What this format did not write is not read`(_ line: String) {
        #expect(JSONLinesRender.parse(line) == nil)
    }

    @Test(arguments: 0..<20)
    func `Damage gives a result or nothing, never a trap`(_ seed: UInt64) {
        var results = SeededResults(seed: seed)
        let text = JSONLinesRender().text(of: results.set(), meta: results.meta())
        for place in text.utf8.indices {
            var bytes = Array(text.utf8)
            let index = text.utf8.distance(from: text.startIndex, to: place)
            bytes[index] = UInt8(truncatingIfNeeded: results.numbers.next())
            let damaged = String(decoding: bytes, as: UTF8.self)
            if let parsed = JSONLinesRender.parse(damaged) {
                #expect(parsed.result.name.count < 2000)
            }
            #expect(JSONLinesRender.parse(String(text[..<place])) == nil || index > 0)
        }
    }
}

@Suite struct CSVRenderTests {
    @Test func `A line for each field, with a column for each tag that has one`() {
        let result = MetricResult(
            "stage", meta: ["stage": "main", "note": "a,b", "run": "r\"1"],
            fields: [
                .init("n", 60, unit: "count"), .init("x", .float(-.infinity)),
                .init("s", "two\nlines"),
            ])
        let set = ResultSet(timestampNanoseconds: 7, results: [result])
        #expect(
            CSVRender().text(of: set, meta: ["host": "d"]) == """
                time,name,run,stage,processor,tags,field,value,unit
                7,stage,"r""1",main,,"host=d;note=a,b",n,60,count
                7,stage,"r""1",main,,"host=d;note=a,b",x,-Infinity,
                7,stage,"r""1",main,,"host=d;note=a,b",s,"two
                lines",

                """)
    }

    @Test(.enabled(if: Python.isThere, Python.hint), .timeLimit(.minutes(1)), arguments: 0..<5)
    func `Python's csv module reads the same cells`(_ seed: UInt64) throws {
        var results = SeededResults(seed: seed)
        let sets = (0..<20).map { _ in results.set() }
        let render = CSVRender(tagKeys: [])
        let folder = try TemporaryFolder()
        try folder.write(
            render.header
                + sets.map { render.text(of: $0).dropFirst(render.header.count) }.joined(),
            to: "a.csv")
        let fields = sets.flatMap {
            $0.results.flatMap {
                $0.fields + $0.distributions.filter { !$0.isAlsoInFields }.flatMap(\.fields)
            }
        }
        let expected = try folder.write(
            fields.flatMap { [$0.name, $0.unit] }.joined(separator: "\u{1}"), to: "expected")
        let script = """
            import csv, math, sys
            rows = list(csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8')))
            cells = [cell for row in rows for cell in (row['field'], row['unit'])]
            assert cells == open(sys.argv[2], newline='', encoding='utf-8').read().split('\\x01'), cells
            assert all(None not in row for row in rows)
            print(len(rows))
            """
        let count = try Python.run(script, folder.file("a.csv"), expected)
        #expect(Int(count.dropLast()) == fields.count)
    }
}
