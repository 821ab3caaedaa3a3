import Journal
import Synchronization
import Testing

/// What the consumers of Flux promise, by their cases, and what they leave open.
@Suite(.timeLimit(.minutes(1)))
struct JournalConsumerTests {
    /// Four jobs' worth of history, as a server sends it: a response for each, the last first.
    private let mixed: [[JournalEvent]] = [
        [event(4, at: 30), event(8, at: 70)], [event(3, at: 20), event(7, at: 60)],
        [event(2, at: 10), event(6, at: 50)], [event(1, at: 5), event(5, at: 40)], [],
    ]

    private func consumer(
        _ transport: any JournalTransport, full: Bool = true, since: Double = 0,
        includeSentinel: Bool = false,
        limits: JournalConsumerLimits = JournalConsumerLimits()
    ) -> JournalConsumerBase<JournalEvent> {
        JournalConsumerBase(
            transport: transport, full: full, since: since, includeSentinel: includeSentinel,
            limits: limits)
    }

    @Test func `history comes in order of time, and since leaves out up to that moment`() throws {
        let transport = ScriptedTransport(mixed, ending: [])
        #expect(try consumer(transport).start().pollAll().map(\.seq) == [1, 2, 3, 4, 5, 6, 7, 8])
        let late = try consumer(transport, since: 40).start().pollAll()
        #expect(late.map(\.seq) == [6, 7, 8])
        #expect(transport.payloads.map { $0["since"] } == [nil, .double(40)])
    }

    @Test func `two events of one time are both left out by since, and neither by the cursor`()
        throws
    {
        let journal = InMemoryJournal(now: { 5 })
        for name in ["a", "b", "c"] { try journal.record(name) }
        journal.close()
        #expect(try consumer(journal, since: 5).start().pollAll().isEmpty)
        let cursor = JournalConsumerBase<JournalEvent>(transport: journal, afterSeq: 1)
        #expect(try cursor.start().pollAll().map(\.name) == ["b", "c"])
    }

    @Test func `what a response has besides reaches its events`() throws {
        final class Tagged: JournalConsumerBase<RunsJournalEvent>, @unchecked Sendable {
            override func processResponse(_ response: JournalResponse) throws -> [JournalField] {
                response.extras + [JournalField("run", "r7")]
            }
        }
        let transport = ScriptedTransport([[event(1, at: 1, "alloc")], []], ending: [])
        let events = try Tagged(transport: transport).start().pollAll()
        #expect(events.map(\.run) == ["r7"])
        #expect(events.map(\.description) == ["r7: 1.00000 alloc"])
    }

    @Test func `a callback gets what it captured, the events in order, and its successor the rest`()
        throws
    {
        let journal = InMemoryJournal()
        for _ in 0..<5 { try journal.record("old") }
        let (first, second) = (Received<JournalEvent>(), Received<JournalEvent>())
        let (label, number) = ("label", 42)
        let consumer = consumer(journal).setCallback { result in
            #expect(label == "label" && number == 42)
            first.take(result)
        }
        consumer.start()
        first.wait(count: 5)
        consumer.setCallback(second.take)
        try journal.record("new")
        second.wait(count: 1)
        #expect(first.seqs == [1, 2, 3, 4, 5])
        #expect(second.events.map(\.name) == ["new"])
    }

    @Test func `without full only what is new comes, and no sentinel`() throws {
        let journal = InMemoryJournal()
        try journal.record("old")
        let consumer = consumer(journal, full: false, includeSentinel: true).start()
        #expect(throws: JournalConsumerError.timeout(.zero)) {
            try consumer.poll(timeout: .zero)
        }
        // The request is made on a thread: what is recorded before it is not new.
        var recorded = 0
        var event: JournalEvent?
        while event == nil {
            try journal.record("new")
            recorded += 1
            do {
                event = try consumer.poll(timeout: .milliseconds(5))
            } catch JournalConsumerError.timeout {
                continue
            }
        }
        #expect(event?.name == "new")
        #expect(recorded > 0)
    }

    @Test
    func `the sentinel stands between past and present, also when nothing is wanted of the past`()
        throws
    {
        let journal = InMemoryJournal(now: { 5 })
        try journal.record("old")
        for since in [0.0, 1e9] {
            let consumer = consumer(journal, since: since, includeSentinel: true).start()
            if since == 0 { #expect(try consumer.poll()?.name == "old") }
            let sentinel = try #require(try consumer.poll())
            #expect(sentinel.isEmpty)
            #expect(sentinel == JournalEvent.sentinel)
            #expect("\(sentinel)" == "End of historical data stream")
            #expect(sentinel.timestamp > 1.7e9)
        }
        let received = Received<JournalEvent>()
        let consumer = consumer(journal, includeSentinel: true).setCallback(received.take).start()
        received.wait(count: 2)
        try journal.record("new")
        received.wait(count: 3)
        #expect(received.events.map(\.name) == ["old", "", "new"])
        consumer.stop()
        received.waitForEnd()
    }

    @Test
    func `a poll that found nothing in time loses nothing, and its deadline is for all of it`()
        throws
    {
        let gate = ScriptedTransport.Gate()
        let transport = ScriptedTransport(
            mixed.dropLast().map { .response(JournalResponse($0)) } + [
                .gate(gate), .response(JournalResponse()),
            ])
        let consumer = consumer(transport).start()
        for _ in 0..<5 {
            #expect(throws: JournalConsumerError.timeout(.milliseconds(2))) {
                try consumer.poll(timeout: .milliseconds(2))
            }
        }
        gate.open()
        #expect(try consumer.pollAll().map(\.seq) == [1, 2, 3, 4, 5, 6, 7, 8])
    }

    @Test func `after stop comes what was there, one nil, and then an error, not a wait`() throws {
        let journal = InMemoryJournal()
        for _ in 0..<30 { try journal.record("a") }
        let consumer = consumer(journal).start()
        let first = try consumer.poll()
        consumer.stop()
        consumer.stop()
        #expect(first?.seq == 1)
        #expect(try consumer.pollAll().count == 29)
        #expect(throws: JournalConsumerError.ended) { try consumer.poll() }
        try journal.record("late")
        #expect(throws: JournalConsumerError.ended) { try consumer.poll() }
    }

    @Test func `poll before start is an error, stop before start does nothing`() throws {
        let consumer = consumer(InMemoryJournal())
        consumer.stop()
        #expect(throws: JournalConsumerError.notStarted) { try consumer.poll() }
        #expect(JournalConsumerError.notStarted.description.contains("start()"))
    }

    @Test func `a callback that was replaced before start is never called`() throws {
        let journal = InMemoryJournal()
        try journal.record("a")
        journal.close()
        let (old, new) = (Received<JournalEvent>(), Received<JournalEvent>())
        let consumer = consumer(journal).setCallback(old.take).setCallback(new.take).start()
        new.waitForEnd()
        #expect(old.count == 0)
        #expect(new.seqs == [1])
        #expect(consumer.cursor == 1)
    }

    @Test func `stop in callback mode gives exactly one nil, after the last event`() throws {
        let journal = InMemoryJournal()
        for _ in 0..<100 { try journal.record("a") }
        let received = Received<JournalEvent>()
        let consumer = consumer(journal).setCallback(received.take).start()
        received.wait(count: 100)
        consumer.stop()
        received.waitForEnd()
        consumer.stop()
        try journal.record("late")
        #expect(received.seqs == Array(1...100))
        #expect(received.nilCount == 1)
        #expect(received.count == 101)
    }

    @Test func `a journal that is not there is an error for poll, for a callback and for a loop`()
        async throws
    {
        let transport = JournalFileTransport(path: "/nowhere/journal.jsonl", follows: false)
        let polled = consumer(transport).start()
        #expect(throws: JournalError.self) { try polled.poll() }
        #expect(try polled.poll() == nil)
        #expect(throws: JournalConsumerError.ended) { try polled.poll() }

        let received = Received<JournalEvent>()
        let called = consumer(transport).setCallback(received.take).start()
        received.waitForEnd()
        #expect(received.count == 2)
        #expect(received.failures.first?.contains("/nowhere/journal.jsonl") == true)
        called.stop()

        await #expect(throws: JournalError.self) {
            for try await _ in consumer(transport).start().events {}
        }
    }

    @Test(arguments: [nil, JournalConsumerError.unavailable("gone")])
    func `a stream that ends in history delivers what came, in order`(
        _ failure: JournalConsumerError?
    ) throws {
        let transport = ScriptedTransport(
            Array(mixed.dropLast()), ending: failure.map { [.failure($0)] } ?? [])
        let consumer = consumer(transport, includeSentinel: true).start()
        #expect(try consumer.poll(count: 8).map(\.seq) == [1, 2, 3, 4, 5, 6, 7, 8])
        if let failure { #expect(throws: failure) { try consumer.poll() } }
        #expect(try consumer.poll() == nil)
    }

    @Test func `a callback that throws is told so, gets the end and nothing more`() throws {
        struct Oops: Error {}
        let journal = InMemoryJournal()
        for _ in 0..<10 { try journal.record("a") }
        let received = Received<JournalEvent>()
        let consumer = consumer(journal).setCallback { result in
            received.take(result)
            if case .success(let event?) = result, event.seq == 3 { throw Oops() }
        }.start()
        received.waitForEnd()
        #expect(received.seqs == [1, 2, 3])
        #expect(
            received.failures == [JournalConsumerError.callbackFailed("Oops()").description])
        #expect(received.nilCount == 1)
        // It may be started again, after the event that it failed on.
        consumer.setCallback(received.take).start(.continue)
        try journal.record("b")
        while received.seqs.last != 11 { giveWay() }
    }

    @Test func `started again it forgets what was queued and reads history again, with a sentinel`()
        throws
    {
        let transport = ScriptedTransport(mixed)
        let consumer = consumer(transport, includeSentinel: true).start()
        #expect(try consumer.poll(count: 3).map(\.seq) == [1, 2, 3])
        consumer.start()
        #expect(try consumer.poll(count: 9).map(\.seq) == [1, 2, 3, 4, 5, 6, 7, 8, 0])
        #expect(transport.cancels == 1)
        #expect(transport.payloads.allSatisfy { $0["seq"] == nil })
    }

    @Test func `continued it keeps what was queued, and what follows comes once`() throws {
        let journal = InMemoryJournal()
        for _ in 0..<50 { try journal.record("a") }
        let consumer = consumer(journal, includeSentinel: true).start()
        #expect(try consumer.poll(count: 20).count == 20)
        consumer.stop()
        for _ in 0..<50 { try journal.record("b") }
        consumer.start(.continue)
        // 30 of the first, the sentinel, and 50 of the second.
        let rest = try consumer.poll(count: 81).map(\.seq)
        #expect(rest == Array(21...50) + [0] + Array(51...100))
    }

    @Test func `history may be more than the queue holds, and what follows waits for room`() throws
    {
        let transport = ScriptedTransport(
            mixed + [[], [event(9, at: 80)]], ending: [])
        let consumer = consumer(transport, limits: .init(queueCount: 3)).start()
        #expect(try consumer.pollAll().map(\.seq) == Array(1...9))
    }

    @Test func `too much history to be put in order is refused, with what to do`() throws {
        let transport = ScriptedTransport(mixed)
        let consumer = consumer(transport, limits: .init(historyCount: 5)).start()
        #expect(try consumer.poll(count: 4).map(\.seq) == [3, 4, 7, 8])
        let error = JournalConsumerError.historyTooLong(limit: 5)
        #expect(throws: error) { try consumer.poll() }
        #expect(try consumer.poll() == nil)
        #expect(error.description.contains("later time"))
    }

    @Test func `the sequence gives what poll gives, and ends when its task is cancelled`()
        async throws
    {
        let journal = InMemoryJournal()
        for _ in 0..<5 { try journal.record("a") }
        let consumer = consumer(journal).start()
        let task = Task {
            var seqs: [UInt64] = []
            for try await event in consumer.events {
                seqs.append(event.seq)
                if seqs.count == 5 { try journal.record("b") }
            }
            return seqs
        }
        while consumer.cursor != 6 { await Task.yield() }
        journal.close()
        #expect(try await task.value == [1, 2, 3, 4, 5, 6])

        let waiting = self.consumer(ScriptedTransport(mixed)).start()
        let cancelled = Task {
            var count = 0
            for try await _ in waiting.events { count += 1 }
            return count
        }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
    }

    @Test func `a consumer that nobody holds ends its stream`() throws {
        let transport = ScriptedTransport(mixed)
        var consumer: JournalConsumerBase<JournalEvent>? = consumer(transport).setCallback { _ in }
        consumer?.start()
        while transport.payloads.isEmpty { giveWay() }
        weak let held = consumer
        consumer = nil
        while held != nil || transport.cancels == 0 { giveWay() }
        #expect(transport.cancels == 1)
    }
}
