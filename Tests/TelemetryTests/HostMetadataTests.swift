import Journal
import Telemetry
import Testing

@Suite struct HostMetadataTests {
    @Test(arguments: [
        (JournalValue.bool(true), MetricValue.bool(true)), (.int(1), .int(1)),
        (.double(1), .float(1)), (.string("x"), .string("x")), (.uint(7), .int(7)),
    ])
    func `P10: a value is taken by its exact class`(_ json: JournalValue, _ value: MetricValue)
        throws
    {
        #expect(try Meta(host: ["key": json])["key"] == value)
    }

    private static let others: [(JournalValue, String)] = [
        (.null, "null"), ([1], "list"), (["a": 1], "map"), (.uint(.max), "long"),
    ]

    @Test(arguments: others)
    func `P10: any other class is refused by key and class`(_ json: JournalValue, _ name: String) {
        let error = #expect(throws: RenderError.self) { try Meta(host: ["rack": json]) }
        #expect(error?.description == "host metadata: unsupported type: rack=\(name)")
    }

    @Test
    func `P11: a list of maps and a map are accepted, a later value of a key wins in its place`()
        throws
    {
        let list = try Meta(host: [["host": "a", "rack": 1], ["host": "b"], [:]])
        #expect(list == ["host": "b", "rack": 1])
        #expect(try Meta(host: ["host": "b", "rack": 1]) == list)
        let twice = JournalValue.object([
            JournalField("host", "a"), JournalField("rack", 1), JournalField("host", "b"),
        ])
        #expect(try Meta(host: twice) == list)
    }

    private static let shapes: [(JournalValue, String)] = [
        ("x", "meta=string"), (.null, "meta=null"), ([["a": 1], 5], "meta[1]=integer"),
        ([[1.5]], "meta[0]=list"),
    ]

    @Test(arguments: shapes)
    func `What is neither is refused`(_ json: JournalValue, _ what: String) {
        let error = #expect(throws: RenderError.self) { try Meta(host: json) }
        #expect(error?.description == "host metadata: unsupported type: \(what)")
    }
}
