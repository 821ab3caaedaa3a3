internal import Journal
internal import WorkerProtocol

/// A stage whose files can't be written pauses and loses nothing: see `StageHold`.
extension Engine {
    /// Puts a frame back that its place could not take: before all others of its stage but those
    /// that came earlier, without charge, without its leases, with its first configuration.
    func hold(_ place: Int, reason: String) {
        let stage = stages[entries[place].stage]
        for slot in entries[place].leasedSlots { stage.outputPool?.release(slot) }
        entries[place].leasedSlots = []
        entries[place].resultPayload = nil
        entries[place].worker = Entry.noWorker
        // The committer has removed its files.
        (entries[place].bytesIn, entries[place].bytesOut) = (0, 0)
        entries[place].result = nil
        guard ending?.isImmediate != true, state == .running || state == .draining else {
            return close(place, .dropped, reason: dropReason)
        }
        entries[place].wasHeld = true
        enqueue(place, .inOrder)
        carryOut(stage.hold.frameHeld(place, reason: reason, at: now), stage)
        wakeForHold(of: stage)
    }

    /// Gives out a probe of a stage that is held, if it is time for one.
    func tryHeld(_ stage: Stage) {
        guard stage.hold.mayTry(at: now), mayDispatch(stage) else { return }
        switch stage.configuration.policy {
        case .leastLoaded:
            guard !stage.queue.isEmpty, let place = stage.board.leastLoaded() else { return }
            dispatchNext(from: &stage.queue, of: stage, to: stage.workers[place])
        case .roundRobin:
            guard !stage.queue.isEmpty, let place = stage.board.roundRobin() else { return }
            dispatchNext(from: &stage.queue, of: stage, to: stage.workers[place])
        case .hash:
            // A frame that was held before tells more than another one.
            let ready = stage.workers.filter {
                !$0.queue.isEmpty && stage.board.hasCredit($0.placeInStage)
            }
            let best = ready.first { worker in
                worker.queue.first.map { entries[$0].wasHeld } ?? false
            }
            guard let worker = best ?? ready.first else { return }
            dispatchNext(from: &worker.queue, of: stage, to: worker)
        }
    }

    /// A frame of a stage that is held comes to its end.
    func frameEnded(_ place: Int, _ fate: FrameFate, _ stage: Stage) {
        let wrote = entries[place].result?.files.isEmpty == false
        let isProof =
            switch fate {
            case .processed, .filtered, .failed: entries[place].wasHeld || wrote
            case .dropped, .quarantined: false
            }
        carryOut(stage.hold.frameEnded(place, isProof: isProof, at: now), stage)
    }

    /// Ends the run when a stage was held for too long; the next moment at which a stage that is
    /// held has to be looked at.
    func watchHolds() -> UInt64 {
        let limit = configuration.stallTimeLimit?.nanoseconds
        var next = UInt64.max
        for stage in stages {
            guard let stall = stage.hold.stall, let look = stage.hold.nextLook(limit: limit) else {
                continue
            }
            if let limit, let lasted = stage.hold.lasted(at: now), lasted >= limit {
                giveUp(stage, stall, nanoseconds: lasted)
                continue
            }
            // Without a worker that has credit a probe waits for it, and not for the clock.
            next = min(next, max(look, now + Self.housekeepingPeriod))
        }
        return next
    }

    private func giveUp(_ stage: Stage, _ stall: StageHold.Stall, nanoseconds: UInt64) {
        let seconds = (Double(nanoseconds) / 1e9).rounded()
        decide(
            .stageFailed,
            reason:
                "stage \(stage.name) was held for \(Int(seconds)) s, the most that stallTimeLimit "
                + "allows: \(stall.reason); make room or repair the folder, then go on with "
                + "sluice run --resume", isImmediate: true)
    }

    private func wakeForHold(of stage: Stage) {
        let limit = configuration.stallTimeLimit?.nanoseconds
        if let look = stage.hold.nextLook(limit: limit) { wake(at: look) }
    }

    private func carryOut(_ actions: [StageHold.Action], _ stage: Stage) {
        for action in actions {
            switch action {
            case .tellHeld(let reason):
                record(
                    "stage-held", ["stage": .string(stage.name), "reason": .string(reason)])
            case .tellResumed(let reason, let nanoseconds):
                record(
                    "stage-resumed",
                    [
                        "stage": .string(stage.name), "reason": .string(reason),
                        "heldSeconds": .double(Double(nanoseconds) / 1e9),
                    ])
            }
        }
    }
}
