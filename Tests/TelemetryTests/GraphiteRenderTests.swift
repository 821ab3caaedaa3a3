import Telemetry
import TestSupport
import Testing

@Suite struct GraphiteRenderTests {
    private let time: Int64 = 1_795_235_200_999_999_999

    private func text(
        _ result: MetricResult, _ render: GraphiteRender = GraphiteRender(), meta: Meta = Meta()
    ) -> String {
        render.text(of: ResultSet(timestampNanoseconds: time, results: [result]), meta: meta)
    }

    @Test func `A path is prefix, host, measurement, tags and field`() {
        let result = MetricResult(
            "stage", meta: ["run": "tyuy3jwr", "stage": "main"],
            fields: [.init("nProcessed", 60), .init("rate", 1e-7), .init("isOn", true)])
        let render = GraphiteRender(prefix: "..beam.line.")
        #expect(
            text(result, render, meta: ["host": "det1"]) == """
                beam.line.det1.stage.tyuy3jwr.main.nProcessed 60 1795235200
                beam.line.det1.stage.tyuy3jwr.main.rate 0.0000001 1795235200
                beam.line.det1.stage.tyuy3jwr.main.isOn 1 1795235200

                """)
        #expect(
            text(result, GraphiteRender(excludedTags: ["run"]), meta: ["host": "det1"])
                .hasPrefix("det1.stage.main.nProcessed 60"))
        // The result wins over the host, at the place of the host.
        #expect(text(result, meta: ["stage": "x"]).hasPrefix("main.stage.tyuy3jwr.nProcessed"))
    }

    @Test(arguments: [
        ("a.b", "a_b"), ("a b", "a_b"), ("a/b", "a_b"), ("a;b", "a_b"), ("a\tb\nc", "a_b_c"),
        ("..", "__"), ("", "_"), ("13-IDD:det", "13-IDD:det"), ("µm", "µm"), ("a\u{A0}b", "a_b"),
        ("a*{b}[c]?(d)", "a__b__c___d_"), ("a\u{85}\u{2028}b", "a__b"),
    ])
    func `A component has nothing that carbon or a query takes for something else`(
        _ text: String, _ expected: String
    ) {
        let result = MetricResult(text, fields: [.init("f", 1)])
        #expect(self.text(result) == "\(expected).f 1 1795235200\n")
    }

    @Test func `The tagged form sorts keys, renames name and leaves out what is empty`() {
        let result = MetricResult(
            "stage",
            meta: [
                "z": "~x;y", "name": "n", "a=b!c^d;e": "1 2", "empty": "", "": "v", "b": 1.5,
            ], fields: [.init("n", 1)])
        #expect(
            text(result, GraphiteRender(form: .tagged, prefix: "sluice"))
                == "sluice.stage.n;a_b_c_d_e=1_2;b=1.5;name_=n;z=_x_y 1 1795235200\n")
    }

    @Test func `P14: text, NaN and infinity are left out and counted, and so is an empty result`() {
        let set = ResultSet(
            timestampNanoseconds: time,
            results: [
                MetricResult(
                    "a",
                    fields: [
                        .init("s", "x"), .init("n", .float(.nan)), .init("i", .float(.infinity)),
                        .init("j", .float(-.infinity)), .init("ok", 1), .init("", 2),
                    ]), MetricResult("empty"), MetricResult("b", fields: [.init("s", "x")]),
            ])
        var lines = RenderedLines()
        GraphiteRender().render(set, meta: Meta(), into: &lines)
        #expect(String(decoding: lines.bytes, as: UTF8.self) == "a.ok 1 1795235200\n")
        #expect(lines.counts.skippedValues == 5 && lines.counts.refusedNames == 1)
        #expect(lines.counts.emptyResults == 2 && lines.counts.lines == 1)
    }

    @Test func `A component too long for the name of a file is refused, so is a time before 1970`()
    {
        let long = String(repeating: "x", count: 251)
        var lines = RenderedLines()
        GraphiteRender().render(
            ResultSet(
                timestampNanoseconds: 0,
                results: [
                    MetricResult(long, fields: [.init("a", 1)]),
                    MetricResult("a", fields: [.init(long, 1), .init("ok", 1)]),
                ]), meta: Meta(), into: &lines)
        #expect(String(decoding: lines.bytes, as: UTF8.self) == "a.ok 1 0\n")
        #expect(lines.counts.refusedNames == 2)
        GraphiteRender().render(
            ResultSet(
                timestampNanoseconds: -1, results: [MetricResult("a", fields: [.init("b", 1)])]),
            meta: Meta(), into: &lines)
        #expect(lines.counts.lines == 1 && lines.counts.skippedValues == 1)
    }

    @Test(arguments: [
        (1e16, "10000000000000000.0"), (1.25e16, "12500000000000000.0"), (-1e-5, "-0.00001"),
        (1.5e-7, "0.00000015"), (0.1, "0.1"), (-0.0, "-0.0"), (123_456.75, "123456.75"),
        (1.2345e20, "123450000000000000000.0"),
    ])
    func `Numbers have no exponent`(_ number: Double, _ expected: String) {
        #expect(
            text(MetricResult("a", fields: [.init("b", .float(number))]))
                == "a.b \(expected) 1795235200\n")
    }

    @Test(arguments: 0..<20)
    func `Any bits are read back as the same number`(_ seed: UInt64) {
        var numbers = SeededNumbers(seed: seed)
        for _ in 0..<500 {
            let number = Double(bitPattern: numbers.next())
            guard number.isFinite else { continue }
            let words = text(MetricResult("a", fields: [.init("b", .float(number))])).split(
                separator: " ")
            #expect(words.count == 3 && Double(words[1]) == number)
            #expect(!words[1].contains("e"))
        }
    }

    @Test(arguments: 0..<40, [GraphiteRender.Form.plain, .tagged])
    func `Whatever the names, a line is three words of which the first is a path that carbon takes`(
        _ seed: UInt64, _ form: GraphiteRender.Form
    ) {
        var results = SeededResults(seed: seed)
        for _ in 0..<30 {
            let set = results.set()
            let text = GraphiteRender(form: form).text(of: set, meta: results.meta())
            for line in text.split(separator: "\n") {
                let words = line.split(omittingEmptySubsequences: false) { $0.isWhitespace }
                #expect(words.count == 3, "\(line)")
                let parts = words[0].split(separator: ";", omittingEmptySubsequences: false)
                let components = parts[0].split(separator: ".", omittingEmptySubsequences: false)
                #expect(components.allSatisfy { !$0.isEmpty && !$0.contains("/") })
                for tag in parts.dropFirst() {
                    let pair = tag.split(
                        separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    #expect(pair.count == 2 && !pair[0].isEmpty && !pair[1].isEmpty)
                    #expect(!pair[0].contains { "!^=".contains($0) } && !pair[1].hasPrefix("~"))
                }
                #expect(form == .tagged || parts.count == 1)
            }
        }
    }
}
