internal import Synchronization

/// Work for the thread of one destination, whose end somebody waits for.
final class ExportJob: Sendable {
    enum Kind: Sendable {
        /// Deliver a new record, past the spool.
        case deliver(ExportRecord)
        /// Deliver what is owed up to a serial number, each once, until the first failure.
        case resend(through: UInt64)
        /// Do nothing until told to go on.
        case pause(release: Doorbell)
    }

    private struct State {
        var outcomes: [ExportOutcome]?
        var isAbandoned = false
        /// Where the record of a job that nobody waits for any more was stored.
        var storedSeq: UInt64?
    }

    let kind: Kind
    private let state = Mutex(State())
    private let done = Doorbell()

    init(_ kind: Kind) { self.kind = kind }

    /// False where nobody waits any more: it is not begun then, because its record was stored.
    func begin() -> Bool { state.withLock { !$0.isAbandoned } }

    /// Hands over the outcomes. A serial number where the record was delivered after its sender had given
    /// up and stored it: it is owed no more.
    func finish(_ outcomes: [ExportOutcome]) -> UInt64? {
        defer { done.ring() }
        return state.withLock { state in
            state.outcomes = outcomes
            return Self.late(state)
        }
    }

    /// Says where the record of an abandoned job was stored. The number again where it was delivered
    /// meanwhile.
    func stored(as seq: UInt64) -> UInt64? {
        state.withLock { state in
            state.storedSeq = seq
            return Self.late(state)
        }
    }

    private static func late(_ state: State) -> UInt64? {
        guard state.isAbandoned, case .delivered? = state.outcomes?.first else { return nil }
        return state.storedSeq
    }

    /// Waits for the outcomes; nil when they are not there in time, and then nobody waits any more.
    func wait(_ clock: any ExportClock, until deadline: Duration?) -> [ExportOutcome]? {
        while true {
            let outcomes = state.withLock { $0.outcomes }
            if let outcomes { return outcomes }
            if let deadline, clock.now >= deadline { return nil }
            clock.wait(for: done, until: deadline)
        }
    }

    /// Gives up waiting; the outcomes where they came at this very moment.
    func abandon() -> [ExportOutcome]? {
        state.withLock { state in
            if let outcomes = state.outcomes { return outcomes }
            state.isAbandoned = true
            return nil
        }
    }
}
