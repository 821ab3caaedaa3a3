import Glibc
import TestSupport
import Testing

@testable import Journal

@Suite(.timeLimit(.minutes(1)))
struct JournalRotationTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("journal.jsonl")
    }

    private func writer(
        _ byteCount: Int = 200, kept: Int? = nil, durability: JournalDurability = .none
    ) throws -> JournalWriter {
        try JournalWriter(
            path: path, durability: durability,
            rotation: JournalRotation(maximumByteCount: byteCount, keptFileCount: kept))
    }

    @Test(arguments: JournalDurability.allCases)
    func `a full file gets a number, and serial numbers go on`(_ durability: JournalDurability)
        throws
    {
        let journal = try writer(durability: durability)
        for _ in 0..<20 { try journal.record("a") }
        try journal.close()
        let files = try folder.files()
        #expect(files.count > 3)
        #expect(files.contains("journal.1.jsonl") && files.contains("journal.jsonl"))
        for name in files { #expect(try folder.bytes(of: name).count <= 200) }
        #expect(try JournalReader.events(path: path).map(\.seq) == Array(1...20))
        // Opened again, also where the newest file is empty or not there.
        let next = try writer()
        #expect(next.lastSeq == 20)
        try next.close()
        try folder.write("", to: "journal.jsonl")
        let last = try #require(JournalSegments(path: path).archives.last)
        let lastSeq = try JournalTail(of: JournalFile.forReading(path: last.path)).last?.seq
        #expect(try writer().lastSeq == lastSeq)
    }

    @Test func `an event that is longer than a file may be has one to itself`() throws {
        let journal = try writer(100)
        for length in [10, 500, 10] {
            try journal.record("a", ["t": .string(String(repeating: "x", count: length))])
        }
        #expect(try JournalReader.events(path: path).map(\.seq) == [1, 2, 3])
        #expect(try folder.files() == ["journal.1.jsonl", "journal.2.jsonl", "journal.jsonl"])
    }

    @Test func `a reader goes from file to file, and misses and repeats nothing`() throws {
        let journal = try writer(150)
        try journal.record("a")
        var all = try JournalReader(path: path)
        var end = try JournalReader(atEndOf: path)
        for count in 1...12 {
            for _ in 0..<count { try journal.record("a") }
            let seqs = try all.readAll()
            let first = count == 1 ? 1 : UInt64(count * (count - 1) / 2 + 2)
            #expect(seqs.first == first && seqs.last == journal.lastSeq)
            #expect(seqs == Array(first...journal.lastSeq))
        }
        #expect(try end.readAll() == Array(2...journal.lastSeq))
    }

    @Test(arguments: [0, 1, 7, 12, 29, 30] as [UInt64])
    func `a cursor is found in the file that has what follows`(_ seq: UInt64) throws {
        let journal = try writer()
        for _ in 0..<30 { try journal.record("a") }
        var reader = try JournalReader(path: path, after: seq)
        #expect(try reader.readAll() == Array((seq + 1)..<31))
        #expect(reader.lastSeq == 30)
    }

    @Test func `files that are too many are removed, and that is told`() throws {
        let journal = try writer(kept: 2)
        var slow = try JournalReader(path: try journalBegun(journal))
        #expect(try slow.readNew(maximumCount: 1).map(\.seq) == [1])
        for _ in 0..<40 { try journal.record("a") }
        #expect(JournalSegments(path: path).archives.count == 2)
        let events = try JournalReader.events(path: path)
        let first = try #require(events.first?.seq)
        #expect(first > 1)
        let notice = try #require(events.last { $0.name == "truncate" })
        #expect(notice["reason"] == "retention")
        #expect(notice["lastSeq"] == .init(first - 1))
        #expect(events.map(\.seq) == Array(first...journal.lastSeq))

        // Who was in a removed file reads it to its end, then is told what is gone.
        let rest = try slow.readNew().map(\.seq)
        let last = try #require(rest.last)
        #expect(rest == Array(2...last))
        let error = JournalError.eventsRemoved(path: path, first: last + 1, last: first - 1)
        #expect(throws: error) { try slow.readNew() }
        #expect(error.description.contains("\(first - 1)"))
        #expect(try slow.readAll() == Array(first...journal.lastSeq))
    }

    private func journalBegun(_ journal: JournalWriter) throws -> String {
        try journal.record("a")
        return journal.path
    }

    @Test func `a consumer is told what was removed before its cursor`() throws {
        let journal = try writer(kept: 1)
        for _ in 0..<40 { try journal.record("a") }
        let first = try #require(JournalReader.events(path: path).first?.seq)
        for cursor: UInt64? in [nil, 3] {
            let consumer = RunJournalConsumer(
                transport: JournalFileTransport(path: path, follows: false),
                names: [try #require(EventNamePattern("a"))], afterSeq: cursor)
            let notice = try #require(try consumer.start().poll())
            #expect(notice.name == "truncate" && notice.seq == first - 1)
            #expect(notice["firstSeq"] == .init((cursor ?? 0) + 1))
            #expect(notice["lastSeq"] == .init(first - 1))
            let next = try JournalReader.events(path: path).first { $0.name == "a" }
            #expect(try consumer.poll() == next)
        }
    }

    @Test func `a gap that no removal explains is damage`() throws {
        let journal = try writer()
        for _ in 0..<20 { try journal.record("a") }
        var archives = JournalSegments(path: path).archives
        #expect(remove(archives[1].path) == 0)
        #expect(throws: JournalError.self) { try JournalReader.events(path: path) }
        // In the folder are other files, too.
        try folder.write("", to: "journal.x.jsonl")
        try folder.write("", to: "journal.01.jsonl")
        try folder.write("", to: "journal.jsonl.1")
        archives.remove(at: 1)
        #expect(JournalSegments(path: path).archives == archives)
    }

    @Test func `where no other file can be made the journal goes on in the old one`() throws {
        // A name as long as names may be: with a number it is too long, whoever the user is.
        let name = String(repeating: "x", count: 249) + ".jsonl"
        let journal = try JournalWriter(
            path: folder.file(name), rotation: JournalRotation(maximumByteCount: 100))
        #expect(journal.rotationProblem == nil)
        for _ in 0..<20 { try journal.record("a") }
        #expect(try folder.files() == [name])
        #expect(try JournalReader.events(path: journal.path).map(\.seq) == Array(1...20))
        guard case .system(let operation, _, let number)? = journal.rotationProblem else {
            Issue.record("no problem")
            return
        }
        #expect(operation == "rename" && number == ENAMETOOLONG)
    }

    @Test func `a journal whose place another writer took is closed`() throws {
        let journal = try writer(100)
        try journal.record("a")
        // The lock is on a file that has another name by now.
        #expect(rename(path, folder.file("journal.1.jsonl")) == 0)
        let other = try JournalWriter(path: path)
        #expect(other.lastSeq == 1)
        try other.record("b")
        let long: JournalValue = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        #expect(throws: JournalError.inUse(path: path)) { try journal.record("c", ["t": long]) }
        #expect(throws: JournalError.closed(path: path)) { try journal.record("d") }
        #expect(try JournalReader.events(path: path).map(\.name) == ["a", "b"])
    }

    @Test func `a reader that follows while files come and go reads all that is kept`() async throws
    {
        let journal = try writer(2_000)
        let consumer = RunJournalConsumer(
            transport: JournalFileTransport(path: path, follows: true))
        consumer.start()
        let task = Task.detached { [journal] in
            for _ in 0..<5_000 { try journal.record("a") }
        }
        #expect(try consumer.poll(count: 5_000).map(\.seq) == Array(1...5_000))
        try await task.value
        consumer.stop()
        #expect(try consumer.poll() == nil)
    }
}

extension JournalReader {
    /// The serial numbers of all there is.
    mutating func readAll() throws -> [UInt64] {
        var seqs: [UInt64] = []
        while true {
            let events = try readNew()
            if events.isEmpty { return seqs }
            seqs += events.map(\.seq)
        }
    }
}
