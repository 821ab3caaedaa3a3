internal import Journal
public import Logging
internal import Synchronization

/// Sends each event through its processors, in order, and what comes out to each of its backends, in order.
/// A router is a backend, so routers nest to trees; its processors concern its own branch only.
///
/// An event is a value: the sender's own is never changed, and each router works on one copy of its own per
/// event. Errors of processors and backends are logged, counted and swallowed. Sending may be done from any
/// thread and happens on it, but for backends that are registered with `SinkIsolation`.
public final class RoutingBackend: FlushableBackend {
    /// Backends of one router; an isolated one has a thread.
    public static let maximumBackends = 256
    /// Processors of one router.
    public static let maximumProcessors = 256
    /// Routers within each other; deeper ones are refused when they are registered, and an event that a
    /// closure sends round is refused and counted there.
    public static let maximumDepth = 32

    /// What a router made of an event.
    enum Verdict {
        case taken, dropped, unmatched, tooDeep
    }

    private struct State {
        var sinks: [RouterSink] = []
        var steps: [RouterStep] = []
        var unmatched: RouterSink?
        var dropped: RouterSink?
    }

    /// How many routers an event is in; of the thread or task.
    @TaskLocal private static var depth = 0
    /// Held while backends are registered in any router, so that two cannot close a ring together.
    private static let registration = Mutex(())

    /// What logs call it.
    public let name: String
    private let logger: Logger
    private let state = Mutex(State())
    private let received = Atomic<UInt64>(0)
    private let dropped = Atomic<UInt64>(0)
    private let unmatched = Atomic<UInt64>(0)
    private let tooDeep = Atomic<UInt64>(0)

    /// A router whose backends are registered in ascending order of their names, by code point (`10`, `2`,
    /// `B`, `a`), and whose processors run in the order given.
    public init(
        name: String = "router", backends: [String: any EventBackend] = [:],
        processors: [any EventProcessor] = [], logger: Logger = Logger(label: "sluice.routing")
    ) throws(RoutingError) {
        self.name = name
        self.logger = logger
        for key in Self.ascending(backends.keys) {
            guard let backend = backends[key] else { continue }
            try register(backend, named: key)
        }
        for processor in processors { try register(processor) }
    }

    /// Names by code point, which is not how Swift orders texts: that goes by what looks the same.
    static func ascending(_ names: some Sequence<String>) -> [String] {
        names.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
    }

    // MARK: - Registering

    /// Adds a backend at the end. A name that is taken keeps its place and its counters, and the new backend
    /// takes over; a queue of the old one is emptied first, in the background.
    public func register(
        _ backend: any EventBackend, named name: String, isolation: SinkIsolation? = nil
    ) throws(RoutingError) {
        guard !name.isEmpty else { throw .emptyName("backend") }
        let result = Self.registration.withLock { _ in
            Result<Void, RoutingError> { () throws(RoutingError) in
                try checkTree(backend, named: name)
                let sinks = state.withLock { $0.sinks }
                let place = sinks.firstIndex { $0.name == name }
                guard place != nil || sinks.count < Self.maximumBackends else {
                    throw .tooMany("backends of a router", limit: Self.maximumBackends)
                }
                let counters = place.map { sinks[$0].counters } ?? SinkCounters()
                let sink = try RouterSink(
                    name, backend, isolation: isolation, counters: counters, logger: logger)
                state.withLock { state in
                    if let place { state.sinks[place] = sink } else { state.sinks.append(sink) }
                }
            }
        }
        try result.get()
    }

    /// Adds a processor at the end; events on their way do not see it.
    public func register(_ processor: any EventProcessor) throws(RoutingError) {
        let isAdded = state.withLock { state in
            guard state.steps.count < Self.maximumProcessors else { return false }
            state.steps.append(RouterStep(processor))
            return true
        }
        guard isAdded else {
            throw .tooMany("processors of a router", limit: Self.maximumProcessors)
        }
    }

    /// Where events go that no backend wanted: there is none, or each is a router whose processors dropped
    /// the event or that found it unmatched, or throws an `EventRefusal`. An isolated backend counts as one
    /// that wants all. nil: they are counted only.
    public func setUnmatchedOutput(
        _ backend: (any EventBackend)?, isolation: SinkIsolation? = nil
    ) throws(RoutingError) {
        let sink = try output(backend, named: "unmatched", isolation)
        state.withLock { $0.unmatched = sink }
    }

    /// Where events go that a processor of this router dropped, as they stood then, with a field `dropped`
    /// in their context: `router`, `processor`, `reason`. nil: they are counted only.
    public func setDroppedOutput(
        _ backend: (any EventBackend)?, isolation: SinkIsolation? = nil
    ) throws(RoutingError) {
        let sink = try output(backend, named: "dropped", isolation)
        state.withLock { $0.dropped = sink }
    }

    private func output(
        _ backend: (any EventBackend)?, named name: String, _ isolation: SinkIsolation?
    ) throws(RoutingError) -> RouterSink? {
        guard let backend else { return nil }
        let result = Self.registration.withLock { _ in
            Result<RouterSink, RoutingError> { () throws(RoutingError) in
                try checkTree(backend, named: name)
                return try RouterSink(name, backend, isolation: isolation, logger: logger)
            }
        }
        return try result.get()
    }

    /// Refuses a backend from which events come back here, and a tree that is too deep or too large to
    /// look through.
    private func checkTree(
        _ backend: any EventBackend, named name: String
    ) throws(RoutingError) {
        var level: [any EventBackend] = [backend]
        var seen: Set<ObjectIdentifier> = []
        var looked = 0
        for _ in 0..<Self.maximumDepth {
            var next: [any EventBackend] = []
            for backend in level {
                looked += 1
                guard looked <= 65_536 else { throw .tooMany("backends in a tree", limit: 65_536) }
                if let router = backend as? RoutingBackend {
                    if router === self { throw .cycle(router: self.name, backend: name) }
                    guard seen.insert(ObjectIdentifier(router)).inserted else { continue }
                }
                next += backend.downstream
            }
            if next.isEmpty { return }
            level = next
        }
        throw .tooDeep(limit: Self.maximumDepth)
    }

    /// The backends in their order, and the outputs after them.
    public var downstream: [any EventBackend] {
        let state = self.state.withLock { $0 }
        let outputs = [state.unmatched, state.dropped].compactMap { $0?.backend }
        return state.sinks.map(\.backend) + outputs
    }

    /// The names of the backends, in the order in which events are sent to them.
    public var backendNames: [String] { state.withLock { $0.sinks.map(\.name) } }

    /// The backend of that name; nil where there is none.
    public func backend(named name: String) -> (any EventBackend)? {
        state.withLock { state in state.sinks.first { $0.name == name }?.backend }
    }

    /// The processors, in order.
    public var processors: [any EventProcessor] {
        state.withLock { $0.steps.map(\.processor) }
    }

    // MARK: - Sending

    /// Processes an event and sends what comes out to the backends, in this thread; never fails.
    public func send(_ event: TelemetryEvent) { _ = route(event) }

    func route(_ event: TelemetryEvent) -> Verdict {
        received.wrappingAdd(1, ordering: .relaxed)
        let depth = Self.depth
        guard depth < Self.maximumDepth else {
            let number = tooDeep.wrappingAdd(1, ordering: .relaxed).newValue
            if isLogged(number) {
                logger.error(
                    "Event goes through too many routers",
                    metadata: ["router": "\(name)", "event": "\(event.name ?? "")"])
            }
            return .tooDeep
        }
        return Self.$depth.withValue(depth + 1) {
            let state = self.state.withLock { $0 }
            var event = event
            if let drop = run(state.steps, &event) {
                dropped.wrappingAdd(1, ordering: .relaxed)
                if let output = state.dropped { report(drop, event, to: output) }
                return .dropped
            }
            return deliver(event, state)
        }
    }

    /// Runs the processors of this router only, and returns what became of the event; throws
    /// `EventEmissionExit` when one of them drops it.
    public func processEvent(
        _ event: TelemetryEvent
    ) throws(EventEmissionExit) -> TelemetryEvent {
        var event = event
        if let drop = run(state.withLock { $0.steps }, &event) {
            throw EventEmissionExit(reason: drop.reason)
        }
        return event
    }

    /// Sends an event to the backends of this router without running its processors.
    public func sendToBackends(_ event: TelemetryEvent) {
        _ = deliver(event, state.withLock { $0 })
    }

    private struct Drop {
        var processor: String
        var reason: String
    }

    private func run(_ steps: [RouterStep], _ event: inout TelemetryEvent) -> Drop? {
        for step in steps {
            if let reason = step.process(&event, logger) {
                return Drop(processor: step.processor.name, reason: reason)
            }
        }
        return nil
    }

    private func report(_ drop: Drop, _ event: TelemetryEvent, to output: RouterSink) {
        var event = event
        event.context[key: "dropped"] = [
            "router": .string(name), "processor": .string(drop.processor),
            "reason": .string(drop.reason),
        ]
        _ = output.take(&event)
    }

    private func deliver(_ event: TelemetryEvent, _ state: State) -> Verdict {
        var event = event
        var isWanted = false
        for sink in state.sinks where sink.take(&event) { isWanted = true }
        if isWanted { return .taken }
        unmatched.wrappingAdd(1, ordering: .relaxed)
        guard let output = state.unmatched, output.take(&event) else { return .unmatched }
        return .taken
    }

    // MARK: - Waiting and counting

    /// Waits until the queues of isolated backends are empty and their last events dealt with, here and in
    /// all routers below, and until backends that hold events back have let them go; false: the time was
    /// over before.
    public func flush(within limit: Duration) -> Bool {
        let deadline = ContinuousClock.now.advanced(by: limit)
        var isEmpty = true
        for sink in allSinks where !sink.flush(until: deadline) { isEmpty = false }
        return isEmpty
    }

    /// Ends the queues of isolated backends here and in the routers below: what they cannot hand over in
    /// that time is given up and counted as overflowed, and so is what is sent after.
    public func close(within limit: Duration) {
        let deadline = ContinuousClock.now.advanced(by: limit)
        for sink in allSinks {
            sink.close(until: deadline)
            if let router = sink.backend as? RoutingBackend {
                router.close(within: max(ContinuousClock.now.duration(to: deadline), .zero))
            }
        }
    }

    private var allSinks: [RouterSink] {
        let state = self.state.withLock { $0 }
        return state.sinks + [state.unmatched, state.dropped].compactMap(\.self)
    }

    /// What was done so far.
    public var statistics: RoutingStatistics {
        let state = self.state.withLock { $0 }
        return RoutingStatistics(
            received: received.load(ordering: .relaxed), dropped: dropped.load(ordering: .relaxed),
            unmatched: unmatched.load(ordering: .relaxed),
            tooDeep: tooDeep.load(ordering: .relaxed),
            processors: state.steps.map(\.statistics), backends: state.sinks.map(\.statistics),
            unmatchedOutput: state.unmatched?.statistics, droppedOutput: state.dropped?.statistics)
    }
}
