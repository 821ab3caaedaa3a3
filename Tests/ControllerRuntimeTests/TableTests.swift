import NDArrays
import Statistics
import TestSupport
import Testing

// The tests of this target see the module's internals on purpose: its parts that decide without doing
// anything (state machine, boards, tables, intake, ledger) are internal, and are tested here one by one.
@testable import ControllerRuntime

@Suite("The tables of the engine")
struct TableTests {
    @Test("a queue gives what an array would", arguments: [1, 2, 3] as [UInt64])
    func queue(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var queue = IndexQueue()
        var array: [Int] = []
        for number in 0..<50_000 {
            // Phases of growing and shrinking, so that the ring grows while it is wrapped around.
            let grows = (number / 500) % 2 == 0
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<(grows ? 5 : 2):
                queue.append(number)
                array.append(number)
            case 5:
                queue.prepend(number)
                array.insert(number, at: 0)
            case 6:
                // Behind the leading numbers that are smaller than a drawn one.
                let limit = Int.random(in: 0...number, using: &random)
                queue.insert(number) { $0 < limit }
                array.insert(number, at: array.firstIndex { $0 >= limit } ?? array.count)
            default:
                let expected = array.isEmpty ? nil : array.removeFirst()
                #expect(queue.popFirst() == expected)
            }
            guard queue.count == array.count, queue.first == array.first,
                queue.isEmpty == array.isEmpty
            else {
                Issue.record("they differ after step \(number)")
                return
            }
        }
        while let value = queue.popFirst() { #expect(value == array.removeFirst()) }
        #expect(array.isEmpty)
    }

    @Test("request ids of closed entries never resolve, those of open ones always do")
    func requestIds() {
        var random = SeededNumbers(seed: 4)
        var table = EntryTable()
        var open: [(place: Int, id: UInt64)] = []
        var closed: Set<UInt64> = []
        for _ in 0..<20_000 {
            if open.count < 40 && Bool.random(using: &random) {
                let place = table.open()
                let id = table.requestId(of: place)
                #expect(id != 0 && id >> 63 == 0)
                #expect(!closed.contains(id))
                open.append((place, id))
            } else if !open.isEmpty {
                let entry = open.remove(at: Int.random(in: 0..<open.count, using: &random))
                table.close(entry.place)
                closed.insert(entry.id)
                #expect(table.place(ofRequest: entry.id) == nil)
            }
            #expect(table.openCount == open.count)
        }
        #expect(open.allSatisfy { table.place(ofRequest: $0.id) == $0.place })
        #expect(closed.allSatisfy { table.place(ofRequest: $0) == nil })
    }

    @Test("numbers that are no request id resolve to nothing")
    func foreignRequestIds() {
        var table = EntryTable()
        let place = table.open()
        let id = table.requestId(of: place)
        let foreign: [UInt64] = [
            0, .max, 1 << 63 | id, 1 << 62 | id, id + 1, id + 1 << 32, 0xFFFF_FFFF,
        ]
        #expect(foreign.allSatisfy { table.place(ofRequest: $0) == nil })
        #expect(table.place(ofRequest: id) == place)
    }

    @Test("the count of a place's uses goes round without ever setting the top bits")
    func generations() {
        var table = EntryTable()
        let place = table.open()
        for generation in [0x3FFF_FFFF, 0x4000_0000, UInt32.max] as [UInt32] {
            table[place].generation = generation
            let id = table.requestId(of: place)
            #expect(id >> 62 == 0)
            #expect(table.place(ofRequest: id) == place)
            table.close(place)
            #expect(table.open() == place)
            #expect(table.place(ofRequest: id) == nil)
        }
        #expect(table[place].generation == 0)
    }

    @Test("a million entries, seven open at a time, need seven places")
    func boundedMemory() {
        var table = EntryTable()
        var roots = RootTable()
        var open: [(entry: Int, root: Int)] = []
        var next = 0
        var highestRoot = 0
        for number in 0..<1_000_000 {
            let place = (table.open(), roots.open(frameId: UInt64(number), acceptedAt: 0))
            highestRoot = max(highestRoot, place.1)
            if open.count < 7 {
                open.append(place)
                continue
            }
            // The eighth does not fit: one has to go first, another each time.
            table.close(place.0)
            roots.close(place.1)
            table.close(open[next].entry)
            roots.close(open[next].root)
            open[next] = (table.open(), roots.open(frameId: UInt64(number), acceptedAt: 0))
            next = (next + 1) % 7
        }
        #expect(table.count == 8)
        #expect(highestRoot == 7)
        #expect(table.openCount == 7)
        #expect(roots.openCount == 7)
    }

    @Test("an entry that was closed comes back empty")
    func emptyAgain() {
        var table = EntryTable()
        let place = table.open()
        table[place].key = FrameKey(frameId: 5)
        table[place].leasedSlots = [1, 2]
        table[place].attempt = 2
        table[place].worker = 3
        table[place].configurationVersion = 4
        table.close(place)
        #expect(table.open() == place)
        #expect(table[place].key == FrameKey(frameId: 0))
        #expect(table[place].leasedSlots == [])
        #expect(table[place].attempt == 0)
        #expect(table[place].worker == Entry.noWorker)
        #expect(table[place].configurationVersion == nil)
    }

    @Test("an entry can't be closed twice")
    func closedTwice() async {
        await #expect(processExitsWith: .failure) {
            var table = EntryTable()
            let place = table.open()
            table.close(place)
            table.close(place)
        }
    }

    @Test("roots keep what was put into them, also when places are used again")
    func roots() {
        var table = RootTable()
        let first = table.open(frameId: 1, acceptedAt: 10)
        let second = table.open(frameId: 2, acceptedAt: 20)
        table[first].outcome.conclude(.quarantined)
        table[first].openEntries = 3
        table.close(first)
        let third = table.open(frameId: 3, acceptedAt: 30)
        #expect(third == first)
        #expect(table[third].frameId == 3 && table[third].acceptedAt == 30)
        #expect(table[third].openEntries == 0 && table[third].outcome == RootOutcome())
        #expect(table[second].frameId == 2)
        #expect(table.openCount == 2)
    }

    @Test("the account balances after every step", arguments: [1, 2] as [UInt64])
    func ledger(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var ledger = Ledger()
        let fates: [FrameFate] = [.filtered, .processed, .dropped, .failed, .quarantined]
        var expected: [FrameFate: UInt64] = [:]
        var open: UInt64 = 0
        for _ in 0..<20_000 {
            if open == 0 || Bool.random(using: &random) {
                ledger.open()
                open += 1
            } else {
                let fate = fates[Int.random(in: 0..<fates.count, using: &random)]
                let reason = Bool.random(using: &random) ? "stopped" : "drop-oldest"
                ledger.close(
                    fate, reason: reason, nanoseconds: .random(in: 0...(.max), using: &random))
                expected[fate, default: 0] += 1
                open -= 1
            }
            let pending = UInt64.random(in: 0..<5, using: &random)
            let counts = ledger.counts(pending: pending)
            guard counts.isBalanced, counts.inFlight == open + pending,
                ledger.closed == ledger.accepted - open
            else {
                Issue.record("out of balance: \(counts)")
                return
            }
        }
        let counts = ledger.counts()
        #expect(counts.processed == expected[.processed])
        #expect(counts.filtered == expected[.filtered])
        #expect(counts.failed == expected[.failed])
        #expect(counts.quarantined == expected[.quarantined])
        #expect(counts.droppedTotal == expected[.dropped])
        #expect(Set(counts.dropped.keys) == ["stopped", "drop-oldest"])
        #expect(ledger.latency.count == ledger.closed - counts.droppedTotal)
    }

    @Test("more closes than opens are a mistake of the program")
    func closedTooOften() async {
        await #expect(processExitsWith: .failure) {
            var ledger = Ledger()
            ledger.close(.processed, nanoseconds: 1)
        }
    }
}
