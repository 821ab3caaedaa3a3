import Dispatch
import Journal
import Logging
import Synchronization
import Telemetry
import Testing

/// What a backend or processor of a test throws.
struct Trouble: Error {}

/// An event as most tests send it.
func event(_ name: String? = "sample", _ data: JournalValue = .object([])) -> TelemetryEvent {
    TelemetryEvent(name: name, timestamp: 0, data: data)
}

/// Values that several threads add to.
final class Kept<Value: Sendable>: Sendable {
    private let kept = Mutex<[Value]>([])

    var values: [Value] { kept.withLock { $0 } }

    func add(_ value: Value) { kept.withLock { $0.append(value) } }
}

/// Takes events and then throws; counts them.
final class FailingBackend: EventBackend {
    private let error: any Error
    private let taken = Mutex<[TelemetryEvent]>([])

    init(_ error: any Error = Trouble()) { self.error = error }

    var events: [TelemetryEvent] { taken.withLock { $0 } }

    func send(_ event: TelemetryEvent) throws {
        taken.withLock { $0.append(event) }
        throw error
    }
}

/// Counts the events that it is given, and keeps them.
final class CountingProcessor: EventProcessor {
    private let taken = Mutex<[TelemetryEvent]>([])

    var events: [TelemetryEvent] { taken.withLock { $0 } }

    func process(_ event: inout TelemetryEvent) -> Disposition {
        let seen = event
        taken.withLock { $0.append(seen) }
        return .keep
    }
}

/// A gate that stays shut until it is opened: makes a backend slow for as long as a test wants.
final class Gate: Sendable {
    private let barrier = DispatchSemaphore(value: 0)
    private let stream: AsyncStream<Void>
    private let reached: AsyncStream<Void>.Continuation

    init() { (stream, reached) = AsyncStream.makeStream() }

    /// Blocks the calling thread until the gate is open.
    func pass() {
        reached.yield()
        barrier.wait()
        barrier.signal()
    }

    func open() { barrier.signal() }

    /// Returns when somebody stands at the gate.
    func isReached() async {
        for await _ in stream { return }
    }
}

/// Keeps what is logged.
final class LogRecorder: Sendable {
    struct Line: Sendable, Equatable {
        var level: Logger.Level
        var message: String
        var metadata: [String: String]
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = Line(
                level: event.level, message: "\(event.message)",
                metadata: (event.metadata ?? [:]).mapValues { "\($0)" })
            recorder.kept.withLock { $0.append(line) }
        }
    }

    private let kept = Mutex<[Line]>([])

    var lines: [Line] { kept.withLock { $0 } }

    /// A logger of that name whose lines end here.
    func logger(_ name: String = "test") -> Logger {
        Logger(label: name) { _ in Handler(recorder: self) }
    }
}
