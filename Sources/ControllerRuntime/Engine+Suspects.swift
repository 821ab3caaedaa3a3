internal import WorkerProtocol

/// Why a worker has to go, or is gone.
struct WorkerFault: Equatable, Sendable {
    /// When it could first be seen: the first sign, or the moment at which a limit was passed.
    var seenAt: UInt64
    /// When it was established what it is.
    var establishedAt: UInt64
    /// Request id of the frame to be charged, 0 for none.
    var requestId: UInt64
    /// Whether one of its frames may be the cause, and nobody knows which.
    var isAmbiguous: Bool

    /// Seconds from the first sign to certainty.
    var detectionSeconds: Double {
        Double(establishedAt - min(seenAt, establishedAt)) / 1e9
    }
}

/// Which frame is to blame for the loss of a worker.
///
/// The frame in user code is charged. But a worker that sent something wrong, or closed its pipe, may
/// have gone on to other frames, and results that it had not sent yet are lost: then any of the frames
/// that it has begun may be the cause. Nobody is charged on suspicion; those frames become suspects, and
/// as long as a stage has suspects its workers get one frame at a time, so that the next time it is clear.
extension Engine {
    /// Notes when and at which frame a fault was established, where the orders of the state machine say
    /// that there is one.
    func noteFault(
        of worker: Worker, _ action: WorkerStateMachine.Action,
        after event: WorkerStateMachine.Event, seenAt: UInt64?
    ) {
        guard worker.fault == nil else { return }
        switch action {
        case .kill, .finish(cause: .some):
            // A process that dies closes its pipes a moment before it can be collected.
            let closedAt = worker.closedPipe.map { $0.deadline - Self.housekeepingPeriod }
            let blame = blame(of: worker, after: event, isOverLimit: seenAt != nil)
            worker.fault = WorkerFault(
                seenAt: seenAt ?? min(closedAt ?? now, now), establishedAt: system.now(),
                requestId: blame.requestId, isAmbiguous: blame.isAmbiguous)
        case .sendDescribe, .sendStart, .open, .sendStop, .closeInput, .finish(cause: nil): break
        }
    }

    private func blame(
        of worker: Worker, after event: WorkerStateMachine.Event, isOverLimit: Bool
    ) -> (requestId: UInt64, isAmbiguous: Bool) {
        let inHand = frameInHand(of: worker)?.requestId
        let begun = worker.process?.link.statusWord(StatusPage.begunOffset) ?? 0
        // A `started` message comes in the order of the results: what it says is certain.
        guard !isOverLimit, begun > 0 else { return (inHand ?? 0, false) }
        let unanswered = begun - min(begun, worker.finishedFrames)
        if let inHand {
            if case .exited = event { return (inHand, false) }
            if unanswered == 1 { return (inHand, false) }
        } else if unanswered == 0 {
            return (0, false)
        }
        if unanswered == 1, let only = onlySuspect(of: worker) { return (only, false) }
        return (0, true)
    }

    /// The request id of the frame that a worker has, if it is one only and was suspected before.
    private func onlySuspect(of worker: Worker) -> UInt64? {
        let board = stages[worker.stage].board
        guard board.load(of: worker.placeInStage) == 1 else { return nil }
        let place = (0..<entries.count).first {
            entries[$0].isOpen && entries[$0].worker == worker.id
        }
        return place.flatMap { entries[$0].isSuspect ? entries.requestId(of: $0) : nil }
    }

    /// A frame may be the cause of a loss.
    func suspect(_ place: Int) {
        guard !entries[place].isSuspect else { return }
        entries[place].isSuspect = true
        stages[entries[place].stage].suspectCount += 1
    }

    /// Gives one frame to each worker that has none.
    func dispatchSingly(_ stage: Stage) {
        switch stage.configuration.policy {
        case .leastLoaded, .roundRobin:
            while !stage.queue.isEmpty, mayDispatch(stage), let place = stage.board.leastLoaded(),
                stage.board.load(of: place) == 0
            { dispatchNext(from: &stage.queue, of: stage, to: stage.workers[place]) }
        case .hash:
            for worker in stage.workers where stage.board.hasCredit(worker.placeInStage) {
                guard !worker.queue.isEmpty, stage.board.load(of: worker.placeInStage) == 0,
                    mayDispatch(stage)
                else { continue }
                dispatchNext(from: &worker.queue, of: stage, to: worker)
            }
        }
    }
}
