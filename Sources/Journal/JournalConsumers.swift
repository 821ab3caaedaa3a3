/// Follows the journal of one run. Its lines are in order already, so history of any length is handed out as it
/// is read.
public final class RunJournalConsumer: JournalConsumerBase<JournalEvent>, @unchecked Sendable {
    // Guard: constants only, beside what the base class guards.
    private let names: [EventNamePattern]
    private let except: [EventNamePattern]

    /// A consumer of events whose name is one of `names` (empty: all) and none of `except`.
    public init(
        transport: any JournalTransport, names: [EventNamePattern] = [],
        except: [EventNamePattern] = [], full: Bool = true, since: Double = 0,
        includeSentinel: Bool = false, afterSeq: UInt64? = nil,
        limits: JournalConsumerLimits = JournalConsumerLimits()
    ) {
        self.names = names
        self.except = except
        super.init(
            transport: transport, full: full, since: since, includeSentinel: includeSentinel,
            afterSeq: afterSeq, limits: limits)
    }

    /// The request, with the names.
    public override func requestPayload() -> JournalValue {
        JournalRequest(full: full, seq: cursor, since: since, names: names, except: except).payload
    }

    /// No: they are in order.
    public override var gathersHistory: Bool { false }
}

/// An event of a worker.
public struct WorkerJournalEvent: JournalEventBase, Equatable {
    /// The line of the journal.
    public let entry: JournalEvent
    /// The place of the worker in the run, from 0; nil for the sentinel, and for notices that events were
    /// removed.
    public let worker: Int?

    /// The mark between the past and the present.
    public static let sentinel = WorkerJournalEvent(entry: .sentinel, extras: [])

    /// The event of a line.
    public init(entry: JournalEvent, extras: [JournalField]) {
        self.entry = entry
        if case .int(let number)? = entry["worker"] {
            worker = Int(exactly: number)
        } else {
            worker = nil
        }
    }

    /// Why the worker is gone, where it is and did not end in order; nil in all other cases.
    public var cause: String? {
        guard name == "worker-gone", case .string(let cause)? = self["cause"] else { return nil }
        return cause
    }
}

/// Follows what becomes of a run's workers: the events `worker-…`.
public final class WorkerJournalConsumer: JournalConsumerBase<WorkerJournalEvent>,
    @unchecked Sendable
{
    // Guard: nothing is added to what the base class guards.

    /// The request, for events of workers.
    public override func requestPayload() -> JournalValue {
        let names = EventNamePattern("worker-*").map { [$0] } ?? []
        return JournalRequest(full: full, seq: cursor, since: since, names: names).payload
    }

    /// No: they are in order.
    public override var gathersHistory: Bool { false }
}

/// An event of one of several runs.
public struct RunsJournalEvent: JournalEventBase, Equatable {
    /// The line of the journal.
    public let entry: JournalEvent
    /// Which run it is of: the name that its journal was given; empty for the sentinel.
    public let run: String

    /// The mark between the past and the present.
    public static let sentinel = RunsJournalEvent(entry: .sentinel, extras: [])

    /// The event of a line.
    public init(entry: JournalEvent, extras: [JournalField]) {
        self.entry = entry
        if case .string(let name)? = extras.first(where: { $0.key == "run" })?.value {
            run = name
        } else {
            run = ""
        }
    }

    /// The name of the run, then the event as always; the sentinel as always.
    public var description: String { isEmpty ? entry.description : "\(run): \(entry)" }
}

/// Follows several runs: their history in order of time, then what happens as it comes.
public final class RunsJournalConsumer: JournalConsumerBase<RunsJournalEvent>, @unchecked Sendable {
    // Guard: constants only, beside what the base class guards.
    private let names: [EventNamePattern]

    /// A consumer of several journals, each with a name; of events whose name is one of `names` (empty: all).
    ///
    /// - Throws: `JournalConsumerError.badRequest` when there are none, too many, or two of one name.
    public init(
        runs: [(name: String, transport: any JournalTransport)], names: [EventNamePattern] = [],
        full: Bool = true, since: Double = 0, includeSentinel: Bool = false,
        limits: JournalConsumerLimits = JournalConsumerLimits()
    ) throws(JournalConsumerError) {
        self.names = names
        let transport = try JournalMergeTransport(runs)
        super.init(
            transport: transport, full: full, since: since, includeSentinel: includeSentinel,
            limits: limits)
    }

    /// The request, with the place in each run where it goes on.
    public override func requestPayload() -> JournalValue {
        let request = JournalRequest(full: full, since: since, names: names)
        guard case .object(var fields) = request.payload, !cursors.isEmpty else {
            return request.payload
        }
        let places = cursors.sorted { $0.key < $1.key }.map {
            JournalField($0.key, .init($0.value))
        }
        fields.append(JournalField("cursors", .object(places)))
        return .object(fields)
    }

    /// In order of time, where that is equal by serial number, then as it came. The events of one run keep
    /// their order also where its clock was set back: each counts as not before the one before it.
    public override func sortHistory(_ events: [RunsJournalEvent]) -> [RunsJournalEvent] {
        var latest: [String: Double] = [:]
        var keyed: [(time: Double, seq: UInt64, place: Int)] = []
        for (place, event) in events.enumerated() {
            let time = max(latest[event.run] ?? 0, event.timestamp)
            latest[event.run] = time
            keyed.append((time, event.seq, place))
        }
        return keyed.sorted { $0 < $1 }.map { events[$0.place] }
    }
}
