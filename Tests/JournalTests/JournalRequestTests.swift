import Journal
import Testing

struct JournalRequestTests {
    private let cycle = [
        "submit", "depend", "alloc", "start", "finish", "release", "free", "clean",
    ]

    private func names(_ payload: JournalValue) throws -> [String] {
        let journal = InMemoryJournal(now: { 5 })
        for name in cycle { try journal.record(name) }
        journal.close()
        let stream = try journal.open(payload)
        var names: [String] = []
        while let response = try stream.next() { names += response.events.map(\.name) }
        return names
    }

    @Test func `names are let in, then some of them are kept out`() throws {
        #expect(try names([:]) == cycle)
        #expect(try names(["full": true]) == cycle)
        #expect(try names(["full": false]) == [])
        #expect(try names(["full": true, "names": ["alloc"]]) == ["alloc"])
        #expect(try names(["names": ["start", "finish"]]) == ["start", "finish"])
        #expect(try names(["except": ["submit"]]) == Array(cycle.dropFirst()))
        #expect(try names(["except": ["submit", "clean"]]) == Array(cycle[1..<7]))
        #expect(try names(["names": ["f*"], "except": ["free"]]) == ["finish"])
        #expect(try names(["full": false, "seq": 6]) == ["free", "clean"])
        #expect(try names(["since": 4.9]) == cycle)
        #expect(try names(["since": 5]) == [])
        #expect(try names(["later": "versions add keys"]) == cycle)
    }

    @Test(
        arguments: [
            nil, 5, [], ["full": 1], ["names": 5], ["except": 5], ["names": [5]],
            ["names": ["A b"]],
            ["seq": -1], ["seq": "x"], ["since": "x"], ["except": [""]],
            ["names": .array(Array(repeating: "a", count: 65))],
        ] as [JournalValue])
    func `a payload of another form is refused with a reason`(_ payload: JournalValue) throws {
        let error = #expect(throws: JournalConsumerError.self) {
            try JournalRequest(payload: payload)
        }
        guard case .badRequest(let reason)? = error else {
            Issue.record("not a refusal of the request")
            return
        }
        #expect(!reason.isEmpty)
        #expect(throws: JournalConsumerError.self) { try names(payload) }
    }

    @Test func `a request is read back from its payload`() throws {
        let patterns = ["worker.*", "frame-?ailed"].compactMap(EventNamePattern.init)
        for request in [
            JournalRequest(), JournalRequest(full: false, seq: .max, since: 12.25, names: patterns),
            JournalRequest(seq: 0, except: patterns),
        ] {
            #expect(try JournalRequest(payload: request.payload) == request)
        }
    }

    @Test(arguments: [
        ("worker.*", "worker-gone", true), ("worker.*", "worker", false),
        ("worker-*", "worker-gone", true), ("worker*", "worker", true), ("*", "a", true),
        ("run-finish", "run-finish", true), ("run-finish", "run-finished", false),
        ("*-gone", "worker-gone", true), ("*-*-*", "worker-gone", false),
        ("?un-*t", "run-start", true),
        ("frame?-dropped", "frames-dropped", true), ("frame?-dropped", "frame-dropped", false),
        ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false), ("**", "x", true),
    ])
    func `patterns mean what file names' patterns mean, and a point is a hyphen`(
        _ pattern: String, _ name: String, _ matches: Bool
    ) throws {
        #expect(try #require(EventNamePattern(pattern)).matches(name) == matches)
    }

    @Test func `other characters are no pattern`() {
        for text in ["", "Worker", "a b", "[a-c]", "a/b", String(repeating: "a", count: 129)] {
            #expect(EventNamePattern(text) == nil)
        }
        #expect(EventNamePattern("a*")?.isGeneral == true)
        #expect(EventNamePattern("a.b")?.isGeneral == false)
    }
}
