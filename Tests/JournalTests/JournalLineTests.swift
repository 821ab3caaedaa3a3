import TestSupport
import Testing

@testable import Journal

struct JournalLineTests {
    private func text(_ event: JournalEvent) throws -> String {
        String(decoding: try event.line(), as: UTF8.self)
    }

    @Test func `an event is one line with its keys in order`() throws {
        let event = JournalEvent(
            timestamp: 1_700_000_000.000_07, seq: 12, name: "worker-gone",
            context: [
                JournalField("worker", 3), JournalField("signal", 9),
                JournalField("detail", ["zeta": nil, "alpha": [true, 0.5, "x"], "last": [:]]),
            ])
        #expect(
            try text(event)
                == #"{"timestamp":1700000000.000070,"seq":12,"name":"worker-gone","#
                + #""context":{"worker":3,"signal":9,"#
                + #""detail":{"zeta":null,"alpha":[true,0.5,"x"],"last":{}}}}"# + "\n")
        #expect(try JournalEvent(line: event.line().dropLast()) == event)
    }

    @Test func `an event without facts has no context`() throws {
        let event = JournalEvent(timestamp: 1, seq: 1, name: "run-start")
        #expect(try text(event) == #"{"timestamp":1.000000,"seq":1,"name":"run-start"}"# + "\n")
    }

    @Test(
        arguments: [
            (.string("\"\\\n\r\t/"), #""\"\\\n\r\t/""#),
            (.string("\u{0}\u{1f}\u{7f}\u{9b}"), #""\u0000\u001f\u007f\u009b""#),
            (.string("µm 検出器 🔬\u{2028}"), "\"µm 検出器 🔬\u{2028}\""),
            (.double(.nan), #""NaN""#),
            (.double(.infinity), #""Infinity""#),
            (.double(-.infinity), #""-Infinity""#),
            (.double(1e300), "1e+300"),
            (.double(1), "1.0"),
            (.double(-0.0), "-0.0"),
            (.int(.min), "-9223372036854775808"),
            (.uint(.max), "18446744073709551615"),
        ] as [(JournalValue, String)])
    func `values are escaped by rule`(value: JournalValue, json: String) throws {
        #expect(try value.json() == json)
        if case .double(let number) = value, !number.isFinite { return }
        #expect(JournalValue(json: json) == value)
    }

    /// Each scalar escaped or kept for itself, as RFC 8259 §7 and the rule for controls say.
    private static func escaped(_ text: String) -> String {
        let short: [Unicode.Scalar: String] = [
            "\"": #"\""#, "\\": #"\\"#, "\n": #"\n"#, "\r": #"\r"#, "\t": #"\t"#,
        ]
        let inner = text.unicodeScalars.map { scalar -> String in
            if let word = short[scalar] { return word }
            guard scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) else {
                return String(scalar)
            }
            let digits = String(scalar.value, radix: 16)
            return #"\u"# + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return "\"" + inner.joined() + "\""
    }

    @Test(arguments: 0..<5)
    func `any text is escaped scalar by scalar`(_ seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        for _ in 0..<500 {
            var text = ""
            for _ in 0..<Int.random(in: 0...12, using: &numbers) {
                let limit: UInt32 =
                    [0x30, 0x100, 0x800, 0x11_0000].randomElement(using: &numbers) ?? 1
                let code = UInt32.random(in: 0..<limit, using: &numbers)
                text.unicodeScalars.append(Unicode.Scalar(code) ?? "x")
            }
            #expect(try JournalValue.string(text).json() == Self.escaped(text))
        }
    }

    @Test(
        arguments: [
            (#""\u00b5\ud83d\udd2c\/\b\f""#, .string("µ🔬/\u{8}\u{c}")),
            (" [ 1 , 2.5e1 , -3 ] ", [1, 25.0, -3]),
            (#"{"b":1,"a":{"b":2}}"#, ["b": 1, "a": ["b": 2]]),
            ("9223372036854775808", .uint(1 << 63)),
            ("36893488147419103232", .double(36_893_488_147_419_103_232)),
        ] as [(String, JournalValue)])
    func `JSON of others is understood`(json: String, value: JournalValue) {
        #expect(JournalValue(json: json) == value)
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "[1", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "1.",
        ".5", "-", "+1", "1e", "1e999", "tru", "nul", "NaN", "\"a", "\"\\q\"", "\"\\u12\"",
        "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "1 2", "[1]]",
    ])
    func `text that is no JSON is refused`(json: String) {
        #expect(JournalValue(json: json) == nil)
    }

    @Test func `bytes that are no UTF-8 are refused`() {
        #expect(throws: JSONFlaw(reason: "text is not UTF-8", byteOffset: 3)) {
            try JSONParsing.value(of: [0x22, 0xC3, 0x28, 0x22][...])
        }
    }

    @Test func `deep nesting is refused both ways`() throws {
        func nested(_ depth: Int) -> JournalValue {
            (1..<depth).reduce(JournalValue.array([])) { inner, _ in .array([inner]) }
        }
        let deepest = try nested(64).json()
        #expect(JournalValue(json: deepest) == nested(64))
        #expect(throws: JournalError.nestedTooDeep(limit: 64)) { try nested(65).json() }
        #expect(JournalValue(json: "[\(deepest)]") == nil)
        #expect(JournalValue(json: String(repeating: "[", count: 100_000)) == nil)
    }

    @Test(arguments: [
        #"{"seq":1,"name":"a"}"#, #"{"timestamp":"1","seq":1,"name":"a"}"#,
        #"{"timestamp":-1,"seq":1,"name":"a"}"#, #"{"timestamp":1,"seq":0,"name":"a"}"#,
        #"{"timestamp":1,"seq":1.5,"name":"a"}"#, #"{"timestamp":1,"name":"a"}"#,
        #"{"timestamp":1,"seq":1,"name":""}"#, #"{"timestamp":1,"seq":1}"#,
        #"{"timestamp":1,"seq":1,"name":"a","context":[]}"#, "[]", "1", "",
    ])
    func `a line that is no event is refused`(line: String) {
        #expect(throws: JSONFlaw.self) { try JournalEvent(line: Array(line.utf8)[...]) }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `damaged lines give an event or a flaw and never a trap`(seed: UInt64) throws {
        let line = try JournalEvent(
            timestamp: 1_700_000_000.5, seq: 7, name: "frame-failed",
            context: [JournalField("a\u{9}µ", ["x": [1, -2.5e-7, nil, "🔬\\"]])]
        ).line()
        var state = seed
        func next(below limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        for _ in 0..<200 {
            var damaged = line
            for _ in 0...next(below: 3) {
                damaged[next(below: damaged.count)] = UInt8(next(below: 256))
            }
            damaged.removeLast(next(below: damaged.count))
            _ = try? JournalEvent(line: damaged[...])
        }
    }

    @Test func `microseconds survive being written and read`() throws {
        for microseconds in [0, 1, 999_999, 123_456, 500_000] {
            let time = 1_799_999_999 + Double(microseconds) / 1e6
            let event = JournalEvent(timestamp: time, seq: 1, name: "a")
            let back = try JournalEvent(line: event.line().dropLast())
            #expect((back.timestamp * 1e6).rounded() == 1_799_999_999e6 + Double(microseconds))
            #expect(try back.line() == event.line())
        }
        #expect(wholeMicroseconds(.nan) == 0)
        #expect(wholeMicroseconds(-1) == 0)
        #expect(wholeMicroseconds(.infinity) == 253_402_300_799)
    }
}
