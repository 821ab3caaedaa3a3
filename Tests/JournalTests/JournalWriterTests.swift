import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Journal

struct JournalWriterTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/journal.jsonl"
    }

    @Test(arguments: JournalDurability.allCases)
    func `events are read back as they were recorded`(durability: JournalDurability) throws {
        let journal = try JournalWriter(path: path, durability: durability) { 12.345_678_9 }
        let recorded = try [
            journal.record("run-define", ["stages": ["a", "b"], "seed": 1]),
            journal.record("run-start"),
        ]
        try journal.close()
        #expect(recorded.map(\.seq) == [1, 2])
        #expect(recorded[0].timestamp == 12.345_679)
        #expect(try JournalReader.events(path: path) == recorded)
        #expect(recorded[0]["seed"] == 1)
        #expect(throws: JournalError.closed(path: path)) { try journal.record("late") }
        try journal.close()
    }

    @Test func `opening again goes on with the serial numbers`() throws {
        for round in 0..<3 {
            let journal = try JournalWriter(path: path)
            #expect(journal.lastSeq == UInt64(2 * round))
            try journal.record("run-start")
            try journal.record("run-finish")
            try journal.close()
        }
        #expect(try JournalReader.events(path: path).map(\.seq) == Array(1...6))
    }

    @Test func `a line torn at any byte is cut and the cut recorded`() throws {
        let journal = try JournalWriter(path: path)
        try journal.record("run-define", ["text": "µ\n"])
        try journal.record("run-start")
        try journal.close()
        let whole = try folder.bytes(of: "journal.jsonl")
        let first = try #require(whole.firstIndex(of: 0x0A)) + 1
        for length in 0...whole.count {
            try folder.write(Array(whole.prefix(length)), to: "journal.jsonl")
            let lines = length == whole.count ? 2 : length >= first ? 1 : 0
            let torn = length - [0, first, whole.count][lines]
            #expect(try JournalReader.events(path: path).count == lines)
            let again = try JournalWriter(path: path)
            try again.record("worker-spawn")
            try again.close()
            let events = try JournalReader.events(path: path)
            let expected = torn > 0 ? ["truncate", "worker-spawn"] : ["worker-spawn"]
            #expect(Array(events.map(\.name).dropFirst(lines)) == expected)
            #expect(events.map(\.seq) == Array(1...UInt64(events.count)))
            if torn > 0 { #expect(events[lines]["byteCount"] == JournalValue(torn)) }
        }
    }

    @Test func `a whole last line that is no event is refused with its number`() throws {
        let good = #"{"timestamp":1,"seq":1,"name":"a"}"# + "\n"
        try folder.write(good + "rubbish\n", to: "journal.jsonl")
        #expect(
            throws: JournalError.malformedLine(
                path: path, line: 2, reason: "no value begins like this at byte 0")
        ) { try JournalWriter(path: path) }
        #expect(try folder.text(of: "journal.jsonl").contains("rubb"))
    }

    @Test(arguments: [UInt64.max, UInt64.max - 1, 1 << 63])
    func `a number that leaves none to follow is refused`(seq: UInt64) throws {
        try folder.write(#"{"timestamp":1,"seq":\#(seq),"name":"a"}"# + "\n", to: "journal.jsonl")
        #expect(
            throws: JournalError.malformedLine(
                path: path, line: 1, reason: "a seq that no journal reaches at byte 0")
        ) {
            let journal = try JournalWriter(path: path)
            try journal.record("run-start")
        }
    }

    @Test func `one journal has one writer`() throws {
        let journal = try JournalWriter(path: path)
        #expect(throws: JournalError.inUse(path: path)) { try JournalWriter(path: path) }
        try journal.close()
        try JournalWriter(path: path).close()
    }

    @Test func `a folder that is not there is an error with the path`() {
        let missing = "\(folder.path)/no/journal.jsonl"
        #expect(
            throws: JournalError.system(operation: "open", path: missing, errno: ENOENT)
        ) { try JournalWriter(path: missing) }
    }

    @Test(arguments: [
        "", "Run", "run start", "-run", "1run", "rün", String(repeating: "a", count: 65),
    ])
    func `names are short, lower case and hyphenated`(name: String) throws {
        #expect(throws: JournalError.invalidName(name)) { try InMemoryJournal().record(name) }
        let journal = try JournalWriter(path: path)
        #expect(throws: JournalError.invalidName(name)) { try journal.record(name) }
        try journal.record("run-2-start")
        #expect(journal.lastSeq == 1)
    }

    @Test func `an event that is too long is refused and takes no number`() throws {
        let journal = try JournalWriter(path: path)
        let text = String(repeating: "x", count: JournalEvent.maximumLineByteCount)
        #expect(throws: JournalError.self) {
            try journal.record("a", ["text": JournalValue(text)])
        }
        try journal.record("b")
        #expect(try JournalReader.events(path: path).map(\.name) == ["b"])
        #expect(try JournalReader.events(path: path).map(\.seq) == [1])
    }

    @Test func `a disk that is full tears no line and takes no number`() throws {
        // /dev/full refuses every write; the same path through the code as a full disk.
        let journal = try JournalWriter(path: "/dev/full")
        #expect(throws: JournalError.self) { try journal.record("a") }
        #expect(journal.lastSeq == 0)
    }

    @Test func `an event that is recorded late has its own time`() throws {
        let journal = try JournalWriter(path: path, now: { 5 })
        var entry = JournalEntry("a")
        entry.timestamp = 2.5
        try journal.record(entry)
        try journal.record("b")
        #expect(try JournalReader.events(path: path).map(\.timestamp) == [2.5, 5])
    }

    @Test func `many threads give whole lines and serial numbers without gaps`() throws {
        let journal = try JournalWriter(path: path)
        let failures = Mutex(0)
        let (threads, each) = (8, 200)
        onThreads(threads) { thread in
            for number in 0..<each {
                do {
                    try journal.record(
                        "frame-failed", ["thread": .init(thread), "number": .init(number)])
                } catch {
                    failures.withLock { $0 += 1 }
                }
            }
        }
        try journal.close()
        #expect(failures.withLock { $0 } == 0)
        let events = try JournalReader.events(path: path)
        #expect(events.map(\.seq) == Array(1...UInt64(threads * each)))
        for thread in 0..<threads {
            let numbers = events.filter { $0["thread"] == .init(thread) }.map { $0["number"] }
            #expect(numbers == (0..<each).map { .init($0) })
        }
        #expect(zip(events, events.dropFirst()).allSatisfy { $0.timestamp <= $1.timestamp })
    }

    @Test(.timeLimit(.minutes(1)))
    func `a reader beside a busy writer sees whole events in order`() throws {
        let journal = try JournalWriter(path: path)
        let total: UInt64 = 3000
        let seen = Mutex<[UInt64]>([])
        let path = path
        let failures = Mutex(0)
        onThreads(2) { thread in
            do {
                if thread == 0 {
                    for number in 0..<total {
                        let text = String(repeating: "x", count: Int(number % 700))
                        try journal.record("frame-failed", ["text": .string(text)])
                    }
                } else {
                    var reader = try JournalReader(path: path)
                    while reader.lastSeq != total {
                        let new = try reader.readNew()
                        seen.withLock { $0 += new.map(\.seq) }
                    }
                }
            } catch {
                failures.withLock { $0 += 1 }
            }
        }
        #expect(failures.withLock { $0 } == 0)
        #expect(seen.withLock { $0 } == Array(1...total))
    }

    @Test func `a journal in memory gives the same events as one in a file`() throws {
        let file = try JournalWriter(path: path) { 5 }
        let memory = InMemoryJournal { 5 }
        let sinks: [any JournalSink] = [file, memory]
        for sink in sinks {
            try sink.record("worker-spawn", ["worker": 0, "processId": 77])
            try sink.record(JournalEntry("worker-gone", context: [JournalField("worker", 0)]))
        }
        #expect(try JournalReader.events(path: path) == memory.events)
        #expect(memory.names == ["worker-spawn", "worker-gone"])
    }
}

/// Runs the body on that many threads at once and waits for all.
private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    final class Start: Sendable {
        let index: Int
        let body: @Sendable (Int) -> Void
        init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
            self.index = index
            self.body = body
        }
    }
    let threads = (0..<count).map { index in
        var thread = pthread_t()
        let start = Unmanaged.passRetained(Start(index, body))
        pthread_create(
            &thread, nil,
            { argument in
                let start = argument.map { Unmanaged<Start>.fromOpaque($0).takeRetainedValue() }
                start?.body(start?.index ?? 0)
                return nil
            }, start.toOpaque())
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}
