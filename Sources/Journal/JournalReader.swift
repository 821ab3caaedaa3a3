/// Reads a journal, also while it is being written: `readNew` gives what came since the last call.
///
/// A last line without its newline is not there yet and is left for the next call. A whole line
/// that is no event, or a gap in the serial numbers, is an error; the position stays before that
/// line.
public struct JournalReader: ~Copyable {
    /// Bytes read at a time; grows to the longest line where one does not fit.
    private static let chunkByteCount = 1 << 17

    private let file: JournalFile
    /// Where the next line begins.
    private var byteOffset = 0
    private var lineNumber = 1
    /// The serial number of the last event read; nil before the first. The journal may begin with
    /// another than 1 where older events were removed.
    public private(set) var lastSeq: UInt64?

    /// Opens a journal, which must exist.
    public init(path: String) throws(JournalError) {
        file = try JournalFile.forReading(path: path)
    }

    /// All whole events of the journal at `path`.
    public static func events(path: String) throws(JournalError) -> [JournalEvent] {
        var reader = try JournalReader(path: path)
        var events: [JournalEvent] = []
        while true {
            let new = try reader.readNew()
            if new.isEmpty { return events }
            events += new
        }
    }

    /// The events that came since the last call, in order, at most that many; empty when there are
    /// none. An error is thrown when it comes first: events before a bad line are returned, and the
    /// next call throws.
    public mutating func readNew(
        maximumCount: Int = .max
    ) throws(JournalError) -> [JournalEvent] {
        let byteCount = try file.byteCount()
        guard byteCount >= byteOffset else {
            throw malformed("the file is shorter than what was read before")
        }
        var events: [JournalEvent] = []
        var wanted = Self.chunkByteCount
        again: while events.count < maximumCount {
            // Most calls find little or nothing new: no room is cleared for more than there is.
            let bytes = try file.read(count: min(wanted, byteCount - byteOffset), at: byteOffset)
            var begin = 0
            while events.count < maximumCount,
                let end = bytes[begin...].firstIndex(of: UInt8(ascii: "\n"))
            {
                do {
                    events.append(try event(of: bytes[begin..<end]))
                } catch {
                    if try hasChanged(bytes[begin..<end]) { continue again }
                    if events.isEmpty { throw error }
                    return events
                }
                byteOffset += end + 1 - begin
                lineNumber += 1
                begin = end + 1
            }
            if bytes.count < wanted { break }
            guard begin == 0 else { continue }
            guard wanted < JournalEvent.maximumLineByteCount else {
                throw malformed("longer than \(JournalEvent.maximumLineByteCount) bytes")
            }
            wanted = JournalEvent.maximumLineByteCount
        }
        return events
    }

    private mutating func event(of line: ArraySlice<UInt8>) throws(JournalError) -> JournalEvent {
        let event: JournalEvent
        do {
            event = try JournalEvent(line: line)
        } catch {
            throw malformed("\(error.reason) at byte \(error.byteOffset)")
        }
        if let lastSeq, event.seq != lastSeq &+ 1 {
            throw .sequenceBroken(
                path: file.path, line: lineNumber, expected: lastSeq &+ 1, found: event.seq)
        }
        lastSeq = event.seq
        return event
    }

    /// Whether the file no longer has this line at the present position. A torn line that is cut
    /// off while it is being read can look like the first half of the next.
    private func hasChanged(_ line: ArraySlice<UInt8>) throws(JournalError) -> Bool {
        let again = try file.read(count: line.count + 1, at: byteOffset)
        return again.dropLast() != line || again.last != UInt8(ascii: "\n")
    }

    private func malformed(_ reason: String) -> JournalError {
        .malformedLine(path: file.path, line: lineNumber, reason: reason)
    }
}
