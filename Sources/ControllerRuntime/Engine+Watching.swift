internal import Journal
internal import NDArrays
internal import WorkerProtocol

extension Engine {
    /// Looks at all workers that have started; returns when to look again.
    func keepWatch() -> UInt64 {
        noteDebts()
        var period = UInt64.max
        for worker in workers where worker.machine.state == .started {
            let stage = stages[worker.stage]
            period = min(period, stage.watchLimits.period)
            look(at: worker, stage)
        }
        return MonotonicClock.time(now, plus: min(period, Self.longestWatchPeriod))
    }

    /// Notes for every worker since when it owes answers.
    private func noteDebts() {
        for worker in workers { (worker.oldestDebt, worker.oldestChange) = (nil, nil) }
        for pending in pendingReplies.values {
            let worker = workers[pending.worker]
            let isChange: Bool
            switch pending.kind {
            case .describe, .start, .stop: continue
            case .ping, .getStats: isChange = false
            case .prepare, .apply, .replay, .reapply, .acknowledgement, .resetStatistics:
                isChange = true
            }
            worker.oldestDebt = min(worker.oldestDebt ?? .max, pending.sentAt)
            if isChange { worker.oldestChange = min(worker.oldestChange ?? .max, pending.sentAt) }
        }
    }

    private func look(at worker: Worker, _ stage: Stage) {
        if worker.process?.waiting != nil {
            // Nothing is read from it: the time until there is memory again is not its own.
            worker.watch = WorkerWatch(startedAt: now)
            return
        }
        let look = WorkerWatch.Look(
            now: now, frame: frameInHand(of: worker),
            inFlight: stage.board.load(of: worker.placeInStage), answerCount: worker.answerCount,
            heardAt: worker.heardAt, oldestDebt: worker.oldestDebt,
            oldestChange: worker.oldestChange)
        switch worker.watch.judge(look, by: stage.watchLimits) {
        case .well: checkMemory(of: worker, stage)
        case .ping: request(.ping, .ping, of: worker) { _ in }
        case .frameTooLong(let requestId, let since):
            let frame = entries.place(ofRequest: requestId).map { "\(entries[$0].key)" } ?? ""
            drive(
                worker,
                .misbehaved(
                    "it was busy with frame \(frame) for longer than the frame time limit of "
                        + limitText(stage.configuration.frameTimeLimit)), seenAt: since)
        case .stuck(let since):
            drive(
                worker,
                .misbehaved(
                    "it has frames but did nothing with them for longer than the frame time limit "
                        + "of " + limitText(stage.configuration.frameTimeLimit)), seenAt: since)
        case .silent(let since):
            drive(
                worker,
                .misbehaved(
                    "it did not answer within the response time limit of "
                        + limitText(stage.configuration.responseTimeLimit)), seenAt: since)
        }
    }

    private func limitText(_ limit: Duration?) -> String {
        limit.map { "\(Double($0.nanoseconds) / 1e9) s" } ?? "none"
    }

    /// The moment at which memory went over its limit is not known: it was after the look before.
    private func checkMemory(of worker: Worker, _ stage: Stage) {
        guard let limit = stage.configuration.memoryLimit else { return }
        guard let used = worker.process?.link.ownMemoryByteCount(),
            used > UInt64(limit)
        else {
            worker.memorySeenAt = now
            return
        }
        drive(
            worker,
            .misbehaved("it took \(used) bytes of memory, more than its memory limit of \(limit)"),
            seenAt: worker.memorySeenAt)
    }

    /// The frame that a worker is in user code with: from its status page, or from its last `started`
    /// message. What it says of frames that it does not have is nothing.
    func frameInHand(of worker: Worker) -> WorkerWatch.FrameInHand? {
        var frame = WorkerWatch.FrameInHand(
            requestId: worker.startedRequestId, startedAt: worker.startedAt)
        if let link = worker.process?.link,
            let requestId = link.statusWord(StatusPage.requestIdOffset),
            let startedAt = link.statusWord(StatusPage.startedOffset)
        {
            // Written last when a frame begins and first when it ends: the same before and after means
            // that the time belongs to it.
            if requestId != 0 {
                guard requestId == link.statusWord(StatusPage.requestIdOffset) else { return nil }
                frame = WorkerWatch.FrameInHand(requestId: requestId, startedAt: startedAt)
            }
        }
        guard frame.requestId != 0, let place = entries.place(ofRequest: frame.requestId),
            entries[place].worker == worker.id
        else { return nil }
        return frame
    }

    /// Takes the `started` message of a worker without a status page.
    func noteStarted(_ requestId: UInt64, by worker: Worker) {
        guard let place = entries.place(ofRequest: requestId), entries[place].worker == worker.id
        else {
            return drive(worker, .misbehaved("it began a frame that it does not have"))
        }
        worker.startedRequestId = requestId
        worker.startedAt = now
    }
}
