import NDArrays
import TestSupport
import Testing
import Wire
import WorkerProtocol

@testable import ControllerRuntime

/// One record of every kind, as `Tests/Fixtures/ledger/make_golden.py` writes them.
let goldenRecords: [LedgerRecord] = [
    .run(runId: "k3v9x2ab"),
    .intent(
        key: FrameKey(frameId: 17, branch: 1), stage: "save",
        file: StagedFile(
            stagedPath: "out/.17.k3v9x2ab", finalPath: "out/000017.tiff", byteCount: 2_097_282,
            checksum: 0xDEAD_BEEF, mayReplace: false)),
    .intent(
        key: FrameKey(frameId: 18), stage: "säve",
        file: StagedFile(
            stagedPath: "out/.18", finalPath: "out/18", byteCount: 0, checksum: nil,
            mayReplace: true)),
    .finished(finalPath: "out/000017.tiff"),
    .outcome(
        key: FrameKey(frameId: 19), stage: "save", uniqueId: .max, fate: 3,
        reason: "it is no TIFF"),
    .account(
        stage: "", accepted: 21, processed: 1, filtered: 2, failed: 3, quarantined: 4, dropped: 5,
        inFlight: 6),
]

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
            #expect(contents.tornByteCount == expected, "\(length) bytes")
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

    @Test("with random damage never traps", arguments: [1, 2, 3] as [UInt64])
    func damage(seed: UInt64) throws {
        var random = SeededNumbers(seed: seed)
        let bytes = ledgerBytes(goldenRecords + goldenRecords)
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
        let original = goldenRecords + goldenRecords
        do throws(ControllerError) {
            let contents = try read(damaged)
            let isShorter = contents.records.count < original.count
            #expect(isShorter || contents.tornByteCount > 0, "\(what): taken as whole")
            #expect(
                contents.records == Array(original[..<min(contents.records.count, 12)]), "\(what)")
        } catch {
            #expect(error.code == .runDirectory)
            #expect(
                error.reason.contains("is damaged at byte") || error.reason.contains("no ledger"),
                "\(what): \(error.reason)")
        }
    }

    @Test("with a right checksum around wrong contents is refused with the place")
    func wrongContents() throws {
        let cases: [[UInt8]] = [[], [0], [9], [3, 255, 255, 255, 255], [1, 0, 0, 0, 0, 7]]
        for body in cases {
            var writer = ByteWriter()
            LedgerRecord.magic.withUnsafeBytes { writer.writeBytes($0) }
            writer.writeUInt32(UInt32(body.count))
            writer.writeUInt32(checksum(body))
            body.withUnsafeBytes { writer.writeBytes($0) }
            let error = try #require(throws: ControllerError.self) {
                try read(Array(writer.bytes))
            }
            #expect(error.reason.contains("is damaged at byte 8"), "\(body): \(error.reason)")
        }
    }

    @Test("keeps a reason of any length, cut where it is too long to be read again")
    func longReason() throws {
        let record = LedgerRecord.outcome(
            key: FrameKey(frameId: 1), stage: "s", uniqueId: 1, fate: 3,
            reason: String(repeating: "very long ", count: 60_000))
        let contents = try read(ledgerBytes([record, .finished(finalPath: "x")]))
        #expect(contents.records.count == 2)
        guard case .outcome(_, _, _, _, let reason) = contents.records.first else {
            Issue.record("no outcome")
            return
        }
        #expect(reason.hasPrefix("very long very long "))
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
