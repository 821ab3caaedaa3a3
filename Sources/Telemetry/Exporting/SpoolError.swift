internal import CLinux

/// Why a spool can't do what it was asked.
public enum SpoolError: Error, Equatable {
    /// The system refused: the call, the path and the errno.
    case system(operation: String, path: String, errno: Int32)
    /// Somebody else has the directory; who.
    case inUse(path: String, holder: String)
    /// A file of a newer format; it was not touched.
    case newerVersion(path: String, version: UInt32, supported: UInt32)
    /// A record above the limit.
    case tooLarge(needed: Int, limit: Int)
    /// A value nested deeper than the limit.
    case tooDeep(limit: Int)
    /// Limits that can't work.
    case invalidLimits(String)
    /// The spool was closed.
    case closed(path: String)
}

extension SpoolError: CustomStringConvertible {
    /// One sentence with what to do.
    public var description: String {
        switch self {
        case .system(let operation, let path, let errno):
            "\(operation) '\(path)': \(cl_error_text(errno).map { String(cString: $0) } ?? "errno \(errno)")"
        case .inUse(let path, let holder):
            "the spool '\(path)' is in use by \(holder); give each exporter a directory of its own"
        case .newerVersion(let path, let version, let supported):
            "'\(path)' has format \(version), this program knows \(supported); "
                + "it was not touched: drain it with the newer program"
        case .tooLarge(let needed, let limit):
            "a record of \(needed) bytes, at most \(limit) fit into the spool"
        case .tooDeep(let limit): "a value with more than \(limit) containers in each other"
        case .invalidLimits(let what): what
        case .closed(let path): "the spool '\(path)' was closed"
        }
    }
}

/// What a spool does when it is full.
public enum OverflowPolicy: String, Sendable, Hashable, CaseIterable {
    /// The oldest records go, and are counted.
    case dropOldest = "drop-oldest"
    /// The new record is not taken, and counted.
    case dropNewest = "drop-newest"
    /// The caller waits for room; one that waited for the time limit of the exporter in vain loses its
    /// record, which is counted.
    case block
}

/// How large a spool may become, and what happens then.
public struct SpoolLimits: Sendable, Equatable {
    /// Bytes of the records between the oldest that is owed and the newest. The files on the disk may
    /// have one segment more.
    public var maximumBytes: Int
    /// Records between the oldest that is owed and the newest.
    public var maximumRecords: Int
    /// What happens at either limit.
    public var whenFull: OverflowPolicy
    /// Whether each record is brought to the disk before it counts as stored; else it survives the end of
    /// the process at once and a power loss within the habits of the system, about 30 s.
    public var syncsEachRecord: Bool

    /// Standard: 256 MiB, a million records, the oldest go.
    public init(
        maximumBytes: Int = 256 << 20, maximumRecords: Int = 1_000_000,
        whenFull: OverflowPolicy = .dropOldest, syncsEachRecord: Bool = false
    ) {
        self.maximumBytes = maximumBytes
        self.maximumRecords = maximumRecords
        self.whenFull = whenFull
        self.syncsEachRecord = syncsEachRecord
    }

    /// The most bytes of one record, with what the spool puts around it: a larger one would make readers
    /// hold it in memory whole.
    public static let maximumRecordBytes = 16 << 20

    /// Segments are a sixteenth of the spool, so that little is kept beyond what is owed, within bounds
    /// that keep the number of files and the cost of one small.
    var segmentBytes: Int { min(max(maximumBytes / 16, 64 << 10), 64 << 20) }

    func check() throws(SpoolError) {
        guard maximumBytes > 0, maximumRecords > 0 else {
            throw .invalidLimits("a spool needs room for at least one byte and one record")
        }
    }
}
