/// A record that waits for a destination, taken from a spool to be delivered.
struct SpoolEntry: Sendable, Equatable {
    /// Its serial number in the spool.
    var seq: UInt64
    /// The destination owes nothing from this number to the one before `seq`.
    var first: UInt64
    /// Where the next record of the spool begins.
    var end: SpoolCursor
    /// Bytes that it takes.
    var byteCount: Int
    /// What to deliver.
    var record: ExportRecord
}

/// A place in a spool: a serial number, and where the record with it or the next one after it begins.
struct SpoolCursor: Sendable, Equatable {
    var seq: UInt64
    /// Bytes of all files from the oldest one on.
    var position: Int
}

/// What became of a record that was to be stored.
enum SpoolAppend: Equatable {
    /// It is stored under a serial number; for destinations, by name, so many older ones went for it.
    case stored(seq: UInt64, dropped: [String: Int])
    /// There is no room, and the new record is the one to go.
    case refused
    /// There is no room, and the caller is to wait.
    case full
}

/// Where records wait: memory or disk. A value that one owner changes.
protocol SpoolStore: Sendable {
    /// The serial number of the newest record so far; 0 without one.
    var lastSeq: UInt64 { get }
    /// Records and bytes between the oldest that is owed and the newest.
    var live: SpoolQueue { get }
    /// Names of all destinations that owe records.
    var owing: [String] { get }
    /// What a destination owes.
    func queued(_ name: String) -> SpoolQueue
    /// Says that a destination exists, so that what it owes is its own.
    mutating func claim(_ name: String)
    /// Adds a record that destinations, at least one, owe.
    mutating func append(
        _ record: ExportRecord, owed: [String]
    ) throws(SpoolError) -> SpoolAppend
    /// The oldest records that a destination owes, with serial numbers within the range.
    mutating func batch(
        for name: String, _ range: ClosedRange<UInt64>, maximumCount: Int, maximumBytes: Int
    ) throws(SpoolError) -> [SpoolEntry]
    /// Notes that the destination owes these no more; how many of them it owed until now.
    mutating func acknowledge(_ entries: [SpoolEntry], at name: String) throws(SpoolError) -> Int
    /// Calls with every record that is owed, in order, and who owes it.
    mutating func forEachOwed(
        _ body: (ExportRecord, [String]) throws(SpoolError) -> Void
    ) throws(SpoolError)
    /// Forgets all records, as delivered.
    mutating func removeAll() throws(SpoolError)
    /// Brings everything to where it belongs. The store is not used after.
    mutating func close() throws(SpoolError)
    /// What was found to be damaged, or could not be kept, since the last call.
    mutating func takeLosses() -> SpoolLosses
}

/// How much waits.
public struct SpoolQueue: Sendable, Equatable {
    /// Records.
    public var records = 0
    /// Bytes, with what the spool puts around them.
    public var bytes = 0

    static func + (left: SpoolQueue, right: SpoolQueue) -> SpoolQueue {
        SpoolQueue(records: left.records + right.records, bytes: left.bytes + right.bytes)
    }
}

/// What a spool lost on its own.
struct SpoolLosses: Sendable, Equatable {
    /// Records whose bytes were damaged, whoever owed them.
    var corruptRecords = 0
    /// Of these, what destinations had been counted to owe.
    var corruptOwed: [String: Int] = [:]
    /// Records of destinations that nobody claimed and that had no room any more.
    var unclaimed: [String: Int] = [:]
    /// Bytes at the end of the spool that were no whole record.
    var tornBytes = 0
    /// Why acknowledgements could not be written; nil where they could.
    var acknowledgementProblem: SpoolError?
}

/// Numbers in ranges, sorted and apart.
struct SeqRanges: Sendable, Equatable {
    private(set) var ranges: [ClosedRange<UInt64>] = []

    var isEmpty: Bool { ranges.isEmpty }

    func contains(_ seq: UInt64) -> Bool {
        let place = firstIndex(endingAtOrAfter: seq)
        return place < ranges.count && ranges[place].lowerBound <= seq
    }

    /// The place of the first range that does not end before a number.
    private func firstIndex(endingAtOrAfter seq: UInt64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < seq { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func insert(_ range: ClosedRange<UInt64>) {
        // Ranges that touch become one, so the neighbours one number away count, too.
        let first = firstIndex(endingAtOrAfter: max(range.lowerBound, 1) - 1)
        var last = first
        var merged = range
        while last < ranges.count, ranges[last].lowerBound <= merged.upperBound + 1 {
            merged =
                min(
                    merged.lowerBound, ranges[last].lowerBound)...max(
                    merged.upperBound, ranges[last].upperBound)
            last += 1
        }
        ranges.replaceSubrange(first..<last, with: CollectionOfOne(merged))
    }

    /// Forgets everything below a number.
    mutating func removeAll(below seq: UInt64) {
        let place = firstIndex(endingAtOrAfter: seq)
        if place > 0 { ranges.removeFirst(place) }
    }
}
