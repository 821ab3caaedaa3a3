/// What stands at the end of a file of a journal.
struct JournalTail: Equatable {
    /// Size up to the last newline.
    var wholeByteCount = 0
    /// Bytes after it.
    var tornByteCount = 0
    /// The event of the last whole line; nil without one.
    var last: JournalEvent?

    /// Looks at the end of a file: the last whole line and a torn one, so at most two lines are
    /// read.
    init(of file: borrowing JournalFile) throws(JournalError) {
        let size = try file.byteCount()
        // Most lines are short: what two of the longest may take is read only where this is not enough.
        let most = 2 * JournalEvent.maximumLineByteCount + 1
        for byteCount in [64 << 10, most] {
            let start = max(0, size - byteCount)
            let bytes = try file.read(count: size - start, at: start)
            guard try !find(in: bytes, from: start, of: file) else { return }
        }
        throw .malformedLine(
            path: file.path,
            line: try Self.lineNumber(in: file, before: max(0, size - most)),
            reason: "longer than \(JournalEvent.maximumLineByteCount) bytes")
    }

    /// False where the bytes, which end the file, begin in the middle of its last whole line or after it.
    private mutating func find(
        in bytes: [UInt8], from start: Int, of file: borrowing JournalFile
    ) throws(JournalError) -> Bool {
        let newline = UInt8(ascii: "\n")
        guard let end = bytes.lastIndex(of: newline) else {
            (wholeByteCount, tornByteCount) = (0, bytes.count)
            return start == 0
        }
        let before = bytes[..<end].lastIndex(of: newline)
        guard before != nil || start == 0 else { return false }
        let begin = before.map { $0 + 1 } ?? 0
        wholeByteCount = start + end + 1
        tornByteCount = bytes.count - end - 1
        do throws(JSONFlaw) {
            let event = try JournalEvent(line: bytes[begin..<end])
            // Half of all numbers are left: no journal gets there, so none runs out of them.
            guard event.seq <= UInt64(Int64.max) else {
                throw JSONFlaw(reason: "a seq that no journal reaches", byteOffset: 0)
            }
            last = event
        } catch {
            throw .malformedLine(
                path: file.path, line: try Self.lineNumber(in: file, before: start + begin),
                reason: "\(error.reason) at byte \(error.byteOffset)")
        }
        return true
    }

    /// Serial number of the first whole line of a file; nil where there is none.
    static func firstSeq(of file: borrowing JournalFile) throws(JournalError) -> UInt64? {
        for wanted in [4096, JournalEvent.maximumLineByteCount] {
            let bytes = try file.read(count: wanted, at: 0)
            guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { continue }
            do throws(JSONFlaw) {
                return try JournalEvent(line: bytes[..<end]).seq
            } catch {
                throw .malformedLine(
                    path: file.path, line: 1,
                    reason: "\(error.reason) at byte \(error.byteOffset)")
            }
        }
        return nil
    }

    /// The number, from 1, of the line that begins at an offset.
    static func lineNumber(
        in file: borrowing JournalFile, before end: Int
    ) throws(JournalError) -> Int {
        var line = 1
        var offset = 0
        while offset < end {
            let bytes = try file.read(count: min(1 << 16, end - offset), at: offset)
            if bytes.isEmpty { break }
            line += bytes.count { $0 == UInt8(ascii: "\n") }
            offset += bytes.count
        }
        return line
    }
}
