import Journal
import Telemetry
import Testing

/// Routers and processors as the pipeline file describes them.
@Suite(.timeLimit(.minutes(1))) struct RouteConfigurationTests {
    private let log = InMemoryBackend()
    private let pager = InMemoryBackend()

    private func router(
        _ json: String, _ registry: EventProcessorRegistry = .standard
    ) throws -> RoutingBackend {
        let value = try #require(JournalValue(json: json), "the test's own JSON")
        return try RoutingBackend(
            from: value, backends: ["log": log, "pager": pager], processors: registry)
    }

    @Test func `The example of the pipeline file drops, enriches and sends to all backends`() throws
    {
        let router = try router(
            #"{"processors":[{"drop":{"name":"frame.*"}},{"enrich":{"beamline":"13-IDD"}}]}"#)
        router.send(event("frame.done"))
        router.send(event("worker.gone"))
        var expected = event("worker.gone")
        expected.context = [.init("beamline", "13-IDD")]
        #expect(log.events == [expected] && pager.events == [expected])
        #expect(router.backendNames == ["log", "pager"])
        #expect(router.name == "route")
    }

    @Test func `Nothing at all sends all to all`() throws {
        let router = try router("{}")
        router.send(event())
        #expect(log.events == [event()] && pager.events == [event()])
        #expect(router.processors.isEmpty)
    }

    @Test func `Routes nest, with processors and backends of their own`() throws {
        let router = try router(
            """
            {"backends":["log"],"unmatched":"pager","dropped":{"pager":{"queue":10}},
             "processors":[{"sample":{"every":1}}],
             "routes":{
               "alarms":{"processors":[{"allow":{"names":["exception"]}}],"backends":["pager"],
                 "queue":100,"whenFull":"block"},
               "deep":{"routes":{"deeper":{"backends":[{"log":{"queue":5,"whenFull":"drop-newest"}}],
                 "processors":[{"rename":{"exception":"alarm"}},{"regex":{"expressions":["alarm"]}}]}}}
             }}
            """)
        #expect(router.backendNames == ["alarms", "deep", "log"])
        let deep = try #require(router.backend(named: "deep") as? RoutingBackend)
        #expect(deep.name == "route.routes.deep" && deep.backendNames == ["deeper"])
        let deeper = try #require(deep.backend(named: "deeper") as? RoutingBackend)
        #expect(deeper.processors.map(\.name) == ["RenameProcessor", "RegexFilter"])
        router.send(event("exception"))
        #expect(router.flush(within: .seconds(50)))
        #expect(pager.events == [event("exception")])
        #expect(Set(log.events.compactMap(\.name)) == ["exception", "alarm"])
    }

    @Test func `A route without backends of its own means all of them`() throws {
        let router = try router(
            #"{"routes":{"a":{"processors":[{"allow":{"names":{"x":1,"y":2}}}]}}}"#)
        router.send(event("x"))
        router.send(event("z"))
        #expect(log.events == [event("x")] && pager.events == [event("x")])
        #expect(router.statistics.unmatched == 1)
    }

    @Test(arguments: [
        #"{"regex":{"expressions":["a"]}}"#,
        #"{"regex":{"type":"blocklist","expressions":[],"onError":"pass"}}"#,
        #"{"allow":{"names":[]}}"#, #"{"allow":{"names":["a"],"onError":"pass"}}"#,
        #"{"drop":{"name":"a*"}}"#, #"{"drop":{"name":["a*","b?"]}}"#, #"{"rename":{"a.*":"b.*"}}"#,
        #"{"enrich":{"a":[1,{"b":null}]}}"#, #"{"sample":{"every":3,"seed":-4}}"#,
        #"{"rateLimit":{"perSecond":0.5}}"#, #"{"rateLimit":{"perSecond":10,"burst":3}}"#,
    ])
    func `Each kind of processor is made from its options`(json: String) throws {
        let router = try router("{\"processors\":[\(json)]}")
        #expect(router.processors.count == 1)
        router.send(event("a"))
        #expect(router.statistics.processors[0].failed == 0)
    }

    @Test func `A program adds kinds of its own, with options or without`() throws {
        var registry = EventProcessorRegistry.standard
        try registry.register("stamp") { value, place throws(RoutingError) in
            let options = try RouteOptions(value, at: place, known: ["with"])
            let stamp = try options.string("with") ?? "plain"
            return ClosureProcessor("stamp", change: { try $0.data.set("stamp", .string(stamp)) })
        }
        let router = try router(#"{"processors":["stamp",{"stamp":{"with":"b"}}]}"#, registry)
        #expect(router.processors.map(\.name) == ["stamp", "stamp"])
        router.send(event())
        #expect(log.events == [event("sample", ["stamp": "b"])])
        #expect(registry.kinds.contains("stamp") && registry.kinds.contains("rateLimit"))
        #expect(throws: RoutingError.self) {
            try registry.register("drop") { _, _ in CountingProcessor() }
        }
        #expect(throws: RoutingError.emptyName("kind of processor")) {
            try registry.register("") { _, _ in CountingProcessor() }
        }
    }

    /// The configuration, where it is wrong, and a word of what is said.
    @Test(arguments: [
        (#"[]"#, "route", "is a list"), (#""text""#, "route", "is the text"),
        (#"{"procesors":[]}"#, "route", "unknown key procesors"),
        (#"{"queue":4}"#, "route", "unknown key queue"),
        (#"{"processors":{}}"#, "route.processors", "a list is wanted"),
        (#"{"processors":[1]}"#, "route.processors[0]", "is the number 1"),
        (#"{"processors":[{}]}"#, "route.processors[0]", "names 0 kinds"),
        (#"{"processors":[{"":{}}]}"#, "route.processors[0]", "empty key"),
        (#"{"processors":["b"]}"#, "route.processors[0]", "no kind of processor"),
        (#"{"processors":[{"BarBackend":{}}]}"#, "route.processors[0]", "known are allow, drop"),
        (
            #"{"processors":[{"drop":{"name":"a"},"sample":{"every":1}}]}"#, "route.processors[0]",
            "names 2"
        ),
        (#"{"processors":["sample",{"drop":{}}]}"#, "route.processors[0].sample", "has no every"),
        (#"{"processors":[{"drop":{"nam":"a"}}]}"#, "route.processors[0].drop", "known are name"),
        (
            #"{"processors":[{"drop":{"name":3}}]}"#, "route.processors[0].drop.name",
            "a text is wanted"
        ),
        (
            #"{"processors":[{"drop":{"name":["a",1]}}]}"#, "route.processors[0].drop.name[1]",
            "a text"
        ),
        (#"{"processors":[{"drop":{"name":""}}]}"#, "route.processors[0].drop", "has 0 bytes"),
        (#"{"processors":[{"regex":{}}]}"#, "route.processors[0].regex", "has no expressions"),
        (
            #"{"processors":[{"regex":{"expressions":["***"]}}]}"#, "route.processors[0].regex",
            "\"***\""
        ),
        (
            #"{"processors":[{"regex":{"expressions":[],"type":"INVALID_TYPE"}}]}"#,
            "route.processors[0].regex.type", "allowlist, blocklist"
        ),
        (#"{"processors":[{"allow":{}}]}"#, "route.processors[0].allow", "has no names"),
        (
            #"{"processors":[{"allow":{"names":10}}]}"#, "route.processors[0].allow.names",
            "allowed names"
        ),
        (
            #"{"processors":[{"allow":{"names":"foobar"}}]}"#, "route.processors[0].allow.names",
            "allowed"
        ),
        (
            #"{"processors":[{"allow":{"names":null}}]}"#, "route.processors[0].allow.names",
            "is empty"
        ),
        (
            #"{"processors":[{"allow":{"names":[1]}}]}"#, "route.processors[0].allow.names[0]",
            "a text"
        ),
        (
            #"{"processors":[{"allow":{"names":[],"onError":"ignore"}}]}"#,
            "route.processors[0].allow.onError", "pass, drop"
        ),
        (#"{"processors":[{"rename":{"a":1}}]}"#, "route.processors[0].rename.a", "the new name"),
        (
            #"{"processors":[{"rename":{"a*b":"c"}}]}"#, "route.processors[0].rename",
            "cannot make c"
        ),
        (#"{"processors":[{"rename":["a"]}]}"#, "route.processors[0].rename", "is a list"),
        (
            #"{"processors":[{"enrich":{"a":1,"a":2}}]}"#, "route.processors[0].enrich",
            "key a twice"
        ),
        (#"{"processors":[{"enrich":"a"}]}"#, "route.processors[0].enrich", "is the text"),
        (#"{"processors":[{"sample":{"every":0}}]}"#, "route.processors[0].sample", "every 0"),
        (
            #"{"processors":[{"sample":{"every":1.5}}]}"#, "route.processors[0].sample.every",
            "a whole"
        ),
        (
            #"{"processors":[{"rateLimit":{"perSecond":"1"}}]}"#,
            "route.processors[0].rateLimit.perSecond", ""
        ),
        (
            #"{"processors":[{"rateLimit":{"perSecond":0}}]}"#, "route.processors[0].rateLimit",
            "perSecond 0"
        ),
        (#"{"backends":"log"}"#, "route.backends", "a list is wanted"),
        (#"{"backends":["b"]}"#, "route.backends[0]", "there are log, pager"),
        (#"{"backends":[{"b":{}}]}"#, "route.backends[0]", "there are log, pager"),
        (#"{"backends":[{}]}"#, "route.backends[0]", "names 0 backends"),
        (#"{"backends":["log","log"]}"#, "route.backends[1]", "a second time"),
        (#"{"backends":[{"log":{"queue":0}}]}"#, "route.backends[0].log", "queueLimit is 0"),
        (
            #"{"backends":[{"log":{"queue":1,"whenFull":"explode"}}]}"#,
            "route.backends[0].log.whenFull", "block"
        ),
        (
            #"{"backends":[{"log":{"whenFull":"block"}}]}"#, "route.backends[0].log",
            "without a queue"
        ),
        (#"{"unmatched":"b"}"#, "route.unmatched", "there are"),
        (#"{"dropped":1}"#, "route.dropped", "number"),
        (#"{"routes":[]}"#, "route.routes", "is a list"),
        (#"{"routes":{"a":1}}"#, "route.routes.a", "is the number 1"),
        (#"{"routes":{"a":{},"a":{}}}"#, "route.routes", "key a twice"),
        (#"{"routes":{"":{}}}"#, "route.routes", "an empty key"),
        (#"{"backends":["log"],"routes":{"log":{}}}"#, "route.routes.log", "name of a backend"),
        (#"{"routes":{"a":{"routes":{"b":{"x":1}}}}}"#, "route.routes.a.routes.b", "unknown key x"),
    ])
    func `What is wrong is said with its place`(json: String, place: String, words: String) throws {
        do {
            _ = try router(json)
            Issue.record("\(json) was taken")
        } catch let error as RoutingError {
            guard case .configuration(let found, _, let advice) = error else {
                Issue.record("\(error) has no place")
                return
            }
            #expect(found == place)
            #expect(error.description.contains(words), "\(error)")
            #expect(!advice.isEmpty)
        }
    }

    @Test func `A tree without end is refused`() throws {
        var tree: JournalValue = [:]
        for _ in 1..<RoutingBackend.maximumDepth { tree = ["routes": ["a": tree]] }
        _ = try RoutingBackend(from: tree, backends: [:])
        #expect(throws: RoutingError.self) {
            try RoutingBackend(from: ["routes": ["a": tree]], backends: [:])
        }
    }

    @Test func `Too many processors are refused with their place`() {
        let many = Array(repeating: #"{"enrich":{}}"#, count: 257).joined(separator: ",")
        #expect(throws: RoutingError.self) { try router("{\"processors\":[\(many)]}") }
    }
}
