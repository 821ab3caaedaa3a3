import Journal
import Logging
import Synchronization
import Telemetry
import Testing

/// What `RoutingBackend` of event-tracking promises, with the same inputs.
@Suite(.timeLimit(.minutes(1))) struct RoutingBackendTests {
    private let backend = InMemoryBackend()
    private let router: RoutingBackend

    init() throws { router = try RoutingBackend(backends: ["0": backend]) }

    @Test func `One processor is called once with the event`() throws {
        let processor = CountingProcessor()
        try RoutingBackend(processors: [processor]).send(event())
        #expect(processor.events == [event()])
    }

    @Test func `One backend gets the event once`() {
        router.send(event())
        #expect(backend.events == [event()])
    }

    @Test func `Each of five backends gets the event once`() throws {
        let backends = (0..<5).map { _ in InMemoryBackend() }
        try RoutingBackend(backends: named(backends)).send(event())
        #expect(backends.allSatisfy { $0.events == [event()] })
    }

    private func named(_ backends: [any EventBackend]) -> [String: any EventBackend] {
        Dictionary(uniqueKeysWithValues: backends.enumerated().map { ("\($0)", $1) })
    }

    @Test func `All five backends are called when the second of them fails`() throws {
        let log = LogRecorder()
        let failing = FailingBackend()
        let others = (0..<4).map { _ in InMemoryBackend() }
        let backends: [any EventBackend] = [others[0], failing, others[1], others[2], others[3]]
        let router = try RoutingBackend(backends: named(backends), logger: log.logger())
        router.send(event())
        #expect(others.allSatisfy { $0.events == [event()] })
        #expect(failing.events == [event()])
        #expect(router.statistics.backends.map(\.failed) == [0, 1, 0, 0, 0])
        #expect(router.statistics.backends.map(\.delivered) == [1, 0, 1, 1, 1])
        #expect(log.lines.map(\.level) == [.error])
        #expect(log.lines.first?.metadata["backend"] == "1")
        #expect(log.lines.first?.metadata["event"] == "sample")
    }

    @Test func `Five processors are called once each, and five backends after them`() throws {
        let processors = (0..<5).map { _ in CountingProcessor() }
        try RoutingBackend(processors: processors).send(event())
        #expect(processors.allSatisfy { $0.events == [event()] })

        let backends = (0..<5).map { _ in InMemoryBackend() }
        try RoutingBackend(backends: named(backends), processors: processors).send(event())
        #expect(processors.allSatisfy { $0.events == [event(), event()] })
        #expect(backends.allSatisfy { $0.events == [event()] })
    }

    @Test func `A processor that is a type of its own changes the name in place`() throws {
        struct ChangeName: EventProcessor {
            func process(_ event: inout TelemetryEvent) -> Disposition {
                event.name = "changed"
                return .keep
            }
        }
        try router.register(ChangeName())
        router.send(event())
        #expect(backend.events == [event("changed")])
    }

    @Test func `A closure as a processor returns a changed event`() throws {
        try router.register(
            ClosureProcessor(process: { event in
                var other = event
                other.name = "changed"
                return .replace(other)
            }))
        router.send(event())
        #expect(backend.events == [event("changed")])
    }

    @Test func `A chain changes the name, adds two fields, removes one and looks`() throws {
        let seen = InMemoryBackend()
        try router.register(ClosureProcessor(change: { $0.name = "changed" }))
        try router.register(
            ClosureProcessor(change: { event in
                try event.data.set("other", "other")
                try event.data.set("toRemove", 1)
            }))
        try router.register(
            ClosureProcessor(change: { event in
                seen.send(event)
                try event.data.set("toRemove", nil)
            }))
        try router.register(ClosureProcessor(change: { seen.send($0) }))
        router.send(event())
        #expect(backend.events == [event("changed", ["other": "other"])])
        let both: JournalValue = ["other": "other", "toRemove": 1]
        #expect(seen.events == [event("changed", both), event("changed", ["other": "other"])])
    }

    @Test func `A processor that fails holds nothing up`() throws {
        let log = LogRecorder()
        let router = try RoutingBackend(
            backends: ["0": backend],
            processors: [
                ClosureProcessor("always fails", change: { _ in throw Trouble() }),
                ClosureProcessor(change: { $0.name = "changed" }),
            ], logger: log.logger())
        router.send(event())
        #expect(backend.events == [event("changed")])
        #expect(router.statistics.processors.map(\.failed) == [1, 0])
        #expect(log.lines.map(\.message) == ["Failed to execute processor"])
        #expect(log.lines.first?.metadata["processor"] == "always fails")
    }

    @Test func `A processor that returns nothing keeps the event`() throws {
        try router.register(ClosureProcessor(change: { _ in }))
        router.send(event())
        #expect(backend.events == [event()])
    }

    @Test func `A change that is not returned is seen by what comes after`() throws {
        let seen = CountingProcessor()
        try router.register(ClosureProcessor(change: { $0.name = "forgotten" }))
        try router.register(seen)
        router.send(event())
        #expect(seen.events == [event("forgotten")])
        #expect(backend.events == [event("forgotten")])
    }

    @Test(arguments: [true, false])
    func `An exit ends the branch quietly: no later processor, no backend`(
        throwing: Bool
    ) throws {
        let log = LogRecorder()
        let later = CountingProcessor()
        let router = try RoutingBackend(
            backends: ["0": backend],
            processors: [
                ClosureProcessor(process: { _ in
                    if throwing { throw EventEmissionExit(reason: "enough") }
                    return .drop(reason: "enough")
                }), later,
            ], logger: log.logger())
        router.send(event())
        #expect(later.events.isEmpty && backend.events.isEmpty && log.lines.isEmpty)
        #expect(router.statistics.dropped == 1)
        #expect(router.statistics.processors.map(\.dropped) == [1, 0])
        #expect(throws: EventEmissionExit(reason: "enough")) {
            try router.processEvent(event())
        }
    }

    @Test func `An exit in the left branch does not concern the right one`() throws {
        let (left, right) = (InMemoryBackend(), InMemoryBackend())
        let calls = Atomic(0)
        let abort = ClosureProcessor(change: { _ in
            calls.wrappingAdd(1, ordering: .relaxed)
            throw EventEmissionExit()
        })
        let root = try RoutingBackend(backends: [
            "left": try RoutingBackend(backends: ["0": left], processors: [abort]),
            "right": try RoutingBackend(backends: ["0": right]),
        ])
        root.send(event())
        #expect(right.events == [event()])
        #expect(left.events.isEmpty && calls.load(ordering: .relaxed) == 1)
        #expect(root.statistics.backends.map(\.dropped) == [1, 0])
        #expect(root.statistics.backends.map(\.delivered) == [0, 1])
    }

    @Test(arguments: [
        (["0", "1", "2", "3", "4"], ["0", "1", "2", "3", "4"]),
        (["a", "B", "2", "10"], ["10", "2", "B", "a"]),
        (["\u{E9}", "e\u{302}", "z"], ["e\u{302}", "z", "\u{E9}"]),
    ])
    func `Backends are called in ascending order of their names by code point`(
        names: [String], order: [String]
    ) throws {
        let calls = Mutex<[String]>([])
        let backends = names.map { name in
            (name, ClosureBackend { _ in calls.withLock { $0.append(name) } } as any EventBackend)
        }
        let router = try RoutingBackend(backends: Dictionary(uniqueKeysWithValues: backends))
        router.send(event())
        #expect(calls.withLock { $0 } == order)
        #expect(router.backendNames == order)
    }

    @Test func `A name that is used again keeps its place and counters, later ones follow`() throws
    {
        let router = try RoutingBackend(backends: ["b": FailingBackend(), "a": InMemoryBackend()])
        router.send(event())
        try router.register(InMemoryBackend(), named: "z")
        try router.register(InMemoryBackend(), named: "c")
        try router.register(backend, named: "b")
        router.send(event("second"))
        #expect(router.backendNames == ["a", "b", "z", "c"])
        #expect(backend.events == [event("second")])
        #expect(router.statistics.backends[1].failed == 1)
        #expect(router.statistics.backends[1].delivered == 1)
    }

    @Test func `The event of the sender stays as it is, whatever processors do`() throws {
        let mine = event("mine", ["nested": ["list": [1, 2]]])
        var same = mine
        same.name = "mine"
        try router.register(ClosureProcessor(change: { $0.data = .null }))
        router.send(mine)
        #expect(mine == same && backend.events == [event("mine", .null)])
    }

    @Test func `Without processors the event that comes out is the one that went in`() throws {
        let mine = event("mine", ["a": 1])
        #expect(try router.processEvent(mine) == mine)
    }
}
