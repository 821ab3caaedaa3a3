import Synchronization

/// A bounded queue of metadata updates of one channel, as the ancestor's `PvObjectQueue`.
///
/// A full queue refuses what is put (and counts it): metadata must never hold up frames.
public final class MetadataQueue: Sendable {
    /// The most updates it holds unless told; a beamline's metadata changes a few times a second.
    public static let standardCapacity = 1024

    /// What has happened to a queue since it was made or reset.
    public struct Counters: Sendable, Hashable {
        /// Updates that were put, the rejected ones included.
        public var nReceived: UInt64 = 0
        /// Updates that found the queue full.
        public var nRejected: UInt64 = 0
        /// Updates that were taken out.
        public var nDelivered: UInt64 = 0
        /// Updates that are in the queue now.
        public var nQueued: UInt64 = 0

        /// Counters; by default all zero.
        public init(
            nReceived: UInt64 = 0, nRejected: UInt64 = 0, nDelivered: UInt64 = 0,
            nQueued: UInt64 = 0
        ) {
            self.nReceived = nReceived
            self.nRejected = nRejected
            self.nDelivered = nDelivered
            self.nQueued = nQueued
        }
    }

    /// One update: the values and when they were valid.
    public struct Update: Sendable, Hashable {
        /// The named values.
        public let structure: Structure
        /// When they were valid.
        public let timeStamp: TimeStamp

        /// An update.
        public init(_ structure: Structure, timeStamp: TimeStamp) {
            self.structure = structure
            self.timeStamp = timeStamp
        }
    }

    private struct State {
        var updates: [Update?]
        var first = 0
        var counters = Counters()
    }

    private let state: Mutex<State>

    /// An empty queue of at most `capacity` updates.
    public init(capacity: Int = MetadataQueue.standardCapacity) {
        precondition(capacity > 0, "a queue holds at least one update")
        state = Mutex(State(updates: Array(repeating: nil, count: capacity)))
    }

    /// Puts an update at the end; false when the queue is full and the update is not kept.
    @discardableResult
    public func put(_ update: Update) -> Bool {
        state.withLock { state in
            state.counters.nReceived += 1
            guard state.counters.nQueued < UInt64(state.updates.count) else {
                state.counters.nRejected += 1
                return false
            }
            let end = (state.first + Int(state.counters.nQueued)) % state.updates.count
            state.updates[end] = update
            state.counters.nQueued += 1
            return true
        }
    }

    /// Takes the oldest update out; nil when there is none. It does not wait.
    public func get() -> Update? {
        state.withLock { state in
            guard state.counters.nQueued > 0 else { return nil }
            defer {
                state.updates[state.first] = nil
                state.first = (state.first + 1) % state.updates.count
                state.counters.nQueued -= 1
                state.counters.nDelivered += 1
            }
            return state.updates[state.first]
        }
    }

    /// The oldest update, which stays; nil when there is none.
    public var next: Update? {
        state.withLock { $0.counters.nQueued > 0 ? $0.updates[$0.first] : nil }
    }

    /// The counters now.
    public var counters: Counters { state.withLock { $0.counters } }

    /// Sets the counters to 0; what is queued stays.
    public func resetCounters() {
        state.withLock { state in
            let queued = state.counters.nQueued
            state.counters = Counters()
            state.counters.nQueued = queued
        }
    }
}
