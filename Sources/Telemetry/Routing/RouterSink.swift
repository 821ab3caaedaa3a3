internal import Logging
internal import Synchronization

/// What a failure is logged as: the first hundred of each kind in each place, then each thousandth, with
/// its number, so that a backend that fails at each event does not fill the log.
func isLogged(_ number: UInt64) -> Bool { number <= 100 || number % 1000 == 0 }

/// A processor with what it did.
final class RouterStep: Sendable {
    let processor: any EventProcessor
    private let processed = Atomic<UInt64>(0)
    private let dropped = Atomic<UInt64>(0)
    private let failed = Atomic<UInt64>(0)

    init(_ processor: any EventProcessor) { self.processor = processor }

    /// Runs the processor. Returns why the event is dropped, nil where it goes on.
    func process(_ event: inout TelemetryEvent, _ logger: Logger) -> String? {
        processed.wrappingAdd(1, ordering: .relaxed)
        do {
            switch try processor.process(&event) {
            case .keep: return nil
            case .replace(let other):
                event = other
                return nil
            case .drop(let reason): return drop(reason)
            }
        } catch let exit as EventEmissionExit {
            return drop(exit.reason)
        } catch {
            let number = failed.wrappingAdd(1, ordering: .relaxed).newValue
            if isLogged(number) {
                logger.error(
                    "Failed to execute processor",
                    metadata: [
                        "processor": "\(processor.name)", "event": "\(event.name ?? "")",
                        "error": "\(error)", "failures": "\(number)",
                    ])
            }
            return processor.onError == .pass ? nil : drop("the processor failed")
        }
    }

    private func drop(_ reason: String) -> String {
        dropped.wrappingAdd(1, ordering: .relaxed)
        return reason
    }

    var statistics: RoutingStatistics.Processor {
        RoutingStatistics.Processor(
            name: processor.name, processed: processed.load(ordering: .relaxed),
            dropped: dropped.load(ordering: .relaxed), failed: failed.load(ordering: .relaxed))
    }
}

/// Counters of a name in a router; they outlive the backend when the name is used again.
final class SinkCounters: Sendable {
    let delivered = Atomic<UInt64>(0)
    let failed = Atomic<UInt64>(0)
    let declined = Atomic<UInt64>(0)
    let dropped = Atomic<UInt64>(0)
    let overflowed = Atomic<UInt64>(0)
}

/// Hands events to one backend and counts what becomes of them.
struct SinkDelivery: Sendable {
    private enum Form {
        case plain(any EventBackend)
        case changing(any MutatingEventBackend)
        case router(RoutingBackend)
    }

    private let name: String
    private let form: Form
    private let counters: SinkCounters
    private let logger: Logger

    init(_ name: String, _ backend: any EventBackend, _ counters: SinkCounters, _ logger: Logger) {
        self.name = name
        form =
            switch backend {
            case let router as RoutingBackend: .router(router)
            case let backend as any MutatingEventBackend: .changing(backend)
            default: .plain(backend)
            }
        self.counters = counters
        self.logger = logger
    }

    /// Whether the backend wanted the event; one that failed did.
    func deliver(_ event: inout TelemetryEvent) -> Bool {
        do {
            switch form {
            case .plain(let backend): try backend.send(event)
            case .changing(let backend): try backend.send(changing: &event)
            case .router(let router): return count(router.route(event))
            }
            counters.delivered.wrappingAdd(1, ordering: .relaxed)
            return true
        } catch let refusal as any EventRefusal {
            let number = counters.declined.wrappingAdd(1, ordering: .relaxed).newValue
            if isLogged(number) {
                logger.info(
                    "Backend does not want the event",
                    metadata: describe(event, refusal, number))
            }
            return false
        } catch {
            let number = counters.failed.wrappingAdd(1, ordering: .relaxed).newValue
            if isLogged(number) {
                logger.error(
                    "Unable to send event to backend", metadata: describe(event, error, number))
            }
            return true
        }
    }

    /// What a router behind the sink made of an event.
    private func count(_ verdict: RoutingBackend.Verdict) -> Bool {
        switch verdict {
        case .taken: counters.delivered.wrappingAdd(1, ordering: .relaxed)
        case .dropped: counters.dropped.wrappingAdd(1, ordering: .relaxed)
        case .unmatched: counters.declined.wrappingAdd(1, ordering: .relaxed)
        case .tooDeep: counters.failed.wrappingAdd(1, ordering: .relaxed)
        }
        return verdict == .taken || verdict == .tooDeep
    }

    private func describe(
        _ event: TelemetryEvent, _ error: any Error, _ number: UInt64
    ) -> Logger.Metadata {
        [
            "backend": "\(name)", "event": "\(event.name ?? "")", "error": "\(error)",
            "count": "\(number)",
        ]
    }
}

/// A backend in its place in a router, with its queue where it is isolated.
final class RouterSink: Sendable {
    let name: String
    let backend: any EventBackend
    let counters: SinkCounters
    private let delivery: SinkDelivery
    private let queue: EventQueue<TelemetryEvent>?

    init(
        _ name: String, _ backend: any EventBackend, isolation: SinkIsolation?,
        counters: SinkCounters = SinkCounters(), logger: Logger
    ) throws(RoutingError) {
        let delivery = SinkDelivery(name, backend, counters, logger)
        self.name = name
        self.backend = backend
        self.counters = counters
        self.delivery = delivery
        guard let isolation else {
            queue = nil
            return
        }
        queue = try EventQueue(name: name, isolation: isolation) { batch in
            for var event in batch { _ = delivery.deliver(&event) }
        }
    }

    /// Hands the event over, to the queue where there is one. Whether the backend wanted it; an isolated
    /// one is not asked.
    func take(_ event: inout TelemetryEvent) -> Bool {
        guard let queue else { return delivery.deliver(&event) }
        switch queue.offer(event) {
        case .accepted: break
        case .displacedOldest, .refused:
            counters.overflowed.wrappingAdd(1, ordering: .relaxed)
        }
        return true
    }

    func flush(until deadline: ContinuousClock.Instant) -> Bool {
        let isQueueEmpty = queue?.flush(until: deadline) ?? true
        return flush(backend, until: deadline, depth: 0) && isQueueEmpty
    }

    /// The backend itself, or where it holds nothing those that it hands on to.
    private func flush(
        _ backend: any EventBackend, until deadline: ContinuousClock.Instant, depth: Int
    ) -> Bool {
        if let backend = backend as? any FlushableBackend {
            let rest = ContinuousClock.now.duration(to: deadline)
            return backend.flush(within: max(rest, .zero))
        }
        guard depth < RoutingBackend.maximumDepth else { return true }
        var isEmpty = true
        for next in backend.downstream where !flush(next, until: deadline, depth: depth + 1) {
            isEmpty = false
        }
        return isEmpty
    }

    /// Ends the queue; what it could not hand over in time is counted as overflowed.
    func close(until deadline: ContinuousClock.Instant) {
        let left = queue?.close(until: deadline) ?? 0
        counters.overflowed.wrappingAdd(UInt64(left), ordering: .relaxed)
    }

    var statistics: RoutingStatistics.Sink {
        let depth = queue?.depth
        return RoutingStatistics.Sink(
            name: name, delivered: counters.delivered.load(ordering: .relaxed),
            failed: counters.failed.load(ordering: .relaxed),
            declined: counters.declined.load(ordering: .relaxed),
            dropped: counters.dropped.load(ordering: .relaxed),
            overflowed: counters.overflowed.load(ordering: .relaxed), queued: depth?.now ?? 0,
            queueHighWater: depth?.highest ?? 0)
    }
}
