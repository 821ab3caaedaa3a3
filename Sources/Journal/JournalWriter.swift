import Synchronization

/// When events are forced to the disk; without, the system does it within seconds, and only a crash
/// of the machine (not of the program) loses events.
public enum JournalDurability: Sendable, Hashable, CaseIterable {
    /// Never by us.
    case none
    /// After every event, before `record` returns.
    case eachEvent
    /// When the journal is closed.
    case close
}

/// Writes a journal to a file: appends whole lines, each with one write(2), from any thread.
///
/// Opening an existing journal goes on after its last serial number. A last line without its
/// newline, left by a crash, is cut off and the cut recorded by a `truncate` event. One writer per
/// file.
public final class JournalWriter: JournalSink {
    fileprivate struct State: ~Copyable {
        var file: JournalFile?
        var byteCount: Int
        var lastSeq: UInt64
        /// Whether a line that was written in part could not be cut off yet.
        var isTorn = false
    }

    /// The path of the file.
    public let path: String
    private let durability: JournalDurability
    private let now: @Sendable () -> Double
    private let state: Mutex<State>

    /// Opens or makes the journal at `path`; `now` gives seconds since the Unix epoch, nil means
    /// the system's clock. Throws when the file cannot be used, is written by another, or its last
    /// whole line is no event.
    public init(
        path: String, durability: JournalDurability = .none, now: (@Sendable () -> Double)? = nil
    ) throws(JournalError) {
        let file = try JournalFile.forWriting(path: path)
        let tail = try JournalTail(of: file)
        if tail.tornByteCount > 0 { try file.cut(to: tail.wholeByteCount) }
        self.path = path
        self.durability = durability
        self.now = now ?? secondsSinceEpoch
        state = Mutex(
            State(file: file, byteCount: tail.wholeByteCount, lastSeq: tail.lastSeq))
        if tail.tornByteCount > 0 {
            try record(
                "truncate", ["reason": "torn-line", "byteCount": .init(tail.tornByteCount)])
        }
    }

    /// The serial number of the last event; 0 before the first.
    public var lastSeq: UInt64 { state.withLock { $0.lastSeq } }

    /// Writes what happened. When it throws nothing was recorded: a line that was written in part,
    /// on a full disk, is cut off again, at the latest before the next one, and its serial number
    /// goes to the next event.
    @discardableResult
    public func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent {
        try checkEventName(entry.name)
        return try state.withLock { (state) throws(JournalError) -> JournalEvent in
            let event = JournalEvent(
                timestamp: wholeMicroseconds(entry.timestamp ?? now()), seq: state.lastSeq + 1,
                name: entry.name,
                context: entry.context)
            let line = try event.line()
            try state.append(line, path: path, durability: durability)
            state.lastSeq += 1
            return event
        }
    }

    /// Closes the file, after forcing it to the disk unless the durability is `none`; a second call
    /// does nothing. Recording afterwards throws.
    public func close() throws(JournalError) {
        try state.withLock { (state) throws(JournalError) in
            guard let file = state.file.take() else { return }
            if durability != .none { try file.sync() }
        }
    }
}

extension JournalWriter.State {
    fileprivate mutating func append(
        _ line: [UInt8], path: String, durability: JournalDurability
    ) throws(JournalError) {
        guard let file = file.take() else { throw .closed(path: path) }
        let problem: JournalError?
        do {
            if isTorn { try file.cut(to: byteCount) }
            isTorn = true
            try file.append(line)
            if durability == .eachEvent { try file.sync() }
            isTorn = false
            byteCount += line.count
            problem = nil
        } catch {
            problem = error
            do {
                if isTorn { try file.cut(to: byteCount) }
                isTorn = false
            } catch {
                // It is tried again before the next line; the next opening would do it, too.
            }
        }
        self.file = consume file
        if let problem { throw problem }
    }
}

/// What stands at the end of a journal.
struct JournalTail: Equatable {
    /// Size up to the last newline.
    var wholeByteCount = 0
    /// Bytes after it.
    var tornByteCount = 0
    /// Serial number of the last whole line; 0 without one.
    var lastSeq: UInt64 = 0

    /// Looks at the end of a file: the last whole line and a torn one, so at most two lines are
    /// read.
    init(of file: borrowing JournalFile) throws(JournalError) {
        let newline = UInt8(ascii: "\n")
        let size = try file.byteCount()
        let start = max(0, size - 2 * JournalEvent.maximumLineByteCount)
        let bytes = try file.read(count: size - start, at: start)
        let end = bytes.lastIndex(of: newline)
        let whole = end.map { $0 + 1 } ?? 0
        wholeByteCount = start + whole
        tornByteCount = bytes.count - whole
        guard let end else {
            guard start == 0 else {
                throw .malformedLine(
                    path: file.path, line: try Self.lineNumber(in: file, before: start),
                    reason: "longer than \(JournalEvent.maximumLineByteCount) bytes")
            }
            return
        }
        let begin = bytes[..<end].lastIndex(of: newline).map { $0 + 1 } ?? 0
        do throws(JSONFlaw) {
            lastSeq = try JournalEvent(line: bytes[begin..<end]).seq
            // Half of all numbers are left: no journal gets there, so none runs out of them.
            guard lastSeq <= UInt64(Int64.max) else {
                throw JSONFlaw(reason: "a seq that no journal reaches", byteOffset: 0)
            }
        } catch {
            throw .malformedLine(
                path: file.path, line: try Self.lineNumber(in: file, before: start + begin),
                reason: "\(error.reason) at byte \(error.byteOffset)")
        }
    }

    /// The number, from 1, of the line that begins at an offset.
    private static func lineNumber(
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
