/// What a router did since it was made. Counters never fall.
public struct RoutingStatistics: Sendable, Equatable {
    /// What a processor did.
    public struct Processor: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Events that it was given.
        public var processed: UInt64
        /// Events that it dropped, failures that drop included.
        public var dropped: UInt64
        /// Events at which it failed.
        public var failed: UInt64
    }

    /// What became of events at a backend. Each event that came is delivered, failed, declined, dropped,
    /// overflowed or still in the queue or on its way.
    public struct Sink: Sendable, Equatable {
        /// The name under which it is registered.
        public var name: String
        /// Events that it took.
        public var delivered: UInt64 = 0
        /// Events at which it threw.
        public var failed: UInt64 = 0
        /// Events that it did not want: by an `EventRefusal`, or unmatched in a router.
        public var declined: UInt64 = 0
        /// Events that the processors of a router behind it dropped.
        public var dropped: UInt64 = 0
        /// Events given up because its queue was full or closed.
        public var overflowed: UInt64 = 0
        /// Events that wait in its queue; 0 where it is not isolated.
        public var queued: Int = 0
        /// The most that ever waited.
        public var queueHighWater: Int = 0
    }

    /// Events that were sent to the router.
    public var received: UInt64
    /// Events that its processors dropped.
    public var dropped: UInt64
    /// Events that no backend wanted, those among them that the output `unmatched` took included.
    public var unmatched: UInt64
    /// Events refused because they had been through too many routers within each other.
    public var tooDeep: UInt64
    /// The processors, in order.
    public var processors: [Processor]
    /// The backends, in order.
    public var backends: [Sink]
    /// The output for events that no backend wanted; nil where there is none.
    public var unmatchedOutput: Sink?
    /// The output for events that were dropped; nil where there is none.
    public var droppedOutput: Sink?
}
