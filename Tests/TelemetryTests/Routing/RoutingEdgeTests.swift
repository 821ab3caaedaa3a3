import Journal
import Logging
import Synchronization
import Telemetry
import Testing

/// What running the Python original showed beside its tests, and what is ours.
@Suite(.timeLimit(.minutes(1))) struct RoutingEdgeTests {
    @Test func `A nameless event goes to all backends, a failing one between them`() throws {
        let (before, failing, after) = (InMemoryBackend(), FailingBackend(), InMemoryBackend())
        let router = try RoutingBackend(backends: ["a": before, "b": failing, "c": after])
        let list = event(nil, [["name": "x"]])
        router.send(event(nil))
        router.send(list)
        #expect(before.events == [event(nil), list])
        #expect(after.events == [event(nil), list])
        #expect(router.statistics.backends.map(\.failed) == [0, 2, 0])
    }

    @Test(arguments: [.bool(false), .object([]), .null, .array([]), "text"] as [JournalValue])
    func `Anything that is returned replaces the event, false and an empty map too`(
        data: JournalValue
    ) throws {
        let backend = InMemoryBackend()
        let empty = TelemetryEvent(name: nil, timestamp: 0, data: data)
        let router = try RoutingBackend(
            backends: ["0": backend],
            processors: [ClosureProcessor(process: { _ in .replace(empty) })])
        router.send(event("sample", ["a": 1]))
        #expect(backend.events == [empty])
    }

    @Test func `Half-done changes of a processor that fails are kept`() throws {
        let (backend, seen) = (InMemoryBackend(), CountingProcessor())
        let router = try RoutingBackend(
            backends: ["0": backend],
            processors: [
                ClosureProcessor(change: { event in
                    event.name = "half"
                    try event.data.set("done", true)
                    throw Trouble()
                }), seen,
            ])
        router.send(event())
        #expect(seen.events == [event("half", ["done": true])])
        #expect(backend.events == [event("half", ["done": true])])
    }

    @Test func `What a backend changes the later ones see, the sender and other branches do not`()
        throws
    {
        struct Stamp: MutatingEventBackend {
            func send(changing event: inout TelemetryEvent) { event.name = "stamped" }
        }
        let (first, second, outside) = (InMemoryBackend(), InMemoryBackend(), InMemoryBackend())
        let inner = try RoutingBackend(backends: ["a": first, "b": Stamp(), "c": second])
        let root = try RoutingBackend(backends: ["a": inner, "b": outside])
        let mine = event()
        root.send(mine)
        #expect(first.events == [event()])
        #expect(second.events == [event("stamped")])
        #expect(outside.events == [event()] && mine == event())
    }

    @Test func `An exit that a backend throws is a failure like any other`() throws {
        let after = InMemoryBackend()
        let router = try RoutingBackend(backends: [
            "a": FailingBackend(EventEmissionExit()), "b": after,
        ])
        router.send(event())
        #expect(after.events == [event()])
        #expect(router.statistics.backends[0].failed == 1)
    }

    @Test(arguments: [NoTransformerImplemented(), NoBackendEnabled()] as [any EventRefusal])
    func `A backend that does not want an event is no failure`(refusal: any EventRefusal) throws {
        let (log, after) = (LogRecorder(), InMemoryBackend())
        let router = try RoutingBackend(
            backends: ["a": FailingBackend(refusal), "b": after], logger: log.logger())
        router.send(event())
        #expect(after.events == [event()])
        #expect(log.lines.map(\.level) == [.info])
        #expect(router.statistics.backends.map(\.declined) == [1, 0])
        #expect(router.statistics.backends.map(\.failed) == [0, 0])
    }

    @Test func `A data of any kind passes a chain that does not look at it`() throws {
        let backend = InMemoryBackend()
        let router = try RoutingBackend(
            backends: ["0": backend], processors: [EnrichProcessor([.init("beamline", "13-IDD")])])
        router.send(event(nil, 42))
        #expect(backend.events.map(\.data) == [42])
        #expect(backend.events.first?.context == [.init("beamline", "13-IDD")])
    }

    @Test func `A processor that fails drops the event where it says so`() throws {
        let (backend, later) = (InMemoryBackend(), CountingProcessor())
        let router = try RoutingBackend(
            backends: ["0": backend],
            processors: [
                ClosureProcessor("strict", onError: .drop, change: { _ in throw Trouble() }), later,
            ])
        router.send(event())
        #expect(backend.events.isEmpty && later.events.isEmpty)
        let strict = router.statistics.processors[0]
        #expect(strict.failed == 1 && strict.dropped == 1 && strict.processed == 1)
    }

    @Test func `What is dropped goes to its output as it stood, with the reason`() throws {
        let (dropped, backend) = (InMemoryBackend(), InMemoryBackend())
        let router = try RoutingBackend(
            name: "main", backends: ["0": backend],
            processors: [
                ClosureProcessor(change: { $0.name = "changed" }),
                ClosureProcessor("gate", process: { _ in .drop(reason: "closed") }),
            ])
        try router.setDroppedOutput(dropped)
        router.send(event())
        var expected = event("changed")
        expected.context = [
            .init("dropped", ["router": "main", "processor": "gate", "reason": "closed"])
        ]
        #expect(dropped.events == [expected] && backend.events.isEmpty)
        #expect(router.statistics.droppedOutput?.delivered == 1)
    }

    @Test func `What no backend wants goes to the output for that`() throws {
        let (unmatched, frames, refusing) = (
            InMemoryBackend(), InMemoryBackend(), FailingBackend(NoBackendEnabled())
        )
        let branch = try RoutingBackend(
            backends: ["0": frames], processors: [try RegexFilter(expressions: ["frame"])])
        let router = try RoutingBackend(backends: ["branch": branch, "off": refusing])
        try router.setUnmatchedOutput(unmatched)
        for name in ["frame.done", "worker.gone", nil] { router.send(event(name)) }
        #expect(frames.events == [event("frame.done")])
        #expect(unmatched.events == [event("worker.gone"), event(nil)])
        #expect(router.statistics.unmatched == 2)
        #expect(router.statistics.received == 3)
        // A failure is no refusal: somebody wanted the event.
        try router.register(FailingBackend(), named: "off")
        router.send(event("worker.gone"))
        #expect(unmatched.total == 2)
        // Without any backend nobody wants anything.
        let empty = try RoutingBackend()
        empty.send(event())
        #expect(empty.statistics.unmatched == 1)
    }

    @Test func `A backend that fails at each event does not fill the log`() throws {
        let log = LogRecorder()
        let router = try RoutingBackend(backends: ["0": FailingBackend()], logger: log.logger())
        for _ in 0..<3000 { router.send(event()) }
        #expect(router.statistics.backends[0].failed == 3000)
        #expect(log.lines.count == 103)
        #expect(log.lines.last?.metadata["count"] == "3000")
    }

    // MARK: - What is refused

    @Test func `A backend without name and one too many are refused`() throws {
        #expect(throws: RoutingError.emptyName("backend")) {
            try RoutingBackend(backends: ["": InMemoryBackend()])
        }
        let router = try RoutingBackend()
        for number in 0..<RoutingBackend.maximumBackends {
            try router.register(InMemoryBackend(), named: "\(number)")
        }
        try router.register(InMemoryBackend(), named: "0")
        #expect(throws: RoutingError.tooMany("backends of a router", limit: 256)) {
            try router.register(InMemoryBackend(), named: "more")
        }
        for _ in 0..<RoutingBackend.maximumProcessors { try router.register(CountingProcessor()) }
        #expect(throws: RoutingError.tooMany("processors of a router", limit: 256)) {
            try router.register(CountingProcessor())
        }
    }

    @Test func `A router in itself is refused, directly, below others and behind a closure`() throws
    {
        let root = try RoutingBackend(name: "root")
        let middle = try RoutingBackend(name: "middle")
        let leaf = try RoutingBackend(name: "leaf")
        #expect(throws: RoutingError.cycle(router: "root", backend: "me")) {
            try root.register(root, named: "me")
        }
        try root.register(middle, named: "middle")
        try middle.register(ClosureBackend(downstream: [leaf]) { leaf.send($0) }, named: "leaf")
        for router in [root, middle] {
            #expect(throws: RoutingError.cycle(router: "leaf", backend: "up")) {
                try leaf.register(router, named: "up")
            }
            #expect(throws: RoutingError.cycle(router: "leaf", backend: "dropped")) {
                try leaf.setDroppedOutput(router)
            }
            #expect(throws: RoutingError.cycle(router: "leaf", backend: "unmatched")) {
                try leaf.setUnmatchedOutput(router, isolation: SinkIsolation())
            }
        }
        // The same router twice is no ring.
        try root.register(leaf, named: "leaf")
        let backend = InMemoryBackend()
        try leaf.register(backend, named: "end")
        root.send(event())
        #expect(backend.events == [event(), event()])
    }

    @Test func `Two threads cannot close a ring together`() async throws {
        for _ in 0..<50 {
            let routers = [
                try RoutingBackend(name: "a"), try RoutingBackend(name: "b"),
                try RoutingBackend(name: "c"),
            ]
            let refusals = await withTaskGroup(of: Int.self) { group in
                for (index, router) in routers.enumerated() {
                    group.addTask {
                        do {
                            try router.register(routers[(index + 1) % 3], named: "next")
                            return 0
                        } catch {
                            return 1
                        }
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(refusals == 1)
        }
    }

    @Test func `An event that closures send round is stopped and counted`() throws {
        let log = LogRecorder()
        let router = try RoutingBackend(name: "round", logger: log.logger())
        try router.register(ClosureBackend { router.send($0) }, named: "hidden")
        router.send(event())
        #expect(router.statistics.received == UInt64(RoutingBackend.maximumDepth) + 1)
        #expect(router.statistics.tooDeep == 1)
        #expect(log.lines.map(\.message) == ["Event goes through too many routers"])
        router.send(event())
        #expect(router.statistics.tooDeep == 2)
    }

    @Test func `Routers nest as deep as they may, and no deeper`() throws {
        let backend = InMemoryBackend()
        var top = try RoutingBackend(backends: ["end": backend])
        for _ in 0..<30 { top = try RoutingBackend(backends: ["inner": top]) }
        top.send(event())
        #expect(backend.events == [event()])
        #expect(throws: RoutingError.tooDeep(limit: 32)) {
            let deep = try RoutingBackend(backends: ["inner": top])
            _ = try RoutingBackend(backends: ["inner": deep])
        }
    }

    @Test func `Many threads send at once and nothing is lost or counted twice`() async throws {
        let (kept, dropped) = (InMemoryBackend(limit: 10_000), InMemoryBackend(limit: 10_000))
        let router = try RoutingBackend(
            backends: ["kept": kept], processors: [try SampleProcessor(every: 4)])
        try router.setDroppedOutput(dropped)
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<8 {
                group.addTask {
                    for number in 0..<500 { router.send(event("\(sender).\(number)")) }
                }
            }
        }
        #expect(kept.total == 1000 && dropped.total == 3000)
        let names = Set((kept.events + dropped.events).compactMap(\.name))
        #expect(names.count == 4000)
        #expect(router.statistics.received == 4000 && router.statistics.dropped == 3000)
    }
}
