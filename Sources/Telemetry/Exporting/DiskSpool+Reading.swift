internal import Glibc

extension DiskSpool {
    /// A walk that begins at a place; nil at the end of the spool.
    func walk(at cursor: SpoolCursor) throws(SpoolError) -> Walk? {
        guard let place = segments.lastIndex(where: { $0.base <= cursor.position }) else {
            return nil
        }
        let segment = segments[place]
        let scanner = SpoolScanner(
            file: try open(segment), from: cursor.position - segment.base, end: segment.byteCount)
        return Walk(segment: segment.firstSeq, scanner: scanner, cursor: cursor)
    }

    private func open(_ segment: Segment) throws(SpoolError) -> any SpoolFile {
        do {
            return try files.open(segment.name, anew: false)
        } catch .system(_, _, let errno) where errno == ENOENT {
            // Somebody removed it. What was in it is lost; what comes after it is not.
            return MissingSpoolFile()
        }
    }

    /// The next record; nil at the end of the spool.
    func step(_ walk: inout Walk) throws(SpoolError) -> Found? {
        while let place = segments.firstIndex(where: { $0.firstSeq == walk.segment }) {
            let segment = segments[place]
            walk.scanner.end = segment.byteCount
            switch try walk.scanner.next() {
            case .frame(let offset, let end, let body):
                guard let (seq, owed) = SpoolBody.header(body), seq >= walk.cursor.seq else {
                    continue
                }
                walk.lostCount += Int(seq - walk.cursor.seq)
                let start = SpoolCursor(seq: seq, position: segment.base + offset)
                walk.cursor = SpoolCursor(seq: seq + 1, position: segment.base + end)
                return Found(
                    seq: seq, owed: owed, start: start, byteCount: end - offset, body: body)
            case .damage: continue
            case .torn, .end:
                guard place + 1 < segments.count else { return nil }
                let next = segments[place + 1]
                if next.firstSeq > walk.cursor.seq {
                    walk.lostCount += Int(next.firstSeq - walk.cursor.seq)
                    walk.cursor.seq = next.firstSeq
                }
                walk.cursor.position = next.base
                walk.segment = next.firstSeq
                walk.scanner = SpoolScanner(file: try open(next), from: 0, end: next.byteCount)
            }
        }
        return nil
    }

    mutating func batch(
        for name: String, _ range: ClosedRange<UInt64>, maximumCount: Int, maximumBytes: Int
    ) throws(SpoolError) -> [SpoolEntry] {
        guard var debtor = debtors[name], debtor.queue.records > 0 else { return [] }
        // The walk that went on after the last batch serves where that batch was delivered, or lies
        // before what is asked for now.
        var kept = debtor.walk
        debtor.walk = nil
        debtors[name]?.walk = nil
        if let there = kept, !isUsable(there, debtor, range) { kept = nil }
        if kept == nil { kept = try walk(at: debtor.cursor) }
        guard var walk = kept.take() else { return [] }
        var isFront = walk.cursor == debtor.cursor
        var first = walk.cursor.seq
        var byteCount = 0
        var entries: [SpoolEntry] = []
        var hasPassedOwed = !isFront
        var isAtEnd = false
        while entries.count < maximumCount, byteCount < maximumBytes {
            guard let found = try step(&walk) else {
                isAtEnd = true
                break
            }
            let isOwed = found.owed.contains(name) && !debtor.acknowledged.contains(found.seq)
            if isOwed, found.seq > range.upperBound { break }
            if isOwed, range.contains(found.seq), let body = SpoolBody(found.body) {
                entries.append(
                    SpoolEntry(
                        seq: found.seq, first: first, end: walk.cursor,
                        byteCount: found.byteCount, record: body.record))
                byteCount += found.byteCount
                isFront = false
                first = found.seq + 1
            } else if isOwed, range.contains(found.seq) {
                // Its checksum is right and yet it is no record: passed over, never tried for ever.
                debtor.acknowledged.insert(found.seq...found.seq)
                discount(&debtor, name, records: 1, bytes: found.byteCount)
            } else if isOwed {
                hasPassedOwed = true
                isFront = false
                first = found.seq + 1
            }
            if isFront { debtor.cursor = walk.cursor }
        }
        if isAtEnd, entries.isEmpty, !hasPassedOwed {
            // Damage has taken what was still counted.
            discount(
                &debtor, name, records: debtor.queue.records, bytes: debtor.queue.bytes)
            debtor.cursor = end
        } else if entries.last?.end == walk.cursor {
            debtor.walk = walk
        }
        debtors[name] = debtor
        return entries
    }

    private func isUsable(
        _ walk: Walk, _ debtor: Debtor, _ range: ClosedRange<UInt64>
    ) -> Bool {
        guard segments.contains(where: { $0.firstSeq == walk.segment }) else { return false }
        return walk.cursor == debtor.cursor
            || (walk.cursor.seq == range.lowerBound && walk.cursor.seq > debtor.cursor.seq)
    }

    private mutating func discount(
        _ debtor: inout Debtor, _ name: String, records: Int, bytes: Int
    ) {
        debtor.queue.records -= records
        debtor.queue.bytes -= bytes
        losses.corruptRecords += records
        losses.corruptOwed[name, default: 0] += records
    }

    mutating func forEachOwed(
        _ body: (ExportRecord, [String]) throws(SpoolError) -> Void
    ) throws(SpoolError) {
        guard var walk = try walk(at: floor) else { return }
        while let found = try step(&walk) {
            let owed = found.owed.filter { owes($0, found.seq) }
            guard !owed.isEmpty, let record = SpoolBody(found.body)?.record else { continue }
            try body(record, owed)
        }
    }

    func owes(_ name: String, _ seq: UInt64) -> Bool {
        guard let debtor = debtors[name], debtor.queue.records > 0 else { return false }
        return seq >= debtor.cursor.seq && !debtor.acknowledged.contains(seq)
    }
}

/// What is read where a segment has gone: nothing.
private final class MissingSpoolFile: SpoolFile {
    func byteCount() -> Int { 0 }
    func read(count: Int, at offset: Int) -> [UInt8] { [] }
    func append(_ bytes: [UInt8]) {}
    func cut(to byteCount: Int) {}
    func sync() {}
}
