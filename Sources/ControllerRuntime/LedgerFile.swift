internal import CLinux
internal import Glibc
internal import NDArrays
internal import Pipes
internal import Wire
internal import WorkerProtocol

/// One record of the ledger on disk.
///
/// A record is: byte count of its body (UInt32), CRC32C of the body (UInt32), body. The file begins
/// with the eight bytes `SLUICELG`. All numbers are little-endian.
enum LedgerRecord: Equatable, Sendable {
    /// The run that the file is of.
    case run(runId: String)
    /// A staged file is about to get its final name.
    case intent(key: FrameKey, stage: String, file: StagedFile)
    /// The file of the last intent with this name has its final name.
    case finished(finalPath: String)
    /// A frame that did not go through.
    case outcome(key: FrameKey, stage: String, uniqueId: UInt64, fate: UInt8, reason: String)
    /// The account of a stage at the end; name empty: of the run.
    case account(
        stage: String, accepted: UInt64, processed: UInt64, filtered: UInt64, failed: UInt64,
        quarantined: UInt64, dropped: UInt64, inFlight: UInt64)
}

extension LedgerRecord {
    /// The first bytes of a ledger file.
    static let magic = Array("SLUICELG".utf8)
    /// Most bytes of a record's body: two paths and a reason at their limits.
    static let maximumByteCount = 1 << 20

    /// Appends the record with its length and checksum.
    func write(to writer: inout ByteWriter) {
        let start = writer.byteCount
        writer.writeUInt32(0)
        writer.writeUInt32(0)
        writeBody(to: &writer)
        let body = UnsafeRawBufferPointer(rebasing: writer.bytes[(start + 8)...])
        let (count, checksum) = (UInt32(body.count), cl_crc32c(0, body.baseAddress, body.count))
        writer.overwriteUInt32(count, at: start)
        writer.overwriteUInt32(checksum, at: start + 4)
    }

    private func writeBody(to writer: inout ByteWriter) {
        switch self {
        case .run(let runId):
            writer.writeUInt8(1)
            writer.writeText(runId)
        case .intent(let key, let stage, let file):
            writer.writeUInt8(2)
            writer.writeUInt64(key.frameId)
            writer.writeUInt64(key.branch)
            writer.writeText(stage)
            writer.writeText(file.stagedPath)
            writer.writeText(file.finalPath)
            writer.writeUInt64(file.byteCount)
            writer.writeBool(file.checksum != nil)
            writer.writeUInt32(file.checksum ?? 0)
            writer.writeBool(file.mayReplace)
        case .finished(let finalPath):
            writer.writeUInt8(3)
            writer.writeText(finalPath)
        case .outcome(let key, let stage, let uniqueId, let fate, let reason):
            writer.writeUInt8(4)
            writer.writeUInt64(key.frameId)
            writer.writeUInt64(key.branch)
            writer.writeText(stage)
            writer.writeUInt64(uniqueId)
            writer.writeUInt8(fate)
            writer.writeText(Self.cut(reason))
        case .account(
            let stage, let accepted, let processed, let filtered, let failed, let quarantined,
            let dropped, let inFlight):
            writer.writeUInt8(5)
            writer.writeText(stage)
            for count in [
                accepted, processed, filtered, failed, quarantined, dropped, inFlight,
            ] { writer.writeUInt64(count) }
        }
    }

    /// A reason that names long paths may be longer than can be read again: its end is left out.
    private static func cut(_ reason: String) -> String {
        let maximum = ProtocolLimits.maximumReasonByteCount
        guard reason.utf8.count > maximum else { return reason }
        // A character that is cut becomes U+FFFD, which may be two bytes longer than its rest.
        return String(decoding: reason.utf8.prefix(maximum - 2), as: UTF8.self)
    }

    /// Reads the body of a record.
    init(from reader: inout ByteReader) throws(WireError) {
        let kind = try reader.readUInt8()
        let limit = ProtocolLimits.maximumTextByteCount
        switch kind {
        case 1: self = .run(runId: try reader.readText(maximumByteCount: limit))
        case 2:
            let key = FrameKey(frameId: try reader.readUInt64(), branch: try reader.readUInt64())
            let stage = try reader.readText(maximumByteCount: limit)
            let stagedPath = try reader.readText(maximumByteCount: limit)
            let finalPath = try reader.readText(maximumByteCount: limit)
            let byteCount = try reader.readUInt64()
            let hasChecksum = try reader.readBool()
            let checksum = try reader.readUInt32()
            self = .intent(
                key: key, stage: stage,
                file: StagedFile(
                    stagedPath: stagedPath, finalPath: finalPath, byteCount: byteCount,
                    checksum: hasChecksum ? checksum : nil, mayReplace: try reader.readBool()))
        case 3: self = .finished(finalPath: try reader.readText(maximumByteCount: limit))
        case 4:
            let key = FrameKey(frameId: try reader.readUInt64(), branch: try reader.readUInt64())
            self = .outcome(
                key: key, stage: try reader.readText(maximumByteCount: limit),
                uniqueId: try reader.readUInt64(), fate: try reader.readUInt8(),
                reason: try reader.readText(maximumByteCount: limit))
        case 5:
            let stage = try reader.readText(maximumByteCount: limit)
            self = .account(
                stage: stage, accepted: try reader.readUInt64(), processed: try reader.readUInt64(),
                filtered: try reader.readUInt64(), failed: try reader.readUInt64(),
                quarantined: try reader.readUInt64(), dropped: try reader.readUInt64(),
                inFlight: try reader.readUInt64())
        default: throw reader.error(.unknownValue(field: "ledger record", value: UInt64(kind)))
        }
        try reader.finish()
    }
}

/// What a ledger file holds.
struct LedgerContents: Sendable {
    /// The records in order.
    var records: [LedgerRecord]
    /// Bytes of a last record that was not written to its end; 0 after an orderly run.
    var tornByteCount: Int

    /// Reads a whole ledger.
    ///
    /// - Throws: `ControllerError` when the file can't be read or a record in the middle is damaged.
    init(path: String) throws(ControllerError) {
        let bytes = try FileBytes.read(path: path)
        // A run that ended before its first record was written leaves a part of the beginning.
        guard !LedgerRecord.magic.starts(with: bytes) || bytes.count == LedgerRecord.magic.count
        else {
            records = []
            tornByteCount = bytes.count
            return
        }
        guard bytes.starts(with: LedgerRecord.magic) else {
            throw ControllerError(.runDirectory, "\(path) is no ledger of Sluice")
        }
        var records: [LedgerRecord] = []
        var position = LedgerRecord.magic.count
        var problem: String?
        bytes.withUnsafeBytes { bytes in
            while bytes.count - position >= 8 {
                let count = Int(bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
                let checksum = bytes.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)
                guard count <= LedgerRecord.maximumByteCount else {
                    problem = "a record of \(count) bytes"
                    return
                }
                guard bytes.count - position - 8 >= count else { return }
                let body = UnsafeRawBufferPointer(
                    rebasing: bytes[position + 8..<position + 8 + count])
                guard cl_crc32c(0, body.baseAddress, count) == checksum else {
                    problem = "a record whose checksum is wrong"
                    return
                }
                do throws(WireError) {
                    var reader = ByteReader(body, byteOffset: UInt64(position + 8))
                    records.append(try LedgerRecord(from: &reader))
                } catch {
                    problem = "\(error)"
                    return
                }
                position += 8 + count
            }
        }
        if let problem {
            throw ControllerError(
                .runDirectory, "\(path) is damaged at byte \(position): \(problem)")
        }
        self.records = records
        tornByteCount = bytes.count - position
    }
}

/// Whole small files.
enum FileBytes {
    /// The bytes of a file.
    ///
    /// - Throws: `ControllerError` with path and reason.
    static func read(path: String) throws(ControllerError) -> [UInt8] {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else {
            throw ControllerError(
                .runDirectory, "\(path) can't be read: \(SystemText.ofError(errno))")
        }
        let descriptor = OwnedDescriptor(owning: number)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        do {
            while true {
                let count = try chunk.withUnsafeMutableBytes { try descriptor.readAll(into: $0) }
                bytes.append(contentsOf: chunk[..<count])
                if count < chunk.count { return bytes }
            }
        } catch {
            throw ControllerError(.runDirectory, "\(path) can't be read: \(error)")
        }
    }
}
