/// Why a journal could not be written or read.
public enum JournalError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A system call on the file failed.
    case system(operation: String, path: String, errno: Int32)
    /// The name of an event is empty, too long or has other characters than a–z, 0–9 and hyphens.
    case invalidName(String)
    /// An event is longer than a line may be; `limit` in bytes.
    case lineTooLong(byteCount: Int, limit: Int)
    /// The context has more containers within each other than `limit`.
    case nestedTooDeep(limit: Int)
    /// A whole line is no event; `line` counts from 1.
    case malformedLine(path: String, line: Int, reason: String)
    /// The serial numbers have a gap or go back; `line` counts from 1.
    case sequenceBroken(path: String, line: Int, expected: UInt64, found: UInt64)
    /// Another process writes this journal.
    case inUse(path: String)
    /// Events that were to be read next were removed, as the journal's limit of files has it; reading can
    /// go on after them.
    case eventsRemoved(path: String, first: UInt64, last: UInt64)
    /// The journal was closed before.
    case closed(path: String)

    /// One sentence with what to do.
    public var description: String {
        switch self {
        case .system(let operation, let path, let errno):
            "Journal \(path) could not be used: \(operation) failed with errno \(errno) "
                + "(\(systemErrorText(errno))); check the folder, its permissions and free space."
        case .invalidName(let name):
            "Journal event name \"\(name)\" is refused: use 1 to 64 of a-z, 0-9 and hyphens, "
                + "beginning with a letter."
        case .lineTooLong(let byteCount, let limit):
            "Journal event of \(byteCount) bytes is refused, the limit is \(limit): shorten its "
                + "context."
        case .nestedTooDeep(let limit):
            "Journal event is refused, its context nests deeper than \(limit): make it flatter."
        case .malformedLine(let path, let line, let reason):
            "Journal \(path) line \(line) is no event (\(reason)): restore or remove the file."
        case .sequenceBroken(let path, let line, let expected, let found):
            "Journal \(path) line \(line) has seq \(found) where \(expected) must follow: events "
                + "were lost or the file was edited; restore or remove it."
        case .inUse(let path):
            "Journal \(path) is being written by another process: use another run directory."
        case .eventsRemoved(let path, let first, let last):
            "Journal \(path) has no events \(first) to \(last) any more: they were removed to keep it "
                + "within its limit of files; keep more, or read sooner."
        case .closed(let path):
            "Journal \(path) is closed: record before closing it."
        }
    }
}
