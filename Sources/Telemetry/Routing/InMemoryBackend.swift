internal import Synchronization

/// Keeps events in memory: for tests, and for a look at the last ones.
public final class InMemoryBackend: EventBackend {
    private struct Kept {
        var events: [TelemetryEvent] = []
        var total: UInt64 = 0
    }

    private let limit: Int
    private let kept = Mutex(Kept())

    /// Keeps the last `limit` events, 1 or more; older ones are given up, which `displaced` counts.
    public init(limit: Int = 10_000) { self.limit = max(1, limit) }

    public func send(_ event: TelemetryEvent) {
        kept.withLock { kept in
            kept.total += 1
            kept.events.append(event)
            // Half as many again may lie there for a while, so that an event is moved twice at most.
            if kept.events.count >= limit + max(1, limit / 2) {
                kept.events.removeFirst(kept.events.count - limit)
            }
        }
    }

    /// The events, oldest first.
    public var events: [TelemetryEvent] { kept.withLock { Array($0.events.suffix(limit)) } }

    /// All events that came.
    public var total: UInt64 { kept.withLock { $0.total } }

    /// Events that were given up for later ones.
    public var displaced: UInt64 {
        kept.withLock { $0.total > UInt64(limit) ? $0.total - UInt64(limit) : 0 }
    }
}
