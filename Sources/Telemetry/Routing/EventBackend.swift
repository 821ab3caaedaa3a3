/// Where a router sends events: a log, a store, exporters, another router.
///
/// Calls may come from several threads at once, unless the backend is registered with `SinkIsolation`.
public protocol EventBackend: Sendable {
    /// Takes an event. What it throws is logged and counted by the router and holds nobody else up; an
    /// `EventRefusal` says that the backend does not want the event, which is no failure.
    func send(_ event: TelemetryEvent) throws

    /// The backends that this one hands its events on to, none where nothing else is said. A router looks
    /// there for itself, so that events do not go round for ever, and for what it has to flush.
    var downstream: [any EventBackend] { get }
}

extension EventBackend {
    /// It hands events on to nobody.
    public var downstream: [any EventBackend] { [] }
}

/// A backend that changes events for those that come after it in the same router, such as by the id under
/// which it stored them. A router calls this form. An isolated backend has an event of its own, and the
/// sender of the event sees no change either.
public protocol MutatingEventBackend: EventBackend {
    /// Takes an event and may change it for the backends after it; else as `send`.
    func send(changing event: inout TelemetryEvent) throws
}

extension MutatingEventBackend {
    /// Takes an event; what is changed in it nobody sees.
    public func send(_ event: TelemetryEvent) throws {
        var event = event
        try send(changing: &event)
    }
}

/// A backend that holds events back for a while.
public protocol FlushableBackend: EventBackend {
    /// Waits until all that was sent before has left the backend, or until the time is over; whether all
    /// has. It has not failed where something was lost: counters tell that.
    func flush(within limit: Duration) -> Bool
}

/// An error that says that a backend does not want an event: logged at level `info` and counted as
/// declined, not as failed.
public protocol EventRefusal: Error {}

/// A backend has no form for such an event.
public struct NoTransformerImplemented: EventRefusal, Equatable {
    /// Refuses the event.
    public init() {}
}

/// A backend is switched off.
public struct NoBackendEnabled: EventRefusal, Equatable {
    /// Refuses the event.
    public init() {}
}

/// A closure as a backend.
public struct ClosureBackend: EventBackend {
    public let downstream: [any EventBackend]
    private let body: @Sendable (TelemetryEvent) throws -> Void

    /// A backend that does this with each event; `downstream` are the backends that the closure sends to.
    public init(
        downstream: [any EventBackend] = [],
        _ body: @escaping @Sendable (TelemetryEvent) throws -> Void
    ) {
        self.downstream = downstream
        self.body = body
    }

    public func send(_ event: TelemetryEvent) throws { try body(event) }
}
