public import ControllerRuntime
internal import Foundation
public import Journal
internal import Logging
internal import Pipes
internal import Synchronization
internal import Telemetry

/// The way of a run's statistics and events to where people look: through a router to exporters, and onto a
/// page for Prometheus.
///
/// The run never waits for it: what comes faster than it is handed on is dropped and counted, and what a
/// destination does not take waits in that destination's spool.
public final class RunTelemetry: RunObserver {
    /// Most events and sets of statistics that wait for the router: some seconds of a busy run.
    static let maximumWaitingCount = 16_384
    /// How long the end of a run waits for destinations that still take records.
    public static let endTimeLimit: Duration = .seconds(5)

    /// What the run told.
    private enum Item {
        case event(JournalEvent)
        case statistics(RunStatisticsRecord)
    }

    private struct State {
        var runId = ""
        var items: [Item] = []
        var lostCount: UInt64 = 0
        var isOver = false
        /// When statistics were handed on last.
        var lastTaken: ContinuousClock.Instant?
    }

    private let configuration: TelemetryConfiguration
    private let channels: [ExportChannel]
    private let router: RoutingBackend
    private let logger = Logger(label: "sluice.telemetry")
    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)
    private let thread = Mutex<NamedThread?>(nil)
    private let page = Mutex<RunPage?>(nil)

    /// The way that `configuration` describes. Spools are opened, nothing is connected or sent yet.
    ///
    /// - Throws: `TelemetryError` for what can't be, such as a spool that another process has.
    public init(_ configuration: TelemetryConfiguration) throws(TelemetryError) {
        self.configuration = configuration
        // With the number of a record it tells records apart, also those of another life of the run.
        let source = "sluice-\(UInt64.random(in: 1 << 32...UInt64.max))"
        var channels: [ExportChannel] = []
        do {
            for exporter in configuration.exporters {
                channels.append(try ExportChannel(exporter, source: source))
            }
            router = try RoutingBackend(
                from: configuration.route, at: "telemetry.route",
                backends: Dictionary(
                    uniqueKeysWithValues: channels.map { ($0.configuration.name, $0) }),
                logger: logger)
        } catch {
            for channel in channels { _ = try? channel.exporter.stop(within: .zero) }
            throw TelemetryError("\(error)")
        }
        self.channels = channels
    }

    /// Looks whether a configuration can be used, without opening anything.
    ///
    /// - Throws: `TelemetryError` with what is wrong.
    public static func check(_ configuration: TelemetryConfiguration) throws(TelemetryError) {
        do {
            for exporter in configuration.exporters where !exporter.destination.isLocal {
                _ = try ExporterMaking.make(exporter)
            }
            _ = try RoutingBackend(
                from: configuration.route, at: "telemetry.route",
                backends: Dictionary(
                    configuration.exporters.map { ($0.name, ClosureBackend { _ in }) },
                    uniquingKeysWith: { first, _ in first }))
        } catch {
            throw TelemetryError("\(error)")
        }
    }

    /// Begins to hand on, and to serve the page of `controller`, where one is wanted.
    ///
    /// - Throws: `TelemetryError` when the page can't be served.
    public func start(_ controller: Controller) async throws {
        if let address = configuration.prometheus {
            let page = try RunPage(at: address, controller: controller)
            try await page.start()
            self.page.withLock { $0 = page }
        }
        let running = try NamedThread(name: "telemetry") { self.work() }
        thread.withLock { $0 = running }
    }

    /// Hands on what is left, waits for destinations that take it, and closes all. Returns a sentence for
    /// each destination that does not have everything.
    public func finish() async -> [String] {
        state.withLock { $0.isOver = true }
        wake.signal()
        if let thread = thread.withLock({ $0 }) { thread.join() }
        var problems: [String] = []
        let lost = state.withLock { $0.lostCount }
        if lost > 0 {
            problems.append("telemetry: \(lost) events came faster than they were handed on")
        }
        let deadline = ContinuousClock.now.advanced(by: Self.endTimeLimit)
        for channel in channels {
            if let problem = Self.end(channel, before: deadline) { problems.append(problem) }
        }
        if let page = page.withLock({ $0 }) { await page.stop() }
        return problems
    }

    /// The port of the page; nil where there is none.
    public var pagePort: UInt16? {
        get async { await page.withLock { $0 }?.port }
    }

    private static func end(
        _ channel: ExportChannel, before deadline: ContinuousClock.Instant
    ) -> String? {
        let left = max(.zero, ContinuousClock.now.duration(to: deadline))
        let name = channel.configuration.name
        let status: Telemetry.ExporterStatus?
        do {
            status = try channel.exporter.stop(within: left)
        } catch {
            return "telemetry: \(name) could not be ended well: \(error)"
        }
        guard let status else { return nil }
        // What is left in memory is counted as dropped by stopping, and told as not delivered.
        let lost = status.dropped.filter { $0.key != .stopped }.values.reduce(0, +)
        var parts: [String] = []
        if status.queued.records > 0 {
            parts.append(
                channel.configuration.spool.map {
                    "\(status.queued.records) records wait in \($0.directory)"
                } ?? "\(status.queued.records) records were not delivered")
        }
        if lost > 0 { parts.append("\(lost) records were dropped") }
        if channel.oversizeCount > 0 {
            parts.append("\(channel.oversizeCount) lines were longer than its maximumBytes")
        }
        if status.deadLetters > 0 { parts.append("\(status.deadLetters) records were refused") }
        guard !parts.isEmpty else { return nil }
        let reason = status.lastError.map { ": \($0)" } ?? ""
        return "telemetry: \(name): \(parts.joined(separator: ", "))\(reason)"
    }

    // MARK: RunObserver

    public func runBegan(runId: String) { state.withLock { $0.runId = runId } }

    public func statistics(_ record: RunStatisticsRecord) {
        put(.statistics(record))
    }

    public func event(_ event: JournalEvent) { put(.event(event)) }

    public var exporters: [DestinationStatus] {
        channels.map { channel in
            let status = channel.exporter.status
            let oversize = channel.oversizeCount
            return DestinationStatus(
                name: channel.configuration.name, state: status.state.rawValue,
                lastError: status.lastError ?? "", queued: UInt64(status.queued.records),
                queuedBytes: UInt64(status.queued.bytes), delivered: UInt64(status.delivered),
                retried: UInt64(status.retried),
                dropped: Dictionary(
                    status.dropped.map { ($0.key.rawValue, UInt64($0.value)) }
                        + (oversize > 0 ? [("oversize-line", oversize)] : []),
                    uniquingKeysWith: +), refused: UInt64(status.deadLetters))
        }
    }

    private func put(_ item: Item) {
        let isNew = state.withLock { state in
            guard !state.isOver, state.items.count < Self.maximumWaitingCount else {
                state.lostCount += 1
                return false
            }
            state.items.append(item)
            return state.items.count == 1
        }
        if isNew { wake.signal() }
    }

    // MARK: The telemetry thread

    private func work() {
        // The newest set, where it came too early to be handed on.
        var early: RunStatisticsRecord?
        while true {
            wake.wait()
            let (items, runId, isOver) = state.withLock { state in
                defer { state.items.removeAll() }
                return (state.items, state.runId, state.isOver)
            }
            for item in items {
                switch item {
                case .event(let event): hand(event, runId)
                case .statistics(let record): early = handWhenDue(record, runId) ? nil : record
                }
            }
            if isOver {
                // What a run has at its end is told however long the period is.
                if let early { hand(early, runId) }
                return
            }
        }
    }

    private func hand(_ event: JournalEvent, _ runId: String) {
        send(
            TelemetryEvent(
                name: event.name, timestamp: event.timestamp, seq: event.seq,
                data: .object(event.context), context: [JournalField("run", .string(runId))]))
    }

    /// Hands a set on when it is time for one; whether it was.
    private func handWhenDue(_ record: RunStatisticsRecord, _ runId: String) -> Bool {
        let now = ContinuousClock.now
        let isDue = state.withLock { state in
            // Sets come a little early or late: half a period more would be a set left out.
            let due = state.lastTaken.map { now >= $0 + configuration.period * 0.75 } ?? true
            if due { state.lastTaken = now }
            return due
        }
        if isDue { hand(record, runId) }
        return isDue
    }

    private func hand(_ record: RunStatisticsRecord, _ runId: String) {
        let set = RunMetrics.results(of: record, runId: runId)
        for result in set.results {
            send(RecordMaker.event(of: result, timestamp: record.timestamp))
        }
        for channel in channels {
            do {
                try channel.endSet()
            } catch {
                tell(error, of: channel.configuration.name)
            }
        }
    }

    private func send(_ event: TelemetryEvent) {
        router.send(event)
    }

    private func tell(_ error: any Error, of name: String) {
        logger.error(
            "Telemetry could not be handed on", metadata: ["to": "\(name)", "reason": "\(error)"])
    }
}
