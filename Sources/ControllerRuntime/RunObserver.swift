public import Journal
internal import Synchronization

/// Somebody who is told what a run says of itself while it goes on, such as the path of its telemetry.
///
/// Every method is called on a thread that the run needs: it takes what it is told and returns at once.
public protocol RunObserver: AnyObject, Sendable {
    /// The run has a name and begins; once, before everything else.
    func runBegan(runId: String)

    /// A gathering of statistics, in order; the last one counts the whole run.
    func statistics(_ record: RunStatisticsRecord)

    /// An event, when the journal has it.
    func event(_ event: JournalEvent)

    /// What the observer hands on to where, for the status of the run.
    var exporters: [DestinationStatus] { get }
}

/// A destination of statistics and events at a moment.
public struct DestinationStatus: Sendable, Hashable, Codable {
    /// Its name, such as `graphite` or `influx-2`.
    public var name: String
    /// `idle`, `connected`, `retrying`, `blocked` or `stopped`.
    public var state: String
    /// What it said last when it did not take something; empty when all is well.
    public var lastError: String
    /// Records that wait for it, and their bytes.
    public var queued: UInt64
    public var queuedBytes: UInt64
    /// Records that it has taken.
    public var delivered: UInt64
    /// Tries that failed and were made again.
    public var retried: UInt64
    /// Records that were lost because the queue was full, by reason.
    public var dropped: [String: UInt64]
    /// Records that it can never take: kept aside where there is a folder for them.
    public var refused: UInt64

    /// The status of a destination.
    public init(
        name: String, state: String, lastError: String = "", queued: UInt64 = 0,
        queuedBytes: UInt64 = 0, delivered: UInt64 = 0, retried: UInt64 = 0,
        dropped: [String: UInt64] = [:], refused: UInt64 = 0
    ) {
        self.name = name
        self.state = state
        self.lastError = lastError
        self.queued = queued
        self.queuedBytes = queuedBytes
        self.delivered = delivered
        self.retried = retried
        self.dropped = dropped
        self.refused = refused
    }
}

/// A journal that tells an observer of what it has recorded.
struct ObservedJournal: JournalSink {
    let journal: any JournalSink
    let observer: any RunObserver

    func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent {
        let event = try journal.record(entry)
        observer.event(event)
        return event
    }
}

/// Where the events of a run go that leaves nothing behind: they are numbered, for an observer.
final class UnkeptJournal: JournalSink {
    private let lastSeq = Mutex<UInt64>(0)

    func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent {
        let seq = lastSeq.withLock { seq in
            seq += 1
            return seq
        }
        return JournalEvent(
            timestamp: entry.timestamp ?? MonotonicClock.secondsSinceEpoch(), seq: seq,
            name: entry.name, context: entry.context)
    }
}
