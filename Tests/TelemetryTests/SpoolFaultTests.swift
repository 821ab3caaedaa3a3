import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Telemetry

/// A directory whose changes stop at one point, as when the process is killed there, or fail for a time, as
/// on a full disk.
final class FaultySpoolFiles: SpoolFiles {
    struct Plan {
        /// Changes that still work; the one after them works in part, all others fail. nil: all work.
        var remaining: Int?
        /// Whether changes that add bytes fail.
        var isFull = false
        var changeCount = 0
        /// Changes in order, for the order of things.
        var history: [String] = []
    }

    let system: SystemSpoolFiles
    let plan = Mutex(Plan())

    var path: String { system.path }

    init(_ path: String) { system = SystemSpoolFiles(path: path) }

    static let failure = SpoolError.system(operation: "write", path: "faulty", errno: ENOSPC)

    /// How much of a change is done: all, half or nothing.
    fileprivate func share(_ what: String, addsBytes: Bool = false) -> (parts: Int, of: Int) {
        plan.withLock { plan in
            if addsBytes, plan.isFull { return (1, 2) }
            plan.changeCount += 1
            guard let remaining = plan.remaining else {
                plan.history.append(what)
                return (1, 1)
            }
            plan.remaining = max(0, remaining - 1)
            if remaining > 1 {
                plan.history.append(what)
                return (1, 1)
            }
            return (remaining == 1 ? 1 : 0, 2)
        }
    }

    private func whole(_ what: String) throws(SpoolError) {
        guard share(what) == (1, 1) else { throw Self.failure }
    }

    func names() throws(SpoolError) -> [String] { try system.names() }

    func open(_ name: String, anew: Bool) throws(SpoolError) -> any SpoolFile {
        if anew { try whole("make \(name)") }
        return FaultySpoolFile(try system.open(name, anew: anew), name, self)
    }

    func rename(_ name: String, to other: String) throws(SpoolError) {
        try whole("rename \(name)")
        try system.rename(name, to: other)
    }

    func remove(_ name: String) throws(SpoolError) {
        try whole("remove \(name)")
        try system.remove(name)
    }

    func sync() throws(SpoolError) { try whole("sync directory") }
}

private final class FaultySpoolFile: SpoolFile {
    private let file: any SpoolFile
    private let name: String
    private let files: FaultySpoolFiles

    init(_ file: any SpoolFile, _ name: String, _ files: FaultySpoolFiles) {
        self.file = file
        self.name = name
        self.files = files
    }

    func byteCount() throws(SpoolError) -> Int { try file.byteCount() }

    func read(count: Int, at offset: Int) throws(SpoolError) -> [UInt8] {
        try file.read(count: count, at: offset)
    }

    func append(_ bytes: [UInt8]) throws(SpoolError) {
        let (parts, of) = files.share("append \(name)", addsBytes: true)
        try file.append(Array(bytes.prefix(bytes.count * parts / of)))
        if parts < of { throw FaultySpoolFiles.failure }
    }

    func cut(to byteCount: Int) throws(SpoolError) {
        guard files.share("cut \(name)") == (1, 1) else { throw FaultySpoolFiles.failure }
        try file.cut(to: byteCount)
    }

    func sync() throws(SpoolError) {
        guard files.share("sync \(name)") == (1, 1) else { throw FaultySpoolFiles.failure }
    }
}

@Suite(.timeLimit(.minutes(1))) struct SpoolFaultTests {
    /// What a program did before it was killed.
    private struct Ledger {
        var stored: [UInt64] = []
        var acknowledged: [String: Set<UInt64>] = ["a": [], "b": []]
    }

    private let limits = SpoolLimits(maximumBytes: 1 << 20)

    /// Adds and delivers large records, so that segments come and go.
    private func run(_ files: FaultySpoolFiles, _ ledger: inout Ledger) throws(SpoolError) {
        var spool = try DiskSpool.open(files, limits: limits)
        for _ in 0..<6 {
            for _ in 0..<4 {
                let seq = spool.nextSeq
                let record = numbered(seq, bytes: 20_000)
                guard case .stored = try spool.append(record, owed: ["a", "b"]) else { return }
                ledger.stored.append(seq)
            }
            for name in ["a", "b"] {
                let entries = try spool.batch(
                    for: name, 0...UInt64.max, maximumCount: name == "a" ? 4 : 3,
                    maximumBytes: .max)
                // A kill within the call may come before or after what it writes.
                ledger.acknowledged[name]?.formUnion(entries.map(\.seq))
                _ = try spool.acknowledge(entries, at: name)
            }
        }
        try spool.close()
    }

    @Test
    func `Killed at any change, it has every record that was stored and not delivered, in order`()
        throws
    {
        var changes = 0
        do {
            let folder = try TemporaryFolder()
            let files = FaultySpoolFiles(folder.path)
            var ledger = Ledger()
            try run(files, &ledger)
            changes = files.plan.withLock { $0.changeCount }
        }
        #expect(changes > 60)
        for point in 0..<changes {
            let folder = try TemporaryFolder()
            let files = FaultySpoolFiles(folder.path)
            files.plan.withLock { $0.remaining = point }
            var ledger = Ledger()
            do { try run(files, &ledger) } catch {}
            var spool = try DiskSpool.open(SystemSpoolFiles(path: folder.path), limits: limits)
            for name in ["a", "b"] {
                let owed = try spool.batch(
                    for: name, 0...UInt64.max, maximumCount: .max, maximumBytes: .max)
                let seqs = owed.map(\.record.seq)
                let must = ledger.stored.filter { ledger.acknowledged[name]?.contains($0) != true }
                #expect(seqs == seqs.sorted(), "change \(point)")
                #expect(Set(seqs).isSuperset(of: must), "change \(point) of \(name)")
                // What is there beyond it is only what the last calls were about.
                #expect(seqs.count <= must.count + 8, "change \(point) of \(name)")
            }
            #expect(spool.losses.corruptRecords == 0, "change \(point)")
            guard case .stored(let seq, _) = try spool.append(numbered(999), owed: ["a"]) else {
                Issue.record("no room after change \(point)")
                return
            }
            #expect(seq > ledger.stored.last ?? 0)
        }
    }

    @Test func `What is delivered is on the disk before a segment is removed`() throws {
        let folder = try TemporaryFolder()
        let files = FaultySpoolFiles(folder.path)
        var ledger = Ledger()
        try run(files, &ledger)
        let history = files.plan.withLock { $0.history }
        let removals = history.indices.filter {
            history[$0].hasPrefix("remove ") && history[$0].hasSuffix(".segment")
        }
        #expect(removals.count >= 3)
        for place in removals {
            let before = history[..<place]
            let written = before.lastIndex { $0.hasPrefix("append acknowledged") } ?? -1
            let synced = before.lastIndex { $0.hasPrefix("sync acknowledged") } ?? -1
            #expect(written >= 0 && synced > written)
        }
    }

    @Test func `A full disk refuses records, counts them and goes on when there is room`() throws {
        let folder = try TemporaryFolder()
        let files = FaultySpoolFiles(folder.path)
        let spool = Spool(store: try DiskSpool.open(files, limits: limits), limits: limits)
        #expect(spool.append(numbered(1), owed: ["a"]) == 1)
        files.plan.withLock { $0.isFull = true }
        #expect(spool.append(numbered(2), owed: ["a"]) == 0)
        #expect(spool.append(numbered(3), owed: ["a"]) == 0)
        #expect(spool.dropped("a") == [.spoolFailed: 2])
        #expect(spool.lastError?.contains("No space left on device") == true)
        // What is there can be delivered all the same.
        let entries = try spool.batch(for: "a", maximumCount: 9)
        #expect(entries.map(\.record.seq) == [1])
        #expect(spool.acknowledge(entries, at: "a") == 1)
        files.plan.withLock { $0.isFull = false }
        #expect(spool.append(numbered(4), owed: ["a"]) == 2)
        #expect(try spool.owedSeqs("a") == [4])
        try spool.close()
        let again = try DiskSpool.open(SystemSpoolFiles(path: folder.path), limits: limits)
        #expect(again.losses.corruptRecords == 0)
        #expect(again.queued("a").records <= 2)
    }

    @Test func `A move that fails leaves everything where it was`() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "file")
        let spool = try Spool()
        for seq in 1...3 { _ = spool.append(numbered(UInt64(seq)), owed: ["a"]) }
        #expect(throws: SpoolError.self) { try spool.move(toDirectory: folder.file("file/x")) }
        #expect(spool.directory == nil)
        #expect(try spool.owedSeqs("a") == [1, 2, 3])
    }
}

/// Random operations on a spool and on a model of it that is too simple to be wrong.
@Suite(.timeLimit(.minutes(1))) struct SpoolModelTests {
    private struct Model {
        var records: [(seq: UInt64, owed: Set<String>)] = []

        func owed(_ name: String) -> [UInt64] {
            records.filter { $0.owed.contains(name) }.map(\.seq)
        }

        mutating func release(_ seqs: some Sequence<UInt64>, _ name: String) {
            let seqs = Set(seqs)
            for place in records.indices where seqs.contains(records[place].seq) {
                records[place].owed.remove(name)
            }
            records.removeAll { $0.owed.isEmpty }
        }
    }

    private let names = ["a", "b", "c"]

    private func open(_ folder: TemporaryFolder?, _ limits: SpoolLimits) throws(SpoolError)
        -> any SpoolStore
    {
        guard let folder else { return MemorySpool(limits: limits) }
        return try DiskSpool.open(SystemSpoolFiles(path: folder.path), limits: limits)
    }

    private func check(_ seed: UInt64, onDisk: Bool, _ limits: SpoolLimits) throws {
        let folder = onDisk ? try TemporaryFolder() : nil
        var numbers = SeededNumbers(seed: seed)
        func draw(_ count: Int) -> Int { Int(numbers.next() % UInt64(count)) }
        var spool = try open(folder, limits)
        for name in names { spool.claim(name) }
        var model = Model()
        for step in 0..<400 {
            let name = names[draw(3)]
            switch draw(12) {
            case 0...5:
                let owed = names.filter { _ in draw(2) == 0 }
                guard !owed.isEmpty else { continue }
                let seq = spool.lastSeq + 1
                let record = numbered(seq, bytes: 1 + draw(9000))
                guard case .stored(let got, let dropped) = try spool.append(record, owed: owed)
                else {
                    #expect(limits.whenFull != .dropOldest)
                    continue
                }
                #expect(got == seq)
                for (name, count) in dropped { model.release(model.owed(name).prefix(count), name) }
                model.records.append((seq, Set(owed)))
            case 6...8:
                let count = 1 + draw(6)
                let entries = try spool.batch(
                    for: name, 0...UInt64.max, maximumCount: count, maximumBytes: .max)
                #expect(entries.map(\.seq) == Array(model.owed(name).prefix(count)), "step \(step)")
                // Some of them fail.
                let done = draw(3) == 0 ? entries.filter { _ in draw(2) == 0 } : entries
                #expect(try spool.acknowledge(done, at: name) == done.count)
                model.release(done.map(\.seq), name)
            case 9:
                guard let seq = model.owed(name).randomElement(using: &numbers) else { continue }
                let entries = try spool.batch(
                    for: name, seq...UInt64.max, maximumCount: 2, maximumBytes: .max)
                let expected = model.owed(name).filter { $0 >= seq }.prefix(2)
                #expect(entries.map(\.seq) == Array(expected), "step \(step)")
                #expect(entries.allSatisfy { $0.record.seq == $0.seq })
            case 10 where folder != nil && draw(4) == 0:
                // With or without a proper end.
                if draw(2) == 0 { try spool.close() }
                spool = try open(folder, limits)
                for name in names { spool.claim(name) }
            default:
                for name in names {
                    #expect(spool.queued(name).records == model.owed(name).count, "step \(step)")
                }
                #expect(spool.live.records <= limits.maximumRecords)
                #expect(spool.live.bytes <= limits.maximumBytes)
            }
        }
        for name in names {
            let all = try spool.batch(
                for: name, 0...UInt64.max, maximumCount: .max, maximumBytes: .max)
            #expect(all.map(\.seq) == model.owed(name))
        }
    }

    @Test(arguments: 0..<16)
    func `A spool on disk does what the model does`(_ seed: Int) throws {
        try check(UInt64(seed), onDisk: true, SpoolLimits(maximumBytes: 1 << 20))
    }

    @Test(arguments: 100..<108)
    func `A small spool on disk does what the model does`(_ seed: Int) throws {
        for policy in OverflowPolicy.allCases {
            try check(
                UInt64(seed), onDisk: true,
                SpoolLimits(maximumBytes: 100_000, maximumRecords: 20, whenFull: policy))
        }
    }

    @Test(arguments: 200..<210)
    func `A spool in memory does what the model does`(_ seed: Int) throws {
        for policy in OverflowPolicy.allCases {
            try check(
                UInt64(seed), onDisk: false,
                SpoolLimits(maximumBytes: 200_000, maximumRecords: 30, whenFull: policy))
        }
    }
}
