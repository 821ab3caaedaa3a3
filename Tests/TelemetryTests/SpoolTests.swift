import Glibc
import Journal
import TestSupport
import Testing

@testable import Telemetry

@Suite(.timeLimit(.minutes(1))) struct SpoolTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func fill(_ count: Int, owed: [String] = ["a"], bytes: Int = 0) throws {
        let spool = try Spool(directory: folder.path)
        for seq in 1...count {
            #expect(spool.append(numbered(UInt64(seq), bytes: bytes), owed: owed) == UInt64(seq))
        }
        try spool.close()
    }

    private func segments() throws -> [String] {
        try folder.files().filter { $0.hasSuffix(".segment") }
    }

    private func change(_ name: String, _ body: (inout [UInt8]) -> Void) throws {
        var bytes = try folder.bytes(of: name)
        body(&bytes)
        try folder.write(bytes, to: name)
    }

    @Test func `A record comes back as it was, whatever is in it`() throws {
        let value: JournalValue = [
            "a": .array([.null, true, false, .int(.min), .uint(.max), .double(.infinity)]),
            "b": ["c": "text\u{0}\n", "": .double(-0.0)],
        ]
        let record = ExportRecord(
            source: "ü", seq: .max, timestampNanoseconds: -1, data: .value(value),
            options: [JournalField("table", "t")])
        let body = SpoolBody(seq: 9, owed: ["x", "y/z"], record: record)
        #expect(SpoolBody(try body.encoded()[...]) == body)
        let bytes = SpoolBody(seq: 1, owed: [], record: numbered(1, bytes: 300))
        #expect(SpoolBody(try bytes.encoded()[...]) == bytes)
    }

    @Test func `The bytes of a record are these`() throws {
        let record = ExportRecord(
            source: "s", seq: 2, timestampNanoseconds: 3, data: .value(["n": 4]))
        let body = try SpoolBody(seq: 1, owed: ["a"], record: record).encoded()
        let expected: [UInt8] =
            [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0x61, 1, 0, 0x73, 2, 0, 0, 0, 0, 0, 0, 0]
            + [3, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 1, 0, 0, 0, 0x6E]
            + [3, 4, 0, 0, 0, 0, 0, 0, 0]
        #expect(body == expected)
        #expect(SpoolFrame.encoded([1, 2]).prefix(8) == [0x53, 0x6C, 0x52, 0x63, 2, 0, 0, 0])
        let header: [UInt8] = Array("SluSpool".utf8) + [1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]
        #expect(Array(SpoolHeader.encoded(firstSeq: 5).prefix(20)) == header)
    }

    @Test func `A record that is cut anywhere is no record, and never a trap`() throws {
        let record = ExportRecord(
            source: "s", seq: 2, timestampNanoseconds: 3, data: .value(["n": [1, "x", ["k": nil]]]))
        let body = try SpoolBody(seq: 1, owed: ["a"], record: record).encoded()
        for count in 0..<body.count { #expect(SpoolBody(body[..<count]) == nil) }
        var numbers = SeededNumbers(seed: 1)
        for _ in 0..<2000 {
            var damaged = body
            damaged[Int(numbers.next() % UInt64(body.count))] = UInt8(
                truncatingIfNeeded: numbers.next())
            _ = SpoolBody(damaged[...])
            _ = SpoolAcknowledgement(damaged[...])
        }
    }

    @Test func `Each destination acknowledges for itself, and gets nothing twice after a restart`()
        throws
    {
        try fill(10, owed: ["a", "b"])
        var spool = try Spool(directory: folder.path)
        spool.acknowledge(try spool.batch(for: "a", maximumCount: 4), at: "a")
        spool.acknowledge(try spool.batch(for: "b", 3...3, maximumCount: 1), at: "b")
        try spool.close()
        spool = try Spool(directory: folder.path)
        #expect(try spool.owedSeqs("a") == Array(5...10))
        #expect(try spool.owedSeqs("b") == [1, 2] + Array(4...10))
        #expect(spool.queued("b").records == 9)
        try spool.close()
    }

    @Test func `Serial numbers go on when everything was delivered and removed`() throws {
        try fill(3)
        var spool = try Spool(directory: folder.path)
        spool.acknowledge(try spool.batch(for: "a", maximumCount: 10), at: "a")
        try spool.close()
        for name in try segments() { unlink(folder.file(name)) }
        spool = try Spool(directory: folder.path)
        #expect(spool.append(numbered(4), owed: ["a"]) == 4)
        #expect(try spool.owedSeqs("a") == [4])
        try spool.close()
    }

    @Test func `Segments that nobody owes anything of are removed, others kept`() throws {
        let spool = try Spool(
            directory: folder.path, limits: SpoolLimits(maximumBytes: 1 << 20))
        for seq in 1...30 {
            _ = spool.append(numbered(UInt64(seq), bytes: 20_000), owed: ["a", "b"])
        }
        let before = try segments().count
        #expect(before > 8)
        spool.acknowledge(try spool.batch(for: "a", maximumCount: 30), at: "a")
        #expect(try segments().count == before)
        spool.acknowledge(try spool.batch(for: "b", maximumCount: 20), at: "b")
        #expect(try segments().count < before / 2)
        #expect(try spool.owedSeqs("b") == Array(21...30))
        try spool.close()
    }

    @Test func `A torn tail is cut at every byte, and the whole records stay`() throws {
        try fill(3)
        let name = try segments()[0]
        let whole = try folder.bytes(of: name)
        let frame = (whole.count - SpoolHeader.byteCount) / 3
        for count in 0..<whole.count {
            try folder.write(whole[..<count], to: name)
            unlink(folder.file("acknowledged"))
            let spool = try Spool(directory: folder.path)
            let kept = max(0, count - SpoolHeader.byteCount) / frame
            #expect(try spool.owedSeqs("a") == (0..<UInt64(kept)).map { $0 + 1 })
            let seq = spool.append(numbered(99), owed: ["a"])
            #expect(seq == UInt64(kept) + 1)
            #expect(try spool.owedSeqs("a").last == 99)
            try spool.close()
            for other in try segments() where other != name { unlink(folder.file(other)) }
        }
    }

    @Test func `A damaged record is passed over and counted, wherever the damage is`() throws {
        try fill(5)
        let name = try segments()[0]
        let whole = try folder.bytes(of: name)
        let frame = (whole.count - SpoolHeader.byteCount) / 5
        let third = SpoolHeader.byteCount + 2 * frame
        for place in third..<(third + frame) {
            try folder.write(whole, to: name)
            try change(name) { $0[place] ^= 0xFF }
            unlink(folder.file("acknowledged"))
            let spool = try Spool(directory: folder.path)
            #expect(try spool.owedSeqs("a") == [1, 2, 4, 5], "byte \(place)")
            #expect(spool.damage.corruptRecords == 1)
            try spool.close()
        }
    }

    @Test func `A damaged header of a segment costs none of its records`() throws {
        try fill(3)
        try change(try segments()[0]) {
            $0[9] ^= 0xFF
            $0[2] ^= 0xFF
        }
        let spool = try Spool(directory: folder.path)
        #expect(try spool.owedSeqs("a") == [1, 2, 3])
        try spool.close()
    }

    @Test func `A record whose checksum is right and that says nothing is passed over`() throws {
        try fill(2)
        let name = try segments()[0]
        var body: [UInt8] = []
        body.append(number: UInt64(3))
        body.append(number: UInt16(1))
        body.append(text: "a")
        body += [9, 9, 9]
        try change(name) { $0 += SpoolFrame.encoded(body) }
        let spool = try Spool(directory: folder.path)
        #expect(spool.append(numbered(4), owed: ["a"]) == 4)
        #expect(try spool.owedSeqs("a") == [1, 2, 4])
        spool.acknowledge(try spool.batch(for: "a", maximumCount: 9), at: "a")
        #expect(spool.queued("a").records == 0 && spool.dropped("a") == [.corrupt: 1])
        try spool.close()
    }

    @Test func `Damage that comes while the spool is open ends nobody's turn`() throws {
        let spool = try Spool(directory: folder.path)
        for seq in 1...5 { _ = spool.append(numbered(UInt64(seq)), owed: ["a"]) }
        let name = try segments()[0]
        let file = open(folder.file(name), O_WRONLY)
        var byte: UInt8 = 0xEE
        let size = try folder.bytes(of: name).count
        pwrite(file, &byte, 1, size - 3)
        close(file)
        #expect(try spool.owedSeqs("a") == [1, 2, 3, 4])
        spool.acknowledge(try spool.batch(for: "a", maximumCount: 9), at: "a")
        #expect(try spool.owedSeqs("a").isEmpty)
        #expect(spool.queued("a").records == 0 && spool.dropped("a") == [.corrupt: 1])
        try spool.close()
    }

    @Test func `A segment that somebody removed costs its own records alone`() throws {
        let limits = SpoolLimits(maximumBytes: 1 << 20)
        let spool = try Spool(directory: folder.path, limits: limits)
        for seq in 1...9 { _ = spool.append(numbered(UInt64(seq), bytes: 20_000), owed: ["a"]) }
        unlink(folder.file(try segments()[1]))
        let seqs = try spool.owedSeqs("a")
        #expect(seqs == [1, 2, 3, 7, 8, 9])
        try spool.close()
        let again = try Spool(directory: folder.path, limits: limits)
        #expect(try again.owedSeqs("a") == seqs && again.damage.corruptRecords == 3)
        try again.close()
    }

    @Test(arguments: ["segment", "acknowledged", "aside"])
    func `A file of a newer version is refused and kept`(_ kind: String) throws {
        try fill(2)
        let name = kind == "segment" ? try segments()[0] : kind
        if kind == "aside" { try folder.write(SpoolHeader.encoded(firstSeq: 0), to: "aside") }
        var header = SpoolHeader.magic
        header.append(number: UInt32(2))
        header.append(number: UInt64(1))
        let sum = header.withUnsafeBytes { checksum($0) }
        header.append(number: sum)
        try change(name) { $0.replaceSubrange(0..<24, with: header) }
        let before = try folder.files().map { try folder.bytes(of: $0) }
        let path = folder.file(name)
        #expect(throws: SpoolError.newerVersion(path: path, version: 2, supported: 1)) {
            try Spool(directory: folder.path)
        }
        #expect(try folder.files().map { try folder.bytes(of: $0) } == before)
    }

    private func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        // CRC32C bit by bit (RFC 3720 B.4), as a second implementation.
        var sum = ~UInt32(0)
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0x82F6_3B78 : sum >> 1 }
        }
        return ~sum
    }

    @Test
    func `Records of a destination that is gone are kept, and do not fill the spool of others`()
        throws
    {
        let limits = SpoolLimits(maximumRecords: 10, whenFull: .dropNewest)
        var spool = try Spool(directory: folder.path, limits: limits)
        for seq in 1...8 { _ = spool.append(numbered(UInt64(seq)), owed: ["old"]) }
        try spool.close()
        spool = try Spool(directory: folder.path, limits: limits)
        spool.claim("new")
        for seq in 9...18 { #expect(spool.append(numbered(UInt64(seq)), owed: ["new"]) != 0) }
        #expect(try spool.owedSeqs("new") == Array(9...18))
        try spool.close()
        let report = try SpoolTools.list(directory: folder.path)
        #expect(report.aside["old"]?.records == 8 && report.owed["new"]?.records == 10)
        let target = FaultyExporter("anything", batch: 3)
        let drained = try SpoolTools.drain(
            directory: folder.path, destination: "old", to: target)
        #expect(drained == SpoolTools.DrainReport(delivered: 8))
        #expect(target.attempts == Array(1...8))
        #expect(try SpoolTools.list(directory: folder.path).aside.isEmpty)
    }

    @Test func `A destination that comes back under its name gets what it is owed`() throws {
        try fill(3, owed: ["old", "kept"])
        let pool = try ExporterPool(useMemory: false, spoolDirectory: folder.path)
        let late = FaultyExporter("old")
        try pool.addExporter(late)
        try pool.sendUnsentData()
        #expect(late.attempts == [1, 2, 3])
        try pool.stop()
    }

    @Test func `Draining stops at a failure and tells what is left`() throws {
        try fill(6)
        let target = FaultyExporter("t", .worksFor(4), batch: 3)
        var report = try SpoolTools.drain(directory: folder.path, destination: "a", to: target)
        #expect(report.delivered == 4 && report.left == 2 && report.problem == "t is down")
        target.mode = .refuses
        report = try SpoolTools.drain(directory: folder.path, destination: "a", to: target)
        #expect(report.refused == 2 && report.left == 0 && report.problem == nil)
    }

    @Test func `Verifying finds damage and changes nothing, beside the owner, too`() throws {
        try fill(4)
        #expect(try SpoolTools.verify(directory: folder.path).isSound)
        let name = try segments()[0]
        try change(name) {
            $0[40] ^= 1
            $0.removeLast(2)
        }
        let before = try folder.bytes(of: name)
        let report = try SpoolTools.verify(directory: folder.path)
        #expect(report.segments[0].damagedStretches == 1 && report.segments[0].records == 2)
        #expect(report.segments[0].tornBytes > 0 && !report.isSound && report.holder == nil)
        #expect(try folder.bytes(of: name) == before)
        let owner = try Spool(directory: folder.path, owner: "me")
        #expect(
            try SpoolTools.verify(directory: folder.path).holder == "process \(getpid()) ('me')")
        try owner.close()
    }

    @Test func `A spool in a place where nothing can be made is one clear error`() throws {
        try folder.write("", to: "file")
        let path = folder.file("file/spool")
        #expect(throws: SpoolError.system(operation: "mkdir", path: path, errno: ENOTDIR)) {
            try Spool(directory: path)
        }
    }

    @Test func `Dropping while a batch is out counts each record once`() throws {
        for spool in [
            try Spool(limits: SpoolLimits(maximumRecords: 4)),
            try Spool(directory: folder.path, limits: SpoolLimits(maximumRecords: 4)),
        ] {
            spool.claim("a")
            for seq in 1...4 { _ = spool.append(numbered(UInt64(seq)), owed: ["a"]) }
            let batch = try spool.batch(for: "a", maximumCount: 2)
            for seq in 5...7 { _ = spool.append(numbered(UInt64(seq)), owed: ["a"]) }
            #expect(spool.dropped("a") == [.overflowOldest: 3])
            #expect(spool.acknowledge(batch, at: "a") == 0)
            #expect(try spool.owedSeqs("a") == [4, 5, 6, 7])
            #expect(spool.queued("a").records == 4)
            try spool.close()
        }
    }

    @Test func `A record larger than the spool is dropped and counted`() throws {
        let spool = try Spool(directory: folder.path, limits: SpoolLimits(maximumBytes: 1000))
        #expect(spool.append(numbered(1, bytes: 1000), owed: ["a"]) == 0)
        #expect(spool.append(numbered(2, bytes: 500), owed: ["a"]) == 1)
        #expect(spool.dropped("a") == [.tooLarge: 1])
        try spool.close()
    }

    @Test func `Seqs in ranges join, and are found`() {
        var ranges = SeqRanges()
        for range: ClosedRange<UInt64> in [5...6, 1...2, 9...9, 3...4, 8...8, 20...30, 0...0] {
            ranges.insert(range)
        }
        #expect(ranges.ranges == [0...6, 8...9, 20...30])
        ranges.insert(2...25)
        #expect(ranges.ranges == [0...30])
        ranges.insert(40...41)
        ranges.removeAll(below: 31)
        #expect(ranges.ranges == [40...41] && ranges.contains(40) && !ranges.contains(39))
    }
}
