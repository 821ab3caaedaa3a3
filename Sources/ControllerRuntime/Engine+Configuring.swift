internal import Journal
internal import NDArrays
internal import Wire
internal import WorkerProtocol

/// A change of configuration that is under way, and what its orders need.
struct ConfigureUnderWay {
    var transaction = ConfigureTransaction()
    /// Tells the answers to this one from those to an earlier one.
    let serial: UInt64
    let request: ConfigureRequest
    let command: ConfigureCommand
    /// Place of the stage.
    let stage: Int
    /// By worker: the frames that it had when it was asked, by request id. While one of them is without
    /// a result, the worker has not come to what it was asked.
    var ahead: [Int: [UInt64]] = [:]
}

extension Engine {
    /// Changes that may wait for the one before: more is a program that does not wait for answers.
    private static let maximumWaitingChanges = 256

    // MARK: Beginning

    /// Takes a change that somebody wants; one after the other.
    func configure(_ request: ConfigureRequest) {
        guard configureQueue.count < Self.maximumWaitingChanges else {
            return request.completion(
                .failure(
                    ControllerError(
                        .state,
                        "\(configureQueue.count) changes wait already; wait for an answer first")))
        }
        configureQueue.append(request)
        beginNextChange()
    }

    private func beginNextChange() {
        while changeUnderWay == nil, !configureQueue.isEmpty {
            let request = configureQueue.removeFirst()
            do throws(ControllerError) {
                try begin(request)
            } catch {
                request.completion(.failure(error))
            }
        }
    }

    private func begin(_ request: ConfigureRequest) throws(ControllerError) {
        guard takesChanges else { throw notGoing }
        if let stall = committer.stall {
            // A change that the ledger does not have would be gone for those who take the run up.
            throw ControllerError(
                .state, "\(stall); nothing was changed, ask again when there is room")
        }
        let (stage, index) = try find(request)
        let command = ConfigureCommand(
            version: stage.lastVersion + 1, baseVersion: stage.version, phase: .prepare,
            processorIndex: UInt32(index), changes: request.changes)
        try checkSize(of: command)
        changeCount += 1
        changeUnderWay = ConfigureUnderWay(
            serial: changeCount, request: request, command: command, stage: stage.index)
        for worker in stage.workers where worker.machine.state == .started {
            drive(.joined(worker.id))
        }
    }

    private var takesChanges: Bool {
        (state == .running || state == .draining) && ending?.isImmediate != true
    }

    /// A change that no message can carry is the fault of who asks, not of the workers.
    private func checkSize(of command: ConfigureCommand) throws(ControllerError) {
        var writer = ByteWriter()
        writer.beginMessage(type: MessageType.configure.rawValue, requestId: 1)
        command.write(to: &writer)
        do throws(WireError) {
            try writer.endMessage()
        } catch {
            throw ControllerError(.configuration, "the change can't be sent to workers: \(error)")
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

    // MARK: Events

    /// Tells the change under way what happened and carries its orders out.
    private func drive(_ event: ConfigureTransaction.Event) {
        guard var current = changeUnderWay else { return }
        let actions = current.transaction.handle(event)
        changeUnderWay = current
        for action in actions { carryOut(action, current) }
    }

    /// A worker has started: it gets the changes since the beginning of the run, and takes part in the
    /// one that is under way.
    func introduce(_ worker: Worker, to stage: Stage) {
        worker.changeFailure = nil
        for change in stage.changes {
            request(.configure, .replay, of: worker) { change.write(to: &$0) }
        }
        let current = changeUnderWay.flatMap { $0.stage == stage.index ? $0 : nil }
        if !stage.changes.isEmpty, current?.transaction.phase != .applying {
            sendApply(of: stage.version, to: worker, .reapply)
        }
        if current != nil { drive(.joined(worker.id)) }
    }

    /// A worker has validated a change or refused it.
    func prepared(by worker: Worker, change serial: UInt64, _ reply: Reply) {
        guard changeUnderWay?.serial == serial else { return }
        switch reply {
        case .success: drive(.validated(worker.id))
        case .failure(let failure): drive(.refused(worker.id, failure.reason))
        }
    }

    /// A worker has applied a change, or could not.
    func applied(by worker: Worker, change serial: UInt64, _ reply: Reply) {
        guard changeUnderWay?.serial == serial else { return }
        switch reply {
        case .success: drive(.applied(worker.id))
        case .failure(let failure):
            drive(.applyFailed(worker.id, failure.reason + (worker.changeFailure ?? "")))
        }
    }

    /// A new worker has prepared an accepted change, or could not. What counts is whether it gets to the
    /// last one; this says why not.
    func replayed(by worker: Worker, _ reply: Reply) {
        guard case .failure(let failure) = reply, worker.changeFailure == nil else { return }
        worker.changeFailure = ": " + failure.reason
    }

    /// A worker was brought to a version that the others have. One that can't get there is of no use, as
    /// one whose processors do not start.
    func reapplied(by worker: Worker, _ reply: Reply) {
        guard case .failure(let failure) = reply else { return }
        drive(
            worker,
            .misbehaved(
                "it can't be given the present configuration: \(failure.reason)"
                    + (worker.changeFailure ?? "")))
    }

    /// A worker says unasked that a frame brought it to a version, or could not.
    func configured(_ news: Configured, by worker: Worker) {
        guard let failure = news.failure, let current = changeUnderWay,
            current.stage == worker.stage, current.command.version == news.version
        else { return }
        drive(.applyFailed(worker.id, failure.reason))
    }

    /// Whether a worker can have this version: one of before, or that of the change under way.
    func isSent(_ version: UInt64, to worker: Worker) -> Bool {
        let current = changeUnderWay.flatMap { $0.stage == worker.stage ? $0 : nil }
        return version <= stages[worker.stage].lastVersion || version == current?.command.version
    }

    /// A worker's process has ended; its frames are still its own. `charged` is the dispatch that it was
    /// processing, as far as known.
    func changeLost(_ worker: Worker, charged: UInt64, cause: String) {
        guard let current = changeUnderWay, current.stage == worker.stage else { return }
        let stillHas = { (requestId: UInt64) in
            self.entries.place(ofRequest: requestId)
                .map { self.entries[$0].worker == worker.id } ?? false
        }
        let ahead = current.ahead[worker.id] ?? []
        let wasAtIt = !stillHas(charged) && !ahead.contains(where: stillHas)
        let verb = current.transaction.phase == .validating ? "validate" : "apply"
        drive(
            .gone(
                worker.id, wasAtIt: wasAtIt,
                "\(worker.name) ended when it was to \(verb) the change: \(cause)"))
    }

    /// Nobody will carry a change out any more: tells all who wait for one.
    func endChanges() {
        let reason =
            "the run ended before all workers had agreed to the change; nothing has changed"
        let waiting = configureQueue
        configureQueue = []
        if let current = changeUnderWay, current.transaction.phase == .applying {
            // Nobody can say any more which workers have it, but of each frame it is written down.
            drive(
                .runEnding(
                    "the run ended after the change was accepted and before all workers had applied "
                        + "it; frames handed out since then may have version "
                        + "\(current.command.version): sluice ledger tells of each"))
        } else {
            drive(.runEnding(reason))
        }
        for request in waiting { request.completion(.failure(ControllerError(.state, reason))) }
    }

    // MARK: Orders

    private func carryOut(_ action: ConfigureTransaction.Action, _ current: ConfigureUnderWay) {
        let stage = stages[current.stage]
        switch action {
        case .sendPrepare(let id):
            noteFramesAhead(of: id)
            send(current.command, .prepare, to: workers[id], .prepare(change: current.serial))
        case .sendApply(let id):
            noteFramesAhead(of: id)
            guard workers[id].protocolVersion >= ProtocolVersion.firstWithApply else {
                // It applies the version when the first frame of it comes, and can't be asked before.
                return drive(.applied(id))
            }
            sendApply(
                of: current.command.version, to: workers[id], .apply(change: current.serial))
        case .sendAbandon(let id):
            send(current.command, .abandon, to: workers[id], .acknowledgement)
        case .sendBack(let id):
            sendApply(of: stage.version, to: workers[id], .reapply)
            send(current.command, .abandon, to: workers[id], .acknowledgement)
        case .publish: changeAccepted(current.command, stage)
        case .takeBack(let reason): changeTakenBack(current.command, stage, reason: reason)
        case .complete(let failure): complete(current, failure)
        }
    }

    private func complete(_ current: ConfigureUnderWay, _ failure: String?) {
        let stage = stages[current.stage]
        changeUnderWay = nil
        if let failure {
            if stage.lastVersion < current.command.version {
                recordChange(current.command, "refused", in: stage, reason: failure)
            }
            let code: ControllerError.Code = takesChanges ? .processor : .state
            current.request.completion(.failure(ControllerError(code, failure)))
        } else {
            recordChange(current.command, "applied", in: stage)
            current.request.completion(.success(current.command.version))
        }
        beginNextChange()
    }

    private func noteFramesAhead(of worker: Int) {
        changeUnderWay?.ahead[worker] = (0..<entries.count).compactMap { place in
            entries[place].isOpen && entries[place].worker == worker
                ? entries.requestId(of: place) : nil
        }
    }

    private func sendApply(of version: UInt64, to worker: Worker, _ kind: Pending) {
        guard worker.protocolVersion >= ProtocolVersion.firstWithApply else { return }
        let command = ConfigureCommand(
            version: version, baseVersion: version, phase: .apply, processorIndex: 0)
        send(command, .apply, to: worker, kind)
    }

    /// Sends one step; a worker that is about to end gets nothing more, and its end is told.
    private func send(
        _ command: ConfigureCommand, _ phase: ConfigureCommand.Phase, to worker: Worker,
        _ kind: Pending
    ) {
        guard worker.machine.state == .started else { return }
        var step = command
        step.phase = phase
        if phase != .prepare { step.changes = Structure() }
        request(.configure, kind, of: worker) { step.write(to: &$0) }
    }

    // MARK: Versions

    /// A change becomes valid: from here on every dispatch of the stage carries its version.
    func changeAccepted(_ change: ConfigureCommand, _ stage: Stage) {
        stage.accept(change)
        if keepsLedger { jobs.append(.record(.change(stage: UInt16(stage.index), change))) }
        recordChange(change, "accepted", in: stage)
    }

    /// A change was taken back: the version before is valid again, and frames that nobody has are stamped
    /// anew. Those that a worker has are when they come back.
    func changeTakenBack(_ change: ConfigureCommand, _ stage: Stage, reason: String) {
        stage.takeBack(change)
        if keepsLedger {
            let version = change.version
            jobs.append(.record(.changeTakenBack(stage: UInt16(stage.index), version: version)))
        }
        recordChange(change, "taken-back", in: stage, reason: reason)
        for place in 0..<entries.count
        where entries[place].isOpen && entries[place].stage == stage.index
            && entries[place].worker == Entry.noWorker && entries[place].result == nil
            && entries[place].configurationVersion == change.version
        { entries[place].configurationVersion = nil }
    }

    /// A worker has not touched a frame, because it does not have the frame's configuration: one that was
    /// taken back, or an old one. The frame gets the present one.
    func takeReturned(_ place: Int, reason: String, from worker: Worker) {
        let stage = stages[worker.stage]
        let version = entries[place].configurationVersion
        let key = entries[place].key
        entries[place].configurationVersion = nil
        requeue(place)
        let isApplying =
            changeUnderWay?.stage == stage.index
            && changeUnderWay?.transaction.phase == .applying
        guard version == stage.version, !isApplying else { return }
        drive(
            worker,
            .misbehaved("it gave frame \(key) back, which has the present configuration: \(reason)")
        )
    }

    private func recordChange(
        _ change: ConfigureCommand, _ step: String, in stage: Stage, reason: String? = nil
    ) {
        let processor = stage.configuration.processors[safely: Int(change.processorIndex)]
        record(
            "configure",
            [
                "stage": .string(stage.name), "processor": .string(processor?.name ?? ""),
                "version": .init(change.version), "step": .string(step),
                "reason": reason.map { .string($0) } ?? .null,
            ])
    }
}
