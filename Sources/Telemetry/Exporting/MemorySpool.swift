internal import Journal

/// A spool in memory: what is in it ends with the process.
struct MemorySpool: SpoolStore {
    private struct Slot: Sendable {
        /// nil when nobody owes it any more.
        var record: ExportRecord?
        var owed: Set<String>
        var byteCount: Int
    }

    private let limits: SpoolLimits
    /// Slots from `firstSeq` on; those before `head` have gone.
    private var slots: [Slot] = []
    private var head = 0
    private var firstSeq: UInt64 = 1
    private var queues: [String: SpoolQueue] = [:]
    /// No destination owes anything before its place.
    private var places: [String: UInt64] = [:]
    private(set) var live = SpoolQueue()

    init(limits: SpoolLimits) { self.limits = limits }

    var lastSeq: UInt64 { firstSeq + UInt64(slots.count - head) - 1 }
    var owing: [String] { queues.filter { $0.value.records > 0 }.keys.sorted() }

    func queued(_ name: String) -> SpoolQueue { queues[name] ?? SpoolQueue() }

    mutating func claim(_ name: String) {}

    mutating func takeLosses() -> SpoolLosses { SpoolLosses() }

    mutating func append(
        _ record: ExportRecord, owed: [String]
    ) throws(SpoolError) -> SpoolAppend {
        let byteCount = record.storedByteCount
        let limit = min(SpoolLimits.maximumRecordBytes, limits.maximumBytes)
        guard byteCount <= limit else { throw .tooLarge(needed: byteCount, limit: limit) }
        var dropped: [String: Int] = [:]
        while live.records + 1 > limits.maximumRecords
            || live.bytes + byteCount > limits.maximumBytes
        {
            switch limits.whenFull {
            case .dropNewest: return .refused
            case .block: return .full
            case .dropOldest:
                for name in slots[head].owed { dropped[name, default: 0] += 1 }
                for name in slots[head].owed { release(head, name) }
                trim()
            }
        }
        slots.append(Slot(record: record, owed: Set(owed), byteCount: byteCount))
        live = live + SpoolQueue(records: 1, bytes: byteCount)
        for name in owed {
            let queue = queues[name] ?? SpoolQueue()
            if queue.records == 0 { places[name] = lastSeq }
            queues[name] = queue + SpoolQueue(records: 1, bytes: byteCount)
        }
        return .stored(seq: lastSeq, dropped: dropped)
    }

    mutating func batch(
        for name: String, _ range: ClosedRange<UInt64>, maximumCount: Int, maximumBytes: Int
    ) throws(SpoolError) -> [SpoolEntry] {
        guard queued(name).records > 0 else { return [] }
        var entries: [SpoolEntry] = []
        var byteCount = 0
        var seq = max(places[name] ?? firstSeq, firstSeq, range.lowerBound)
        while seq <= min(lastSeq, range.upperBound), entries.count < maximumCount,
            byteCount < maximumBytes
        {
            let slot = slots[head + Int(seq - firstSeq)]
            if slot.owed.contains(name), let record = slot.record {
                entries.append(
                    SpoolEntry(
                        seq: seq, first: seq, end: SpoolCursor(seq: seq + 1, position: 0),
                        byteCount: slot.byteCount, record: record))
                byteCount += slot.byteCount
            }
            seq += 1
        }
        return entries
    }

    mutating func acknowledge(
        _ entries: [SpoolEntry], at name: String
    ) throws(SpoolError) -> Int {
        var count = 0
        for entry in entries where entry.seq >= firstSeq && entry.seq <= lastSeq {
            let place = head + Int(entry.seq - firstSeq)
            guard slots[place].owed.contains(name) else { continue }
            release(place, name)
            count += 1
            if places[name] == entry.seq { places[name] = entry.seq + 1 }
        }
        trim()
        return count
    }

    private mutating func release(_ place: Int, _ name: String) {
        slots[place].owed.remove(name)
        queues[name]?.records -= 1
        queues[name]?.bytes -= slots[place].byteCount
        guard slots[place].owed.isEmpty else { return }
        slots[place].record = nil
        live.records -= 1
        live.bytes -= slots[place].byteCount
    }

    /// Gives up the slots at the front that nobody owes; the array is moved when half of it has gone, so
    /// that a record is moved once on average.
    private mutating func trim() {
        while head < slots.count, slots[head].owed.isEmpty {
            head += 1
            firstSeq += 1
        }
        if head > 1024, head * 2 > slots.count {
            slots.removeFirst(head)
            head = 0
        }
    }

    mutating func forEachOwed(
        _ body: (ExportRecord, [String]) throws(SpoolError) -> Void
    ) throws(SpoolError) {
        for slot in slots[head...] {
            if let record = slot.record { try body(record, slot.owed.sorted()) }
        }
    }

    mutating func removeAll() {
        firstSeq = lastSeq + 1
        slots = []
        head = 0
        queues = [:]
        places = [:]
        live = SpoolQueue()
    }

    mutating func close() {}
}

extension ExportRecord {
    /// About what a record takes in memory, from the sizes of its texts; what a limit in bytes counts.
    var storedByteCount: Int {
        let data: Int
        switch self.data {
        case .bytes(let bytes): data = bytes.count
        case .value(let value): data = value.storedByteCount
        }
        return 64 + source.utf8.count + data + JournalValue.object(options).storedByteCount
    }
}

extension JournalValue {
    fileprivate var storedByteCount: Int {
        switch self {
        case .null, .bool, .int, .uint, .double: 9
        case .string(let text): 16 + text.utf8.count
        case .array(let elements): elements.reduce(8) { $0 + $1.storedByteCount }
        case .object(let fields):
            fields.reduce(8) { $0 + 16 + $1.key.utf8.count + $1.value.storedByteCount }
        }
    }
}
