import Journal
import Synchronization

@testable import Telemetry

/// A clock that is moved by hand.
final class ManualExportClock: ExportClock {
    private struct State {
        var now: Duration = .seconds(1000)
        var wall: Int64 = 1_700_000_000_000_000_000
        var sleepers: [ObjectIdentifier: (bell: Doorbell, deadline: Duration?)] = [:]
    }

    private let state = Mutex(State())
    private let changed = Doorbell()

    var now: Duration { state.withLock { $0.now } }
    var wallNanoseconds: Int64 { state.withLock { $0.wall } }

    func wait(for doorbell: Doorbell, until deadline: Duration?) {
        let isOver = state.withLock { state in
            if let deadline, deadline <= state.now { return true }
            state.sleepers[ObjectIdentifier(doorbell)] = (doorbell, deadline)
            return false
        }
        changed.ring()
        guard !isOver else { return }
        doorbell.wait(until: nil)
        _ = state.withLock { $0.sleepers.removeValue(forKey: ObjectIdentifier(doorbell)) }
    }

    /// Moves the time on and wakes those who wait for it.
    func advance(by step: Duration) {
        let bells = state.withLock { state in
            state.now += step
            return state.sleepers.values.map(\.bell)
        }
        for bell in bells { bell.ring() }
    }

    /// Moves the wall clock alone, as an administrator does.
    func stepWall(by nanoseconds: Int64) { state.withLock { $0.wall += nanoseconds } }

    /// Waits until somebody sleeps until a time, and says until when.
    func awaitDeadline() -> Duration {
        while true {
            let deadline = state.withLock { $0.sleepers.values.compactMap(\.deadline).min() }
            if let deadline { return deadline }
            changed.wait(until: nil)
        }
    }
}

/// An exporter in memory that fails as it is told.
final class FaultyExporter: Exporter {
    enum Mode: Sendable, Equatable {
        case works
        case isDown
        case asksFor(Duration)
        case refuses
        /// Says nothing of what it was given.
        case isSilent
        /// Takes that many more records, then is down.
        case worksFor(Int)
    }

    private struct State {
        var mode: Mode
        var taken: [ExportRecord] = []
        var attempts: [UInt64] = []
        var callCount = 0
        var isClosed = false
    }

    let name: String
    let maximumBatchCount: Int
    private let state: Mutex<State>
    private let changed = Doorbell()

    init(_ name: String, _ mode: Mode = .works, batch: Int = 1) {
        self.name = name
        maximumBatchCount = batch
        state = Mutex(State(mode: mode))
    }

    var mode: Mode {
        get { state.withLock { $0.mode } }
        set { state.withLock { $0.mode = newValue } }
    }

    /// What it has taken.
    var taken: [ExportRecord] { state.withLock { $0.taken } }
    /// The serial numbers of all that it was given.
    var attempts: [UInt64] { state.withLock { $0.attempts } }
    var callCount: Int { state.withLock { $0.callCount } }
    var isClosed: Bool { state.withLock { $0.isClosed } }
    /// The values of what it has taken.
    var values: [JournalValue] {
        taken.map { if case .value(let value) = $0.data { value } else { .null } }
    }

    func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        let outcomes = state.withLock { state -> [ExportOutcome] in
            state.callCount += 1
            state.attempts += records.map(\.seq)
            return records.map { record in outcome(record, &state) }
        }
        changed.ring()
        return mode == .isSilent ? [] : outcomes
    }

    private func outcome(_ record: ExportRecord, _ state: inout State) -> ExportOutcome {
        switch state.mode {
        case .works: break
        case .isDown, .isSilent: return .retryable(reason: "\(name) is down", after: nil)
        case .asksFor(let delay): return .retryable(reason: "slow down", after: delay)
        case .refuses: return .permanent(reason: "\(name) refuses it")
        case .worksFor(let count):
            guard count > 0 else { return .retryable(reason: "\(name) is down", after: nil) }
            state.mode = .worksFor(count - 1)
        }
        state.taken.append(record)
        return .delivered(.int(Int64(state.taken.count)))
    }

    func close() { state.withLock { $0.isClosed = true } }

    /// Waits until it has taken so many records.
    func awaitTaken(_ count: Int) {
        while taken.count < count { changed.wait(until: nil) }
    }

    /// Waits until it was called so often.
    func awaitCalls(_ count: Int) {
        while callCount < count { changed.wait(until: nil) }
    }
}

/// An exporter that keeps each caller until the gate opens, or until it is interrupted.
final class GatedExporter: Exporter {
    let name: String
    let keepsTimeLimit: Bool
    private let obeys: Bool
    private let state = Mutex(
        (isOpen: false, isInterrupted: false, count: 0, inside: 0, highest: 0, isClosed: false))
    private let bell = Doorbell()
    let entered = Doorbell()

    init(_ name: String, obeys: Bool = true, keepsTimeLimit: Bool = false) {
        self.name = name
        self.obeys = obeys
        self.keepsTimeLimit = keepsTimeLimit
    }

    /// Records that went through.
    var count: Int { state.withLock { $0.count } }
    /// The most calls that were under way at the same time.
    var highest: Int { state.withLock { $0.highest } }
    /// Whether it was closed while no call was under way.
    var isClosedAfterUse: Bool { state.withLock { $0.isClosed } }

    func close() { state.withLock { $0.isClosed = $0.inside == 0 } }

    func open() {
        state.withLock { $0.isOpen = true }
        bell.ring()
    }

    func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        state.withLock { state in
            state.inside += 1
            state.highest = max(state.highest, state.inside)
        }
        defer { state.withLock { $0.inside -= 1 } }
        entered.ring()
        while true {
            let outcome = state.withLock { state -> ExportOutcome? in
                if state.isInterrupted {
                    state.isInterrupted = false
                    return .retryable(reason: "interrupted", after: nil)
                }
                guard state.isOpen else { return nil }
                state.count += records.count
                return .delivered(.null)
            }
            if let outcome { return records.map { _ in outcome } }
            bell.wait(until: nil)
        }
    }

    func interrupt() {
        guard obeys else { return }
        state.withLock { $0.isInterrupted = true }
        bell.ring()
    }
}

/// A record with a number in it.
func numbered(_ seq: UInt64, bytes: Int = 0) -> ExportRecord {
    ExportRecord(
        source: "test", seq: seq, timestampNanoseconds: 0,
        data: bytes == 0
            ? .value(.object([JournalField("n", .uint(seq))]))
            : .bytes([UInt8](repeating: UInt8(truncatingIfNeeded: seq), count: bytes)))
}

extension Spool {
    /// The serial numbers of the records that a destination owes.
    func owedSeqs(_ name: String) throws -> [UInt64] {
        try batch(for: name, maximumCount: .max, maximumBytes: .max).map(\.record.seq)
    }
}
