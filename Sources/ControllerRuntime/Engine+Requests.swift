internal import Journal
internal import Statistics
internal import WorkerProtocol

extension Engine {
    /// Carries out what another thread wants.
    func handle(_ request: EngineRequest) {
        switch request {
        case .stop(let now):
            decide(
                now ? .stopped : .drained,
                reason: now ? "stopped at once on request" : "stopped on request",
                isImmediate: now)
        case .started(let completion):
            startWaiters.append(completion)
            if state != .starting { answerStartWaiters() }
        case .status(let completion): completion(status())
        case .statistics(let completion):
            guard state == .running || state == .draining else {
                return completion(.failure(notGoing))
            }
            gather(for: completion)
        case .configure(let request): configure(request)
        case .resetStatistics(let completion): reset(completion)
        }
    }

    var notGoing: ControllerError {
        ControllerError(
            .state, "the run is \(state.rawValue); it takes this only while it is running")
    }

    /// Tells those who wait for the start that it has happened, or why it can't.
    func answerStartWaiters() {
        let result: Result<Void, ControllerError> =
            state == .running ? .success(()) : .failure(startFailure ?? notGoing)
        for waiter in startWaiters { waiter(result) }
        startWaiters = []
    }

    // MARK: Counters

    private func reset(_ completion: @escaping @Sendable (Result<Void, ControllerError>) -> Void) {
        guard state == .running || state == .draining else {
            return completion(.failure(notGoing))
        }
        resetWaiters.append(completion)
        guard resetsUnderWay == 0 else { return }
        resetFailure = nil
        accumulator.reset(atNanoseconds: now)
        lastStatistics = nil
        record("stats-reset", [:])
        let asked = workers.filter { $0.machine.state == .started }
        resetsUnderWay = asked.count
        for worker in asked {
            worker.busyNanoseconds = 0
            request(.resetStats, .resetStatistics, of: worker) { _ in }
        }
        if asked.isEmpty { endReset() }
    }

    /// A worker has reset its counters, or could not. One that is gone has: its next process counts from
    /// zero.
    func resetAnswered(by worker: Worker, _ reply: Reply) {
        guard resetsUnderWay > 0 else { return }
        if case .failure(let failure) = reply, resetFailure == nil {
            resetFailure = ControllerError(.processor, "\(worker.name): \(failure.reason)")
        }
        resetsUnderWay -= 1
        if resetsUnderWay == 0 { endReset() }
    }

    private func endReset() {
        let result: Result<Void, ControllerError> =
            resetFailure.map { .failure($0) } ?? .success(())
        let waiters = resetWaiters
        resetWaiters = []
        for waiter in waiters { waiter(result) }
    }
}
