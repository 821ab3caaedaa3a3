import Dispatch
import Journal
import Synchronization
import Telemetry
import Testing

/// Backends with a queue and a thread of their own.
@Suite(.timeLimit(.minutes(1))) struct RoutingIsolationTests {
    private let gate = Gate()
    private let kept = InMemoryBackend()

    /// Waits at the gate with each event, then keeps it.
    private var slow: ClosureBackend {
        ClosureBackend { [gate, kept] event in
            gate.pass()
            kept.send(event)
        }
    }

    private func names(_ range: Range<Int>) -> [String?] { range.map { "\($0)" } }

    @Test func `Processors run in the sender, the slow backend gets what came out of them, once`()
        async throws
    {
        let other = InMemoryBackend()
        let router = try RoutingBackend(
            backends: ["z-last": other],
            processors: [ClosureProcessor(change: { $0.name = "processed" })])
        try router.register(slow, named: "slow", isolation: SinkIsolation())
        router.send(event())
        await gate.isReached()
        // The sender is back and the other backend done while the slow one still stands at the gate.
        #expect(other.events == [event("processed")] && kept.events.isEmpty)
        #expect(!router.flush(within: .zero))
        gate.open()
        #expect(router.flush(within: .seconds(50)))
        #expect(kept.events == [event("processed")])
        #expect(router.statistics.backends.map(\.delivered) == [1, 1])
    }

    @Test func `A full queue gives up the oldest, and counts`() async throws {
        let router = try RoutingBackend()
        try router.register(
            slow, named: "slow", isolation: SinkIsolation(queueLimit: 3, whenFull: .dropOldest))
        router.send(event("0"))
        await gate.isReached()
        for name in names(1..<7) { router.send(event(name)) }
        let sink = router.statistics.backends[0]
        #expect(sink.overflowed == 3 && sink.queued == 3 && sink.queueHighWater == 3)
        gate.open()
        #expect(router.flush(within: .seconds(50)))
        #expect(kept.events.map(\.name) == ["0", "4", "5", "6"])
        #expect(router.statistics.backends[0].delivered == 4)
    }

    @Test func `A full queue gives up the newest, and counts`() async throws {
        let router = try RoutingBackend()
        try router.register(
            slow, named: "slow", isolation: SinkIsolation(queueLimit: 3, whenFull: .dropNewest))
        router.send(event("0"))
        await gate.isReached()
        for name in names(1..<7) { router.send(event(name)) }
        gate.open()
        #expect(router.flush(within: .seconds(50)))
        #expect(kept.events.map(\.name) == ["0", "1", "2", "3"])
        #expect(router.statistics.backends[0].overflowed == 3)
    }

    @Test func `A full queue may make the sender wait, and nothing is lost`() throws {
        let router = try RoutingBackend()
        try router.register(
            kept, named: "kept", isolation: SinkIsolation(queueLimit: 2, whenFull: .block))
        for name in names(0..<2000) { router.send(event(name)) }
        #expect(router.flush(within: .seconds(50)))
        #expect(kept.events.map(\.name) == names(0..<2000))
        let sink = router.statistics.backends[0]
        #expect(sink.delivered == 2000 && sink.overflowed == 0 && sink.queueHighWater <= 2)
    }

    @Test func `A failure in the thread is counted and the next event delivered`() throws {
        let log = LogRecorder()
        let flaky = ClosureBackend { [kept] event in
            if event.name == "bad" { throw Trouble() }
            kept.send(event)
        }
        let router = try RoutingBackend(logger: log.logger())
        try router.register(flaky, named: "flaky", isolation: SinkIsolation())
        for name in ["a", "bad", "b"] { router.send(event(name)) }
        #expect(router.flush(within: .seconds(50)))
        #expect(kept.events.map(\.name) == ["a", "b"])
        #expect(router.statistics.backends[0].failed == 1)
        #expect(log.lines.map(\.metadata["event"]) == ["bad"])
    }

    @Test func `Flushing reaches isolated backends of routers below`() throws {
        let inner = try RoutingBackend()
        try inner.register(kept, named: "kept", isolation: SinkIsolation(queueLimit: 5000))
        let behind = ClosureBackend(downstream: [inner]) { inner.send($0) }
        let root = try RoutingBackend(backends: ["behind": behind])
        try root.register(inner, named: "inner", isolation: SinkIsolation(queueLimit: 5000))
        for name in names(0..<1000) { root.send(event(name)) }
        #expect(root.flush(within: .seconds(50)))
        #expect(kept.total == 2000)
    }

    @Test func `An isolated router counts what its processors drop`() throws {
        let inner = try RoutingBackend(
            backends: ["kept": kept], processors: [try SampleProcessor(every: 2)])
        let root = try RoutingBackend()
        try root.register(inner, named: "inner", isolation: SinkIsolation())
        for _ in 0..<10 { root.send(event()) }
        #expect(root.flush(within: .seconds(50)))
        let sink = root.statistics.backends[0]
        #expect(sink.delivered == 5 && sink.dropped == 5)
    }

    @Test func `Closing gives up what is left in the queue, and counts it and all after`()
        async throws
    {
        let router = try RoutingBackend()
        try router.register(slow, named: "slow", isolation: SinkIsolation())
        router.send(event("0"))
        await gate.isReached()
        for name in names(1..<4) { router.send(event(name)) }
        router.close(within: .zero)
        router.send(event("late"))
        #expect(router.statistics.backends[0].overflowed == 4)
        gate.open()
        #expect(router.flush(within: .seconds(50)))
        #expect(kept.events.map(\.name) == ["0"])
    }

    @Test func `Closing in time delivers what waits`() throws {
        let router = try RoutingBackend()
        let inner = try RoutingBackend()
        try inner.register(kept, named: "kept", isolation: SinkIsolation())
        try router.register(inner, named: "inner", isolation: SinkIsolation())
        for name in names(0..<100) { router.send(event(name)) }
        router.close(within: .seconds(50))
        #expect(kept.events.map(\.name) == names(0..<100))
        #expect(router.statistics.backends[0].overflowed == 0)
    }

    @Test func `A sender that waits for room goes on when the queue is closed`() async throws {
        let router = try RoutingBackend()
        try router.register(
            slow, named: "slow", isolation: SinkIsolation(queueLimit: 1, whenFull: .block))
        router.send(event("0"))
        await gate.isReached()
        router.send(event("1"))
        let done = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            router.send(event("2"))
            done.signal()
        }
        router.close(within: .zero)
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                done.wait()
                continuation.resume()
            }
        }
        #expect(router.statistics.backends[0].overflowed == 2)
        gate.open()
    }

    @Test func `What waits is delivered when nobody holds the router any more`() async throws {
        let (stream, continuation) = AsyncStream<String?>.makeStream()
        do {
            let router = try RoutingBackend()
            let backend = ClosureBackend { [gate] event in
                gate.pass()
                continuation.yield(event.name)
            }
            try router.register(backend, named: "slow", isolation: SinkIsolation())
            for name in names(0..<3) { router.send(event(name)) }
        }
        gate.open()
        var seen: [String?] = []
        for await name in stream {
            seen.append(name)
            if seen.count == 3 { break }
        }
        #expect(seen == names(0..<3))
    }

    @Test(arguments: [0, -1, SinkIsolation.maximumQueueLimit + 1])
    func `A queue of no length or a monstrous one is refused`(limit: Int) throws {
        let router = try RoutingBackend()
        #expect(throws: RoutingError.self) {
            try router.register(kept, named: "a", isolation: SinkIsolation(queueLimit: limit))
        }
        #expect(router.backendNames.isEmpty)
    }
}
