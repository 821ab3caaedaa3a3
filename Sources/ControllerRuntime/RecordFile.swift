internal import Glibc
internal import Pipes

/// A file of the run directory that only grows by whole records: one that can't be written whole is
/// cut off again. Used by one thread.
final class RecordFile {
    /// Nil: nothing is written.
    let path: String?
    private let isText: Bool
    /// The open file; below 0 as long as it could not be opened.
    private var number: Int32 = -1
    private var byteCount: off_t = 0
    /// What went wrong first; nil when nothing did.
    private(set) var problem: String?

    /// Opens or makes the file: now, or where that fails with the next record. `isText`: a last line
    /// without its end is cut off.
    init(path: String?, isText: Bool = false) {
        self.path = path
        self.isText = isText
        _ = openFile()
    }

    deinit {
        if number >= 0 { close(number) }
    }

    /// Opens the file where it is not open; 0, or the error number.
    func openFile() -> Int32 {
        guard let path, number < 0 else { return 0 }
        number = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        if number < 0 { return errno }
        byteCount = max(0, lseek(number, 0, SEEK_END))
        if isText { cutTornLine() }
        return 0
    }

    /// Appends bytes. When it can't, the file stays as it was.
    ///
    /// - Returns: 0, or the error number.
    func append(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard path != nil else { return 0 }
        let code = openFile()
        if code != 0 { return code }
        var rest = bytes[...]
        var position = byteCount
        while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
            let count = pwrite(number, start, rest.count, position)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let code = count == 0 ? ENOSPC : errno
                // If this fails too, the next record begins at the same place.
                ftruncate(number, byteCount)
                return code
            }
            rest = rest.dropFirst(count)
            position += off_t(count)
        }
        byteCount = position
        return 0
    }

    /// Appends bytes that the run can do without: when it can't they are lost, and that is said at the
    /// end.
    func appendOrNote(_ bytes: [UInt8]) {
        let code = bytes.withUnsafeBytes { append($0) }
        if code != 0 { note(code) }
    }

    /// Brings what was written to the disk; an error number, or 0.
    func sync() -> Int32 {
        guard path != nil else { return 0 }
        let code = openFile()
        if code != 0 { return code }
        return fdatasync(number) == 0 ? 0 : errno
    }

    /// Keeps what went wrong, unless something did before.
    func note(_ code: Int32) {
        note("\(path ?? "") could not be written: \(SystemText.ofError(code))")
    }

    /// Keeps what went wrong, unless something did before.
    func note(_ problem: String) { if self.problem == nil { self.problem = problem } }

    /// A run that was killed may have left the beginning of a line.
    private func cutTornLine() {
        var chunk = [UInt8](repeating: 0, count: 4096)
        var end = byteCount
        while end > 0 {
            let start = max(0, end - off_t(chunk.count))
            let count = pread(number, &chunk, Int(end - start), start)
            guard count > 0 else { return }
            if let last = chunk[..<count].lastIndex(of: UInt8(ascii: "\n")) {
                end = start + off_t(last) + 1
                break
            }
            end = start
        }
        guard end < byteCount, ftruncate(number, end) == 0 else { return }
        byteCount = end
    }
}
