internal import Journal
internal import NDArrays
internal import WorkerProtocol

extension Engine {
    /// Kind of drop for frames that a run leaves behind.
    var dropReason: String { ending?.end == .stageFailed ? "stage-failed" : "stopped" }

    /// Closes an entry with its outcome, frees what it held, and closes its source frame with the last
    /// of its entries. `isLeaf` is false when its outputs went on.
    func close(_ place: Int, _ fate: FrameFate, reason: String = "", isLeaf: Bool = true) {
        if entries[place].isRepeated { return closeRepeated(place, fate, reason) }
        let stage = stages[entries[place].stage]
        let kind = fate == .dropped ? reason : ""
        stage.ledger.close(
            fate, reason: kind, nanoseconds: now &- min(now, entries[place].acceptedAt))
        stage.bytesIn += entries[place].bytesIn
        stage.bytesOut += entries[place].bytesOut
        let overload = fate == .dropped ? OverloadReason(rawValue: reason) : nil
        if let overload {
            letGo(place, stage, overload)
        } else if fate > .processed {
            tell(place, fate, reason, stage)
        }
        if stage.hold.isHeld { frameEnded(place, fate, stage) }
        if fate > .processed, !entries[place].claims.isEmpty { removeClaims(of: place) }
        recordClosing(of: place, fate, overload)
        end(place, isLeaf ? fate : nil, overload)
    }

    /// Frees what an entry holds and its place, and closes its source frame with the last of its entries.
    /// `fate` nil: it says nothing about the source frame.
    func end(_ place: Int, _ fate: FrameFate?, _ overload: OverloadReason? = nil) {
        let stage = stages[entries[place].stage]
        if entries[place].isSuspect { stage.suspectCount -= 1 }
        stage.endedCount += 1
        release(entries[place].bytes)
        for slot in entries[place].leasedSlots { stage.outputPool?.release(slot) }
        let root = entries[place].root
        entries.close(place)
        if let fate { roots[root].outcome.conclude(fate, overload) }
        roots[root].openEntries -= 1
        guard roots[root].openEntries == 0 else { return }
        closeRoot(root)
    }

    /// Closes a source frame of which no entry is open.
    func closeRoot(_ root: Int) {
        let overload = roots[root].outcome.letGoBecause
        let fate = roots[root].outcome.fate
        ledger.close(
            fate, reason: fate == .dropped ? overload?.rawValue ?? dropReason : "",
            nanoseconds: now &- min(now, roots[root].acceptedAt))
        lastClosedAt = now
        roots.close(root)
    }

    /// Tells of an entry that its stage's policy let go: in the journal together with others.
    private func letGo(_ place: Int, _ stage: Stage, _ reason: OverloadReason) {
        note(entries[place].key.frameId, 1, by: stage, because: reason)
        guard deliversReports else { return }
        var report = report(place, .dropped)
        report.reason = reason.rawValue
        jobs.append(.report(report))
    }

    /// Records a frame that did not go through in ledger, journal and summary.
    private func tell(_ place: Int, _ fate: FrameFate, _ reason: String, _ stage: Stage) {
        let key = entries[place].key
        let frame = entries[place].frame
        if keepsLedger {
            jobs.append(
                .record(
                    .reason(
                        FrameReason(
                            key: key, stage: UInt16(stage.index), uniqueId: frame.uniqueId,
                            fate: fate, source: frame.sourceName, reason: reason))))
        }
        record(
            fate == .dropped ? "frame-dropped" : "frame-failed",
            [
                "frame": .string("\(key)"), "uniqueId": .init(frame.uniqueId),
                "stage": .string(stage.name), "outcome": .string(fate.name),
                "source": .string(frame.sourceName), "reason": .string(reason),
            ])
        if let result = entries[place].result, !result.files.isEmpty, fate == .dropped {
            jobs.append(.discard(files: result.files))
        }
        if failures.count < RunSummary.maximumFailureCount {
            failures.append(
                FrameFailure(
                    frame: "\(key)", uniqueId: frame.uniqueId, stage: stage.name,
                    outcome: fate.name, source: frame.sourceName, reason: reason))
        }
        if deliversReports {
            var report = report(place, FrameReport.Outcome(rawValue: fate.name) ?? .failed)
            report.reason = reason
            jobs.append(.report(report))
        }
    }

    /// What the embedding program is told of a frame, without outputs.
    func report(_ place: Int, _ outcome: FrameReport.Outcome) -> FrameReport {
        FrameReport(
            key: entries[place].key, uniqueId: entries[place].frame.uniqueId,
            stage: stages[entries[place].stage].name, outcome: outcome, reason: "", outputs: [])
    }

    // MARK: Slots

    /// One more holder of bytes.
    func retain(_ bytes: EntryBytes) {
        if case .slot(let poolId, let slot, _) = bytes { pool(poolId)?.retain(slot) }
    }

    /// One holder of bytes less; a free slot of the source goes back to it.
    func release(_ bytes: EntryBytes) {
        guard case .slot(let poolId, let slot, let byteCount) = bytes, let pool = pool(poolId),
            pool.release(slot, usedByteCount: byteCount), poolId == 0, let again = pool.take()
        else { return }
        freedSlots.append(again)
    }

    // MARK: Frames of lost workers

    /// Gives the frames of a worker that is gone to others. The one that it was processing (at the
    /// place `charged`, nil: none) is charged; after too many charges it is quarantined. Returns whether
    /// that was so now.
    func takeBackFrames(of worker: Worker, charged: Int?, cause: String) -> Bool {
        var isQuarantined = false
        var places: [Int] = []
        for place in 0..<entries.count
        where entries[place].isOpen && entries[place].worker == worker.id {
            places.append(place)
        }
        let stage = stages[worker.stage]
        for place in places.sorted(by: { entries[$0].key > entries[$1].key }) {
            for slot in entries[place].leasedSlots { stage.outputPool?.release(slot) }
            entries[place].leasedSlots = []
            entries[place].worker = Entry.noWorker
            stage.board.subtract(worker.placeInStage)
            if place == charged { entries[place].attempt += 1 }
            if worker.fault?.isAmbiguous == true { suspect(place) }
            if ending?.isImmediate == true || state == .stopping {
                close(place, .dropped, reason: dropReason)
            } else if entries[place].attempt >= stage.configuration.maximumAttempts {
                quarantine(place, cause: cause)
                if place == charged { isQuarantined = true }
            } else {
                recordRetry(of: place, from: worker, isCharged: place == charged)
                requeue(place)
            }
        }
        return isQuarantined
    }

    private func recordRetry(of place: Int, from worker: Worker, isCharged: Bool) {
        record(
            "frame-retried",
            [
                "frame": .string("\(entries[place].key)"),
                "uniqueId": .init(entries[place].frame.uniqueId),
                "stage": .string(stages[worker.stage].name), "worker": .init(worker.id),
                "charged": .bool(isCharged), "attempts": .init(entries[place].attempt),
            ])
    }

    /// Ends all open frames and all workers at once.
    func dropEverything() {
        keeper?.cancel()
        for stage in stages {
            while let place = stage.queue.popFirst() { drop(place, stage) }
            for worker in stage.workers {
                while let place = worker.queue.popFirst() { drop(place, stage) }
            }
        }
        killAll()
    }

    /// Ends all workers at once.
    func killAll() {
        for worker in workers where worker.process != nil && !worker.wasKilled {
            worker.wasKilled = true
            drive(worker, .stopRequested)
            kill(worker)
        }
    }

    private func drop(_ place: Int, _ stage: Stage) {
        stage.waitingCount -= 1
        close(place, .dropped, reason: dropReason)
    }
}
