import Synchronization

/// A journal that is kept in memory, for tests and for programs that look at events themselves.
public final class InMemoryJournal: JournalSink {
    private let recorded = Mutex<[JournalEvent]>([])
    private let now: @Sendable () -> Double

    /// An empty journal; `now` gives seconds since the Unix epoch, nil means the system's clock.
    public init(now: (@Sendable () -> Double)? = nil) {
        self.now = now ?? secondsSinceEpoch
    }

    /// All events so far.
    public var events: [JournalEvent] { recorded.withLock { $0 } }

    /// The names of all events so far.
    public var names: [String] { events.map(\.name) }

    /// Records what happened; refuses names that a file would refuse.
    @discardableResult
    public func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent {
        try checkEventName(entry.name)
        return recorded.withLock { events in
            let event = JournalEvent(
                timestamp: wholeMicroseconds(entry.timestamp ?? now()),
                seq: UInt64(events.count) + 1,
                name: entry.name, context: entry.context)
            events.append(event)
            return event
        }
    }
}
