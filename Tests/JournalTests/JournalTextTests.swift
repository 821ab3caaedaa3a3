import Testing

@testable import Journal

struct JournalTextTests {
    /// The sample of RFC 18, with serial numbers.
    private let sample = [
        JournalEvent(
            timestamp: 1552593348.073045, seq: 1, name: "submit",
            context: [
                JournalField("urgency", 16), JournalField("userid", 5588),
                JournalField("flags", 0),
            ]),
        JournalEvent(timestamp: 1552593547.411336, seq: 2, name: "urgency"),
        JournalEvent(
            timestamp: 1552593547.423681, seq: 3, name: "exception",
            context: [JournalField("type", "cancel"), JournalField("note", "a \"b\"\u{1B}[31m")]),
    ]

    private func lines(
        _ time: JournalEventFormatter.Time, form: JournalEventFormatter.Form = .text,
        hasColour: Bool = false, secondsFromUTC: Int = 0
    ) throws -> [String] {
        var formatter = JournalEventFormatter(
            form: form, time: time, hasColour: hasColour, secondsFromUTC: { _ in secondsFromUTC })
        return try sample.map { try formatter.line($0) }
    }

    @Test func `raw times have six decimals, values are compact JSON`() throws {
        #expect(
            try lines(.raw) == [
                "1552593348.073045 submit urgency=16 userid=5588 flags=0",
                "1552593547.411336 urgency",
                #"1552593547.423681 exception type="cancel" note="a \"b\"\u001b[31m""#,
            ])
    }

    @Test func `human times are of the clock, then from that line, and anew after a minute`() throws
    {
        #expect(
            try lines(.human) == [
                "[Mar14 19:55] submit urgency=16 userid=5588 flags=0",
                "[Mar14 19:59] urgency",
                #"[  +0.012345] exception type="cancel" note="a \"b\"\u001b[31m""#,
            ])
        var formatter = JournalEventFormatter(time: .human, secondsFromUTC: { _ in 0 })
        let times = [100.0, 159.999999, 160, 150, 99.5]
        #expect(
            try times.map { try formatter.line(JournalEvent(timestamp: $0, seq: 1, name: "a")) }
                == [
                    "[Jan01 00:01] a", "[ +59.999999] a", "[Jan01 00:02] a", "[ -10.000000] a",
                    "[Jan01 00:01] a",
                ])
    }

    @Test func `offsets are from the first event`() throws {
        #expect(
            try lines(.offset).map { $0.prefix { $0 != " " } }
                == ["0.000000", "199.338291", "199.350636"])
    }

    @Test(arguments: [
        (0, "2019-03-14T19:55:48.073045Z"), (3600, "2019-03-14T20:55:48.073045+01:00"),
        (-12_600, "2019-03-14T16:25:48.073045-03:30"),
    ])
    func `ISO times have microseconds and the distance from UTC`(_ offset: Int, _ text: String)
        throws
    {
        #expect(
            try lines(.iso, secondsFromUTC: offset)[0]
                == text + " submit urgency=16 userid=5588 flags=0")
    }

    @Test func `times are cut to microseconds, not rounded`() throws {
        var formatter = JournalEventFormatter(time: .raw)
        for (time, text) in [
            (1.999_999_9, "1.999999"), (1_795_235_200.840_450, "1795235200.840450"),
            (1_795_235_200.999_999, "1795235200.999999"), (0, "0.000000"),
        ] {
            let line = try formatter.line(JournalEvent(timestamp: time, seq: 1, name: "a"))
            #expect(line == text + " a")
        }
    }

    @Test func `JSON is the line of the journal`() throws {
        let json = try lines(.human, form: .json, hasColour: true)
        for (line, event) in zip(json, sample) {
            #expect(Array((line + "\n").utf8) == (try event.line()))
        }
    }

    @Test func `colours enclose what they are for, and nothing else`() throws {
        #expect(
            try lines(.human, hasColour: true)[0]
                == "\u{1B}[1;32m[Mar14 19:55]\u{1B}[0m \u{1B}[33msubmit\u{1B}[0m "
                + "\u{1B}[34murgency\u{1B}[0m=16 \u{1B}[34muserid\u{1B}[0m=5588 "
                + "\u{1B}[34mflags\u{1B}[0m=0")
        var formatter = JournalEventFormatter(time: .raw, hasColour: true)
        let gone = JournalEvent(
            timestamp: 1, seq: 1, name: "worker-gone", context: [JournalField("cause", "exit 1")])
        #expect(try formatter.line(gone).contains("\u{1B}[1;31mworker-gone\u{1B}[0m"))
        let ended = JournalEvent(
            timestamp: 1, seq: 2, name: "worker-gone", context: [JournalField("cause", .null)])
        #expect(try formatter.line(ended).contains("\u{1B}[33mworker-gone\u{1B}[0m"))
    }

    @Test func `a key that is no plain word is written as JSON`() throws {
        var formatter = JournalEventFormatter(time: .raw)
        let event = JournalEvent(
            timestamp: 1, seq: 1, name: "a",
            context: [JournalField("a=b", 1), JournalField("\u{1B}[2J", 2), JournalField("", 3)])
        #expect(
            try formatter.line(event)
                == #"1.000000 a "a=b"=1 "\u001b[2J"=2 ""=3"#)
    }

    @Test(arguments: ["RAW", "", "seconds"])
    func `an unknown form or time is none`(_ word: String) {
        #expect(JournalEventFormatter.Time(rawValue: word) == nil)
        #expect(JournalEventFormatter.Form(rawValue: word) == nil)
    }

    @Test func `the text of an event has five decimals and its keys in order`() {
        #expect("\(sample[1])" == "1552593547.41134 urgency")
        let nested = JournalEvent(
            timestamp: 1, seq: 1, name: "a",
            context: [
                JournalField("b", ["z": 1, "y": [["d": 1, "c": 2]]]), JournalField("a", true),
            ])
        #expect("\(nested)" == #"1.00000 a {"a":true,"b":{"y":[{"c":2,"d":1}],"z":1}}"#)
    }
}
