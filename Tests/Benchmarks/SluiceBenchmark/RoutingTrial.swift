import Glibc
import Journal
import Synchronization
import Telemetry

/// The events and routers of `peers/event_tracking_trial.py`: a chain of five processors, then a backend that
/// counts, and a router with a list of names before another one. `--maximum-frames` is the number of events.
func routing(_ options: Options) throws -> TrialResult {
    let (all, alarms) = (CountingBackend(), CountingBackend())
    return try route(options, to: all, alarms: alarms) { all.count + alarms.count }
}

/// Sends events through the routers; `count` says how many deliveries there were.
func route(
    _ options: Options, to all: some EventBackend, alarms: some EventBackend, count: () -> UInt64
) throws -> TrialResult {
    let branch = try RoutingBackend(
        name: "alarms", backends: ["0": alarms],
        processors: [NameWhitelistProcessor(whitelist: ["frame.error", "worker.gone"])])
    let root = try RoutingBackend(
        backends: ["all": all, "branch": branch],
        processors: [
            try RegexFilter(expressions: ["(frame|worker|run|spool)\\."]),
            NameWhitelistProcessor(whitelist: eventNames.filter { $0 != "frame.gap" }),
            try RenameProcessor([("frame.failed", "frame.error")]),
            EnrichProcessor([.init("beamline", "13-IDD"), .init("run", 4711)]),
            ClosureProcessor("tally", change: { try $0.data.set("tally", 1) }),
        ])
    let events = sampleEvents()
    for event in events { root.send(event) }
    let before = count()
    var result = measure(options.eventCount, { root.send(events[$0 % events.count]) }, end: {})
    result.deliveries = count() - before
    return result
}

/// What it costs to do something so many times, in this process and thread.
func measure(
    _ count: Int, _ work: (Int) throws -> Void, end: () throws -> Void
) rethrows -> TrialResult {
    let meter = ProcessMeter()
    let (begun, begin) = (meter.reading(), monotonicNanoseconds())
    for number in 0..<count { try work(number) }
    try end()
    let ended = monotonicNanoseconds()
    var result = TrialResult()
    result.setUsage(from: begun, to: meter.reading(), frames: UInt64(count))
    result.setRate(frames: UInt64(count), nanoseconds: ended - begin, byteCount: 0)
    result.setMemory(meter.memory())
    return result
}

private let eventNames = [
    "frame.accepted", "frame.done", "frame.failed", "frame.gap", "worker.online", "worker.gone",
    "run.start", "run.finish", "spool.open", "drain",
]

/// The thousand events that are sent again and again.
func sampleEvents() -> [TelemetryEvent] {
    (0..<1000).map { number in sample(number, eventNames[number % eventNames.count]) }
}

extension Options {
    /// The number of events of a trial.
    var eventCount: Int { maximumFrames == Int.max ? 100_000 : maximumFrames }
}

/// An event of some 600 bytes as JSON.
private func sample(_ number: Int, _ name: String) -> TelemetryEvent {
    let fields: [JournalField] = (0..<6).map { field in
        JournalField(
            "field\(field)",
            [
                "id": .init(number), "seconds": .double(Double(number) / 4),
                "text": "a text of some length",
            ])
    }
    return TelemetryEvent(
        name: name, timestamp: Double(number),
        data: .object(fields + [JournalField("shape", [512, 512])]),
        context: [JournalField("host", "detector"), JournalField("stage", "main")])
}

final class CountingBackend: EventBackend {
    private let counter = Atomic<UInt64>(0)

    var count: UInt64 { counter.load(ordering: .relaxed) }

    func send(_ event: TelemetryEvent) { add() }

    func add() { counter.wrappingAdd(1, ordering: .relaxed) }
}
