/// What a consumer hands out, in the order in which it does.
enum JournalDelivery<Event: Sendable>: Sendable {
    case event(Event)
    /// Why there are no more events; the end follows.
    case failure(any Error)
    /// Exactly one for every start.
    case end
}

/// What became of a response.
struct ConsumerBatch<Event: Sendable>: Sendable {
    /// The events that are wanted.
    var events: [Event]
    /// Serial number of the last event of the response, wanted or not; nil where it is taken in already.
    var lastSeq: UInt64?
    /// Which of several journals it is of; empty where there is one.
    var source: String
}

/// The state of a consumer, apart from it: the threads hold on to this, so that a consumer that nobody holds
/// goes, and ends them.
final class JournalConsumerCore<Event: JournalEventBase>: Sendable {
    typealias Callback = @Sendable (Result<Event?, any Error>) throws -> Void

    struct State {
        /// Number of starts; what belongs to an earlier one is not looked at any more.
        var generation = 0
        /// Whether the consumer is gone.
        var isClosed = false
        var queue: [Event] = []
        /// Events at the beginning of `queue` that were handed out.
        var takenCount = 0
        var history: [Event] = []
        var isReadingHistory = false
        /// Serial number of the last event received of each source, whether it was wanted or not.
        var cursors: [String: UInt64] = [:]
        var stream: (any JournalResponseStream)?
        var isCancelled = false
        /// Whether the stream is over; what stands in the queue comes before that.
        var isOver = false
        var problem: (any Error)?
        var isEndTold = false
        var callback: Callback?
        var hasCallbackThread = false
        /// Tasks that wait for a change.
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter: UInt64 = 0
    }

    let monitor = Monitor(State())
    private let limits: JournalConsumerLimits

    init(limits: JournalConsumerLimits) { self.limits = limits }

    /// Changes the state and wakes threads and tasks that wait.
    @discardableResult
    private func change<Result>(_ body: (inout State) -> Result) -> Result {
        monitor.change { state in
            let result = body(&state)
            Self.wakeTasks(&state)
            return result
        }
    }

    private static func wakeTasks(_ state: inout State) {
        for waiter in state.waiters.values { waiter.resume() }
        state.waiters = [:]
    }

    // MARK: - Life

    /// Begins a new life of the consumer and returns its number; the stream of the old one is cancelled.
    func begin(_ mode: JournalStartMode, full: Bool) -> Int {
        let (generation, old) = change { state in
            let old = state.stream
            if mode == .anew || state.generation == 0 {
                (state.queue, state.takenCount, state.history) = ([], 0, [])
                state.isReadingHistory = full
                state.cursors = [:]
            }
            state.generation += 1
            state.stream = nil
            state.problem = nil
            (state.isCancelled, state.isOver, state.isEndTold) = (false, false, false)
            return (state.generation, old)
        }
        old?.cancel()
        return generation
    }

    /// The stream of that start is open; false when nobody wants it any more.
    func attach(_ stream: any JournalResponseStream, _ generation: Int) -> Bool {
        let (isWanted, isCancelled) = change { state in
            guard state.generation == generation, !state.isClosed else { return (false, true) }
            state.stream = stream
            return (true, state.isCancelled)
        }
        if isCancelled { stream.cancel() }
        return isWanted
    }

    /// Cancels the stream; what was there by now is still delivered.
    func stop() {
        let stream = change { state in
            state.isCancelled = true
            return state.stream
        }
        stream?.cancel()
    }

    /// Ends the threads: the consumer is gone.
    func close() {
        let stream = change { state in
            state.isClosed = true
            state.callback = nil
            return state.stream
        }
        stream?.cancel()
    }

    // MARK: - From the stream

    /// Takes events in, in the present; waits while the queue is full. False when they are not wanted any more.
    func append(_ batch: ConsumerBatch<Event>, _ generation: Int) -> Bool {
        var rest = batch.events[...]
        while true {
            let isWanted = monitor.wait { state in
                guard state.generation == generation, !state.isClosed else { return false }
                // History goes in as a whole, and so may be more than there is room for.
                let room = max(0, limits.queueCount - (state.queue.count - state.takenCount))
                guard room > 0 || rest.isEmpty else { return nil }
                state.queue += rest.prefix(room)
                // In one with the queue, so that a start that continues leaves out none and repeats none.
                let last = room >= rest.count ? batch.lastSeq : rest.prefix(room).last?.seq
                if let last { state.cursors[batch.source] = last }
                rest = rest.dropFirst(room)
                Self.wakeTasks(&state)
                return true
            }
            guard isWanted == true else { return false }
            if rest.isEmpty { return true }
        }
    }

    /// Takes events in that are to be put in order when all of them are there.
    func gather(
        _ batch: ConsumerBatch<Event>, _ generation: Int
    ) throws(JournalConsumerError) {
        let fits = monitor.withLock { state in
            guard state.generation == generation else { return true }
            guard state.history.count + batch.events.count <= limits.historyCount else {
                return false
            }
            state.history += batch.events
            state.cursors[batch.source] = batch.lastSeq ?? 0
            return true
        }
        guard fits else { throw .historyTooLong(limit: limits.historyCount) }
    }

    /// The history that was gathered.
    func takeHistory(_ generation: Int) -> [Event] {
        monitor.withLock { state in
            guard state.generation == generation else { return [] }
            defer { state.history = [] }
            return state.history
        }
    }

    /// The end of history: its events, in order, and the sentinel if it is wanted. All at once, because they
    /// are there already.
    func endHistory(_ events: [Event], sentinel: Event?, _ generation: Int) {
        change { state in
            guard state.generation == generation else { return }
            state.isReadingHistory = false
            state.queue += events
            if let sentinel { state.queue.append(sentinel) }
        }
    }

    /// The stream of that start is over, with a reason or without.
    func finish(_ problem: (any Error)?, _ generation: Int) {
        change { state in
            guard state.generation == generation else { return }
            state.isOver = true
            state.problem = problem
            state.stream = nil
        }
    }

    // MARK: - To whoever takes events

    /// What comes next, where it is there already.
    static func take(_ state: inout State) -> JournalDelivery<Event>? {
        if state.takenCount < state.queue.count {
            let event = state.queue[state.takenCount]
            state.takenCount += 1
            // Now and then what was handed out is cleared away, at a cost that does not grow with the queue.
            if state.takenCount == state.queue.count {
                state.queue.removeAll(keepingCapacity: state.takenCount <= 1024)
                state.takenCount = 0
            } else if state.takenCount >= 1024, state.takenCount * 2 >= state.queue.count {
                state.queue.removeFirst(state.takenCount)
                state.takenCount = 0
            }
            return .event(event)
        }
        guard state.isOver, !state.isEndTold else { return nil }
        if let problem = state.problem {
            state.problem = nil
            return .failure(problem)
        }
        state.isEndTold = true
        return .end
    }

    /// As `take`, for one who asks when there is nothing to wait for.
    static func takeOrRefuse(
        _ state: inout State
    ) throws(JournalConsumerError) -> JournalDelivery<Event>? {
        guard state.generation > 0 else { throw .notStarted }
        if let delivery = take(&state) { return delivery }
        if state.isEndTold { throw .ended }
        return nil
    }

    /// Waits in a task for the next delivery.
    func next() async throws -> JournalDelivery<Event> {
        while true {
            try Task.checkCancellation()
            if let delivery = try monitor.change({ try Self.takeOrRefuse(&$0) }) {
                return delivery
            }
            let number = monitor.withLock { state in
                state.lastWaiter += 1
                return state.lastWaiter
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = monitor.withLock { state in
                        // Under the lock, so that a cancellation is seen here or finds the waiter.
                        let isReady =
                            Task.isCancelled || state.takenCount < state.queue.count
                            || state.isOver
                        if !isReady { state.waiters[number] = continuation }
                        return isReady
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                monitor.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
            }
        }
    }

    // MARK: - Callback

    /// Sets the callback, and starts the thread that calls it where there is none.
    func setCallback(_ callback: Callback?) {
        let needsThread = change { state in
            state.callback = callback
            guard callback != nil, !state.hasCallbackThread else { return false }
            state.hasCallbackThread = true
            return true
        }
        guard needsThread else { return }
        if DetachedThread.start({ self.callBack() }) != 0 {
            change { state in
                state.hasCallbackThread = false
                state.isOver = true
                state.problem = JournalConsumerError.unavailable("the system has no thread left")
            }
        }
    }

    private func callBack() {
        while true {
            let work = monitor.wait { state -> Work? in
                if state.isClosed { return .leave }
                guard state.generation > 0, let callback = state.callback,
                    let delivery = Self.take(&state)
                else { return nil }
                return .call(callback, delivery, state.generation)
            }
            guard case .call(let callback, let delivery, let generation)? = work else { return }
            do {
                switch delivery {
                case .event(let event): try callback(.success(event))
                case .failure(let problem): try callback(.failure(problem))
                case .end: try callback(.success(nil))
                }
            } catch {
                if case .event = delivery { fail("\(error)", generation) }
            }
        }
    }

    private enum Work {
        case leave
        case call(Callback, JournalDelivery<Event>, Int)
    }

    /// The callback threw over an event: it is told so, and gets nothing more but the end.
    private func fail(_ reason: String, _ generation: Int) {
        let stream = change { state -> (any JournalResponseStream)? in
            guard state.generation == generation else { return nil }
            (state.queue, state.takenCount, state.history) = ([], 0, [])
            state.isOver = true
            state.problem = JournalConsumerError.callbackFailed(reason)
            // What the stream still has belongs to a start that is over.
            state.generation += 1
            return state.stream.take()
        }
        stream?.cancel()
    }
}
