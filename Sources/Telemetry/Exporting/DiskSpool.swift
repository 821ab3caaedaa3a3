/// A spool in segment files, of one writer and any number of destinations that read at their own pace.
///
/// In memory is only where each destination is, so a million records take no more of it than one.
struct DiskSpool: SpoolStore {
    /// A file of records.
    struct Segment: Sendable, Equatable {
        var name: String
        var firstSeq: UInt64
        /// The position of its first byte.
        var base: Int
        var byteCount: Int

        var end: Int { base + byteCount }
    }

    /// What is known of a destination.
    struct Debtor: Sendable {
        /// Nothing before this place is owed.
        var cursor: SpoolCursor
        /// What is not owed after it.
        var acknowledged = SeqRanges()
        var queue = SpoolQueue()
        /// Where reading goes on, with what was read ahead.
        var walk: Walk?
    }

    /// A reader on its way through the segments.
    struct Walk: Sendable {
        var segment: UInt64
        var scanner: SpoolScanner
        var cursor: SpoolCursor
        /// Records that damage has taken.
        var lostCount = 0
    }

    /// A record that a walk came to.
    struct Found {
        var seq: UInt64
        var owed: [String]
        var start: SpoolCursor
        var byteCount: Int
        var body: ArraySlice<UInt8>
    }

    let files: any SpoolFiles
    let limits: SpoolLimits
    /// Held for as long as the spool is open; nil where tests have a directory of their own.
    let lock: SpoolLock?
    var segments: [Segment]
    var active: any SpoolFile
    /// Whether bytes of a record that could not be written whole are at the end of the active file.
    var isTorn = false
    var nextSeq: UInt64
    var debtors: [String: Debtor]
    var log: SpoolAcknowledgementLog
    var claimed: Set<String> = []
    var losses = SpoolLosses()

    var lastSeq: UInt64 { nextSeq - 1 }
    var owing: [String] { debtors.filter { $0.value.queue.records > 0 }.keys.sorted() }

    func queued(_ name: String) -> SpoolQueue { debtors[name]?.queue ?? SpoolQueue() }

    mutating func claim(_ name: String) { claimed.insert(name) }

    mutating func takeLosses() -> SpoolLosses {
        defer { losses = SpoolLosses() }
        return losses
    }

    var end: SpoolCursor {
        SpoolCursor(seq: nextSeq, position: segments.last?.end ?? 0)
    }

    /// Nothing before this place is owed by anybody.
    var floor: SpoolCursor {
        debtors.values.filter { $0.queue.records > 0 }.map(\.cursor)
            .min { $0.position < $1.position } ?? end
    }

    var live: SpoolQueue {
        let floor = floor
        return SpoolQueue(
            records: Int(nextSeq - min(floor.seq, nextSeq)), bytes: end.position - floor.position)
    }

    // MARK: Adding

    mutating func append(
        _ record: ExportRecord, owed: [String]
    ) throws(SpoolError) -> SpoolAppend {
        let body = try SpoolBody(seq: nextSeq, owed: owed, record: record).encoded()
        let limit = min(SpoolLimits.maximumRecordBytes, limits.maximumBytes)
        guard body.count + SpoolFrame.headerByteCount <= limit else {
            throw .tooLarge(needed: body.count + SpoolFrame.headerByteCount, limit: limit)
        }
        let frame = SpoolFrame.encoded(body)
        var dropped: [String: Int] = [:]
        if !fits(frame.count) { try setUnclaimedAside() }
        if !fits(frame.count) {
            switch limits.whenFull {
            case .dropNewest: return .refused
            case .block: return .full
            case .dropOldest: dropped = try dropOldest(for: frame.count)
            }
        }
        try rotateIfNeeded(for: frame.count)
        let start = end
        try write(frame)
        nextSeq += 1
        for name in owed { owe(name, start, frame.count) }
        return .stored(seq: start.seq, dropped: dropped)
    }

    func fits(_ byteCount: Int, slack: SpoolQueue = SpoolQueue()) -> Bool {
        let live = live
        return live.records + 1 + slack.records <= limits.maximumRecords
            && live.bytes + byteCount + slack.bytes <= limits.maximumBytes
    }

    private mutating func owe(_ name: String, _ start: SpoolCursor, _ byteCount: Int) {
        var debtor = debtors[name] ?? Debtor(cursor: start)
        if debtor.queue.records == 0 {
            debtor.cursor = start
            debtor.acknowledged = SeqRanges()
        }
        debtor.queue = debtor.queue + SpoolQueue(records: 1, bytes: byteCount)
        debtors[name] = debtor
    }

    /// Appends to the active file. A frame that was written in part is cut off again, at the latest before
    /// the next one.
    private mutating func write(_ frame: [UInt8]) throws(SpoolError) {
        let place = segments.count - 1
        if isTorn { try active.cut(to: segments[place].byteCount) }
        isTorn = true
        try active.append(frame)
        if limits.syncsEachRecord { try active.sync() }
        isTorn = false
        segments[place].byteCount += frame.count
    }

    private mutating func rotateIfNeeded(for byteCount: Int) throws(SpoolError) {
        guard let last = segments.last, last.byteCount > SpoolHeader.byteCount,
            last.byteCount + byteCount > limits.segmentBytes
        else { return }
        if isTorn { try active.cut(to: last.byteCount) }
        isTorn = false
        try active.sync()
        try addSegment()
    }

    /// Makes the next file, empty but for its header.
    mutating func addSegment() throws(SpoolError) {
        let made = try Self.makeSegment(files, firstSeq: nextSeq, base: end.position)
        active = made.file
        segments.append(made.segment)
        try reclaim()
    }

    static func makeSegment(
        _ files: any SpoolFiles, firstSeq: UInt64, base: Int
    ) throws(SpoolError) -> (segment: Segment, file: any SpoolFile) {
        let name = segmentName(firstSeq)
        let file = try files.open(name, anew: true)
        try file.append(SpoolHeader.encoded(firstSeq: firstSeq))
        try files.sync()
        let segment = Segment(
            name: name, firstSeq: firstSeq, base: base, byteCount: SpoolHeader.byteCount)
        return (segment, file)
    }

    static let segmentSuffix = ".segment"

    static func segmentName(_ firstSeq: UInt64) -> String {
        let digits = String(firstSeq)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits + segmentSuffix
    }
}
