/// Reads a journal, also while it is being written: `readNew` gives what came since the last call.
///
/// A last line without its newline is not there yet and is left for the next call. A whole line
/// that is no event, or a gap in the serial numbers, is an error; the position stays before that
/// line. Of a journal in several files it goes from one to the next, the oldest first, also when
/// files are added and removed while it reads.
public struct JournalReader: ~Copyable {
    /// Bytes read at a time; grows to the longest line where one does not fit.
    private static let chunkByteCount = 1 << 17

    /// The path of the journal.
    public let path: String
    private var file: JournalFile
    /// Where the next line begins.
    private var byteOffset = 0
    private var lineNumber = 1
    /// The serial number of the event before the next line; nil at the beginning.
    private var previousSeq: UInt64?
    /// Events up to this one are passed over; nil: none are.
    private let cursor: UInt64?
    /// Whether files between the last event and this one were removed: a gap is then no damage.
    private var hasSkipped = false

    /// The serial number of the last event read; nil before the first. The journal may begin with
    /// another than 1 where older events were removed.
    public var lastSeq: UInt64? { previousSeq ?? cursor }

    /// Opens a journal, which must exist, before its first event.
    public init(path: String) throws(JournalError) {
        self.path = path
        cursor = nil
        file = try JournalSegments.openOldest(path)
    }

    /// Opens a journal, which must exist, after the event with that serial number; 0 is before the
    /// first. Where the next event was removed, `readNew` first throws `eventsRemoved`.
    public init(path: String, after seq: UInt64) throws(JournalError) {
        self.path = path
        cursor = seq
        file = try JournalSegments.open(path, after: seq)
    }

    /// Opens a journal, which must exist, after its last whole event.
    public init(atEndOf path: String) throws(JournalError) {
        let file = try JournalSegments.openNewest(path)
        let tail = try JournalTail(of: file)
        let lineNumber = try JournalTail.lineNumber(in: file, before: tail.wholeByteCount)
        previousSeq = try JournalSegments.last(tail, path)?.seq
        self.path = path
        cursor = nil
        self.file = file
        self.lineNumber = lineNumber
        byteOffset = tail.wholeByteCount
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

    /// The descriptor of the file that is read now, to wait on.
    var descriptor: Int32 { file.descriptor }

    /// Which file that is.
    func identity() throws(JournalError) -> FileIdentity { try file.identity() }

    /// The events that came since the last call, in order, at most that many; empty when there are
    /// none. An error is thrown when it comes first: events before a bad line are returned, and the
    /// next call throws. `eventsRemoved` is thrown once; the next call goes on after the gap.
    public mutating func readNew(
        maximumCount: Int = .max
    ) throws(JournalError) -> [JournalEvent] {
        try readNew(maximumCount: maximumCount, maximumByteCount: .max)
    }

    /// As above; takes no further line when those so far have that many bytes, and at most the longest line
    /// more.
    package mutating func readNew(
        maximumCount: Int, maximumByteCount: Int
    ) throws(JournalError) -> [JournalEvent] {
        guard maximumCount > 0 else { return [] }
        while true {
            let events = try readHere(maximumCount, maximumByteCount)
            if !events.isEmpty { return events }
            // The writer leaves a file for good: what it has by then is all it will ever have.
            guard try file.identity() != FileIdentity(path: path) else { return [] }
            let rest = try readHere(maximumCount, maximumByteCount)
            if !rest.isEmpty { return rest }
            guard try turnToNextFile() else { return [] }
        }
    }

    /// False when the next file is not there yet.
    private mutating func turnToNextFile() throws(JournalError) -> Bool {
        guard
            let next = try JournalSegments.openNext(path, after: try file.identity())
        else { return false }
        hasSkipped = next.hasSkipped
        file = next.takeFile()
        (byteOffset, lineNumber) = (0, 1)
        return true
    }

    /// As `readNew`, of the present file.
    private mutating func readHere(
        _ maximumCount: Int, _ maximumByteCount: Int
    ) throws(JournalError) -> [JournalEvent] {
        let byteCount = try file.byteCount()
        guard byteCount >= byteOffset else {
            throw malformed("the file is shorter than what was read before")
        }
        var events: [JournalEvent] = []
        var taken = 0
        var wanted = Self.chunkByteCount
        again: while events.count < maximumCount, taken < maximumByteCount {
            // Most calls find little or nothing new: no room is cleared for more than there is.
            let bytes = try file.read(count: min(wanted, byteCount - byteOffset), at: byteOffset)
            var begin = 0
            while events.count < maximumCount, taken < maximumByteCount || events.isEmpty,
                let end = bytes[begin...].firstIndex(of: UInt8(ascii: "\n"))
            {
                do {
                    if let event = try event(of: bytes[begin..<end]) {
                        events.append(event)
                        taken += end + 1 - begin
                    }
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

    /// The event of a line; nil where it is before the cursor.
    private mutating func event(
        of line: ArraySlice<UInt8>
    ) throws(JournalError) -> JournalEvent? {
        let event: JournalEvent
        do {
            event = try JournalEvent(line: line)
        } catch {
            throw malformed("\(error.reason) at byte \(error.byteOffset)")
        }
        if let expected = lastSeq.map({ $0 &+ 1 }), event.seq > expected,
            hasSkipped || previousSeq == nil
        {
            (hasSkipped, previousSeq) = (false, event.seq - 1)
            throw .eventsRemoved(path: path, first: expected, last: event.seq - 1)
        }
        if let previousSeq, event.seq != previousSeq &+ 1 {
            throw .sequenceBroken(
                path: file.path, line: lineNumber, expected: previousSeq &+ 1, found: event.seq)
        }
        hasSkipped = false
        previousSeq = event.seq
        if let cursor, event.seq <= cursor { return nil }
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
