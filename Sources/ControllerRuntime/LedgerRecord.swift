internal import CLinux
internal import NDArrays
internal import Wire
internal import WorkerProtocol

/// One record of the ledger on disk.
///
/// A record is: byte count of its body (UInt32), CRC32C of the body (UInt32), body. The file begins
/// with the eight bytes `SLUICELG`. All numbers are little-endian. The first byte of a body is the
/// kind; kinds 1 to 5 were those of format 1.
enum LedgerRecord: Equatable, Sendable {
    /// The run that the file is of: the first record.
    case run(LedgerRun)
    /// The run was taken up again: what follows is another life of it.
    case resumed(LedgerResumption)
    /// Files are staged in a directory, whose path ends with a slash.
    case directory(path: String)
    /// The files of a frame are about to get their names; its closing, if they get them.
    case intent(Closing, files: [StagedFile])
    /// Frames were closed.
    case closings(ClosingBatch)
    /// Why a frame did not go through; its closing comes later.
    case reason(FrameReason)
    /// A change of configuration was accepted for a stage.
    case change(stage: UInt16, ConfigureCommand)
    /// The changes of a stage from a version on were taken back.
    case changeTakenBack(stage: UInt16, version: UInt64)
    /// An intent that a dead controller left was undone: the frame will be done again.
    case undone(key: FrameKey, stage: UInt16)
    /// The account of the run or of a stage at the end.
    case account(LedgerAccount)
    /// What a frame was called where it was sealed; its intent or closing comes later, and only if it went
    /// through they count.
    case claims(EntryId, [FrameClaim])
}

/// What a run is, as far as another life of it must be the same.
struct LedgerRun: Equatable, Sendable {
    /// The format that this program writes and reads.
    static let format: UInt32 = 2

    /// A stage with what it takes its frames from, nil: the source.
    struct Stage: Equatable, Sendable {
        var name: String
        var from: String?
    }

    var runId: String
    /// Name of the source for people.
    var source: String
    /// The same for the same frames in the same order; nil: the source can't be taken up again.
    var fingerprint: String?
    /// Number of frames, nil where nobody knew.
    var frameCount: UInt64?
    var stages: [Stage]

    /// Writes the beginning of a ledger with this record; 0, or the error number.
    func begin(_ file: RecordFile) -> Int32 {
        var records = ByteWriter()
        LedgerRecord.magic.withUnsafeBytes { records.writeBytes($0) }
        LedgerRecord.run(self).write(to: &records)
        return file.append(records.bytes)
    }
}

/// The beginning of another life of a run.
struct LedgerResumption: Equatable, Sendable {
    /// Number of the life: 2 is the first that was taken up.
    var life: UInt32
    /// Nanoseconds since the POSIX epoch.
    var time: UInt64
    /// Bytes of a record that was not written to its end, and were cut off.
    var tornByteCount: UInt64
    /// Frames that ended so are done again.
    var reopened: Set<FrameFate>
}

/// Why a frame did not go through.
struct FrameReason: Equatable, Sendable {
    var key: FrameKey
    var stage: UInt16
    var uniqueId: UInt64
    var fate: FrameFate
    /// Where the frame came from: the path of a file.
    var source: String
    var reason: String
}

/// The account of a stage, or of the run where the name is empty.
struct LedgerAccount: Equatable, Sendable {
    var stage: String
    var accepted: UInt64 = 0
    var processed: UInt64 = 0
    var filtered: UInt64 = 0
    var failed: UInt64 = 0
    var quarantined: UInt64 = 0
    var dropped: UInt64 = 0
    var inFlight: UInt64 = 0
    var rejected: UInt64 = 0

    /// Whether every accepted frame is accounted for; false where the numbers can't be added.
    var isBalanced: Bool {
        var (sum, overflow) = (UInt64(0), false)
        for count in [processed, filtered, failed, quarantined, dropped, inFlight] {
            let next = sum.addingReportingOverflow(count)
            (sum, overflow) = (next.partialValue, overflow || next.overflow)
        }
        return !overflow && sum == accepted
    }

    /// The account in one line, for people.
    var line: String {
        "\(accepted) accepted = \(processed) processed + \(filtered) filtered + \(failed) failed "
            + "+ \(quarantined) quarantined + \(dropped) dropped + \(inFlight) in flight"
    }
}

extension LedgerRecord {
    /// The first bytes of a ledger file.
    static let magic = Array("SLUICELG".utf8)
    /// Most bytes of a record's body: 1023 files with two paths of 4096 bytes each, and some.
    static let maximumByteCount = 16 << 20
    /// What the first byte of a body may be.
    static let kinds: ClosedRange<UInt8> = Kind.run.rawValue...Kind.claims.rawValue
    /// Most stages of a run: each has a process at least.
    static let maximumStageCount = 4096

    private enum Kind: UInt8 {
        case run = 6
        case resumed, directory, intent, closings, reason, change, changeTakenBack, undone, account
        case claims
    }

    /// Whether the files of a frame fit into one intent.
    static func fitsIntent(_ files: [StagedFile]) -> Bool {
        var byteCount = 1024
        for file in files {
            byteCount += file.stagedPath.utf8.count + file.finalPath.utf8.count + 32
        }
        return byteCount <= maximumByteCount
    }

    /// Appends the record with its length and checksum.
    func write(to writer: inout ByteWriter) {
        let start = writer.byteCount
        writer.writeUInt32(0)
        writer.writeUInt32(0)
        writeBody(to: &writer)
        Self.seal(&writer, from: start)
    }

    private static func seal(_ writer: inout ByteWriter, from start: Int) {
        let body = UnsafeRawBufferPointer(rebasing: writer.bytes[(start + 8)...])
        let (count, checksum) = (UInt32(body.count), cl_crc32c(0, body.baseAddress, body.count))
        writer.overwriteUInt32(count, at: start)
        writer.overwriteUInt32(checksum, at: start + 4)
    }

    private func writeBody(to writer: inout ByteWriter) {
        writer.writeUInt8(kind.rawValue)
        switch self {
        case .run(let run): run.write(to: &writer)
        case .resumed(let resumption):
            writer.writeUInt32(resumption.life)
            writer.writeUInt64(resumption.time)
            writer.writeUInt64(resumption.tornByteCount)
            writer.writeUInt8(resumption.reopened.reduce(0) { $0 | 1 << UInt8($1.rawValue) })
        case .directory(let path): writer.writeText(path)
        case .intent(let closing, let files):
            writer.writeClosings([closing])
            writer.writeCount(files.count)
            for file in files {
                writer.writeText(file.stagedPath)
                writer.writeText(file.finalPath)
                writer.writeUInt64(file.byteCount)
                writer.writeBool(file.checksum != nil)
                writer.writeUInt32(file.checksum ?? 0)
                writer.writeBool(file.mayReplace)
            }
        case .closings(let batch):
            writer.writeUInt64(batch.time)
            writer.writeVariable(batch.highestFrameId)
            writer.writeVariable(batch.rejected)
            writer.writeVariable(UInt64(batch.closings.count))
            writer.writeClosings(batch.closings[...])
        case .reason(let reason):
            writer.writeKey(reason.key)
            writer.writeUInt16(reason.stage)
            writer.writeUInt64(reason.uniqueId)
            writer.writeUInt8(UInt8(reason.fate.rawValue))
            writer.writeText(Self.cut(reason.source))
            writer.writeText(Self.cut(reason.reason))
        case .change(let stage, let command):
            writer.writeUInt16(stage)
            command.write(to: &writer)
        case .changeTakenBack(let stage, let version):
            writer.writeUInt16(stage)
            writer.writeUInt64(version)
        case .undone(let key, let stage):
            writer.writeKey(key)
            writer.writeUInt16(stage)
        case .account(let account):
            writer.writeText(account.stage)
            for count in account.counts { writer.writeUInt64(count) }
        case .claims(let id, let claims):
            writer.writeKey(id.key)
            writer.writeUInt16(id.stage)
            writer.writeCount(claims.count)
            for claim in claims {
                writer.writeText(claim.scope)
                writer.writeKey(claim.key)
            }
        }
    }

    private var kind: Kind {
        switch self {
        case .run: .run
        case .resumed: .resumed
        case .directory: .directory
        case .intent: .intent
        case .closings: .closings
        case .reason: .reason
        case .change: .change
        case .changeTakenBack: .changeTakenBack
        case .undone: .undone
        case .account: .account
        case .claims: .claims
        }
    }

    /// A reason that names long paths may be longer than can be read again: its end is left out.
    private static func cut(_ reason: String) -> String {
        let maximum = ProtocolLimits.maximumReasonByteCount
        guard reason.utf8.count > maximum else { return reason }
        // A character that is cut becomes U+FFFD, which may be two bytes longer than its rest.
        return String(decoding: reason.utf8.prefix(maximum - 2), as: UTF8.self)
    }
}

extension LedgerRun {
    fileprivate func write(to writer: inout ByteWriter) {
        writer.writeUInt32(Self.format)
        writer.writeText(runId)
        writer.writeText(source)
        writer.writeBool(fingerprint != nil)
        writer.writeText(fingerprint ?? "")
        writer.writeBool(frameCount != nil)
        writer.writeUInt64(frameCount ?? 0)
        writer.writeCount(stages.count)
        for stage in stages {
            writer.writeText(stage.name)
            writer.writeBool(stage.from != nil)
            writer.writeText(stage.from ?? "")
        }
    }
}

extension LedgerAccount {
    fileprivate var counts: [UInt64] {
        [accepted, processed, filtered, failed, quarantined, dropped, inFlight, rejected]
    }
}

extension ByteWriter {
    fileprivate mutating func writeKey(_ key: FrameKey) {
        writeUInt64(key.frameId)
        writeUInt64(key.branch)
    }
}
