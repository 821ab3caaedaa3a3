import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Journal

@Suite(.timeLimit(.minutes(1)))
struct JournalFollowingTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("journal.jsonl")
    }

    @Test func `three runs with interleaved times are merged, ties by seq, and then followed`()
        throws
    {
        let times: [[Double]] = [[1, 4, 4, 9], [2, 4, 8], [0.5, 3, 4, 4]]
        let journals = times.map { _ in InMemoryJournal() }
        for (journal, times) in zip(journals, times) {
            for time in times {
                var entry = JournalEntry("a")
                entry.timestamp = time
                try journal.record(entry)
            }
        }
        let consumer = try RunsJournalConsumer(
            runs: zip(["x", "y", "z"], journals).map { ($0, $1) }, includeSentinel: true)
        let merged = try consumer.start().poll(count: 12)
        #expect(merged.map(\.timestamp).dropLast() == [0.5, 1, 2, 3, 4, 4, 4, 4, 4, 8, 9])
        let tied = merged.filter { $0.timestamp == 4 }
        #expect(tied.map(\.seq) == [2, 2, 3, 3, 4])
        #expect(Set(tied.prefix(2).map(\.run)) == ["x", "y"])
        #expect(Set(tied[2...3].map(\.run)) == ["x", "z"])
        #expect(merged.last?.isEmpty == true)
        try journals[1].record("b")
        #expect(try consumer.poll()?.description.hasPrefix("y: ") == true)
        // Continued, every run goes on from its own place.
        consumer.stop()
        #expect(try consumer.poll() == nil)
        for journal in journals { try journal.record("c") }
        let more = try consumer.start(.continue).poll(count: 3)
        #expect(Set(more.map(\.run)) == ["x", "y", "z"])
        #expect(more.allSatisfy { $0.name == "c" })
    }

    @Test func `a clock that was set back changes no run's order`() throws {
        let journal = InMemoryJournal()
        for time in [10.0, 20, 5, 6, 21] {
            var entry = JournalEntry("a")
            entry.timestamp = time
            try journal.record(entry)
        }
        let other = InMemoryJournal(now: { 15 })
        try other.record("b")
        for journal in [journal, other] { journal.close() }
        let consumer = try RunsJournalConsumer(runs: [("x", journal), ("y", other)])
        let events = try consumer.start().pollAll()
        #expect(events.filter { $0.run == "x" }.map(\.seq) == [1, 2, 3, 4, 5])
        #expect(events.map(\.run) == ["x", "y", "x", "x", "x", "x"])
        let alone = RunJournalConsumer(transport: journal)
        #expect(try alone.start().pollAll().map(\.seq) == [1, 2, 3, 4, 5])
    }

    @Test func `runs to merge need names of their own`() {
        let journal = InMemoryJournal()
        #expect(throws: JournalConsumerError.self) { try RunsJournalConsumer(runs: []) }
        #expect(throws: JournalConsumerError.self) {
            try RunsJournalConsumer(runs: [("a", journal), ("a", journal)])
        }
    }

    @Test(arguments: [true, false])
    func `events recorded while history is read come after the sentinel, once`(_ isFile: Bool)
        async throws
    {
        let total = 10_000
        let sink: any JournalSink
        let transport: any JournalTransport
        if isFile {
            sink = try JournalWriter(path: path)
            transport = JournalFileTransport(path: path, follows: true)
        } else {
            let journal = InMemoryJournal(queueCount: 2 * total)
            (sink, transport) = (journal, journal)
        }
        for _ in 0..<total / 2 { try sink.record("a") }
        let consumer = JournalConsumerBase<JournalEvent>(
            transport: transport, includeSentinel: true)
        let task = Task.detached { [sink] in
            for _ in 0..<total / 2 { try sink.record("b") }
        }
        let events = try consumer.start().poll(count: total + 1)
        try await task.value
        let place = try #require(events.firstIndex { $0.isEmpty })
        #expect(place >= total / 2)
        #expect(events.map(\.seq).filter { $0 > 0 } == Array(1...UInt64(total)))
        consumer.stop()
    }

    @Test func `a new consumer goes on after the last event of one that is gone`() throws {
        let journal = try JournalWriter(path: path)
        for _ in 0..<1_000 { try journal.record("a") }
        let transport = JournalFileTransport(path: path, follows: true)
        var seqs: [UInt64] = []
        while seqs.count < 1_000 {
            let consumer = RunJournalConsumer(transport: transport, afterSeq: seqs.last)
            seqs += try consumer.start().poll(count: 37).map(\.seq)
            if seqs.count > 900 { break }
        }
        let last = RunJournalConsumer(transport: transport, afterSeq: seqs.last).start()
        last.stop()
        seqs += try last.pollAll().map(\.seq)
        #expect(seqs == Array(1...1_000))
    }

    @Test func `a stalled consumer is disconnected and told, another is not disturbed`() throws {
        let journal = InMemoryJournal(queueCount: 100)
        let (stalled, other) = (
            RunJournalConsumer(transport: journal, limits: .init(queueCount: 10)),
            RunJournalConsumer(transport: journal)
        )
        for consumer in [stalled, other] {
            consumer.start()
            // The first event shows that it is connected.
            try journal.record("a")
            #expect(try consumer.poll()?.name == "a")
        }
        var count = 2
        #expect(try other.poll()?.seq == 2)
        for _ in 0..<1_000 {
            try journal.record("b")
            count += 1
            #expect(try other.poll()?.seq == UInt64(count))
        }
        var seqs: [UInt64] = []
        var overrun: JournalConsumerError?
        do {
            while let event = try stalled.poll() { seqs.append(event.seq) }
        } catch let error as JournalConsumerError {
            overrun = error
        }
        let last = try #require(seqs.last)
        #expect(last < 200)
        #expect(seqs == Array(2...last))
        #expect(overrun == .overrun(lastSeq: last, missed: UInt64(count) - last))
        #expect(try stalled.poll() == nil)
        #expect(overrun?.description.contains("continues") == true)
        stalled.start(.continue)
        #expect(try stalled.poll(count: 3).map(\.seq) == [last + 1, last + 2, last + 3])
    }

    @Test func `a consumer of a file that is stalled misses nothing`() throws {
        let journal = try JournalWriter(path: path)
        let consumer = RunJournalConsumer(
            transport: JournalFileTransport(path: path, follows: true),
            limits: .init(queueCount: 10))
        consumer.start()
        for _ in 0..<3_000 { try journal.record("a") }
        #expect(try consumer.poll(count: 3_000).map(\.seq) == Array(1...3_000))
    }

    @Test func `a journal in memory that is full begins with what it has lost`() throws {
        let journal = InMemoryJournal(maximumCount: 5, now: { 7 })
        func history() throws -> [JournalEvent] {
            let stream = try journal.open(JournalRequest().payload)
            defer { stream.cancel() }
            return try stream.next()?.events ?? []
        }
        for _ in 0..<5 { try journal.record("a") }
        #expect(try history().map(\.name) == Array(repeating: "a", count: 5))
        for count in 6...20 as ClosedRange<UInt64> {
            try journal.record("a")
            let events = try history()
            #expect(events.count == 5)
            #expect(events[0].name == "truncate" && events[0].timestamp == 7)
            #expect(events.map(\.seq) == Array((count - 4)...count))
        }
    }

    @Test func `a journal that is not there yet is waited for while its run lives`() throws {
        let live = Live()
        let consumer = RunJournalConsumer(
            transport: JournalFileTransport(path: path) { live.isLive }, includeSentinel: true)
        consumer.start()
        #expect(try consumer.poll()?.isEmpty == true)
        let journal = try JournalWriter(path: path)
        try journal.record("run-start")
        #expect(try consumer.poll()?.name == "run-start")
        try journal.record("run-finish")
        live.end()
        #expect(try consumer.pollAll().map(\.name) == ["run-finish"])
    }

    private final class Live: Sendable {
        private let value = Atomic(true)
        var isLive: Bool { value.load(ordering: .acquiring) }
        func end() { value.store(false, ordering: .releasing) }
    }

    @Test func `workers' events are theirs`() throws {
        let journal = try JournalWriter(path: path)
        try journal.record("run-start")
        try journal.record("worker-gone", ["worker": 3, "cause": "exit 1"])
        try journal.record("frame-retried", ["worker": 3])
        try journal.record("worker-gone", ["worker": 2, "cause": nil])
        let consumer = WorkerJournalConsumer(
            transport: JournalFileTransport(path: path, follows: false))
        let events = try consumer.start().pollAll()
        #expect(events.map(\.worker) == [3, 2])
        #expect(events.map(\.cause) == ["exit 1", nil])
    }

    @Test func `damage is an error after what is before it`() throws {
        try folder.write(
            #"{"timestamp":1,"seq":1,"name":"a"}"# + "\n{}\n", to: "journal.jsonl")
        let consumer = RunJournalConsumer(
            transport: JournalFileTransport(path: path, follows: true))
        #expect(try consumer.start().poll()?.seq == 1)
        #expect(throws: JournalError.self) { try consumer.poll() }
        #expect(try consumer.poll() == nil)
    }

    /// A thousand kills in all.
    @Test(arguments: 0..<4)
    func `a writer that is killed in the middle of a line spoils nothing`(_ quarter: Int) throws {
        // Lines in two writes each, so that a kill often falls between them.
        let script = """
            n=$1
            while :; do
                printf '{"timestamp":1,"seq":%d,' $n
                printf '"name":"a"}\\n'
                n=$((n+1))
            done
            """
        var reader: JournalReader?
        var (lastSeq, tornCount, shellCount): (UInt64, Int, UInt64) = (0, 0, 0)
        for round in (quarter * 250)..<(quarter * 250 + 250) {
            let before = lastSeq
            var size = Shell.byteCount(path)
            let goal = size + 1 + (round * 37) % 90
            let child = try Shell.start(script, "\(lastSeq + 1)", appendingTo: path)
            while size < goal {
                giveWay()
                size = Shell.byteCount(path)
            }
            Shell.kill(child)
            if reader == nil { reader = try JournalReader(path: path) }
            let seen = try reader?.readAll() ?? []
            let journal = try JournalWriter(path: path)
            let opened = try reader?.readAll() ?? []
            let seqs = seen + opened
            #expect(seqs == Array((before + 1)..<(before + 1 + UInt64(seqs.count))))
            if !opened.isEmpty { tornCount += 1 }
            shellCount += UInt64(seen.count)
            lastSeq = journal.lastSeq
            try journal.close()
            #expect(seqs.last == lastSeq)
        }
        let events = try JournalReader.events(path: path)
        #expect(events.map(\.seq) == Array(1...lastSeq))
        #expect(events.count { $0.name == "truncate" } == tornCount)
        #expect(events.count { $0.name == "a" } == Int(shellCount))
        #expect(tornCount > 0)
    }
}

/// A shell that appends to a file until it is killed.
private enum Shell {
    struct Failure: Error { let number: Int32 }

    static func start(
        _ script: String, _ argument: String, appendingTo path: String
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(
            &actions, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        let words = ["sh", "-c", script, "sh", argument]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child = pid_t()
        let result = posix_spawn(&child, "/bin/sh", &actions, nil, &arguments, nil)
        guard result == 0 else { throw Failure(number: result) }
        return child
    }

    static func kill(_ child: pid_t) {
        _ = Glibc.kill(child, SIGKILL)
        var status: Int32 = 0
        waitpid(child, &status, 0)
    }

    static func byteCount(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
