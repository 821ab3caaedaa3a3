import Journal
import Synchronization
import Telemetry
import TestSupport
import Testing

/// Whether a processor lets an event of that name through, alone in a router.
private func passes(_ processor: some EventProcessor, _ name: String?) throws -> Bool {
    do {
        _ = try RoutingBackend(processors: [processor]).processEvent(event(name))
        return true
    } catch is EventEmissionExit {
        return false
    }
}

@Suite(.timeLimit(.minutes(1))) struct NameFilterTests {
    @Test(
        arguments: [
            (.allowlist, ["sentinel.name", "any"], true),
            (.allowlist, ["not_matching", "NOT_MATCHING"], false), (.allowlist, [""], true),
            (.allowlist, [], false), (.blocklist, ["sentinel.name", "any"], false),
            (.blocklist, ["not_matching", "NOT_MATCHING"], true), (.blocklist, [""], false),
            (.blocklist, [], true),
        ] as [(RegexFilter.FilterType, [String], Bool)])
    func `Expressions allow or block the name sentinel.name`(
        type: RegexFilter.FilterType, expressions: [String], isPassed: Bool
    ) throws {
        let filter = try RegexFilter(type, expressions: expressions)
        #expect(try passes(filter, "sentinel.name") == isPassed)
        // The second time from memory.
        #expect(try passes(filter, "sentinel.name") == isPassed)
    }

    @Test(arguments: [
        ("frame", "frame.done", true), ("frame", "the.frame", false),
        ("frame$", "frame.done", false),
        ("frame\\.", "frames", false), ("(?i)FRAME", "frame.done", true),
        ("a|b", "bc", true), ("^x", "x", true), ("\\d+", "12x", true),
        (".e\u{301}", "xe\u{301}", true),
        ("(?P<first>[a-z]+)\\.", "worker.gone", true),
    ])
    func `An expression fits the beginning of a name, as in Python`(
        expression: String, name: String, isPassed: Bool
    ) throws {
        #expect(try passes(RegexFilter(expressions: [expression]), name) == isPassed)
    }

    @Test(arguments: ["***", "(", "[a", "a{2,1}", "(?P<n>a)(?P<n>b)"])
    func `A bad expression is refused`(expression: String) {
        #expect {
            try RegexFilter(expressions: ["fine", expression])
        } throws: { error in
            guard case .invalidExpression(expression, _) = error as? RoutingError else {
                return false
            }
            return true
        }
    }

    @Test func `Deep, long and many expressions are refused or read, and take no stack down`()
        throws
    {
        func nested(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "a" + String(repeating: ")", count: depth)
        }
        #expect(try passes(RegexFilter(expressions: [nested(20)]), "a"))
        #expect(throws: RoutingError.self) { try RegexFilter(expressions: [nested(250)]) }
        #expect(throws: RoutingError.self) {
            try RegexFilter(expressions: [String(repeating: "a", count: 513)])
        }
        #expect(throws: RoutingError.self) {
            try RegexFilter(expressions: (0..<257).map(String.init))
        }
    }

    @Test(arguments: RegexFilter.FilterType.allCases)
    func `A nameless event makes a filter fail, and is dropped unless it may pass`(
        type: RegexFilter.FilterType
    ) throws {
        #expect(try !passes(RegexFilter(type, expressions: [""]), nil))
        #expect(try !passes(RegexFilter(type, expressions: []), nil))
        #expect(try passes(RegexFilter(type, expressions: ["x"], onError: .pass), nil))
        #expect(try !passes(NameWhitelistProcessor(whitelist: ["a"]), nil))
        #expect(try passes(NameWhitelistProcessor(whitelist: ["a"], onError: .pass), nil))
    }

    @Test func `More names than are remembered are judged right`() throws {
        let filter = try RegexFilter(expressions: ["[0-9]*5$"])
        let router = try RoutingBackend(processors: [filter])
        for _ in 0..<2 {
            for number in 0..<1500 { router.send(event("\(number)")) }
        }
        #expect(router.statistics.dropped == 2700)
        #expect(try passes(filter, String(repeating: "1", count: 300) + "5"))
    }

    @Test func `A list lets through the names on it, exactly`() throws {
        let two = NameWhitelistProcessor(whitelist: ["allowed", "another"])
        #expect(try passes(two, "allowed") && passes(two, "another"))
        #expect(try !passes(two, "not allowed") && !passes(two, "allowed.more"))
        #expect(try !passes(NameWhitelistProcessor(whitelist: []), "allowed"))
        let set = NameWhitelistProcessor(whitelist: Set(["allowed"]))
        let map = NameWhitelistProcessor(whitelist: ["allowed": 1].keys)
        #expect(try passes(set, "allowed") && !passes(set, "not allowed"))
        #expect(try passes(map, "allowed") && !passes(map, "not allowed"))
    }

    @Test func `A list of events is filtered one by one, and goes on when nothing is left`() throws
    {
        let filter = NameWhitelistProcessor(whitelist: ["a", "b"])
        let router = try RoutingBackend(processors: [filter])
        let list: JournalValue = [
            ["name": "a", "x": 1], ["name": "c"], ["name": 7], ["name": "b"],
        ]
        let left = try router.processEvent(event(nil, list))
        #expect(left.data == [["name": "a", "x": 1], ["name": "b"]])
        #expect(try router.processEvent(event(nil, [["name": "c"]])).data == [])
        #expect(throws: EventEmissionExit.self) {
            try router.processEvent(event(nil, [["name": "a"], ["title": "b"]]))
        }
        #expect(throws: EventEmissionExit.self) { try router.processEvent(event(nil, ["a"])) }
    }

    @Test(arguments: [
        ("frame.*", "frame.", true), ("frame.*", "frame.failed", true), ("frame.*", "frame", false),
        ("frame.*", "frames.x", false), ("frame.*", "my.frame.x", false), ("*", "", true),
        ("*.gone", "worker.3.gone", true), ("*.gone", "worker.gone.not", false),
        ("a*b*c", "aXbYbZc", true), ("a*b*c", "aXbYbZ", false), ("a?c", "abc", true),
        ("a?c", "ac", false), ("w[0-3]", "w2", true), ("w[0-3]", "w4", false),
        ("w[!0-3]", "w4", true), ("w[!0-3]", "w0", false), ("[]]", "]", true), ("[a-]", "-", true),
        ("[", "[", true), ("[a", "[a", true), ("a.c", "abc", false), ("A", "a", false),
        ("worker.*", "worker-gone", true), ("worker-*", "worker.gone", false),
        ("?", "\u{E9}", true), ("**x", "x", true), ("[z-a]", "b", false),
    ])
    func `Patterns fit names as a shell fits them`(
        pattern: String, name: String, isFit: Bool
    ) throws {
        let pattern = try NamePattern(pattern)
        #expect(pattern.matches(name) == isFit)
        #expect(try passes(DropProcessor(names: [pattern]), name) == !isFit)
    }

    @Test func `A pattern of many stars takes no time without end`() throws {
        let pattern = try NamePattern(String(repeating: "a*", count: 500) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 20_000)))
        #expect(throws: RoutingError.self) { try NamePattern("") }
        #expect(throws: RoutingError.self) { try NamePattern(String(repeating: "a", count: 1025)) }
    }

    @Test func `What has no name fits no pattern and is kept`() throws {
        #expect(try passes(DropProcessor(names: [try NamePattern("*")]), nil))
    }
}

@Suite(.timeLimit(.minutes(1))) struct EventChangerTests {
    private func name(_ rules: [(from: String, to: String)], _ name: String?) throws -> String? {
        try RoutingBackend(processors: [try RenameProcessor(rules)]).processEvent(event(name)).name
    }

    @Test(arguments: [
        ("frame.failed", "frame.error"), ("frame.done", "image.done"), ("frame.", "image."),
        ("worker.3.gone", "worker"), ("frame", "frame"), ("other", "other"),
    ])
    func `Names are changed by the first rule that fits`(old: String, new: String) throws {
        let rules = [
            ("frame.failed", "frame.error"), ("frame.*", "image.*"), ("frame.done", "never"),
            ("worker.*", "worker"),
        ]
        #expect(try name(rules, old) == new)
    }

    @Test func `Exact names only, and no name at all`() throws {
        #expect(try name([("a", "b"), ("b", "c")], "a") == "b")
        #expect(try name([("a", "b")], "c") == "c")
        #expect(try name([("a", "b")], nil) == nil)
        #expect(try name([("*", "b")], nil) == nil)
    }

    @Test(arguments: [
        [("a", "")], [("", "b")], [("a*b", "c")], [("a", "b*")], [("a*", "b*c")],
        [("a", "b"), ("a", "c")],
    ])
    func `Rules that make no sense are refused`(rules: [(String, String)]) {
        #expect(throws: RoutingError.self) { try RenameProcessor(rules.map { ($0.0, $0.1) }) }
    }

    @Test func `Fields are added to the context, and replace what is there in its place`() throws {
        let processor = EnrichProcessor([
            .init("beamline", "13-IDD"), .init("run", ["number": 4]),
        ])
        var given = event()
        given.context = [.init("run", 3), .init("host", "a")]
        let made = try RoutingBackend(processors: [processor]).processEvent(given)
        #expect(
            made.context == [
                .init("run", ["number": 4]), .init("host", "a"), .init("beamline", "13-IDD"),
            ])
    }

    @Test func `A field is set and removed in an object, and in nothing else`() throws {
        var value: JournalValue = ["a": 1, "b": 2]
        try value.set("a", 3)
        try value.set("c", 4)
        try value.set("b", nil)
        #expect(value == ["a": 3, "c": 4])
        var text: JournalValue = "text"
        #expect(throws: RoutingError.notAnObject(key: "a")) { try text.set("a", 1) }
        #expect(text == "text")
    }
}

@Suite(.timeLimit(.minutes(1))) struct EventThinningTests {
    private func kept(_ processor: some EventProcessor, of count: Int) throws -> [Int] {
        let backend = InMemoryBackend(limit: 100_000)
        let router = try RoutingBackend(backends: ["0": backend], processors: [processor])
        for number in 0..<count { router.send(event("\(number)")) }
        return backend.events.compactMap { $0.name.flatMap(Int.init) }
    }

    @Test func `One of three is kept, the first and each third after it`() throws {
        #expect(try kept(SampleProcessor(every: 3), of: 10) == [0, 3, 6, 9])
        #expect(try kept(SampleProcessor(every: 1), of: 3) == [0, 1, 2])
        #expect(try kept(SampleProcessor(every: 1, seed: 1), of: 3) == [0, 1, 2])
        for every in [0, -1] {
            #expect(throws: RoutingError.self) { try SampleProcessor(every: every) }
        }
    }

    @Test func `With a seed the choice is random, the same each time, and one of ten on average`()
        throws
    {
        let once = try kept(SampleProcessor(every: 10, seed: 42), of: 20_000)
        #expect(once == (try kept(SampleProcessor(every: 10, seed: 42), of: 20_000)))
        #expect(once != (try kept(SampleProcessor(every: 10, seed: 43), of: 20_000)))
        // 2000 expected, with a standard deviation of 42.
        #expect((1800...2200).contains(once.count))
        // The numbers are those of the generator of the tests.
        var numbers = SeededNumbers(seed: 42)
        let chosen = (0..<20_000).filter { _ in
            numbers.next().multipliedFullWidth(by: 10).high == 0
        }
        #expect(once == chosen)
    }

    @Test func `A bucket lets a burst through, then as many as come in time`() throws {
        let now = Mutex<Duration>(.seconds(1000))
        let limit = try RateLimitProcessor(perSecond: 2, burst: 3, now: { now.withLock { $0 } })
        let router = try RoutingBackend(processors: [limit])
        func passing(_ count: Int, after: Duration) -> Int {
            now.withLock { $0 += after }
            let before = router.statistics.dropped
            for _ in 0..<count { router.send(event()) }
            return count - Int(router.statistics.dropped - before)
        }
        #expect(passing(5, after: .zero) == 3)
        #expect(passing(5, after: .milliseconds(400)) == 0)
        #expect(passing(5, after: .milliseconds(100)) == 1)
        #expect(passing(5, after: .seconds(1)) == 2)
        // Not more than a burst, however long nothing came.
        #expect(passing(9, after: .seconds(3600)) == 3)
        // A clock that goes back gives nothing, and is no reason to wait until it has caught up.
        #expect(passing(9, after: .seconds(-100)) == 0)
        #expect(passing(9, after: .seconds(1)) == 2)
    }

    @Test func `A rate of less than one a second has a burst of one, by itself`() throws {
        let now = Mutex<Duration>(.zero)
        let limit = try RateLimitProcessor(perSecond: 0.1, now: { now.withLock { $0 } })
        let router = try RoutingBackend(processors: [limit])
        for _ in 0..<100 {
            router.send(event())
            now.withLock { $0 += .seconds(1) }
        }
        #expect(router.statistics.dropped == 90)
        for rate in [0, -1, .nan, .infinity, 1e10] {
            #expect(throws: RoutingError.self) { try RateLimitProcessor(perSecond: rate) }
        }
        #expect(throws: RoutingError.self) { try RateLimitProcessor(perSecond: 1, burst: 0) }
        // The clock of the system goes on.
        let own = try RoutingBackend(processors: [try RateLimitProcessor(perSecond: 1e9)])
        for _ in 0..<10 { own.send(event()) }
        #expect(own.statistics.dropped == 0)
    }
}
