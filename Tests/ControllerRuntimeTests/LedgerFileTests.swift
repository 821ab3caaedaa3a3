import NDArrays
import TestSupport
import Testing
import Wire
import WorkerProtocol

@testable import ControllerRuntime

/// One record of every kind, as `Tests/Fixtures/ledger/make_golden.py` writes them.
let goldenRecords: [LedgerRecord] = [
    goldenRun,
    .resumed(
        LedgerResumption(
            life: 2, time: 1_795_235_200_123_456_789, tornByteCount: 17, reopened: [.dropped])),
    .directory(path: "/data/out/"),
    .intent(
        Closing(
            key: FrameKey(frameId: 17, branch: 1), uniqueId: 1017, configurationVersion: 1,
            bytesIn: 5, bytesOut: 6, worker: 3, outputCount: 1, fileCount: 2, stage: 1,
            fate: .processed),
        files: [
            StagedFile(
                stagedPath: "/data/out/.17.part", finalPath: "/data/out/17.tiff",
                byteCount: 2_097_282, checksum: 0xDEAD_BEEF, mayReplace: false),
            StagedFile(
                stagedPath: "/data/out/.18.part", finalPath: "/data/out/18.tiff", byteCount: 0,
                checksum: nil, mayReplace: true),
        ]),
    .closings(
        ClosingBatch(
            time: 1_795_235_200_200_000_000, highestFrameId: 300, rejected: 2,
            closings: goldenClosings)),
    .reason(
        FrameReason(
            key: FrameKey(frameId: 16), stage: 0, uniqueId: .max, fate: .failed,
            source: "scan/16.tif", reason: "it is no TIFF")),
    .change(
        stage: 1,
        ConfigureCommand(
            version: 2, baseVersion: 1, phase: .prepare, processorIndex: 4,
            changes: goldenChanges)),
    .changeTakenBack(stage: 1, version: 2),
    .undone(key: FrameKey(frameId: 17, branch: 1), stage: 1),
    .account(
        LedgerAccount(
            stage: "", accepted: 21, processed: 1, filtered: 2, failed: 3, quarantined: 4,
            dropped: 5, inFlight: 6, rejected: 7)),
    .claims(
        EntryId(key: FrameKey(frameId: 21), stage: 1),
        [
            FrameClaim(scope: "key-run", key: FrameKey(frameId: 9)),
            FrameClaim(scope: "", key: FrameKey(frameId: 8, branch: 1025)),
        ]),
]

private let goldenChanges: Structure = {
    var changes = Structure()
    changes["threshold"] = .scalar(.float64(2.5))
    return changes
}()

private let goldenRun = LedgerRecord.run(
    LedgerRun(
        runId: "k3v9x2ab", source: "tiff:scan/*.tif", fingerprint: "f00d", frameCount: 200_000,
        stages: [.init(name: "main", from: nil), .init(name: "säve", from: "main")]))

private let goldenClosings: [Closing] = {
    var first = Closing(
        key: FrameKey(frameId: 17), uniqueId: 1017, configurationVersion: 1, bytesIn: 2_097_152,
        bytesOut: 4_194_304, worker: 2, outputCount: 3, stage: 0, fate: .processed)
    var second = first
    second.key = FrameKey(frameId: 18)
    second.uniqueId = 1018
    first.fileCount = 0
    let deep = FrameKey(frameId: 17, branch: 1025)
    return [
        first, second,
        Closing(
            key: FrameKey(frameId: 17, branch: 1), uniqueId: 1017, configurationVersion: 2,
            worker: 5, attempt: 1, stage: 1, fate: .filtered),
        Closing(
            key: FrameKey(frameId: 16), uniqueId: .max, bytesIn: .max, stage: 0, fate: .failed),
        Closing(
            key: deep, configurationVersion: 300, worker: 4, attempt: 2, stage: 1, fate: .dropped),
        Closing(
            key: FrameKey(frameId: 18, branch: 1025), uniqueId: 1, configurationVersion: 300,
            worker: 4, attempt: 2, fileCount: 1023, stage: 1, fate: .quarantined),
        Closing(
            key: FrameKey(frameId: 19), uniqueId: 1019, stage: 0, fate: .dropped,
            overload: .overload),
        Closing(
            key: FrameKey(frameId: 20), uniqueId: 1020, stage: 0, fate: .dropped,
            overload: .sample),
    ]
}()

/// What a ledger file holds.
struct LedgerContents {
    var records: [LedgerRecord] = []
    var tornByteCount: UInt64

    init(path: String) throws(ControllerError) {
        var reader = try LedgerReader(path: path)
        while let record = try reader.next() { records.append(record) }
        tornByteCount = reader.tornByteCount
    }
}

/// The bytes of a ledger with these records.
func ledgerBytes(_ records: [LedgerRecord]) -> [UInt8] {
    var writer = ByteWriter()
    LedgerRecord.magic.withUnsafeBytes { writer.writeBytes($0) }
    for record in records { record.write(to: &writer) }
    return Array(writer.bytes)
}

@Suite("The ledger on disk")
struct LedgerFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func read(_ bytes: [UInt8]) throws(ControllerError) -> LedgerContents {
        let path: String
        do {
            path = try folder.write(bytes, to: "ledger")
        } catch {
            throw ControllerError(.resources, "\(error)")
        }
        return try LedgerContents(path: path)
    }

    @Test("gives back every record that was written")
    func roundTrip() throws {
        let contents = try read(ledgerBytes(goldenRecords))
        #expect(contents.records == goldenRecords)
        #expect(contents.tornByteCount == 0)
    }

    @Test("has the bytes that another program makes of the same records")
    func golden() throws {
        let golden = try Checkout.fixture("ledger/every-record.bin")
        #expect(ledgerBytes(goldenRecords) == golden)
        #expect(try read(golden).records == goldenRecords)
    }

    @Test("cut off anywhere tells what is missing, and keeps all before it")
    func truncation() throws {
        let bytes = ledgerBytes(goldenRecords)
        var ends = [LedgerRecord.magic.count]
        for count in 1...goldenRecords.count {
            ends.append(ledgerBytes(Array(goldenRecords[..<count])).count)
        }
        for length in 0...bytes.count {
            let contents = try read(Array(bytes[..<length]))
            let whole = max(0, ends.filter { $0 <= length }.count - 1)
            #expect(contents.records == Array(goldenRecords[..<whole]), "\(length) bytes")
            let expected = length < ends[0] ? length : length - ends[whole]
            #expect(contents.tornByteCount == UInt64(expected), "\(length) bytes")
        }
    }

    @Test("with one wrong byte is refused with its place, or told to be cut off")
    func everyByte() throws {
        let bytes = ledgerBytes(goldenRecords)
        for place in bytes.indices {
            for flip in [0x01, 0x80, 0xFF] as [UInt8] {
                var damaged = bytes
                damaged[place] ^= flip
                try check(damaged, "byte \(place) ^ \(flip)")
            }
        }
    }

    @Test("tells of frames that policies let go, also when the run was taken up")
    func letGo() throws {
        let run = LedgerRecord.run(
            LedgerRun(
                runId: "k3v9x2ab", source: "sim", fingerprint: "f00d", frameCount: 3,
                stages: [.init(name: "main", from: nil)]))
        let closings = (1...3).map { id in
            Closing(
                key: FrameKey(frameId: id), stage: 0, fate: .dropped,
                overload: id == 3 ? nil : id == 1 ? .sample : .overload)
        }
        let bytes = ledgerBytes([
            run, .closings(ClosingBatch(time: 0, highestFrameId: 3, closings: closings)),
            .resumed(LedgerResumption(life: 2, time: 0, tornByteCount: 0, reopened: [.dropped])),
        ])
        try folder.write(bytes, to: "ledger")
        var rows: [String] = []
        _ = try LedgerQuery.forEachRow(runDirectory: folder.path) { row in
            rows.append("\(row.frame) \(row.outcome) \(row.reason)")
        }
        #expect(rows == ["1 dropped sample", "2 dropped overload"])
        #expect(try LedgerQuery.doneCount(runDirectory: folder.path) == 2)
    }

    @Test("with a wrong length before other records is damaged, and not cut off there")
    func wrongLength() throws {
        let bytes = ledgerBytes(goldenRecords)
        for index in goldenRecords.indices.dropLast() {
            // The third byte of the length: it reaches beyond the end then.
            let start = ledgerBytes(Array(goldenRecords[..<index])).count
            var damaged = bytes
            damaged[start + 2] ^= 0x40
            let error = #expect(throws: ControllerError.self) { _ = try read(damaged) }
            #expect(error?.reason.contains("is damaged at byte \(start)") == true, "\(index)")
        }
    }

    @Test("with random damage never traps", arguments: [1, 2, 3] as [UInt64])
    func damage(seed: UInt64) throws {
        var random = SeededNumbers(seed: seed)
        let bytes = ledgerBytes(goldenRecords + goldenRecords.dropFirst())
        for _ in 0..<400 {
            var damaged = bytes
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let place = Int.random(in: 0..<damaged.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: damaged[place] = .random(in: 0...255, using: &random)
                case 1: damaged.remove(at: place)
                case 2: damaged.insert(.random(in: 0...255, using: &random), at: place)
                default: damaged.removeLast(min(damaged.count - 8, damaged.count - place))
                }
            }
            if damaged != bytes { try check(damaged, "seed \(seed)") }
        }
    }

    /// Damage is an error that says where, or a torn end; what is read before it is as it was.
    private func check(_ damaged: [UInt8], _ what: String) throws {
        let original = goldenRecords + goldenRecords.dropFirst()
        do throws(ControllerError) {
            let contents = try read(damaged)
            let isShorter = contents.records.count < original.count
            #expect(isShorter || contents.tornByteCount > 0, "\(what): taken as whole")
            #expect(
                contents.records == Array(original[..<min(contents.records.count, original.count)]),
                "\(what)")
        } catch {
            #expect(error.code == .runDirectory)
            #expect(
                error.reason.contains("is damaged at byte") || error.reason.contains("no ledger"),
                "\(what): \(error.reason)")
        }
    }

    @Test("with a right checksum around wrong contents is refused with the place")
    func wrongContents() throws {
        let place = ledgerBytes([goldenRun]).count
        let closings: [UInt8] = [10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let cases: [[UInt8]] = [
            [], [0], [1], [16], [8, 255, 255, 255, 255], [8, 0, 0, 0, 0, 7], closings + [1],
            closings + [1, 0x80], closings + [1, 0x7E, 1, 0x80], closings + [0x81, 0x20],
            closings + [255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
            closings + [1, 0x6F, 9, 0, 0],
        ]
        for body in cases {
            var writer = ByteWriter()
            ledgerBytes([goldenRun]).withUnsafeBytes { writer.writeBytes($0) }
            writer.writeUInt32(UInt32(body.count))
            writer.writeUInt32(checksum(body))
            body.withUnsafeBytes { writer.writeBytes($0) }
            writer.writeUInt8(1)
            let error = try #require(throws: ControllerError.self, "\(body)") {
                try read(Array(writer.bytes))
            }
            #expect(
                error.reason.contains("is damaged at byte \(place)"), "\(body): \(error.reason)")
        }
    }

    @Test("keeps a reason of any length, cut where it is too long to be read again")
    func longReason() throws {
        let record = LedgerRecord.reason(
            FrameReason(
                key: FrameKey(frameId: 1), stage: 0, uniqueId: 1, fate: .failed, source: "",
                reason: String(repeating: "very long ", count: 60_000)))
        let contents = try read(ledgerBytes([goldenRun, record, .directory(path: "x/")]))
        #expect(contents.records.count == 3)
        guard case .reason(let reason) = contents.records[1] else {
            Issue.record("no reason")
            return
        }
        #expect(reason.reason.hasPrefix("very long very long "))
    }

    @Test("that a machine left in part is cut behind its last whole record")
    func lostPages() throws {
        let whole = ledgerBytes(goldenRecords)
        let last = whole.count - ledgerBytes(Array(goldenRecords.dropLast())).count
        let zeros = [UInt8](repeating: 0, count: 100_000)
        var cases = [(whole + zeros, goldenRecords.count, zeros.count)]
        // The last record itself lost its end.
        let halfway = whole.dropLast(9) + [UInt8](repeating: 0, count: 9)
        cases.append((halfway + zeros, goldenRecords.count - 1, last + zeros.count))
        var flipped = whole
        flipped[whole.count - 1] ^= 1
        cases.append((flipped, goldenRecords.count - 1, last))
        for (bytes, count, torn) in cases {
            let contents = try read(Array(bytes))
            #expect(contents.records == Array(goldenRecords.prefix(count)))
            #expect(contents.tornByteCount == UInt64(torn))
        }
        // With a record behind it that is whole it is damage.
        #expect(throws: ControllerError.self) {
            try read(flipped + ledgerBytes([.directory(path: "x/")]).dropFirst(8))
        }
    }

    @Test("of the format before says so")
    func earlierFormat() throws {
        var writer = ByteWriter()
        LedgerRecord.magic.withUnsafeBytes { writer.writeBytes($0) }
        let body: [UInt8] = [1, 2, 0, 0, 0, 0x61, 0x62]
        writer.writeUInt32(UInt32(body.count))
        writer.writeUInt32(checksum(body))
        body.withUnsafeBytes { writer.writeBytes($0) }
        let error = #expect(throws: ControllerError.self) { try read(Array(writer.bytes)) }
        #expect(error?.reason.contains("ledger format 1") == true)
    }

    @Test("takes few bytes for each frame of a steady stream, in order or not")
    func compact() throws {
        var random = SeededNumbers(seed: 7)
        let closings = (1...4096).map { number in
            Closing(
                key: FrameKey(frameId: UInt64(number)), uniqueId: UInt64(number + 99),
                configurationVersion: 1, bytesIn: 1 << 21, bytesOut: 1 << 21,
                worker: .random(in: 0..<2, using: &random), outputCount: 1, stage: 0,
                fate: .processed)
        }
        for closings in [closings, closings.shuffled(using: &random)] {
            let batch = ClosingBatch(time: 1 << 60, highestFrameId: 4096, closings: closings)
            let bytes = ledgerBytes([goldenRun, .closings(batch)])
            #expect(bytes.count <= 6 * 4096)
            #expect(try read(bytes).records.last == .closings(batch))
        }
    }

    @Test("that is missing, or something else, is told so")
    func noLedger() throws {
        let missing = folder.path + "/none"
        let error = #expect(throws: ControllerError.self) {
            try LedgerContents(path: missing)
        }
        #expect(error?.reason.contains(missing) == true)
        let other = #expect(throws: ControllerError.self) { try read(Array("SLUICEJJ....".utf8)) }
        #expect(other?.reason.contains("is no ledger") == true)
    }
}
