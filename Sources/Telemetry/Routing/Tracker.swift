internal import CLinux
internal import Glibc
public import Journal
public import Logging
internal import Synchronization

/// Makes events of a name and data, adds the time and the contexts that are entered, and sends them through a
/// router.
public final class Tracker: Sendable {
    /// The name of an event that was given none.
    public static let unknownName = "unknown"
    /// The name of the tracker that `Tracker.emit` uses.
    public static let defaultName = "default"
    /// Most trackers registered at once.
    public static let maximumTrackers = 256

    private static let trackers = Mutex<[String: Tracker]>([:])

    /// What events are sent through.
    public let routingBackend: RoutingBackend
    private let contextLocator: any ContextLocator
    private let now: @Sendable () -> Double

    /// A tracker with a router of its own. `now` is the time of events, in seconds since the Unix epoch.
    public convenience init(
        backends: [String: any EventBackend] = [:], processors: [any EventProcessor] = [],
        contextLocator: any ContextLocator = SharedContextLocator(),
        logger: Logger = Logger(label: "sluice.routing"),
        now: @escaping @Sendable () -> Double = Tracker.wallTime
    ) throws(RoutingError) {
        let router = try RoutingBackend(
            name: "tracker", backends: backends, processors: processors, logger: logger)
        self.init(router, contextLocator: contextLocator, now: now)
    }

    /// A tracker that sends through a router that is there.
    public init(
        _ router: RoutingBackend, contextLocator: any ContextLocator = SharedContextLocator(),
        now: @escaping @Sendable () -> Double = Tracker.wallTime
    ) {
        routingBackend = router
        self.contextLocator = contextLocator
        self.now = now
    }

    /// The time of the system's clock, in seconds since the Unix epoch.
    public static let wallTime: @Sendable () -> Double = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Sends an event with the present time and context. No name or an empty one is `unknown`; data that is
    /// `null`, `false`, 0 or empty is an empty object.
    public func emit(_ name: String? = nil, data: JournalValue = .null) {
        let name = name.flatMap { $0.isEmpty ? nil : $0 } ?? Self.unknownName
        routingBackend.send(
            TelemetryEvent(
                name: name, timestamp: now(), data: data.isNothing ? .object([]) : data,
                context: context))
    }

    /// All fields of the contexts that are entered here and now; where two have a key, the value is that of
    /// the one entered later.
    public var context: [JournalField] {
        var merged: [JournalField] = []
        for context in contextLocator.entered {
            for field in context.fields { merged[key: field.key] = field.value }
        }
        return merged
    }

    /// Adds these fields to all events from now on until the context is left. Entering a name again replaces
    /// its fields and keeps its place.
    public func enterContext(_ name: String, _ fields: [JournalField]) throws(RoutingError) {
        try contextLocator.enter(NamedContext(name, fields))
    }

    /// Leaves a context; throws where it was not entered.
    public func exitContext(_ name: String) throws(RoutingError) {
        try contextLocator.exit(name)
    }

    /// Runs a closure with the fields added to all events, and leaves the context however it ends.
    public func withContext<Value>(
        _ name: String, _ fields: [JournalField], _ body: () throws -> Value
    ) throws -> Value {
        try contextLocator.during(NamedContext(name, fields), body)
    }

    /// Runs a closure with the fields added to all events, and leaves the context however it ends.
    public func withContext<Value>(
        _ name: String, _ fields: [JournalField],
        isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value
    ) async throws -> Value {
        try await contextLocator.during(
            NamedContext(name, fields), isolation: isolation, body)
    }

    // MARK: - Trackers by name

    /// Makes a tracker known to the whole program under a name; an earlier one of that name is forgotten.
    public static func register(
        _ tracker: Tracker, named name: String = defaultName
    ) throws(RoutingError) {
        guard !name.isEmpty else { throw .emptyName("tracker") }
        let isKept = trackers.withLock { trackers in
            guard trackers[name] != nil || trackers.count < maximumTrackers else { return false }
            trackers[name] = tracker
            return true
        }
        guard isKept else { throw .tooMany("registered trackers", limit: maximumTrackers) }
    }

    /// The tracker of that name; throws where there is none.
    public static func named(_ name: String = defaultName) throws(RoutingError) -> Tracker {
        guard let tracker = trackers.withLock({ $0[name] }) else { throw .unknownTracker(name) }
        return tracker
    }

    /// Sends an event through the tracker `default`; throws where none is registered.
    public static func emit(
        _ name: String? = nil, data: JournalValue = .null
    ) throws(RoutingError) {
        try named().emit(name, data: data)
    }
}

extension JournalValue {
    /// Whether this is what Python takes for false.
    fileprivate var isNothing: Bool {
        switch self {
        case .null: true
        case .bool(let value): !value
        case .int(let value): value == 0
        case .uint(let value): value == 0
        case .double(let value): value == 0
        case .string(let value): value.isEmpty
        case .array(let elements): elements.isEmpty
        case .object(let fields): fields.isEmpty
        }
    }
}
