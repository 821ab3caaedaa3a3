internal import CLinux
internal import Glibc
internal import Pipes
internal import Wire

/// Reads a ledger record by record, a chunk of the file at a time.
///
/// Any bytes give records or one error with its offset. A record that was not written to its end is
/// the end of the ledger: see `tornByteCount`.
struct LedgerReader: ~Copyable {
    private static let chunkByteCount = 256 << 10
    /// Most records are smaller than this.
    private static let likelyByteCount = 64 << 10

    let path: String
    private let descriptor: OwnedDescriptor
    private var buffer: [UInt8]
    /// The part of `buffer` that holds bytes that no record has taken.
    private var filled = 0..<0
    private var hasReadAll = false
    private var hasBegun = false
    private var isFirst = true
    /// Offset in the file behind the last whole record.
    private(set) var wholeByteCount: UInt64 = 0
    /// Bytes behind it that belong to a record that was not written to its end; known when `next` has
    /// given nil.
    private(set) var tornByteCount: UInt64 = 0

    /// Opens a ledger.
    ///
    /// - Throws: `ControllerError` when it can't be read.
    init(path: String) throws(ControllerError) {
        self.path = path
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else {
            let code = errno
            let advice =
                code == ENOENT
                ? "; if its run was killed before it had begun, sluice run --resume begins it" : ""
            throw ControllerError(
                .runDirectory, "\(path) can't be read: \(SystemText.ofError(code))\(advice)")
        }
        descriptor = OwnedDescriptor(owning: number)
        // A small file needs no large buffer; one that grows meanwhile makes it grow.
        var status = stat()
        let byteCount = fstat(number, &status) == 0 ? Int(status.st_size) : Self.chunkByteCount
        buffer = [UInt8](repeating: 0, count: max(64, min(byteCount + 1, Self.chunkByteCount)))
    }

    /// The next record, nil behind the last whole one.
    ///
    /// - Throws: `ControllerError` when the file can't be read, is no ledger, or is damaged before its
    /// end.
    mutating func next() throws(ControllerError) -> LedgerRecord? {
        if !hasBegun, try !begin() { return nil }
        guard try fill(8) else { return try tear() }
        let count = Int(load(0))
        let checksum = load(4)
        if count == 0 && checksum == 0, try isZero(from: 0) { return try tear() }
        guard count <= LedgerRecord.maximumByteCount else {
            throw damaged("a record of \(count) bytes")
        }
        guard try fill(8 + count) else {
            // A cut has nothing behind it: whole records there say that this length is wrong.
            if hasRecordBehind {
                throw damaged("a record of \(count) bytes, with others behind it")
            }
            return try tear()
        }
        let start = filled.lowerBound + 8
        let isWhole = buffer.withUnsafeBytes {
            cl_crc32c(0, $0.baseAddress?.advanced(by: start), count) == checksum
        }
        guard isWhole else {
            // A write that the machine's end cut short leaves its last record in part.
            if try isZero(from: 8 + count) { return try tear() }
            throw damaged("a record whose checksum is wrong")
        }
        let record = try decode(start..<start + count)
        wholeByteCount += UInt64(8 + count)
        filled = start + count..<filled.upperBound
        isFirst = false
        return record
    }

    private mutating func begin() throws(ControllerError) -> Bool {
        hasBegun = true
        let magic = LedgerRecord.magic
        let isLong = try fill(magic.count)
        let bytes = buffer[filled].prefix(magic.count)
        guard isLong else {
            // A run that ended before its first record was written leaves a part of the beginning.
            if !magic.starts(with: bytes) && !bytes.allSatisfy({ $0 == 0 }) { throw foreign }
            _ = try tear()
            return false
        }
        guard bytes.elementsEqual(magic) else {
            // A machine that went down may leave a file with its length and without its bytes.
            if bytes.allSatisfy({ $0 == 0 }), try isZero(from: 0) {
                _ = try tear()
                return false
            }
            throw foreign
        }
        filled = filled.lowerBound + magic.count..<filled.upperBound
        wholeByteCount = UInt64(magic.count)
        return true
    }

    private func decode(_ body: Range<Int>) throws(ControllerError) -> LedgerRecord {
        let result = buffer.withUnsafeBytes { bytes -> Result<LedgerRecord, WireError> in
            var reader = ByteReader(
                UnsafeRawBufferPointer(rebasing: bytes[body]), byteOffset: wholeByteCount + 8)
            do throws(WireError) {
                return .success(try LedgerRecord(from: &reader))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let record):
            var isRun = false
            if case .run = record { isRun = true }
            if isRun == isFirst { return record }
            throw damaged(isFirst ? "no record of the run" : "a second record of the run")
        case .failure(let error):
            if isFirst && (1...5).contains(buffer[body.lowerBound]) {
                throw ControllerError(
                    .runDirectory,
                    "\(path) was written by an earlier version of Sluice (ledger format 1): use that "
                        + "version for it")
            }
            throw damaged("\(error)")
        }
    }

    // MARK: Bytes

    /// Makes sure that `count` bytes are there; false when the file ends before.
    private mutating func fill(_ count: Int) throws(ControllerError) -> Bool {
        if filled.count >= count { return true }
        if filled.lowerBound > 0 {
            buffer.withUnsafeMutableBytes { bytes in
                bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[filled]))
            }
            filled = 0..<filled.count
        }
        while filled.count < count, !hasReadAll {
            let start = filled.upperBound
            // Grows as bytes come: a length alone takes no memory.
            if start == buffer.count { buffer += [UInt8](repeating: 0, count: buffer.count) }
            do {
                let result = try buffer.withUnsafeMutableBytes { bytes in
                    try descriptor.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
                }
                switch result {
                case .bytes(let count): filled = filled.lowerBound..<start + count
                case .wouldBlock: break
                case .endOfFile: hasReadAll = true
                }
            } catch {
                throw ControllerError(.runDirectory, "\(path) can't be read: \(error)")
            }
        }
        return filled.count >= count
    }

    private func load(_ byteOffset: Int) -> UInt32 {
        let start = filled.lowerBound + byteOffset
        return buffer.withUnsafeBytes {
            UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: UInt32.self))
        }
    }

    /// Whether all bytes of the file from `byteOffset` behind the last whole record on are zero, also
    /// when there are none.
    private func isZero(from byteOffset: Int) throws(ControllerError) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4 << 10)
        var position = off_t(wholeByteCount) + off_t(byteOffset)
        while true {
            let count = pread(descriptor.rawValue, &chunk, chunk.count, position)
            if count < 0 {
                if errno == EINTR { continue }
                throw ControllerError(
                    .runDirectory, "\(path) can't be read: \(SystemText.ofError(errno))")
            }
            if count == 0 { return true }
            if chunk[..<count].contains(where: { $0 != 0 }) { return false }
            position += off_t(count)
        }
    }

    /// Whether a whole record stands somewhere behind the next one, whose length reaches beyond the end.
    ///
    /// All that is left of the file is in the buffer then, at most the size of a record.
    private var hasRecordBehind: Bool {
        let header = 8
        guard filled.count > 2 * header else { return false }
        for offset in 1..<filled.count - header {
            let count = Int(load(offset))
            guard count > 0, count <= Self.likelyByteCount,
                offset + header + count <= filled.count,
                LedgerRecord.kinds.contains(buffer[filled.lowerBound + offset + header])
            else { continue }
            let start = filled.lowerBound + offset + header
            let checksum = buffer.withUnsafeBytes {
                cl_crc32c(0, $0.baseAddress?.advanced(by: start), count)
            }
            if checksum == load(offset + 4) { return true }
        }
        return false
    }

    /// What is left is no whole record.
    private mutating func tear() throws(ControllerError) -> LedgerRecord? {
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else {
            throw ControllerError(
                .runDirectory, "\(path) can't be read: \(SystemText.ofError(errno))")
        }
        let byteCount = UInt64(max(0, status.st_size))
        tornByteCount = byteCount - min(wholeByteCount, byteCount)
        filled = 0..<0
        hasReadAll = true
        return nil
    }

    private func damaged(_ problem: String) -> ControllerError {
        ControllerError(
            .runDirectory, "\(path) is damaged at byte \(wholeByteCount): \(problem)")
    }

    private var foreign: ControllerError {
        ControllerError(.runDirectory, "\(path) is no ledger of Sluice")
    }
}
