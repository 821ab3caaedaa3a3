import Synchronization
import TestSupport
import Testing

@testable import Telemetry

/// A destination that does what it is told, and remembers what it was given and when it was asked.
private final class ScriptedDestination: ChunkDestination {
    struct Down: Error {}

    struct State {
        var isUp: Bool
        var isConnected = false
        var received: [String] = []
        var connects: [Duration] = []
        var refuses: String?
        var isHanging = false
        var isDeaf = false
    }

    let state: Mutex<State>
    let clock: any ExportClock
    let changed = Doorbell()
    private let interrupted = Doorbell()

    init(isUp: Bool, clock: any ExportClock) {
        state = Mutex(State(isUp: isUp))
        self.clock = clock
    }

    func set(_ change: (inout State) -> Void) {
        state.withLock { change(&$0) }
        changed.ring()
    }

    /// Waits until that holds of it.
    func wait(until condition: (State) -> Bool) {
        while !state.withLock({ condition($0) }) { changed.wait(until: nil) }
    }

    var isConnected: Bool { state.withLock { $0.isConnected } }

    func connect(within limit: Duration) throws {
        let isHanging = state.withLock { state in
            state.connects.append(clock.now)
            return state.isHanging
        }
        changed.ring()
        while isHanging {
            interrupted.wait(until: nil)
            if !state.withLock({ $0.isDeaf }) { throw Down() }
        }
        try state.withLock { state in
            guard state.isUp else { throw Down() }
            state.isConnected = true
        }
    }

    func send(_ chunk: Chunk, within limit: Duration) throws {
        defer { changed.ring() }
        try state.withLock { state in
            guard state.isUp else { throw Down() }
            if chunk.text == state.refuses { throw ChunkRefused("not this one") }
            state.received.append(chunk.text)
        }
    }

    func interrupt() { interrupted.ring() }

    func disconnect() { state.withLock { $0.isConnected = false } }
}

@Suite struct WriterStepsTests {
    private let exact = RetryPolicy(jitter: 0)

    @Test
    func `A chunk is sent at once where the destination is connected, else after one attempt`() {
        var steps = WriterSteps(exact)
        #expect(WriterSteps.first == [.takeChunk])
        #expect(steps.handle(.chunk(isConnected: false), at: .zero) == [.connect])
        #expect(steps.handle(.connected, at: .zero) == [.send])
        #expect(steps.handle(.sent, at: .zero) == [.finishChunk, .takeChunk])
        #expect(steps.handle(.chunk(isConnected: true), at: .zero) == [.send])
        #expect(steps.handle(.refused, at: .zero) == [.finishChunk, .takeChunk])
        #expect(steps.handle(.noChunk, at: .zero) == [.disconnect, .end])
        #expect(steps.state == .stopped && steps.handle(.stop, at: .zero) == [.end])
    }

    @Test
    func
        `P17: attempts are 0.5 s, 0.75 s and so on apart, at most 30 s, and begin anew after success`()
    {
        var steps = WriterSteps(exact)
        var now = Duration.seconds(5)
        var gaps: [Duration] = []
        for _ in 0..<14 {
            #expect(steps.handle(.chunk(isConnected: false), at: now) == [.connect])
            let actions = steps.handle(.connectFailed, at: now)
            guard case .backingOff(let time) = steps.state else {
                Issue.record("\(steps.state)")
                return
            }
            #expect(actions == [.putBack, .wait(until: time)])
            // Woken too early it waits on.
            #expect(steps.handle(.waited, at: time - .milliseconds(1)) == [.wait(until: time)])
            #expect(steps.handle(.waited, at: time) == [.takeChunk])
            gaps.append(time - now)
            now = time
        }
        var expected = 0.5
        for gap in gaps {
            #expect(abs(gap / .seconds(1) - expected) < 1e-6)
            expected = min(expected * 1.5, 30)
        }
        #expect(gaps.last == .seconds(30))
        _ = steps.handle(.chunk(isConnected: true), at: now)
        _ = steps.handle(.sent, at: now)
        _ = steps.handle(.chunk(isConnected: true), at: now)
        let actions = steps.handle(.sendFailed, at: now)
        #expect(actions == [.disconnect, .putBack, .wait(until: now + .milliseconds(500))])
    }

    @Test(arguments: 0..<5)
    func `With jitter a wait is from half to one and a half of it`(_ seed: UInt64) {
        var steps = WriterSteps(RetryPolicy(seed: seed))
        var expected = 0.5
        for _ in 0..<20 {
            _ = steps.handle(.chunk(isConnected: false), at: .zero)
            _ = steps.handle(.connectFailed, at: .zero)
            guard case .backingOff(let time) = steps.state else {
                Issue.record("\(steps.state)")
                return
            }
            #expect((0.5...1.5).contains(time / .seconds(expected)))
            expected = min(expected * 1.5, 30)
            _ = steps.handle(.waited, at: time)
        }
    }

    @Test func `Stopping puts back what is being sent, whatever it is at`() {
        let last: [WriterSteps.Action] = [.disconnect, .end]
        var idle = WriterSteps(exact)
        #expect(idle.handle(.stop, at: .zero) == last)
        var connecting = WriterSteps(exact)
        _ = connecting.handle(.chunk(isConnected: false), at: .zero)
        #expect(connecting.handle(.stop, at: .zero) == [.putBack] + last)
        var sending = WriterSteps(exact)
        _ = sending.handle(.chunk(isConnected: true), at: .zero)
        #expect(sending.handle(.stop, at: .zero) == [.putBack] + last)
        var waiting = WriterSteps(exact)
        _ = waiting.handle(.chunk(isConnected: false), at: .zero)
        _ = waiting.handle(.connectFailed, at: .zero)
        #expect(waiting.handle(.stop, at: .zero) == last)
    }
}

@Suite struct MetricWriterTests {
    private func lines(_ numbers: Range<Int>) -> ResultSet { .lines(numbers.map { "\($0)" }) }

    private func texts(_ numbers: some Sequence<Int>) -> [String] { numbers.map { "\($0)\n" } }

    @Test(.timeLimit(.minutes(1)))
    func `P17: a server that is down and comes back gets the newest chunks in order`() throws {
        let clock = ManualExportClock()
        let render = try ChunkedRender(
            GivenLines(), options: .init(maxQueue: 5, maxItems: 1))
        let queue = try render.register("tcp")
        let destination = ScriptedDestination(isUp: false, clock: clock)
        render.process(lines(0..<3))
        let writer = try MetricWriter(
            queue, to: destination, retry: RetryPolicy(jitter: 0), clock: clock)
        var gaps: [Duration] = []
        for _ in 0..<4 {
            let deadline = clock.awaitDeadline()
            gaps.append(deadline - clock.now)
            render.process(lines(100..<102))
            #expect(queue.count <= 5)
            let before = destination.state.withLock { $0.connects.count }
            clock.advance(by: deadline - clock.now)
            destination.wait { $0.connects.count > before }
        }
        #expect(gaps == [500, 750, 1125].map { .milliseconds($0) } + [.microseconds(1_687_500)])
        let deadline = clock.awaitDeadline()
        #expect(queue.counts.dropped == 6 && queue.count == 5)
        render.process(lines(200..<205))
        destination.set { $0.isUp = true }
        clock.advance(by: deadline - clock.now)
        destination.wait { $0.received.count == 5 }
        #expect(destination.state.withLock { $0.received } == texts(200..<205))
        let stopped = writer.stop()
        #expect(stopped)
        let counts = writer.counts
        #expect(counts.sent == 5 && counts.connects == 6 && counts.connectFailures == 5)
        #expect(queue.counts.taken == 5 && queue.counts.highWater == 5 && queue.count == 0)
        #expect(!destination.isConnected)
    }

    @Test(.timeLimit(.minutes(1)))
    func `A chunk whose sending failed is sent first, and one that is refused is dropped`() throws {
        let clock = ManualExportClock()
        let render = try ChunkedRender(GivenLines(), options: .init(maxItems: 1))
        let queue = try render.register("tcp")
        let destination = ScriptedDestination(isUp: true, clock: clock)
        destination.set { $0.refuses = "4\n" }
        let writer = try MetricWriter(queue, to: destination, clock: clock)
        render.process(lines(0..<2))
        destination.wait { $0.received.count == 2 }
        destination.set { $0.isUp = false }
        render.process(lines(2..<4))
        let deadline = clock.awaitDeadline()
        #expect(queue.count == 2 && writer.counts.sendFailures == 1)
        #expect(!destination.isConnected)
        render.process(lines(4..<6))
        destination.set { $0.isUp = true }
        clock.advance(by: deadline - clock.now)
        destination.wait { $0.received.count == 5 }
        #expect(destination.state.withLock { $0.received } == texts([0, 1, 2, 3, 5]))
        #expect(writer.stop())
        #expect(writer.counts.refused == 1 && writer.counts.lastFailure == "not this one")
    }

    @Test(.timeLimit(.minutes(1)))
    func `P18: stopping while it connects interrupts it, and the chunk stays in the queue`() throws
    {
        let clock = ManualExportClock()
        let render = try ChunkedRender(GivenLines(), options: .init(maxItems: 1))
        let queue = try render.register("tcp")
        let destination = ScriptedDestination(isUp: true, clock: clock)
        destination.set { $0.isHanging = true }
        let writer = try MetricWriter(queue, to: destination, clock: clock)
        render.process(lines(0..<2))
        destination.wait { $0.connects.count == 1 }
        #expect(writer.stop())
        #expect(writer.stop())
        #expect(queue.next(timeout: .zero)?.text == "0\n")
        #expect(queue.next(timeout: .zero)?.text == "1\n")
    }

    @Test(.timeLimit(.minutes(1)))
    func `P18: stopping gives up on a destination that does not let go`() throws {
        let clock = ManualExportClock()
        let render = try ChunkedRender(GivenLines(), options: .init(maxItems: 1))
        let queue = try render.register("tcp")
        let destination = ScriptedDestination(isUp: true, clock: clock)
        destination.set { state in
            state.isHanging = true
            state.isDeaf = true
        }
        let writer = try MetricWriter(queue, to: destination, clock: clock)
        render.process(lines(0..<1))
        destination.wait { $0.connects.count == 1 }
        #expect(!writer.stop())
        destination.set { $0.isDeaf = false }
        destination.interrupt()
        #expect(Deadline(milliseconds: 30_000).wait { queue.count == 1 && writer.stop() })
    }

    @Test(.timeLimit(.minutes(1)))
    func `Stopping while it waits or has nothing to do ends it at once; so does deregistering`()
        throws
    {
        let clock = ManualExportClock()
        let render = try ChunkedRender(GivenLines(), options: .init(maxItems: 1))
        let idle = try MetricWriter(
            try render.register("idle"), to: ScriptedDestination(isUp: true, clock: clock),
            clock: clock)
        #expect(idle.stop())
        let down = ScriptedDestination(isUp: false, clock: clock)
        let waiting = try MetricWriter(try render.register("down"), to: down, clock: clock)
        render.process(lines(0..<1))
        _ = clock.awaitDeadline()
        #expect(waiting.stop())
        let gone = try MetricWriter(
            try render.register("gone"), to: ScriptedDestination(isUp: true, clock: clock),
            clock: clock)
        render.deregister("gone")
        #expect(Deadline(milliseconds: 30_000).wait { gone.stop() })
        #expect(throws: (any Error).self) {
            try MetricWriter(
                try render.register("bad"), to: down, retry: RetryPolicy(multiplier: 0.5))
        }
    }

    @Test(.enabled(if: CarbonServer.isThere, CarbonServer.hint), .timeLimit(.minutes(1)))
    func `P17: carbon is down at the start, comes, dies and comes back`() throws {
        let carbon = try CarbonServer()
        carbon.process.kill()
        let render = try ChunkedRender(GraphiteRender(), options: .init(maxQueue: 100))
        let queue = try render.register("tcp")
        let exporter = try TCPTextExporter(host: "127.0.0.1", port: carbon.port)
        let writer = try MetricWriter(
            queue, to: ExporterDestination(exporter),
            retry: RetryPolicy(
                initialInterval: .milliseconds(5), maximumInterval: .milliseconds(50)))
        let now = Int64(SystemExportClock().wallNanoseconds / 1_000_000_000)
        func send(_ value: Int64, ago seconds: Int64) {
            render.process(
                ResultSet(
                    timestampNanoseconds: (now - seconds) * 1_000_000_000,
                    results: [MetricResult("det", fields: [.init("n", .int(value))])]))
            render.flush()
        }
        send(1, ago: 9)
        send(2, ago: 8)
        #expect(Deadline(milliseconds: 20_000).wait { writer.counts.sendFailures >= 3 })
        #expect(queue.count == 2)
        try carbon.process.start()
        let first = try carbon.values(of: "det.n", since: Int(now - 9), count: 2)
        #expect(first == [Int(now - 9): 1, Int(now - 8): 2])
        carbon.process.kill()
        // The first write after the end of the receiver may be lost: it answers nothing.
        let failures = writer.counts.sendFailures
        var sent: Int64 = 2
        #expect(
            Deadline(milliseconds: 20_000).wait {
                sent += 1
                send(sent, ago: 7)
                return writer.counts.sendFailures > failures
            })
        send(1000, ago: 6)
        try carbon.process.start()
        let second = try carbon.values(of: "det.n", since: Int(now - 6))
        #expect(second[Int(now - 6)] == 1000)
        #expect(writer.stop())
        exporter.close()
        #expect(queue.count == 0 && queue.counts.dropped == 0)
    }
}
