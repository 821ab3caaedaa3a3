/// What can be said about the spool in a directory, for people: `sluice spool ls`, `verify` and `drain`.
public enum SpoolTools {
    /// A file of records.
    public struct SegmentReport: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Its size.
        public var bytes: Int
        /// Whole records in it.
        public var records = 0
        /// Stretches of bytes between records that are no records.
        public var damagedStretches = 0
        /// Bytes at the end that are no whole record; of the last segment they are what a crash cut short.
        public var tornBytes = 0
        /// Records whose checksum is right and that can't be read all the same.
        public var unreadable = 0
    }

    /// What lies in a directory.
    public struct Report: Sendable, Equatable {
        /// The segments, oldest first.
        public var segments: [SegmentReport] = []
        /// What each destination owes, by name.
        public var owed: [String: SpoolQueue] = [:]
        /// Records that are set aside, by destination.
        public var aside: [String: SpoolQueue] = [:]
        /// Who has the spool open; nil: nobody.
        public var holder: String?

        /// Whether everything in it can be read.
        public var isSound: Bool {
            segments.allSatisfy {
                $0.damagedStretches == 0 && $0.tornBytes == 0 && $0.unreadable == 0
            }
        }
    }

    /// Reads everything in a spool and changes nothing; works beside the one who has it open, and then shows
    /// a moment in between. Throws where there is none, or one of a newer version.
    public static func verify(directory: String) throws(SpoolError) -> Report {
        let files = SystemSpoolFiles(path: directory)
        let survey = try SpoolSurvey(files)
        var report = Report()
        let acknowledged = Acknowledged(try survey.acknowledgements(files))
        for segment in survey.segments {
            let file = try files.open(segment.name, anew: false)
            var (part, queues) = try read(file, segment.byteCount, acknowledged)
            part.name = segment.name
            report.segments.append(part)
            report.owed.merge(queues) { $0 + $1 }
        }
        if try files.names().contains(DiskSpool.asideName) {
            let file = try files.open(DiskSpool.asideName, anew: false)
            report.aside = try read(file, try file.byteCount(), Acknowledged([])).queues
        }
        if SpoolLock.isTaken(directory) {
            report.holder = SpoolLock.holder(directory) ?? "somebody"
        }
        return report
    }

    private struct Acknowledged {
        var all = SeqRanges()
        var each: [String: SeqRanges] = [:]

        init(_ lines: [SpoolAcknowledgement]) {
            for line in lines {
                if let name = line.destination {
                    each[name, default: SeqRanges()].insert(line.range)
                } else {
                    all.insert(line.range)
                }
            }
        }

        func contains(_ seq: UInt64, _ name: String) -> Bool {
            all.contains(seq) || each[name]?.contains(seq) == true
        }
    }

    private static func read(
        _ file: any SpoolFile, _ byteCount: Int, _ acknowledged: Acknowledged
    ) throws(SpoolError) -> (report: SegmentReport, queues: [String: SpoolQueue]) {
        var report = SegmentReport(name: "", bytes: byteCount)
        var queues: [String: SpoolQueue] = [:]
        var scanner = SpoolScanner(file: file, from: 0, end: byteCount)
        while true {
            switch try scanner.next() {
            case .frame(let offset, let end, let bytes):
                guard let body = SpoolBody(bytes) else {
                    report.unreadable += 1
                    continue
                }
                report.records += 1
                for name in body.owed where !acknowledged.contains(body.seq, name) {
                    queues[name] =
                        (queues[name] ?? SpoolQueue())
                        + SpoolQueue(records: 1, bytes: end - offset)
                }
            case .damage: report.damagedStretches += 1
            case .torn(let from): report.tornBytes = byteCount - from
            case .end: return (report, queues)
            }
        }
    }

    /// What lies in a spool: the same reading, for showing.
    public static func list(directory: String) throws(SpoolError) -> Report {
        try verify(directory: directory)
    }

    /// Delivers what a destination owes to an exporter, whatever its name: what is set aside first, then the
    /// rest, in order. Stops at the first failure that may pass; what can never succeed is counted and left
    /// out. Throws where the spool is in use.
    ///
    /// Returns how many were delivered, refused for good, and are left; and why it stopped.
    public static func drain(
        directory: String, destination: String, to exporter: any Exporter,
        timeout: Duration = .seconds(30)
    ) throws(SpoolError) -> DrainReport {
        var spool = try DiskSpool.open(
            directory: directory, limits: SpoolLimits(), owner: "drain")
        var report = DrainReport()
        try drainAside(&spool, destination, exporter, timeout, &report)
        while report.problem == nil {
            let entries = try spool.batch(
                for: destination, 0...UInt64.max,
                maximumCount: max(1, exporter.maximumBatchCount), maximumBytes: 4 << 20)
            if entries.isEmpty { break }
            let done = deliver(entries.map(\.record), exporter, timeout, &report)
            let kept = zip(entries, done).filter(\.1).map(\.0)
            _ = try spool.acknowledge(kept, at: destination)
        }
        report.left += spool.queued(destination).records
        try spool.close()
        return report
    }

    /// What `drain` did.
    public struct DrainReport: Sendable, Equatable {
        /// Records that were taken.
        public var delivered = 0
        /// Records that can never succeed; they are left out.
        public var refused = 0
        /// Records that are owed still.
        public var left = 0
        /// Why it ended before all were delivered; nil where it did not.
        public var problem: String?
    }

    /// Delivers records; which of them need not come again.
    private static func deliver(
        _ records: [ExportRecord], _ exporter: any Exporter, _ timeout: Duration,
        _ report: inout DrainReport
    ) -> [Bool] {
        let outcomes = exporter.deliver(records, within: timeout)
        var done = outcomes.prefix(records.count).map { outcome in
            switch outcome {
            case .delivered:
                report.delivered += 1
                return true
            case .permanent:
                report.refused += 1
                return true
            case .retryable(let reason, _):
                report.problem = reason
                return false
            }
        }
        if done.count < records.count {
            report.problem = report.problem ?? "the exporter said nothing of some records"
            done += [Bool](repeating: false, count: records.count - done.count)
        }
        return done
    }

    /// Delivers what was set aside for a destination, and writes anew what is left of that file.
    private static func drainAside(
        _ spool: inout DiskSpool, _ name: String, _ exporter: any Exporter, _ timeout: Duration,
        _ report: inout DrainReport
    ) throws(SpoolError) {
        guard try spool.files.names().contains(DiskSpool.asideName) else { return }
        let file = try spool.files.open(DiskSpool.asideName, anew: false)
        var scanner = SpoolScanner(file: file, from: 0, end: try file.byteCount())
        let made = DiskSpool.asideName + ".new"
        let rest = try spool.files.open(made, anew: true)
        try rest.append(SpoolHeader.encoded(firstSeq: 0))
        scanning: while true {
            switch try scanner.next() {
            case .frame(_, _, let bytes):
                if let body = SpoolBody(bytes), body.owed == [name], report.problem == nil,
                    deliver([body.record], exporter, timeout, &report) == [true]
                {
                    continue
                }
                if SpoolBody.header(bytes)?.owed == [name] { report.left += 1 }
                try rest.append(SpoolFrame.encoded(Array(bytes)))
            case .damage, .torn: continue
            case .end: break scanning
            }
        }
        try rest.sync()
        try spool.files.rename(made, to: DiskSpool.asideName)
        try spool.files.sync()
    }
}
