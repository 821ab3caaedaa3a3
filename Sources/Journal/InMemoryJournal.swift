internal import Synchronization

/// A journal that is kept in memory, for tests and for programs that look at events themselves. Any number of
/// consumers may follow it.
public final class InMemoryJournal: JournalSink, JournalTransport {
    private struct State {
        var events: [JournalEvent] = []
        /// The last event that was removed; nil: none was.
        var removed: JournalEvent?
        var lastSeq: UInt64 = 0
        var isClosed = false
        var streams: [InMemoryJournalStream] = []
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> Double
    private let maximumCount: Int?
    private let queueCount: Int

    /// An empty journal; `now` gives seconds since the Unix epoch, nil means the system's clock.
    ///
    /// With `maximumCount` (at least 2) the oldest events are removed when there would be more, and history
    /// begins with a `truncate` event that counts as one. A consumer that leaves more than `queueCount` events
    /// waiting is disconnected with an overrun: nothing waits for it.
    public init(
        maximumCount: Int? = nil, queueCount: Int = 10_000, now: (@Sendable () -> Double)? = nil
    ) {
        precondition(maximumCount.map { $0 >= 2 } ?? true, "there is no room for an event")
        precondition(queueCount > 0, "a consumer needs room for an event")
        self.now = now ?? secondsSinceEpoch
        self.maximumCount = maximumCount
        self.queueCount = queueCount
    }

    /// All events that are there.
    public var events: [JournalEvent] { state.withLock { $0.events } }

    /// The names of all events that are there.
    public var names: [String] { events.map(\.name) }

    /// Records what happened; refuses names that a file would refuse, and everything after `close`.
    @discardableResult
    public func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent {
        try checkEventName(entry.name)
        return try state.withLock { (state) throws(JournalError) in
            guard !state.isClosed else { throw .closed(path: "in memory") }
            state.lastSeq += 1
            let event = JournalEvent(
                timestamp: wholeMicroseconds(entry.timestamp ?? now()), seq: state.lastSeq,
                name: entry.name, context: entry.context)
            state.events.append(event)
            if let maximumCount, state.events.count > maximumCount - (state.removed == nil ? 0 : 1)
            {
                let count = state.events.count - (maximumCount - 1)
                state.removed = state.events[count - 1]
                state.events.removeFirst(count)
            }
            state.streams.removeAll { !$0.push(event, maximumCount: queueCount) }
            return event
        }
    }

    /// Ends the journal: its consumers get what is there, and the end.
    public func close() {
        let streams = state.withLock { state in
            state.isClosed = true
            defer { state.streams = [] }
            return state.streams
        }
        for stream in streams { stream.end() }
    }

    /// The events that a payload asks for: history in one response, then an empty one, then one response for
    /// each event.
    public func open(_ payload: JournalValue) throws -> any JournalResponseStream {
        let request = try JournalRequest(payload: payload)
        return state.withLock { state in
            // History and place in the present are taken in one step: no event is between them.
            var history: [JournalEvent] = []
            if request.full || request.seq != nil {
                let cursor = request.seq ?? 0
                history = state.events.filter { $0.seq > cursor && request.takes($0) }
                if let removed = state.removed, removed.seq > cursor,
                    removed.timestamp > request.since
                {
                    history.insert(
                        .removed(first: cursor + 1, last: removed.seq, at: removed.timestamp), at: 0
                    )
                }
            }
            let stream = InMemoryJournalStream(
                request, history: history, lastSeq: state.lastSeq, isOver: state.isClosed
            ) { [weak self] in self?.state.withLock { $0.lastSeq } ?? 0 }
            if !state.isClosed { state.streams.append(stream) }
            return stream
        }
    }
}

extension JournalEvent {
    /// Tells a consumer that events it would have got were removed; it is in no journal, and has the serial
    /// number of the last of them, so that it is followed by the next without a gap.
    public static func removed(
        first: UInt64, last: UInt64, at timestamp: Double
    ) -> JournalEvent {
        let entry = JournalEntry(
            "truncate",
            ["reason": "retention", "firstSeq": .init(first), "lastSeq": .init(last)])
        return JournalEvent(
            timestamp: timestamp, seq: last, name: entry.name, context: entry.context)
    }
}

/// One consumer of a journal in memory.
private final class InMemoryJournalStream: JournalResponseStream {
    private struct State {
        /// Responses that are there, history first.
        var responses: [JournalResponse]
        var lastSeq: UInt64
        var isOver: Bool
        var hasOverrun = false
    }

    private let request: JournalRequest
    private let monitor: Monitor<State>
    private let journalSeq: @Sendable () -> UInt64

    init(
        _ request: JournalRequest, history: [JournalEvent], lastSeq: UInt64, isOver: Bool,
        journalSeq: @escaping @Sendable () -> UInt64
    ) {
        self.request = request
        self.journalSeq = journalSeq
        let responses = (history.isEmpty ? [] : [JournalResponse(history)]) + [JournalResponse()]
        monitor = Monitor(State(responses: responses, lastSeq: lastSeq, isOver: isOver))
    }

    /// Leaves an event; false when nothing more is to be left here.
    func push(_ event: JournalEvent, maximumCount: Int) -> Bool {
        monitor.change { state in
            if state.isOver { return false }
            guard request.takes(event) else { return true }
            guard state.responses.count < maximumCount else {
                (state.isOver, state.hasOverrun) = (true, true)
                return false
            }
            state.responses.append(JournalResponse([event]))
            state.lastSeq = event.seq
            return true
        }
    }

    func end() { monitor.change { $0.isOver = true } }

    func cancel() { end() }

    func next() throws -> JournalResponse? {
        let step = monitor.wait { state -> Step? in
            if !state.responses.isEmpty { return .response(state.responses.removeFirst()) }
            guard state.isOver else { return nil }
            defer { state.hasOverrun = false }
            return state.hasOverrun ? .overrun(state.lastSeq) : .end
        }
        switch step {
        case .response(let response): return response
        case .overrun(let lastSeq):
            throw JournalConsumerError.overrun(
                lastSeq: lastSeq, missed: journalSeq() - lastSeq)
        case .end, nil: return nil
        }
    }

    private enum Step {
        case response(JournalResponse)
        case overrun(UInt64)
        case end
    }
}
