/// How a consumer is started that was started before.
public enum JournalStartMode: Sendable, Hashable, CaseIterable {
    /// What is queued is thrown away, and history is read again.
    case anew
    /// What is queued stays, and the events after the last one received follow: none twice, none left out, as
    /// long as the journal still has them. No second sentinel.
    case `continue`
}

/// How much a consumer keeps.
public struct JournalConsumerLimits: Sendable, Hashable {
    /// Events that wait for `poll`, the callback or the sequence. When there are as many, no more are taken
    /// from the transport until there is room: files wait, others disconnect with an overrun when theirs is
    /// used up, too.
    public var queueCount: Int
    /// Events of history that are kept to be put in order; with more the consumer ends with `historyTooLong`.
    public var historyCount: Int

    /// Limits, each at least 1: 10 000 events of a few hundred bytes are some megabytes, and a million fits
    /// into the memory of the machines that run controllers.
    public init(queueCount: Int = 10_000, historyCount: Int = 1_000_000) {
        precondition(queueCount > 0 && historyCount > 0, "a consumer needs room for an event")
        self.queueCount = queueCount
        self.historyCount = historyCount
    }
}

/// Follows a journal: first what was recorded before (the history), then what happens.
///
/// Events of history are put in order of time and handed out when all of them are there; then, if it is wanted,
/// comes the sentinel; then events as they are recorded. They are taken by `poll`, by a callback or by the
/// sequence `events`; each event goes to one of them. After the last event every start gives exactly one nil,
/// before it the error if there was one.
///
/// A subclass says what is asked for (`requestPayload`) and what becomes of a response; it may add only
/// constants and values with a lock of their own, because a thread of the consumer calls its methods.
///
/// Guard of `@unchecked Sendable`: all state is in the core's monitor; an open class can't be checked.
open class JournalConsumerBase<Event: JournalEventBase>: @unchecked Sendable {
    /// Called with an event, with nil at the end, with the error before it if there was one. When it throws
    /// over an event it gets that error, as `callbackFailed`, and the end, and no more events.
    public typealias Callback = @Sendable (Result<Event?, any Error>) throws -> Void

    /// Whether history is read.
    public let full: Bool
    /// Only events that happened after this moment, in seconds since the Unix epoch; 0: all.
    public let since: Double
    /// Whether the sentinel comes between history and present.
    public let includeSentinel: Bool
    /// Only events after the one with this serial number, where a new life goes on with an old one's; nil: all.
    public let afterSeq: UInt64?
    private let transport: any JournalTransport
    private let core: JournalConsumerCore<Event>

    /// A consumer; nothing is asked for before `start`.
    public init(
        transport: any JournalTransport, full: Bool = true, since: Double = 0,
        includeSentinel: Bool = false, afterSeq: UInt64? = nil,
        limits: JournalConsumerLimits = JournalConsumerLimits()
    ) {
        self.transport = transport
        self.full = full
        self.since = since
        self.includeSentinel = includeSentinel
        self.afterSeq = afterSeq
        core = JournalConsumerCore(limits: limits)
    }

    deinit { core.close() }

    // MARK: - What a subclass may say

    /// The request: an object of `full`, `seq`, `since` and what a subclass adds.
    open func requestPayload() -> JournalValue {
        JournalRequest(full: full, seq: cursor, since: since).payload
    }

    /// What belongs to all events of a response; as it stands, its extras. Called for every response that is
    /// not empty.
    ///
    /// - Throws: when the response can't be used, which ends the stream with that error.
    open func processResponse(_ response: JournalResponse) throws -> [JournalField] {
        response.extras
    }

    /// The event of a line, given what `processResponse` returned.
    ///
    /// - Throws: when the line can't be used, which ends the stream with that error.
    open func createEvent(_ entry: JournalEvent, extras: [JournalField]) throws -> Event {
        try Event(entry: entry, extras: extras)
    }

    /// Whether a response says that history ends; as it stands, when it has no events.
    open func isEmptyResponse(_ response: JournalResponse) -> Bool { response.events.isEmpty }

    /// Whether history has to be put in order and is kept until all of it is there; where not, it is handed
    /// out as it comes, however long it is. As it stands, true.
    open var gathersHistory: Bool { true }

    /// History in order; as it stands by time, where that is equal by serial number, where that is equal, too,
    /// as it came.
    open func sortHistory(_ events: [Event]) -> [Event] {
        events.enumerated().sorted { left, right in
            (left.element.timestamp, left.element.seq, left.offset)
                < (right.element.timestamp, right.element.seq, right.offset)
        }.map(\.element)
    }

    // MARK: - Life

    /// The serial number of the last event received, or `afterSeq` before it; nil where neither is there.
    public var cursor: UInt64? { cursors[""] ?? afterSeq }

    /// The serial numbers of the last events received, by the `source` of their responses.
    public var cursors: [String: UInt64] { core.monitor.withLock { $0.cursors } }

    /// Asks for the events, or asks again: then the earlier request is cancelled first. An error, also that
    /// there is no journal, comes to whoever takes events.
    @discardableResult
    public func start(_ mode: JournalStartMode = .anew) -> Self {
        let generation = core.begin(mode, full: full)
        let (core, transport, payload) = (core, transport, requestPayload())
        let code = DetachedThread.start { [weak self] in
            let reader = ConsumerReader(core: core, generation: generation)
            do {
                let stream = try transport.open(payload)
                guard core.attach(stream, generation) else { return }
                while let response = try stream.next() {
                    guard let batch = try reader.take(response, for: self),
                        core.append(batch, generation)
                    else { return stream.cancel() }
                }
                reader.finish(nil, for: self)
            } catch {
                reader.finish(error, for: self)
            }
        }
        if code != 0 {
            core.finish(
                JournalConsumerError.unavailable("the system has no thread left"), generation)
        }
        return self
    }

    /// Asks for no more: what was recorded by now still comes as far as it was sent, then the end. Before
    /// `start` it does nothing.
    public func stop() { core.stop() }

    // MARK: - Taking events

    /// The next event, waiting for at most `timeout` in all; nil: for ever. Returns nil once, at the end.
    ///
    /// - Throws: `JournalConsumerError.timeout`, after which nothing is lost; `notStarted`; `ended` when the
    ///   end was told before; and whatever ended the stream, once, before the nil.
    public func poll(timeout: Duration? = nil) throws -> Event? {
        let deadline = timeout.map { ContinuousClock.now.advanced(by: $0) }
        let delivery = try core.monitor.wait(until: deadline) {
            try JournalConsumerCore<Event>.takeOrRefuse(&$0)
        }
        guard let delivery else { throw JournalConsumerError.timeout(timeout ?? .zero) }
        return try Self.value(of: delivery)
    }

    /// Has events handed to `callback`, on a thread of the consumer, one after the other; before or after
    /// `start`, in the place of an earlier one; nil: to no callback any more.
    @discardableResult
    public func setCallback(_ callback: Callback?) -> Self {
        core.setCallback(callback)
        return self
    }

    /// The events as a sequence: `for try await event in consumer.start().events`. It ends where `poll` gives
    /// nil, and throws what `poll` throws.
    public var events: JournalEvents<Event> { JournalEvents(consumer: self) }

    func next() async throws -> Event? { try Self.value(of: try await core.next()) }

    private static func value(of delivery: JournalDelivery<Event>) throws -> Event? {
        switch delivery {
        case .event(let event): return event
        case .failure(let problem): throw problem
        case .end: return nil
        }
    }
}

/// The thread of one start: holds its consumer only while there is something to make of a response, so that a
/// consumer that nobody holds goes.
private struct ConsumerReader<Event: JournalEventBase> {
    let core: JournalConsumerCore<Event>
    let generation: Int

    /// Takes a response in and returns what is left to be queued, which may have to wait; nil when nobody
    /// wants it any more.
    func take(
        _ response: JournalResponse, for consumer: JournalConsumerBase<Event>?
    ) throws -> ConsumerBatch<Event>? {
        guard let consumer else { return nil }
        let isHistory = core.monitor.withLock { $0.isReadingHistory }
        guard !consumer.isEmptyResponse(response), let last = response.events.last else {
            if isHistory { endHistory(of: consumer) }
            return ConsumerBatch(events: [], lastSeq: nil, source: response.source)
        }
        let events = try consumer.events(of: response)
        let batch = ConsumerBatch(events: events, lastSeq: last.seq, source: response.source)
        guard isHistory, consumer.gathersHistory else { return batch }
        try core.gather(batch, generation)
        return ConsumerBatch(events: [], lastSeq: nil, source: response.source)
    }

    private func endHistory(of consumer: JournalConsumerBase<Event>) {
        let events = consumer.sortHistory(core.takeHistory(generation))
        core.endHistory(
            events, sentinel: consumer.includeSentinel ? .sentinel : nil, generation)
    }

    /// The stream is over: what was gathered of history is handed out, in order, before that is told.
    func finish(_ problem: (any Error)?, for consumer: JournalConsumerBase<Event>?) {
        if let consumer {
            let events = consumer.sortHistory(core.takeHistory(generation))
            if !events.isEmpty { core.endHistory(events, sentinel: nil, generation) }
        }
        core.finish(problem, generation)
    }
}

extension JournalConsumerBase {
    /// The events of a response that are wanted.
    fileprivate func events(of response: JournalResponse) throws -> [Event] {
        let extras = try processResponse(response)
        return try response.events
            .filter { since <= 0 || $0.timestamp > since }
            .map { try createEvent($0, extras: extras) }
    }
}

/// The events of a consumer, as they come. Several loops share them: each event goes to one.
public struct JournalEvents<Event: JournalEventBase>: AsyncSequence, Sendable {
    fileprivate let consumer: JournalConsumerBase<Event>

    /// Takes them one by one.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let consumer: JournalConsumerBase<Event>
        private var isOver = false

        fileprivate init(consumer: JournalConsumerBase<Event>) { self.consumer = consumer }

        /// The next event; nil at the end, and ever after.
        ///
        /// - Throws: what ended the stream, and `CancellationError` where the task is cancelled.
        public mutating func next() async throws -> Event? {
            if isOver { return nil }
            do {
                let event = try await consumer.next()
                isOver = event == nil
                return event
            } catch {
                isOver = true
                throw error
            }
        }
    }

    /// A loop over the events.
    public func makeAsyncIterator() -> Iterator { Iterator(consumer: consumer) }
}
