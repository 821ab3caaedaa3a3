import TestSupport
import Testing

@testable import Journal

struct JournalReaderTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/journal.jsonl"
    }

    private func line(_ seq: Int, _ name: String = "a") -> String {
        #"{"timestamp":1,"seq":\#(seq),"name":"\#(name)"}"# + "\n"
    }

    @Test func `a reader that follows gets every event once`() throws {
        let journal = try JournalWriter(path: path)
        var reader = try JournalReader(path: path)
        #expect(try reader.readNew().isEmpty)
        try journal.record("a")
        try journal.record("b")
        #expect(try reader.readNew().map(\.name) == ["a", "b"])
        #expect(try reader.readNew().isEmpty)
        try journal.record("c")
        try journal.record("d")
        #expect(try reader.readNew(maximumCount: 1).map(\.name) == ["c"])
        #expect(try reader.readNew().map(\.name) == ["d"])
        #expect(reader.lastSeq == 4)
    }

    @Test func `a torn tail is not there until it is whole`() throws {
        try folder.write(line(1), to: "journal.jsonl")
        var reader = try JournalReader(path: path)
        #expect(try reader.readNew().count == 1)
        for character in line(2).dropLast() {
            try folder.append(String(character), to: "journal.jsonl")
            #expect(try reader.readNew().isEmpty)
        }
        try folder.append("\n", to: "journal.jsonl")
        #expect(try reader.readNew().map(\.seq) == [2])
    }

    @Test func `a torn tail that a new writer cuts is never seen`() throws {
        try folder.write(line(1) + #"{"timestamp":"#, to: "journal.jsonl")
        var reader = try JournalReader(path: path)
        #expect(try reader.readNew().count == 1)
        let journal = try JournalWriter(path: path)
        try journal.record("b")
        #expect(try reader.readNew().map(\.name) == ["truncate", "b"])
    }

    @Test func `a bad whole line is an error with its number, after the events before it`() throws {
        try folder.write(line(1) + line(2) + "{}\n" + line(3), to: "journal.jsonl")
        var reader = try JournalReader(path: path)
        #expect(try reader.readNew().map(\.seq) == [1, 2])
        let error = JournalError.malformedLine(
            path: path, line: 3, reason: "no timestamp of 0 or more at byte 0")
        #expect(throws: error) { try reader.readNew() }
        #expect(throws: error) { try reader.readNew() }
        #expect(throws: error) { try JournalReader.events(path: path) }
        #expect(error.description.contains("line 3"))
    }

    @Test(arguments: [(3, 4), (3, 3), (3, 1), (3, 6)])
    func `a gap in the serial numbers is an error`(last: Int, next: Int) throws {
        try folder.write(line(2) + line(last) + line(next), to: "journal.jsonl")
        if next == last + 1 {
            #expect(try JournalReader.events(path: path).map(\.seq) == [2, 3, 4])
        } else {
            #expect(
                throws: JournalError.sequenceBroken(
                    path: path, line: 3, expected: 4, found: UInt64(next))
            ) { try JournalReader.events(path: path) }
        }
    }

    @Test func `a file that shrank is an error`() throws {
        try folder.write(line(1) + line(2), to: "journal.jsonl")
        var reader = try JournalReader(path: path)
        #expect(try reader.readNew().count == 2)
        try folder.write(line(1), to: "journal.jsonl")
        #expect(throws: JournalError.self) { try reader.readNew() }
    }

    @Test func `lines of every length up to the limit are read`() throws {
        let journal = try JournalWriter(path: path)
        let frame = try JournalEvent(
            timestamp: 1e9, seq: 1, name: "a", context: [JournalField("t", "")]
        ).line().count
        let limit = JournalEvent.maximumLineByteCount
        let lengths = [limit - frame - 1, 1, 131_072 - frame - 1, 131_072 - frame, 300_000, 2]
        for length in lengths {
            try journal.record("a", ["t": .string(String(repeating: "x", count: length))])
        }
        try journal.close()
        let events = try JournalReader.events(path: path)
        let read = events.map { event in
            if case .string(let text)? = event["t"] { text.utf8.count } else { -1 }
        }
        #expect(read == lengths)
        #expect(try JournalWriter(path: path).lastSeq == 6)
    }

    @Test func `a line without end is refused and not gathered for ever`() throws {
        let endless = [UInt8](repeating: 0x20, count: 2 * JournalEvent.maximumLineByteCount + 5)
        try folder.write(endless, to: "journal.jsonl")
        let error = JournalError.malformedLine(
            path: path, line: 1, reason: "longer than \(JournalEvent.maximumLineByteCount) bytes")
        #expect(throws: error) { try JournalReader.events(path: path) }
        #expect(throws: error) { try JournalWriter(path: path) }
    }
}
