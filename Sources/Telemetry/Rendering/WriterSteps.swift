/// What a writer does next: takes events and returns orders. It knows no thread and no clock; whoever drives
/// it carries the orders out in their order, of which the last one is the only one that may take long and
/// gives the next event.
struct WriterSteps {
    /// What it is at.
    enum State: Equatable {
        case waitingForChunk
        case connecting
        case sending
        /// Not before that time is the next attempt.
        case backingOff(until: Duration)
        case stopped
    }

    /// What happened.
    enum Event: Equatable {
        /// There is a chunk; whether the destination is connected.
        case chunk(isConnected: Bool)
        /// No chunk will come any more.
        case noChunk
        case connected
        case connectFailed
        case sent
        case sendFailed
        /// The destination will never take this chunk.
        case refused
        /// The wait is over, or was cut short.
        case waited
        /// Whoever owns the writer wants it to end.
        case stop
    }

    /// What is to be done.
    enum Action: Equatable {
        case takeChunk
        /// One attempt.
        case connect
        case send
        /// The chunk is the first of its queue again.
        case putBack
        /// The chunk is done with.
        case finishChunk
        case disconnect
        case wait(until: Duration)
        case end
    }

    private(set) var state = State.waitingForChunk
    private var timer: RetryTimer

    init(_ policy: RetryPolicy) { timer = RetryTimer(policy) }

    /// The first order.
    static let first: [Action] = [.takeChunk]

    mutating func handle(_ event: Event, at now: Duration) -> [Action] {
        switch (state, event) {
        case (.stopped, _): return [.end]
        case (.connecting, .stop), (.sending, .stop):
            state = .stopped
            return [.putBack, .disconnect, .end]
        case (_, .stop), (.waitingForChunk, .noChunk):
            state = .stopped
            return [.disconnect, .end]
        case (.waitingForChunk, .chunk(let isConnected)):
            state = isConnected ? .sending : .connecting
            return isConnected ? [.send] : [.connect]
        case (.connecting, .connected):
            state = .sending
            return [.send]
        case (.connecting, .connectFailed): return [.putBack, backOff(now)]
        case (.sending, .sendFailed): return [.disconnect, .putBack, backOff(now)]
        case (.sending, .sent), (.sending, .refused):
            timer.succeeded()
            state = .waitingForChunk
            return [.finishChunk, .takeChunk]
        case (.backingOff(let time), .waited):
            if now < time { return [.wait(until: time)] }
            state = .waitingForChunk
            return [.takeChunk]
        case (_, _):
            preconditionFailure("a writer that is \(state) cannot have \(event)")
        }
    }

    private mutating func backOff(_ now: Duration) -> Action {
        timer.failed(at: now, askedFor: nil)
        let time = timer.nextAttempt ?? now
        state = .backingOff(until: time)
        return .wait(until: time)
    }
}
