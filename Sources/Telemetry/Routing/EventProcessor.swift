/// What a processor says of the event that it was given.
public enum Disposition: Sendable, Equatable {
    /// Go on with the event as it is now, changes that the processor made to it included.
    case keep
    /// Go on with another event in its place.
    case replace(TelemetryEvent)
    /// Go no further in this branch; why, in a few words.
    case drop(reason: String)
}

/// What becomes of an event whose processor fails.
public enum ProcessorErrorPolicy: String, Sendable, CaseIterable {
    /// The event goes on as it stands, half-done changes included.
    case pass
    /// The event is dropped: what a filter cannot judge must not get past it.
    case drop
}

/// A step of a router: looks at an event, changes it, replaces it or drops it.
///
/// Calls may come from several threads at once. Changes of `event` are seen by all that comes after, whatever the
/// call returns, and stay when it throws half-way.
public protocol EventProcessor: Sendable {
    /// What logs and statistics call it; the name of its type where nothing else is said.
    var name: String { get }

    /// What becomes of an event when `process` throws; `pass` where nothing else is said.
    var onError: ProcessorErrorPolicy { get }

    /// Looks at an event and may change it in place. `EventEmissionExit` drops the event, quietly; any
    /// other error is logged, counted and treated as `onError` says.
    func process(_ event: inout TelemetryEvent) throws -> Disposition
}

extension EventProcessor {
    /// The name of the type.
    public var name: String { String(describing: type(of: self)) }

    /// A failing processor does not hold an event back.
    public var onError: ProcessorErrorPolicy { .pass }
}

/// Thrown by a processor: the event goes no further in this branch, which is no failure. The same as
/// `Disposition.drop`, for where there is nothing to return. Thrown by a backend it is an error like any other.
public struct EventEmissionExit: Error, Sendable, Equatable {
    /// Why, in a few words; empty where nobody said.
    public var reason: String

    /// Drops the event, for that reason.
    public init(reason: String = "") { self.reason = reason }
}

/// A closure as a processor.
public struct ClosureProcessor: EventProcessor {
    public let name: String
    public let onError: ProcessorErrorPolicy
    private let body: @Sendable (inout TelemetryEvent) throws -> Disposition

    /// A processor that says what is to become of each event.
    public init(
        _ name: String = "closure", onError: ProcessorErrorPolicy = .pass,
        process body: @escaping @Sendable (inout TelemetryEvent) throws -> Disposition
    ) {
        self.name = name
        self.onError = onError
        self.body = body
    }

    /// A processor that looks at events or changes them, and keeps them unless it throws
    /// `EventEmissionExit`.
    public init(
        _ name: String = "closure", onError: ProcessorErrorPolicy = .pass,
        change body: @escaping @Sendable (inout TelemetryEvent) throws -> Void
    ) {
        self.init(name, onError: onError) { event in
            try body(&event)
            return .keep
        }
    }

    public func process(_ event: inout TelemetryEvent) throws -> Disposition { try body(&event) }
}
