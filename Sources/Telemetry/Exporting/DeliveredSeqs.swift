internal import Glibc

/// The account beside a file of which records are in it and how long it is: written after the records, so
/// that what the file has beyond it is what a crash has cut short.
///
/// A file of frames as in a spool: `byte count u64, count u16, count × (source, first seq u64, last seq u64)`.
struct DeliveredSeqs: Sendable {
    /// Written anew above this size.
    private static let maximumByteCount = 1 << 20
    /// Sources that are remembered, the newest ones: each life of a sender is one.
    private static let maximumSourceCount = 256

    private var file: SystemSpoolFile
    private let path: String
    private var size: Int
    private var ranges: [String: SeqRanges] = [:]
    private var order: [String] = []
    /// How long the other file is.
    private(set) var byteCount = 0
    /// Whether there is an account at all.
    private(set) var isKnown = false

    init(path: String, anew: Bool) throws(SpoolError) {
        self.path = path
        file = try SystemSpoolFile(
            path: path, flags: O_RDWR | O_APPEND | O_CREAT | (anew ? O_TRUNC : 0))
        size = try file.byteCount()
        if size < SpoolHeader.byteCount {
            try file.cut(to: 0)
            try file.append(SpoolHeader.encoded(firstSeq: 0))
            size = SpoolHeader.byteCount
        }
        let header = SpoolHeader.decoded(try file.read(count: SpoolHeader.byteCount, at: 0))
        if let version = header?.version, version != SpoolHeader.version {
            throw .newerVersion(path: path, version: version, supported: SpoolHeader.version)
        }
        var scanner = SpoolScanner(file: file, from: 0, end: size)
        var whole = SpoolHeader.byteCount
        reading: while true {
            switch try scanner.next() {
            case .frame(_, let end, let body):
                take(body)
                whole = end
            case .damage: continue
            case .torn, .end: break reading
            }
        }
        if whole < size {
            try file.cut(to: whole)
            size = whole
        }
    }

    private mutating func take(_ body: ArraySlice<UInt8>) {
        var reader = SpoolReader(body)
        guard let byteCount: UInt64 = reader.number(), let count: UInt16 = reader.number() else {
            return
        }
        self.byteCount = Int(clamping: byteCount)
        isKnown = true
        for _ in 0..<count {
            guard let source = reader.text(), let first: UInt64 = reader.number(),
                let last: UInt64 = reader.number(), first <= last, last < .max
            else { return }
            insert(first...last, source)
        }
    }

    private mutating func insert(_ range: ClosedRange<UInt64>, _ source: String) {
        if ranges[source] == nil {
            order.append(source)
            if order.count > Self.maximumSourceCount { ranges[order.removeFirst()] = nil }
        }
        ranges[source, default: SeqRanges()].insert(range)
    }

    func contains(_ record: ExportRecord) -> Bool {
        ranges[record.source]?.contains(record.seq) == true
    }

    /// Notes records that are in the file, which has that size now. Throws where that can't be written; then
    /// it is as it was.
    mutating func add(
        _ records: [ExportRecord], byteCount: Int, syncs: Bool
    ) throws(SpoolError) {
        var new: [String: SeqRanges] = [:]
        for record in records where record.seq < .max {
            new[record.source, default: SeqRanges()].insert(record.seq...record.seq)
        }
        if size > Self.maximumByteCount { try rewrite() }
        let frame = SpoolFrame.encoded(Self.body(new, byteCount: byteCount))
        do throws(SpoolError) {
            try file.append(frame)
            if syncs { try file.sync() }
        } catch {
            try file.cut(to: size)
            throw error
        }
        size += frame.count
        self.byteCount = byteCount
        isKnown = true
        for (source, seqs) in new {
            for range in seqs.ranges { insert(range, source) }
        }
    }

    private static func body(_ seqs: [String: SeqRanges], byteCount: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: UInt64(byteCount))
        let all = seqs.flatMap { source, seqs in seqs.ranges.map { (source, $0) } }
        // A batch has at most 1000 records, so that 16 bits are enough; what is written anew is shortened
        // to its newest ranges.
        let kept = all.suffix(Int(UInt16.max))
        bytes.append(number: UInt16(kept.count))
        for (source, range) in kept {
            bytes.append(text: source)
            bytes.append(number: range.lowerBound)
            bytes.append(number: range.upperBound)
        }
        return bytes
    }

    private mutating func rewrite() throws(SpoolError) {
        let bytes =
            SpoolHeader.encoded(firstSeq: 0)
            + SpoolFrame.encoded(Self.body(ranges, byteCount: byteCount))
        let made = try SystemSpoolFile(
            path: path + ".new", flags: O_RDWR | O_APPEND | O_CREAT | O_TRUNC)
        try made.append(bytes)
        try made.sync()
        guard rename(path + ".new", path) == 0 else {
            throw .system(operation: "rename", path: path + ".new", errno: errno)
        }
        file = made
        size = bytes.count
    }
}
