internal import Glibc
internal import Synchronization

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

/// When a journal goes on in another file, and how many are kept.
public struct JournalRotation: Sendable, Hashable {
    /// Size in bytes that no file of the journal exceeds, but by a single event that is longer, or where no other
    /// file can be made. At least 1.
    public var maximumByteCount: Int
    /// Full files that are kept beside the one that is written to; older ones are removed, which a `truncate`
    /// event tells. nil: all are kept. At least 0.
    public var keptFileCount: Int?

    /// A limit of size in bytes, and of files where old ones shall go.
    public init(maximumByteCount: Int, keptFileCount: Int? = nil) {
        precondition(maximumByteCount > 0, "a file of a journal has room for something")
        precondition(keptFileCount.map { $0 >= 0 } ?? true, "as many files as that can't be kept")
        self.maximumByteCount = maximumByteCount
        self.keptFileCount = keptFileCount
    }
}

/// Writes a journal to a file: appends whole lines, each with one write(2), from any thread.
///
/// Opening an existing journal goes on after its last serial number. A last line without its
/// newline, left by a crash, is cut off and the cut recorded by a `truncate` event. One writer per
/// file. With a `JournalRotation` a full file gets a number in its name, and a new one is begun.
public final class JournalWriter: JournalSink {
    fileprivate struct State: ~Copyable {
        var file: JournalFile?
        var byteCount: Int
        var lastSeq: UInt64
        /// Whether a line that was written in part could not be cut off yet.
        var isTorn = false
        /// What the writer has to tell itself before the next event.
        var notes: [JournalEntry] = []
        /// Why no other file could be made, and the size at which it is tried again.
        var rotationProblem: JournalError?
        var retryByteCount = 0
    }

    /// The path of the file that is written to.
    public let path: String
    private let durability: JournalDurability
    private let rotation: JournalRotation?
    private let now: @Sendable () -> Double
    private let state: Mutex<State>

    /// Opens or makes the journal at `path`; `now` gives seconds since the Unix epoch, nil means
    /// the system's clock. Without `rotation` it is one file of any size. Throws when the file cannot
    /// be used, is written by another, or its last whole line is no event.
    public init(
        path: String, durability: JournalDurability = .none, rotation: JournalRotation? = nil,
        now: (@Sendable () -> Double)? = nil
    ) throws(JournalError) {
        let file = try JournalFile.forWriting(path: path)
        let tail = try JournalTail(of: file)
        if tail.tornByteCount > 0 { try file.cut(to: tail.wholeByteCount) }
        let last = try JournalSegments.last(tail, path)
        self.path = path
        self.durability = durability
        self.rotation = rotation
        self.now = now ?? secondsSinceEpoch
        state = Mutex(
            State(file: file, byteCount: tail.wholeByteCount, lastSeq: last?.seq ?? 0))
        if tail.tornByteCount > 0 {
            try record(
                "truncate", ["reason": "torn-line", "byteCount": .init(tail.tornByteCount)])
        }
    }

    /// The serial number of the last event; 0 before the first.
    public var lastSeq: UInt64 { state.withLock { $0.lastSeq } }

    /// Why the journal could not go on in another file when it should have, or that file's name not be brought to
    /// the disk; nil where all is well. Nothing is missing in the journal for that.
    public var rotationProblem: JournalError? { state.withLock { $0.rotationProblem } }

    /// Writes what happened. When it throws nothing was recorded: a line that was written in part,
    /// on a full disk, is cut off again, at the latest before the next one, and its serial number
    /// goes to the next event.
    @discardableResult
    public func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent {
        try checkEventName(entry.name)
        return try state.withLock { (state) throws(JournalError) -> JournalEvent in
            var event = event(of: entry, after: state.lastSeq)
            var line = try event.line()
            if let rotation, state.byteCount > 0,
                state.byteCount + line.count > rotation.maximumByteCount,
                state.byteCount >= state.retryByteCount
            {
                try state.rotate(path, rotation, durability)
            }
            while let note = state.notes.first {
                let told = self.event(of: note, after: state.lastSeq)
                try state.append(try told.line(), path: path, durability: durability)
                state.notes.removeFirst()
                event.seq = state.lastSeq + 1
                line = try event.line()
            }
            try state.append(line, path: path, durability: durability)
            return event
        }
    }

    private func event(of entry: JournalEntry, after seq: UInt64) -> JournalEvent {
        JournalEvent(
            timestamp: wholeMicroseconds(entry.timestamp ?? now()), seq: seq + 1, name: entry.name,
            context: entry.context)
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
            lastSeq += 1
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

    /// Goes on in a new file, and removes those that are too many. Where that can't be, the old one is still
    /// written to: events matter more than the size of a file. Throws where another writer took its place, and
    /// this one is closed then.
    fileprivate mutating func rotate(
        _ path: String, _ rotation: JournalRotation, _ durability: JournalDurability
    ) throws(JournalError) {
        guard let old = file.take() else { throw .closed(path: path) }
        do throws(JournalError) {
            // A line that was written in part must not stay in a file that nobody looks at again.
            if isTorn { try old.cut(to: byteCount) }
            isTorn = false
            if durability != .none { try old.sync() }
            guard try old.identity() == FileIdentity(path: path) else { throw .inUse(path: path) }
            file = try newFile(path)
            (byteCount, retryByteCount, rotationProblem) = (0, 0, nil)
            if durability != .none { try JournalFile.syncFolder(of: path) }
        } catch {
            if case .inUse = error { throw error }
            rotationProblem = error
            guard file == nil else { return }
            file = consume old
            // Not at every event.
            retryByteCount = byteCount + rotation.maximumByteCount / 16
            return
        }
        removeOld(path, keeping: rotation.keptFileCount)
    }

    /// Gives the file its number and makes another.
    private func newFile(_ path: String) throws(JournalError) -> JournalFile {
        let archive = JournalSegments(path: path).nextArchivePath
        try rename(path, to: archive)
        do throws(JournalError) {
            return try JournalFile.forWriting(path: path, isNew: true)
        } catch {
            if case .inUse = error { throw error }
            try rename(archive, to: path)
            throw error
        }
    }

    private func rename(_ path: String, to other: String) throws(JournalError) {
        guard Glibc.rename(path, other) == 0 else {
            throw .system(operation: "rename", path: path, errno: errno)
        }
    }

    /// Removes full files that are too many. What can't be removed or looked at stays, and is tried again
    /// when the next file is full.
    private mutating func removeOld(_ path: String, keeping keptFileCount: Int?) {
        guard let keptFileCount else { return }
        for archive in JournalSegments(path: path).archives.dropLast(keptFileCount) {
            do throws(JournalError) {
                let file = try JournalFile.forReading(path: archive.path)
                let first = try JournalTail.firstSeq(of: file)
                let tail = try JournalTail(of: file)
                guard unlink(archive.path) == 0, let first, let last = tail.last else { continue }
                notes.append(
                    JournalEntry(
                        "truncate",
                        [
                            "reason": "retention", "byteCount": .init(tail.wholeByteCount),
                            "firstSeq": .init(first), "lastSeq": .init(last.seq),
                            "lastTimestamp": .init(last.timestamp),
                        ]))
            } catch {
                continue
            }
        }
    }
}
