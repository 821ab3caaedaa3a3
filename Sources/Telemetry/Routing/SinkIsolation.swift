/// A queue and a thread of its own for one backend of a router, so that a slow one holds up neither the
/// sender nor the other backends.
public struct SinkIsolation: Sendable, Equatable {
    /// What is done with an event for which the queue has no room.
    public enum WhenFull: String, Sendable, CaseIterable {
        /// The oldest event that waits is given up for it.
        case dropOldest = "drop-oldest"
        /// It is given up itself.
        case dropNewest = "drop-newest"
        /// The sender waits for room.
        case block
    }

    /// The most that a queue may be asked to hold: so many events of 1 kB take a gigabyte.
    public static let maximumQueueLimit = 1_048_576

    /// Most events that wait, 1 to 1 048 576.
    public var queueLimit: Int
    /// What is done when there are that many.
    public var whenFull: WhenFull

    /// A queue of that length.
    public init(queueLimit: Int = 1024, whenFull: WhenFull = .dropOldest) {
        self.queueLimit = queueLimit
        self.whenFull = whenFull
    }

    /// Refuses a length that no queue can have.
    func check() throws(RoutingError) {
        guard (1...Self.maximumQueueLimit).contains(queueLimit) else {
            throw .invalidOption(
                "queueLimit", problem: "is \(queueLimit)",
                advice: "use 1 to \(Self.maximumQueueLimit)")
        }
    }
}
