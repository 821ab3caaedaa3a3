import Journal
import TestSupport
import Testing

struct SecondReaderTests {
    @Test(.enabled(if: Python.isThere, Python.hint), .timeLimit(.minutes(1)))
    func `Python's json reads the same values, whatever the text`() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal.jsonl")
        let journal = try JournalWriter(path: path) { 1_795_230_000.000_127 }
        let text = String(String.UnicodeScalarView((0...0x2FF).compactMap(Unicode.Scalar.init)))
        try journal.record(
            "run-define",
            [
                "text": .string(text + "検出器🔬"), "large": .uint(.max), "small": .int(.min),
                "tenth": 0.1, "tiny": .double(.leastNonzeroMagnitude), "nothing": nil, "flag": true,
                "nan": .double(.nan), "list": [1, ["deep": [:]]],
            ])
        try journal.close()
        let check = """
            import json, sys
            data = open(sys.argv[1], "rb").read()
            assert data.count(b"\\n") == 1 and data.endswith(b"\\n")
            event = json.loads(data)
            context = event.pop("context")
            assert event == {"timestamp": 1795230000.000127, "seq": 1, "name": "run-define"}, event
            assert context.pop("text") == "".join(map(chr, range(0x300))) + "検出器🔬"
            assert context == {"large": 2**64 - 1, "small": -2**63, "tenth": 0.1, "tiny": 5e-324,
                "nothing": None, "flag": True, "nan": "NaN", "list": [1, {"deep": {}}]}, context
            """
        #expect(try Python.run(check, path) == "")
    }
}
