import CLinux
import Glibc
import Wire

// `@testable` because records are read by the controller alone.
@testable import ControllerRuntime

/// A ledger. Control bytes: whether checksums are made right and which rules are checked, and where the file
/// is cut.
enum LedgerFiles: FuzzTarget {
    nonisolated(unsafe) private static let file = MemoryFile()
    nonisolated(unsafe) private static let copy = MemoryFile()
    /// A run directory whose ledger is `file`.
    private static let runDirectory: String = {
        var template = Array("/tmp/sluice-fuzz-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "a temporary folder can be made")
        let folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let name = RunDirectory.path(of: .ledger, in: folder)
        precondition(symlink(file.path, name) == 0, "the ledger can be put into its folder")
        return folder
    }()

    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        var input = FuzzInput(bytes)
        let control = input.byte()
        let cut = Int(input.byte()) * 2
        var ledger = Array(input.rest)
        if control & 1 == 1 { ledger.withUnsafeMutableBytes { repair($0) } }
        ledger.withUnsafeBytes { file.store($0) }
        let whole = Reading(path: file.path)
        guard whole.error == nil else {
            return try expect(whole.error != "", "an error says what is wrong")
        }
        try expect(
            whole.wholeByteCount + whole.tornByteCount == UInt64(ledger.count),
            "records and torn tail are the file", [whole])
        try expectBalance(whole)
        // A reader takes a quarter of a mebibyte: one rule at a time makes more runs.
        switch control >> 1 & 3 {
        case 0: try expectSameRecords(whole)
        case 1: try expectRows(whole)
        default: try expectPrefix(of: whole, ledger, cut: min(cut, ledger.count))
        }
    }

    /// Makes the checksums of everything that looks like records right: no search finds one.
    private static func repair(_ ledger: UnsafeMutableRawBufferPointer) {
        var start = LedgerRecord.magic.count
        while ledger.count - start >= 8 {
            let count = Int(ledger.loadUnaligned(fromByteOffset: start, as: UInt32.self))
            guard count <= ledger.count - start - 8 else { return }
            let body = UnsafeRawBufferPointer(rebasing: ledger[start + 8..<start + 8 + count])
            ledger.storeBytes(
                of: cl_crc32c(0, body.baseAddress, count), toByteOffset: start + 4, as: UInt32.self)
            start += 8 + count
        }
    }

    /// What a reader gave, and how it ended.
    private struct Reading: Equatable {
        var records: [LedgerRecord] = []
        var error: String?
        var wholeByteCount: UInt64 = 0
        var tornByteCount: UInt64 = 0

        init(path: String) {
            do {
                var reader = try LedgerReader(path: path)
                while let record = try reader.next() { records.append(record) }
                wholeByteCount = reader.wholeByteCount
                tornByteCount = reader.tornByteCount
            } catch {
                self.error = "\(error)"
            }
        }
    }

    /// What was read is written and read again.
    private static func expectSameRecords(_ whole: Reading) throws {
        var writer = ByteWriter()
        LedgerRecord.magic.withUnsafeBytes { writer.writeBytes($0) }
        for record in whole.records { record.write(to: &writer) }
        copy.store(writer.bytes)
        let again = Reading(path: copy.path)
        try expect(
            again.error == nil && areSame(again.records, whole.records)
                && again.tornByteCount == 0,
            "records are read as they were written", [whole, again])
    }

    /// Whether records are the same, those with a setting that is not a number, too.
    private static func areSame(
        _ left: some Collection<LedgerRecord>, _ right: some Collection<LedgerRecord>
    ) -> Bool {
        left.elementsEqual(right) { $0 == $1 || "\($0)" == "\($1)" }
    }

    /// A file that was cut anywhere is a ledger of fewer records.
    private static func expectPrefix(of whole: Reading, _ ledger: [UInt8], cut: Int) throws {
        ledger.withUnsafeBytes { file.store(UnsafeRawBufferPointer(rebasing: $0[..<cut])) }
        let part = Reading(path: file.path)
        try expect(
            areSame(whole.records.prefix(part.records.count), part.records)
                && (part.error == nil || holdsRecord(ledger[..<cut], behind: part)),
            "a ledger that was cut has the records before", [whole, part])
    }

    /// Whether a whole record lies within the last one that was cut: a text in it may look like one, and
    /// then the cut is taken for damage.
    private static func holdsRecord(_ ledger: ArraySlice<UInt8>, behind part: Reading) -> Bool {
        var start = LedgerRecord.magic.count
        let bytes = Array(ledger)
        for _ in part.records {
            guard start + 8 <= bytes.count else { return false }
            start +=
                8
                + bytes.withUnsafeBytes {
                    Int($0.loadUnaligned(fromByteOffset: start, as: UInt32.self))
                }
        }
        guard start + 8 < bytes.count else { return false }
        return bytes.withUnsafeBytes { bytes in
            (start + 1..<bytes.count - 8).contains { offset in
                let count = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                guard count > 0, offset + 8 + count <= bytes.count else { return false }
                let checksum = cl_crc32c(0, bytes.baseAddress?.advanced(by: offset + 8), count)
                return bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self) == checksum
            }
        }
    }

    /// Every source frame is closed once, or open, or neither.
    private static func expectBalance(_ whole: Reading) throws {
        var replay = LedgerReplay(keepsOutcomes: true)
        for record in whole.records { replay.take(record) }
        try expect(
            replay.closed.count == replay.roots.closed, "closed frames are counted once",
            [replay.closed, replay.roots])
        for id in replay.open.keys {
            try expect(!replay.closed.contains(id), "an open frame is not closed", [id])
        }
        for id in replay.unclean.keys {
            try expect(
                replay.closed.contains(id), "a frame that did not go through is closed", [id])
        }
    }

    private static func expectRows(_ whole: Reading) throws {
        var count = 0
        let notes = try LedgerQuery.forEachRow(runDirectory: runDirectory) { _ in count += 1 }
        try expect(
            notes.tornByteCount == Int(whole.tornByteCount), "the tail is told", [notes, whole])
        let closings = whole.records.reduce(0) { sum, record in
            if case .closings(let batch) = record { sum + batch.closings.count } else { sum }
        }
        try expect(count <= closings, "a row is a closing", [count, closings])
        let every: Set<FrameReport.Outcome> = [
            .processed, .filtered, .failed, .quarantined, .dropped,
        ]
        let ids = try LedgerQuery.frameIds(runDirectory: runDirectory, outcomes: every)
        try expect(Int(ids.count) <= closings, "a frame that ended was closed", [ids])
    }
}
