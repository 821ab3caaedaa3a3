internal import CLinux
internal import Glibc
internal import Journal
internal import Synchronization

/// Writes records to a file, a line each: text as it is, objects as compact JSON; bytes as they are.
///
/// A record counts as delivered when the system has it, and with `syncs` when the disk has it.
public final class FileExporter: Exporter {
    /// What happens when the file becomes large.
    public struct Rotation: Sendable, Equatable {
        /// The size above which no line is added.
        public var maximumBytes: Int
        /// Older files that are kept: `FILE.1` is the newest of them. 0 or more.
        public var keptFileCount: Int

        /// Rotation by size.
        public init(maximumBytes: Int, keptFileCount: Int) {
            self.maximumBytes = maximumBytes
            self.keptFileCount = keptFileCount
        }
    }

    struct State: Sendable {
        var file: SystemSpoolFile?
        var lineCount = 0
        var byteCount = 0
        /// Whether bytes of a line that could not be written whole are at the end.
        var isTorn = false
        var delivered: DeliveredSeqs?
    }

    /// The name; the path unless another was given.
    public let name: String
    /// The path of the file.
    public let path: String
    /// The most lines that the file may have, with those that were in it; nil: any number.
    public let maxLines: Int?
    private let rotation: Rotation?
    private let syncs: Bool
    private let isExactlyOnce: Bool
    private let state = Mutex(State())

    /// Lines are written with one call for so many records.
    public var maximumBatchCount: Int { 1000 }

    /// A call of the system, as for anybody who writes to a file: one on a file system that hangs, hangs.
    public var keepsTimeLimit: Bool { true }

    /// Opens or makes the file.
    ///
    /// - `append`: false empties a file that is there.
    /// - `maxLines`: at so many lines records are not taken any more; they may be later, when the file was moved
    ///   and `start` called.
    /// - `syncs`: whether each delivery is brought to the disk.
    /// - `isExactlyOnce`: keeps beside the file, in `FILE.delivered`, which records are in it and how long it is.
    ///   After a crash what is not in that account is cut off, and a record that comes again is not written
    ///   again. The file must have no other writer.
    ///
    /// Throws `ExportError` where the file can't be opened or the settings can't be.
    public init(
        _ path: String, maxLines: Int? = nil, append: Bool = true, rotation: Rotation? = nil,
        syncs: Bool = false, isExactlyOnce: Bool = false, name: String? = nil
    ) throws(ExportError) {
        guard maxLines ?? 1 > 0 else {
            throw .invalidConfiguration("maxLines of the file '\(path)' must be 1 or more")
        }
        if let rotation, rotation.maximumBytes < 1 || !(0...1000).contains(rotation.keptFileCount) {
            throw .invalidConfiguration(
                "rotation of '\(path)' needs a size above 0 and 0 to 1000 kept files")
        }
        self.path = path
        self.maxLines = maxLines
        self.rotation = rotation
        self.syncs = syncs
        self.isExactlyOnce = isExactlyOnce
        self.name = name ?? path
        try start(append: append)
    }

    /// Opens the file, again after `stop`; false for `append` empties it. Throws where it can't be opened.
    public func start(append: Bool = true) throws(ExportError) {
        do throws(SpoolError) {
            try state.withLock { (state) throws(SpoolError) in
                state = State()
                let flags = O_RDWR | O_APPEND | O_CREAT | (append ? 0 : O_TRUNC)
                let file = try SystemSpoolFile(path: path, flags: flags)
                if isExactlyOnce {
                    let delivered = try DeliveredSeqs(path: path + ".delivered", anew: !append)
                    if try file.byteCount() > delivered.byteCount, delivered.isKnown {
                        try file.cut(to: delivered.byteCount)
                    }
                    state.delivered = delivered
                }
                state.byteCount = try file.byteCount()
                state.lineCount = try Self.countLines(file, state.byteCount)
                state.file = file
            }
        } catch {
            throw .invalidConfiguration("the file exporter '\(name)' can't begin: \(error)")
        }
    }

    /// Closes the file. Records are not taken until it is started again.
    public func stop() { state.withLock { $0.file = nil } }

    /// Closes the file.
    public func close() { stop() }

    /// How many lines the file may still take; nil: any number.
    public var remainingLines: Int? {
        maxLines.map { maximum in max(0, maximum - state.withLock { $0.lineCount }) }
    }

    private static func countLines(
        _ file: SystemSpoolFile, _ byteCount: Int
    ) throws(SpoolError) -> Int {
        guard byteCount > 0 else { return 0 }
        var count = 0
        var offset = 0
        var last: UInt8 = 0x0A
        while offset < byteCount {
            let bytes = try file.read(count: min(1 << 16, byteCount - offset), at: offset)
            guard let end = bytes.last else { break }
            count += bytes.count { $0 == 0x0A }
            last = end
            offset += bytes.count
        }
        // A last line without its end is a line, too.
        return last == 0x0A ? count : count + 1
    }

    // MARK: Writing

    /// Writes lines; those that fit into the file, in order.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        state.withLock { state in
            var outcomes: [ExportOutcome] = []
            while outcomes.count < records.count {
                let step = write(records[outcomes.count...], &state)
                outcomes += step
                guard case .retryable(let reason, _)? = step.last else { continue }
                while outcomes.count < records.count {
                    outcomes.append(.retryable(reason: reason, after: nil))
                }
            }
            return outcomes
        }
    }

    /// Writes as many records as one file takes, with one call; at least one outcome.
    private func write(
        _ records: ArraySlice<ExportRecord>, _ state: inout State
    ) -> [ExportOutcome] {
        var bytes: [UInt8] = []
        var lineCount = 0
        var taken: [ExportRecord] = []
        var outcomes: [ExportOutcome] = []
        var isFull = false
        for record in records {
            if state.delivered?.contains(record) == true {
                outcomes.append(.delivered(.null))
                continue
            }
            let line: [UInt8]
            do throws(JournalError) { line = try record.data.line() } catch {
                if taken.isEmpty { outcomes.append(.permanent(reason: "\(error)")) }
                break
            }
            let lines = line.count { $0 == 0x0A }
            if let maxLines, state.lineCount + lineCount + lines > maxLines {
                isFull = true
                break
            }
            let size = state.byteCount + bytes.count
            if let rotation, size > 0, size + line.count > rotation.maximumBytes {
                if bytes.isEmpty {
                    if let problem = rotate(rotation, &state) {
                        return outcomes + [.retryable(reason: problem, after: nil)]
                    }
                } else {
                    break
                }
            }
            bytes += line
            lineCount += lines
            taken.append(record)
            outcomes.append(.delivered(.null))
        }
        if let problem = append(bytes, taken, &state) {
            return [.retryable(reason: problem, after: nil)]
        }
        state.lineCount += lineCount
        if isFull {
            outcomes.append(
                .retryable(reason: "'\(path)' has its \(maxLines ?? 0) lines", after: nil))
        }
        return outcomes
    }

    /// Why bytes could not be appended; nil where they were. The file is as it was before then.
    private func append(
        _ bytes: [UInt8], _ records: [ExportRecord], _ state: inout State
    ) -> String? {
        guard let file = state.file else { return "'\(path)' was closed; start it again" }
        guard !bytes.isEmpty else { return nil }
        do throws(SpoolError) {
            if state.isTorn { try file.cut(to: state.byteCount) }
            state.isTorn = true
            try file.append(bytes)
            if syncs { try file.sync() }
            let end = state.byteCount + bytes.count
            try state.delivered?.add(records, byteCount: end, syncs: syncs)
            state.isTorn = false
            state.byteCount = end
            return nil
        } catch {
            let problem = error.description
            do throws(SpoolError) {
                try file.cut(to: state.byteCount)
                state.isTorn = false
            } catch {
                return "\(problem); \(error)"
            }
            return problem
        }
    }

    /// Gives the file its number, those before it the next one, and begins a new one. Why that was not
    /// possible; nil where it was.
    private func rotate(_ rotation: Rotation, _ state: inout State) -> String? {
        guard state.file != nil else { return "'\(path)' was closed; start it again" }
        let names = (0...rotation.keptFileCount).map { $0 == 0 ? path : "\(path).\($0)" }
        if rotation.keptFileCount == 0 { unlink(path) }
        for place in names.indices.dropFirst().reversed() {
            if rename(names[place - 1], names[place]) != 0, errno != ENOENT {
                return "rename '\(names[place - 1])': \(String(cString: strerror(errno)))"
            }
        }
        do throws(SpoolError) {
            state.file = try SystemSpoolFile(path: path, flags: O_RDWR | O_APPEND | O_CREAT)
            state.byteCount = 0
            state.lineCount = 0
            try state.delivered?.add([], byteCount: 0, syncs: syncs)
            return nil
        } catch {
            return error.description
        }
    }
}
