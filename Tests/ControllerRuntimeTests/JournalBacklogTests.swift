import Journal
import Synchronization
import Testing

@testable import ControllerRuntime

@Suite("A journal that can't be written for a while")
struct JournalBacklogTests {
    /// A journal whose disk is full when it is told so.
    private final class FaultyJournal: JournalSink {
        let inner = InMemoryJournal(now: { 1 })
        let room = Mutex(Int.max)

        func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent {
            let fits = room.withLock { room in
                defer { room -= 1 }
                return room > 0
            }
            guard fits else { throw .system(operation: "write", path: "j", errno: 28) }
            return try inner.record(entry)
        }

        func setRoom(_ count: Int) { room.withLock { $0 = count } }
    }

    @Test("keeps order and times, and records all when there is room again")
    func keeps() {
        let sink = FaultyJournal()
        var backlog = JournalBacklog(sink)
        backlog.record("a", at: 0, wallTime: { 0 })
        #expect(backlog.nextTryAt == nil)
        sink.setRoom(0)
        for (index, name) in ["b", "c", "d"].enumerated() {
            backlog.record(JournalEntry(name), at: UInt64(index), wallTime: { 10 + Double(index) })
        }
        #expect(backlog.nextTryAt == JournalBacklog.pauseNanoseconds)
        #expect(backlog.problem?.contains("3 events are missing") == true)
        #expect(backlog.problem?.contains("errno 28") == true)
        // Room for one more: it goes on with the next one, and none comes twice.
        sink.setRoom(1)
        let isDone = backlog.retry(at: JournalBacklog.pauseNanoseconds)
        #expect(!isDone)
        #expect(backlog.problem?.contains("2 events are missing") == true)
        sink.setRoom(.max)
        backlog.record("e", at: 10 * JournalBacklog.pauseNanoseconds, wallTime: { 99 })
        #expect(sink.inner.names == ["a", "b", "c", "d", "e"])
        #expect(sink.inner.events.map(\.timestamp) == [1, 10, 11, 12, 1])
        #expect(sink.inner.events.map(\.seq) == [1, 2, 3, 4, 5])
        #expect(backlog.problem == nil)
        #expect(backlog.nextTryAt == nil)
    }

    @Test("says how many it could not keep, in their place")
    func gap() {
        let sink = FaultyJournal()
        var backlog = JournalBacklog(sink)
        sink.setRoom(0)
        let count = JournalBacklog.maximumCount + 7
        for number in 0..<count {
            backlog.record("a", at: 0, wallTime: { Double(number) })
        }
        #expect(backlog.problem?.contains("\(count) events are missing") == true)
        sink.setRoom(.max)
        let isDone = backlog.retry(at: JournalBacklog.pauseNanoseconds)
        #expect(isDone)
        backlog.record("b", at: 0, wallTime: { 0 })
        #expect(sink.inner.events.count == JournalBacklog.maximumCount + 2)
        let gap = sink.inner.events[JournalBacklog.maximumCount]
        #expect(gap.name == "journal-gap")
        #expect(gap["missed"] == 7)
        #expect(gap.timestamp == Double(JournalBacklog.maximumCount))
        #expect(sink.inner.events.last?.name == "b")
        #expect(backlog.problem == nil)
    }

    @Test("does not wait for an event that no journal takes")
    func refused() {
        let sink = FaultyJournal()
        var backlog = JournalBacklog(sink)
        backlog.record("NOT A NAME", at: 0, wallTime: { 0 })
        backlog.record("a", at: 0, wallTime: { 0 })
        #expect(sink.inner.names == ["a"])
        #expect(backlog.problem != nil)
    }
}
