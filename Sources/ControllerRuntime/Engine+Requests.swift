internal import Journal
internal import NDArrays
internal import Statistics
internal import WorkerProtocol

/// A change of configuration that workers are validating.
struct ConfigureTransaction {
    var request: ConfigureRequest
    var command: ConfigureCommand
    var stage: Int
    /// Workers that have not answered.
    var outstanding: Int
    /// Why somebody refused.
    var failure: String?
}

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
        case .configure(let request):
            configureQueue.append(request)
            beginTransaction()
        case .resetStatistics(let completion): reset(completion)
        }
    }

    private var notGoing: ControllerError {
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

    // MARK: Configuration

    private func beginTransaction() {
        while transaction == nil, !configureQueue.isEmpty {
            let request = configureQueue.removeFirst()
            guard state == .running || state == .draining else {
                request.completion(.failure(notGoing))
                continue
            }
            do throws(ControllerError) {
                try validateByAll(request)
            } catch {
                request.completion(.failure(error))
            }
        }
    }

    private func validateByAll(_ request: ConfigureRequest) throws(ControllerError) {
        let (stage, index) = try find(request)
        let command = ConfigureCommand(
            version: stage.lastVersion + 1, baseVersion: stage.version, phase: .prepare,
            processorIndex: UInt32(index), changes: request.changes)
        let asked = stage.workers.filter { $0.machine.state == .started }
        guard !asked.isEmpty else {
            throw ControllerError(
                .state,
                "no worker of stage \(stage.name) is there to validate the change; try again")
        }
        transaction = ConfigureTransaction(
            request: request, command: command, stage: stage.index, outstanding: asked.count)
        for worker in asked {
            self.request(.configure, .prepare(version: command.version), of: worker) {
                command.write(to: &$0)
            }
        }
    }

    private func find(_ request: ConfigureRequest) throws(ControllerError) -> (Stage, Int) {
        var found: [(Stage, Int)] = []
        for stage in stages where request.stage == nil || stage.name == request.stage {
            for (index, processor) in stage.configuration.processors.enumerated()
            where processor.name == request.processor { found.append((stage, index)) }
        }
        if let only = found.first, found.count == 1 { return only }
        let names = stages.flatMap { stage in
            stage.configuration.processors.map { "\(stage.name).\($0.name)" }
        }
        let list = names.joined(separator: ", ")
        throw ControllerError(
            .configuration,
            found.isEmpty
                ? "the run has no processor \(request.processor)"
                    + "\(request.stage.map { " in stage \($0)" } ?? ""); it has \(list)"
                : "\(request.processor) stands in several places; name the stage, of \(list)")
    }

    /// A worker has validated the change, refused it, or died over it.
    func prepared(by worker: Worker, _ reply: Reply) {
        guard var current = transaction else { return }
        if case .failure(let failure) = reply, current.failure == nil {
            current.failure = failure.reason
        }
        current.outstanding -= 1
        transaction = current
        if current.outstanding == 0 { endTransaction(current) }
    }

    private func endTransaction(_ current: ConfigureTransaction) {
        let stage = stages[current.stage]
        transaction = nil
        defer { beginTransaction() }
        record(
            "configure",
            [
                "stage": .string(stage.name), "processor": .string(current.request.processor),
                "version": .init(current.command.version),
                "accepted": .bool(current.failure == nil),
                "reason": current.failure.map { .string($0) } ?? .null,
            ])
        if let failure = current.failure {
            var abandon = current.command
            abandon.phase = .abandon
            abandon.changes = Structure()
            for worker in stage.workers where worker.machine.state == .started {
                request(.configure, .acknowledgement, of: worker) { abandon.write(to: &$0) }
            }
            current.request.completion(.failure(ControllerError(.processor, failure)))
            return
        }
        // From here on every dispatch carries the new version: that is the frame boundary.
        stage.version = current.command.version
        stage.lastVersion = stage.version
        stage.changes.append(current.command)
        current.request.completion(.success(stage.version))
    }

    /// A worker has applied a version, or could not; then all go back to the version before.
    func configured(_ news: Configured, by worker: Worker) {
        guard let failure = news.failure else { return }
        let stage = stages[worker.stage]
        record(
            "configure",
            [
                "stage": .string(stage.name), "version": .init(news.version),
                "worker": .init(worker.id), "accepted": false, "reason": .string(failure.reason),
            ])
        guard stage.version >= news.version else { return }
        stage.changes.removeAll { $0.version >= news.version }
        stage.version = stage.changes.last?.version ?? Stage.firstVersion
        for place in 0..<entries.count
        where entries[place].isOpen && entries[place].stage == stage.index
            && entries[place].worker == Entry.noWorker
        { entries[place].configurationVersion = nil }
    }

    // MARK: Counters

    private func reset(_ completion: @escaping @Sendable (Result<Void, ControllerError>) -> Void) {
        guard state == .running || state == .draining else {
            return completion(.failure(notGoing))
        }
        guard resetsUnderWay == 0 else {
            resetWaiters.append(completion)
            return
        }
        resetWaiters.append(completion)
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

    /// A worker has reset its counters, or is gone.
    func resetAnswered() {
        guard resetsUnderWay > 0 else { return }
        resetsUnderWay -= 1
        if resetsUnderWay == 0 { endReset() }
    }

    private func endReset() {
        for waiter in resetWaiters { waiter(.success(())) }
        resetWaiters = []
    }
}
