/// How one exporter stands: what `sluice status` shows and what the exporter's own metrics are made of.
public struct ExporterStatus: Sendable, Equatable {
    /// What it does now.
    public enum State: String, Sendable, Hashable {
        /// Nothing was tried yet.
        case idle
        /// The last delivery worked.
        case connected
        /// The last delivery failed; it is tried again.
        case retrying
        /// The last delivery failed, and the spool is full, so that callers wait.
        case blocked
        /// It was stopped.
        case stopped
    }

    /// The name, with those of the pools that it is in before it.
    public var name: String
    /// What it does now.
    public var state: State
    /// Why the last failed delivery failed; nil where none has.
    public var lastError: String?
    /// What it owes.
    public var queued: SpoolQueue
    /// Records that the destination has taken.
    public var delivered = 0
    /// Records that were given to the destination and not taken, each time anew.
    public var retried = 0
    /// Records that were lost, by reason.
    public var dropped: [DropReason: Int] = [:]
    /// Records that can never succeed and were put aside as dead letters.
    public var deadLetters = 0
    /// How long until the next try; nil where none is waited for.
    public var nextAttempt: Duration?
}
