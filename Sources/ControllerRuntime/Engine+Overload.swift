internal import Journal
internal import NDArrays
internal import WorkerProtocol

extension Engine {
    // MARK: Frames of the source

    /// Accounts for frames that no first stage takes: they have no pixels and no entries.
    func passBy(_ arrival: IntakeFrame) {
        let reason: OverloadReason = arrival.overloaded.isEmpty ? .sample : .overload
        ledger.letGo(arrival.count, reason: reason)
        highestFrameId = max(highestFrameId, arrival.frameId + arrival.count - 1)
        lastClosedAt = now
        for place in firstStages.indices { passBy(arrival, place) }
    }

    /// Accounts for a frame, or several, that one first stage does not take.
    func passBy(_ arrival: IntakeFrame, _ place: Int) {
        let stage = stages[firstStages[place]]
        let isFull = arrival.overloaded.contains(StageSet(place: place))
        let reason: OverloadReason = isFull ? .overload : .sample
        var count = arrival.count
        if deliversReports || keepsLedger || resumption != nil {
            for offset in 0..<arrival.count {
                let key = FrameKey(frameId: arrival.frameId + offset)
                if resumption?.isClosed(key, stage: stage.index) == true {
                    count -= 1
                } else {
                    tellLetGo(key, arrival.frame.uniqueId &+ offset, stage, reason)
                }
            }
        }
        if count > 0 { self.count(arrival.frameId, count, by: stage, because: reason) }
    }

    // MARK: Waiting frames

    /// Puts a new frame of a stage with the others that wait, or lets it or the oldest of them go.
    func enqueueOrLetGo(_ place: Int) {
        let stage = stages[entries[place].stage]
        if stage.waits { return enqueue(place) }
        let decision = OverloadDecision(
            stage.overload, frameId: entries[place].key.frameId,
            hasRoom: hasRoom(stage, for: place), waits: false, hasOlder: true)
        switch decision {
        case .take, .wait: enqueue(place)
        case .replaceOldest:
            guard let oldest = takeOldest(of: stage, with: place) else {
                return close(place, .dropped, reason: OverloadReason.overload.rawValue)
            }
            close(oldest, .dropped, reason: OverloadReason.overload.rawValue)
            enqueue(place)
        case .drop(let reason): close(place, .dropped, reason: reason.rawValue)
        }
    }

    /// Whether a stage may have one more frame open. What a lost worker had counts as if it were with
    /// one: else it would take the room of frames that come.
    private func hasRoom(_ stage: Stage, for place: Int) -> Bool {
        guard case .hash(let attribute) = stage.configuration.policy else {
            return stage.waitingCount + stage.board.totalLoad
                < stage.maximumWaitingCount + stage.credit
        }
        // Every worker has its share, so that a slow one does not take the room of all.
        let worker = stage.workers[hash(place, attribute) % stage.workers.count]
        let share = max(1, stage.maximumWaitingCount / stage.workers.count)
        return worker.queue.count + stage.board.load(of: worker.placeInStage)
            < share + stage.configuration.inFlight
    }

    /// Takes the frame out of the queue that waits longest and was never with a worker.
    private func takeOldest(of stage: Stage, with place: Int) -> Int? {
        let fits: (Int) -> Bool = { !self.entries[$0].wasDispatched }
        let oldest: Int?
        if case .hash(let attribute) = stage.configuration.policy {
            let worker = stage.workers[hash(place, attribute) % stage.workers.count]
            oldest = worker.queue.removeFirst(where: fits)
        } else {
            oldest = stage.queue.removeFirst(where: fits)
        }
        if oldest != nil { stage.waitingCount -= 1 }
        return oldest
    }

    /// Whether a later stage does not want a new frame at all: then it gets no entry, only a count.
    func letGoAtOnce(_ key: FrameKey, uniqueId: UInt64, root: Int, by stage: Stage) -> Bool {
        guard case .sample = stage.overload,
            case .drop(let reason) = OverloadDecision(
                stage.overload, frameId: key.frameId, hasRoom: true, waits: stage.waits,
                hasOlder: false)
        else { return false }
        roots[root].outcome.conclude(.dropped, reason)
        tellLetGo(key, uniqueId, stage, reason)
        count(key.frameId, 1, by: stage, because: reason)
        return true
    }

    // MARK: Accounts

    private func count(
        _ frameId: UInt64, _ count: UInt64, by stage: Stage, because reason: OverloadReason
    ) {
        stage.ledger.letGo(count, reason: reason)
        note(frameId, count, by: stage, because: reason)
    }

    /// Notes for the journal what a policy let go.
    func note(
        _ frameId: UInt64, _ count: UInt64, by stage: Stage, because reason: OverloadReason
    ) {
        overloadNotes.add(
            stage: stage.index, reason: reason, frameId: frameId, count: count, now: now)
        if let dueAt = overloadNotes.dueAt { wake(at: dueAt) }
    }

    /// Tells the ledger and the embedding program of a frame that has no entry.
    private func tellLetGo(
        _ key: FrameKey, _ uniqueId: UInt64, _ stage: Stage, _ reason: OverloadReason
    ) {
        if keepsLedger {
            add(
                Closing(
                    key: key, uniqueId: uniqueId, stage: UInt16(stage.index), fate: .dropped,
                    overload: reason))
            // A flood is handed over in parts.
            if closings.count >= ClosingBatch.maximumCount { submitClosings() }
        }
        guard deliversReports else { return }
        jobs.append(
            .report(
                FrameReport(
                    key: key, uniqueId: uniqueId, stage: stage.name, outcome: .dropped,
                    reason: reason.rawValue, outputs: [])))
    }

    /// Writes into the journal what policies let go, where it is time; with `all` in any case.
    func recordOverload(all: Bool = false) {
        for note in overloadNotes.take(now: now, all: all) {
            record(
                "frames-dropped",
                [
                    "stage": .string(stages[note.stage].name),
                    "reason": .string(note.reason.rawValue), "count": .init(note.count),
                    "firstFrame": .init(note.firstFrameId), "lastFrame": .init(note.lastFrameId),
                ])
        }
    }
}
