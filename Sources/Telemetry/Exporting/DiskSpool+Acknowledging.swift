internal import Glibc

/// The file that says what need not be delivered any more.
struct SpoolAcknowledgementLog: Sendable {
    static let name = "acknowledged"
    static let nameWhileMade = "acknowledged.new"
    /// It is written anew above this size: short next to a segment, and long enough to happen rarely.
    static let maximumByteCount = 1 << 20

    var file: any SpoolFile
    var byteCount: Int
    /// Whether what was to be written is not there, because the disk was full: it is written anew then.
    var isBehind = false

    /// Adds one line.
    mutating func append(_ acknowledgement: SpoolAcknowledgement) throws(SpoolError) {
        let frame = SpoolFrame.encoded(acknowledgement.encoded())
        let problem: SpoolError
        do {
            try file.append(frame)
            byteCount += frame.count
            return
        } catch { problem = error }
        isBehind = true
        do throws(SpoolError) {
            try file.cut(to: byteCount)
        } catch {
            // What was written in part stays: readers find the next line after it.
            byteCount = max(byteCount, byteCountOnDisk)
        }
        throw problem
    }

    /// The size of the file; what is known of it where that can't be had.
    private var byteCountOnDisk: Int {
        do throws(SpoolError) { return try file.byteCount() } catch { return byteCount }
    }

    /// Writes the whole file anew beside the old one, and puts it in its place.
    static func written(
        _ lines: [SpoolAcknowledgement], _ files: any SpoolFiles
    ) throws(SpoolError) -> SpoolAcknowledgementLog {
        var bytes = SpoolHeader.encoded(firstSeq: 0)
        for line in lines { bytes += SpoolFrame.encoded(line.encoded()) }
        let file = try files.open(nameWhileMade, anew: true)
        try file.append(bytes)
        try file.sync()
        try files.rename(nameWhileMade, to: name)
        try files.sync()
        return SpoolAcknowledgementLog(file: file, byteCount: bytes.count)
    }
}

extension DiskSpool {
    mutating func acknowledge(
        _ entries: [SpoolEntry], at name: String
    ) throws(SpoolError) -> Int {
        guard var debtor = debtors[name] else { return 0 }
        // Not kept while it is changed here, or its buffer would be copied.
        debtors[name] = nil
        var ranges = SeqRanges()
        var count = 0
        for entry in entries where entry.seq >= debtor.cursor.seq && debtor.queue.records > 0 {
            guard !debtor.acknowledged.contains(entry.seq) else { continue }
            count += 1
            debtor.queue.records -= 1
            debtor.queue.bytes -= entry.byteCount
            ranges.insert(entry.first...entry.seq)
            debtor.acknowledged.insert(entry.first...entry.seq)
            if entry.first <= debtor.cursor.seq { debtor.cursor = entry.end }
        }
        if debtor.queue.records == 0 { debtor.cursor = end }
        debtor.acknowledged.removeAll(below: debtor.cursor.seq)
        debtors[name] = debtor
        for range in ranges.ranges {
            note(SpoolAcknowledgement(destination: name, range: range))
        }
        try reclaim()
        return count
    }

    /// Writes an acknowledgement. Where that fails the spool goes on: at worst records are delivered twice
    /// after a crash, while refusing would keep a full disk full.
    mutating func note(_ acknowledgement: SpoolAcknowledgement) {
        do throws(SpoolError) {
            try log.append(acknowledgement)
        } catch {
            losses.acknowledgementProblem = error
        }
    }

    /// Removes segments that nobody owes anything of, but for the active one: first what is delivered is
    /// brought to the disk, then the names go.
    mutating func reclaim() throws(SpoolError) {
        let floor = floor.position
        let count = segments.dropLast().prefix { $0.end <= floor }.count
        if count > 0 {
            do throws(SpoolError) { try log.file.sync() } catch {
                losses.acknowledgementProblem = error
            }
            for _ in 0..<count {
                try files.remove(segments[0].name)
                segments.removeFirst()
            }
            try files.sync()
        }
        if log.byteCount > SpoolAcknowledgementLog.maximumByteCount || (log.isBehind && count > 0) {
            do throws(SpoolError) {
                log = try SpoolAcknowledgementLog.written(lines(), files)
            } catch {
                // The old file still says it all; it is tried again at the next segment.
                log.isBehind = true
                losses.acknowledgementProblem = error
            }
        }
    }

    /// All that is delivered, in as few lines as say it.
    func lines() -> [SpoolAcknowledgement] {
        var lines: [SpoolAcknowledgement] = []
        if nextSeq > 1, debtors.values.allSatisfy({ $0.queue.records == 0 }) {
            return [SpoolAcknowledgement(destination: nil, range: 0...(nextSeq - 1))]
        }
        let floor = floor.seq
        if floor > 0 {
            lines.append(SpoolAcknowledgement(destination: nil, range: 0...(floor - 1)))
        }
        for (name, debtor) in debtors.sorted(by: { $0.key < $1.key }) {
            if debtor.cursor.seq > 0 {
                lines.append(
                    SpoolAcknowledgement(destination: name, range: 0...(debtor.cursor.seq - 1)))
            }
            for range in debtor.acknowledged.ranges {
                lines.append(SpoolAcknowledgement(destination: name, range: range))
            }
        }
        return lines
    }

    /// Lets the oldest records go until one of that size fits, and a little more, so that a full spool does
    /// not do this for every record; how many for each destination.
    mutating func dropOldest(for byteCount: Int) throws(SpoolError) -> [String: Int] {
        let slack = SpoolQueue(
            records: limits.maximumRecords / 64,
            bytes: min(limits.maximumBytes / 64, max(limits.maximumBytes - byteCount, 0)))
        var dropped: [String: Int] = [:]
        guard var walk = try walk(at: floor) else { return dropped }
        var last: UInt64?
        while !fits(byteCount, slack: slack) {
            guard let found = try step(&walk) else {
                // Only damage was left.
                for name in debtors.keys { debtors[name] = Debtor(cursor: end) }
                break
            }
            last = found.seq
            for name in found.owed where owes(name, found.seq) {
                dropped[name, default: 0] += 1
                debtors[name]?.queue.records -= 1
                debtors[name]?.queue.bytes -= found.byteCount
            }
            for name in debtors.keys { pass(name, walk.cursor) }
        }
        if let last { note(SpoolAcknowledgement(destination: nil, range: 0...last)) }
        try reclaim()
        return dropped
    }

    /// Moves a destination to a place, if it is not there yet.
    private mutating func pass(_ name: String, _ cursor: SpoolCursor) {
        guard var debtor = debtors[name], debtor.cursor.seq < cursor.seq else { return }
        debtor.cursor = debtor.queue.records == 0 ? end : cursor
        debtor.acknowledged.removeAll(below: cursor.seq)
        debtor.walk = nil
        debtors[name] = debtor
    }

    static let asideName = "aside"

    /// Puts what destinations owe that nobody claimed into a file beside, so that it can't fill the spool
    /// of those that exist. That file has the limit of the spool; beyond it they are dropped and counted.
    mutating func setUnclaimedAside() throws(SpoolError) {
        for name in owing where !claimed.contains(name) {
            let all = 0...UInt64.max
            while true {
                let entries = try batch(for: name, all, maximumCount: 1000, maximumBytes: 1 << 20)
                if entries.isEmpty { break }
                let file = try Self.openAside(files)
                var size = try file.byteCount()
                for entry in entries {
                    let body = SpoolBody(seq: entry.seq, owed: [name], record: entry.record)
                    let frame = SpoolFrame.encoded(try body.encoded())
                    if size + frame.count <= limits.maximumBytes {
                        try file.append(frame)
                        size += frame.count
                    } else {
                        losses.unclaimed[name, default: 0] += 1
                    }
                }
                try file.sync()
                _ = try acknowledge(entries, at: name)
            }
        }
    }

    /// The file of what nobody claimed, made if it is not there.
    static func openAside(_ files: any SpoolFiles) throws(SpoolError) -> any SpoolFile {
        let isThere = try files.names().contains(asideName)
        let file = try files.open(asideName, anew: !isThere)
        if try file.byteCount() < SpoolHeader.byteCount {
            try file.cut(to: 0)
            try file.append(SpoolHeader.encoded(firstSeq: 0))
        }
        return file
    }

    mutating func removeAll() throws(SpoolError) {
        for name in debtors.keys { debtors[name] = Debtor(cursor: end) }
        if nextSeq > 1 {
            note(SpoolAcknowledgement(destination: nil, range: 0...(nextSeq - 1)))
        }
        try reclaim()
    }

    mutating func close() throws(SpoolError) {
        if isTorn, let last = segments.last { try active.cut(to: last.byteCount) }
        isTorn = false
        try active.sync()
        try log.file.sync()
    }
}
