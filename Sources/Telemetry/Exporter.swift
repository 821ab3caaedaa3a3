public import Journal

/// What is exported: a value, text being one, or bytes.
public enum ExportData: Sendable, Equatable {
    /// A value: an object becomes a row or a document, text a line.
    case value(JournalValue)
    /// Bytes as they are, such as a chunk of lines that a renderer sealed.
    case bytes([UInt8])
}

/// What is exported, with what makes it recognisable when it is sent again.
public struct ExportRecord: Sendable, Equatable {
    /// Who made it, such as the identity of a run: with `seq` it is unique.
    public var source: String
    /// The serial number among the records of its source.
    public var seq: UInt64
    /// When it was made, in nanoseconds since the Unix epoch.
    public var timestampNanoseconds: Int64
    /// What is exported.
    public var data: ExportData
    /// What the caller asked of the destination, such as `table` or `index`; a destination reads its own.
    public var options: [JournalField]

    /// A record.
    public init(
        source: String, seq: UInt64, timestampNanoseconds: Int64, data: ExportData,
        options: [JournalField] = []
    ) {
        self.source = source
        self.seq = seq
        self.timestampNanoseconds = timestampNanoseconds
        self.data = data
        self.options = options
    }
}

/// What became of one record at one destination.
public enum ExportOutcome: Sendable, Equatable {
    /// The destination has it; what it answered, such as an id, `null` where nothing.
    case delivered(JournalValue)
    /// It may succeed later, not before so long where the destination said so.
    case retryable(reason: String, after: Duration?)
    /// The same record can never succeed.
    case permanent(reason: String)
}

/// A destination of records. Calls come from one thread at a time, but for `interrupt`.
public protocol Exporter: AnyObject, Sendable {
    /// The name in messages, statistics and the spool; unique in a pool.
    var name: String { get }

    /// The most records of one call of `deliver`; 1 or more.
    var maximumBatchCount: Int { get }

    /// Whether `deliver` and `close` can be trusted to keep their time limits, so that a sender that waits calls
    /// them on its own thread. False: they get a thread of their own, and the sender waits no longer than the
    /// limit for it, at the price of two changes of threads for each record.
    var keepsTimeLimit: Bool { get }

    /// Sends records in their order and blocks until the destination has answered or the time is over, for
    /// each; connects where it has to, once a call. The outcomes are as many as the records and in their
    /// order; after one that may succeed later all others of the same call are that, too, unless the
    /// destination has them already.
    func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome]

    /// Makes a call of `deliver` that is under way return within a second; may come from any thread.
    func interrupt()

    /// Ends the connection or closes the file. Nothing is delivered after.
    func close()
}

extension Exporter {
    /// One record at a time.
    public var maximumBatchCount: Int { 1 }

    /// Nobody has said that it does.
    public var keepsTimeLimit: Bool { false }

    /// Nothing to interrupt: `deliver` never blocks for long.
    public func interrupt() {}

    /// Nothing to close.
    public func close() {}
}
