extension DiskSpool {
    /// Opens the spool of a directory, which is made if it is not there, for one writer. Everything is found
    /// by reading it, no count is trusted: what is damaged is passed over and counted, a torn record at the
    /// end is cut off. Throws where somebody else has it, where it is of a newer version, and where the
    /// system refuses; then nothing in it has changed.
    static func open(
        directory: String, limits: SpoolLimits, owner: String
    ) throws(SpoolError) -> DiskSpool {
        try limits.check()
        let files = SystemSpoolFiles(path: directory)
        try files.make()
        let lock = try SpoolLock(directory: directory, owner: owner)
        return try open(files, limits: limits, lock: lock)
    }

    static func open(
        _ files: any SpoolFiles, limits: SpoolLimits, lock: SpoolLock? = nil
    ) throws(SpoolError) -> DiskSpool {
        let survey = try SpoolSurvey(files)
        var segments = survey.segments
        // An empty file is one whose maker was killed before its header was whole.
        for segment in segments where segment.byteCount < SpoolHeader.byteCount {
            try files.remove(segment.name)
        }
        segments.removeAll { $0.byteCount < SpoolHeader.byteCount }
        var base = 0
        for place in segments.indices {
            segments[place].base = base
            base += segments[place].byteCount
        }
        let lines = try survey.acknowledgements(files)
        let firstFree = max(
            segments.map(\.firstSeq).max() ?? 1, (lines.map(\.range.upperBound).max() ?? 0) + 1, 1)
        let active: any SpoolFile
        if let last = segments.last {
            active = try files.open(last.name, anew: false)
        } else {
            let made = try makeSegment(files, firstSeq: firstFree, base: 0)
            segments = [made.segment]
            active = made.file
        }
        var spool = DiskSpool(
            files: files, limits: limits, lock: lock, segments: segments, active: active,
            nextSeq: firstFree, debtors: [:],
            log: SpoolAcknowledgementLog(file: active, byteCount: 0))
        try spool.recover(lines)
        try spool.renewLog(hasOld: survey.hasLog)
        try spool.reclaim()
        return spool
    }

    /// Writes anew what need not be delivered. On a full disk the old file does, because what is owed has to
    /// get out of there to make room.
    private mutating func renewLog(hasOld: Bool) throws(SpoolError) {
        do throws(SpoolError) {
            log = try SpoolAcknowledgementLog.written(lines(), files)
        } catch {
            guard hasOld else { throw error }
            losses.acknowledgementProblem = error
            try files.remove(SpoolAcknowledgementLog.nameWhileMade)
            let file = try files.open(SpoolAcknowledgementLog.name, anew: false)
            log = SpoolAcknowledgementLog(
                file: file, byteCount: try file.byteCount(), isBehind: true)
        }
    }

    /// Reads all records: who owes what, and where the last whole one ends.
    private mutating func recover(_ lines: [SpoolAcknowledgement]) throws(SpoolError) {
        let origin = SpoolCursor(seq: segments[0].firstSeq, position: segments[0].base)
        var all = SeqRanges()
        var acknowledged: [String: SeqRanges] = [:]
        for line in lines {
            if let name = line.destination {
                acknowledged[name, default: SeqRanges()].insert(line.range)
            } else {
                all.insert(line.range)
            }
        }
        guard var walk = try walk(at: origin) else { return }
        while let found = try step(&walk) {
            nextSeq = max(nextSeq, found.seq + 1)
            guard !all.contains(found.seq) else { continue }
            for name in found.owed where acknowledged[name]?.contains(found.seq) != true {
                var debtor =
                    debtors[name]
                    ?? Debtor(
                        cursor: found.start, acknowledged: acknowledged[name] ?? SeqRanges())
                debtor.queue =
                    debtor.queue + SpoolQueue(records: 1, bytes: found.byteCount)
                debtors[name] = debtor
            }
        }
        // Gaps at the start are records that were let go with their segment, not damage.
        losses.corruptRecords += walk.lostCount
        // Those that owe nothing any more: what says so is written anew as long as records are there.
        for name in acknowledged.keys where debtors[name] == nil {
            debtors[name] = Debtor(cursor: walk.cursor)
        }
        for name in debtors.keys {
            let first = debtors[name]?.cursor.seq ?? 0
            debtors[name]?.acknowledged.removeAll(below: first)
        }
        try cutTail(wholeEnd: walk.cursor.position)
    }

    /// Cuts off what comes after the last whole record of the last segment.
    private mutating func cutTail(wholeEnd: Int) throws(SpoolError) {
        let place = segments.count - 1
        let whole = max(wholeEnd - segments[place].base, SpoolHeader.byteCount)
        guard whole < segments[place].byteCount else { return }
        losses.tornBytes += segments[place].byteCount - whole
        try active.cut(to: whole)
        try active.sync()
        segments[place].byteCount = whole
    }
}

/// What lies in the directory of a spool, before anything is touched.
struct SpoolSurvey {
    /// The segments in their order, without their bases.
    var segments: [DiskSpool.Segment] = []
    /// Whether there is a file of what is delivered.
    let hasLog: Bool

    /// Looks at every file; throws where one is of a newer version.
    init(_ files: any SpoolFiles) throws(SpoolError) {
        let names = try files.names()
        hasLog = names.contains(SpoolAcknowledgementLog.name)
        for name in names.filter({ $0.hasSuffix(DiskSpool.segmentSuffix) }).sorted() {
            guard let named = UInt64(name.dropLast(DiskSpool.segmentSuffix.utf8.count)) else {
                continue
            }
            let file = try files.open(name, anew: false)
            let byteCount = try file.byteCount()
            try Self.check(file, "\(files.path)/\(name)")
            segments.append(
                DiskSpool.Segment(name: name, firstSeq: named, base: 0, byteCount: byteCount))
        }
        for name in [SpoolAcknowledgementLog.name, DiskSpool.asideName] where names.contains(name) {
            try Self.check(try files.open(name, anew: false), "\(files.path)/\(name)")
        }
    }

    /// A damaged header says no version; its frames are read as far as they are whole.
    private static func check(_ file: any SpoolFile, _ path: String) throws(SpoolError) {
        let header = SpoolHeader.decoded(try file.read(count: SpoolHeader.byteCount, at: 0))
        if let version = header?.version, version != SpoolHeader.version {
            throw .newerVersion(path: path, version: version, supported: SpoolHeader.version)
        }
    }

    /// All whole lines about what is delivered.
    func acknowledgements(_ files: any SpoolFiles) throws(SpoolError) -> [SpoolAcknowledgement] {
        guard hasLog else { return [] }
        let file = try files.open(SpoolAcknowledgementLog.name, anew: false)
        var scanner = SpoolScanner(file: file, from: 0, end: try file.byteCount())
        var lines: [SpoolAcknowledgement] = []
        while true {
            switch try scanner.next() {
            case .frame(_, _, let body):
                if let line = SpoolAcknowledgement(body) { lines.append(line) }
            case .damage, .torn: continue
            case .end: return lines
            }
        }
    }
}
