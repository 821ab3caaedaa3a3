internal import Journal
internal import NDArrays
internal import Pipes
internal import Wire
internal import WorkerProtocol

extension Engine {
    // MARK: Acceptance

    /// Takes the frames that the source has ready; true when there may be more at once.
    func takeArrivals() -> Bool {
        guard sourceIsRunning else { return false }
        for place in closedOf.indices {
            let stage = stages[firstStages[place]]
            closedOf[place] = stage.endedCount
            roomOf[place] = stage.credit + stage.maximumWaitingCount - stage.board.totalLoad
        }
        let delivery = intake.exchange(
            &arrivals, freedSlots: &freedSlots, closed: ledger.closed, closedOf: closedOf,
            roomOf: roomOf, backlog: backlog)
        for arrival in arrivals { accept(arrival) }
        let isLast = arrivals.isEmpty
        arrivals.removeAll(keepingCapacity: true)
        if delivery.hasEnded && !sourceHasEnded && isLast {
            sourceHasEnded = true
            if let failure = delivery.failure {
                decide(
                    .sourceFailed, reason: "the source \(information.name) can't go on: \(failure)",
                    isImmediate: false)
            }
            advance()
        }
        // Where enough frames wait, the next ones can wait for the next result.
        return !isLast && (backlog < 0 || intake.looksAlways)
    }

    /// Frames that wait for the first stages beyond what their workers could take now: of the
    /// stage that wants most. Frames for one certain worker do not keep another one busy.
    private var backlog: Int {
        firstStages.reduce(Int.max) { least, index in
            let stage = stages[index]
            let free = stage.board.freeCredit
            if case .hash = stage.configuration.policy, free > 0 { return min(least, -free) }
            return min(least, stage.waitingCount - free)
        }
    }

    private func accept(_ arrival: IntakeFrame) {
        if arrival.taken.isEmpty { return passBy(arrival) }
        if firstAcceptedAt == nil { firstAcceptedAt = arrival.acceptedAt }
        ledger.open()
        highestFrameId = max(highestFrameId, arrival.frameId)
        let root = roots.open(frameId: arrival.frameId, acceptedAt: arrival.acceptedAt)
        // Stages that an earlier life has done with do not get it again.
        let wanted = wantedStages(of: arrival.frameId, root: root)
        let isResumed = resumption != nil
        roots[root].openEntries =
            isResumed ? wanted.count { takes(arrival, $0) } : arrival.taken.count
        var bytes = EntryBytes.none
        if let slot = arrival.slot {
            bytes = .slot(pool: 0, slot: slot, byteCount: Int(arrival.frame.byteCount))
        }
        var isFirst = true
        for (position, stage) in firstStages.enumerated() {
            guard arrival.taken.contains(StageSet(place: position)) else {
                passBy(arrival, position)
                continue
            }
            guard !isResumed || wanted.contains(stage) else {
                stages[stage].endedCount += 1
                continue
            }
            if !isFirst { retain(bytes) }
            isFirst = false
            let place = open(
                key: FrameKey(frameId: arrival.frameId), stage: stages[stage], root: root,
                frame: arrival.frame, bytes: bytes, acceptedAt: arrival.acceptedAt)
            if ending?.isImmediate == true {
                close(place, .dropped, reason: dropReason)
            } else if let failure = arrival.failure {
                close(place, .failed, reason: failure)
            } else {
                enqueueOrLetGo(place)
            }
        }
        if isFirst {
            release(bytes)
            closeRoot(root)
        }
    }

    private func takes(_ arrival: IntakeFrame, _ stage: Int) -> Bool {
        firstStages.firstIndex(of: stage).map { arrival.taken.contains(StageSet(place: $0)) }
            ?? false
    }

    /// Opens the entry of a frame in a stage. One that an earlier life has closed is in the account.
    func open(
        key: FrameKey, stage: Stage, root: Int, frame: FrameDescriptor, bytes: EntryBytes,
        acceptedAt: UInt64
    ) -> Int {
        let isRepeated = resumption?.isClosed(key, stage: stage.index) ?? false
        if !isRepeated { stage.ledger.open() }
        let place = entries.open()
        entries[place].isRepeated = isRepeated
        entries[place].key = key
        entries[place].stage = stage.index
        entries[place].root = root
        entries[place].acceptedAt = acceptedAt
        entries[place].frame = frame
        entries[place].bytes = bytes
        return place
    }

    // MARK: Dispatch

    /// Puts a frame that a lost worker had before all others of its stage. It keeps its version, unless
    /// that was taken back in the meantime.
    func requeue(_ place: Int) {
        if let version = entries[place].configurationVersion,
            !stages[entries[place].stage].isValid(version)
        {
            entries[place].configurationVersion = nil
        }
        enqueue(place, .first)
    }

    /// Where a frame goes in a queue.
    enum QueuePlace {
        case last
        case first
        /// Before all but those at the front that were accepted earlier.
        case inOrder
    }

    /// Puts a frame into the queue of its stage, or of the worker that it belongs to.
    func enqueue(_ place: Int, _ position: QueuePlace = .last) {
        let stage = stages[entries[place].stage]
        stage.waitingCount += 1
        if stage.hold.isHeld, position == .first { stage.hold.frameReturned(place) }
        guard case .hash(let attribute) = stage.configuration.policy else {
            return put(place, position, into: &stage.queue)
        }
        let worker = stage.workers[hash(place, attribute) % stage.workers.count]
        put(place, position, into: &worker.queue)
    }

    private func put(_ place: Int, _ position: QueuePlace, into queue: inout IndexQueue) {
        switch position {
        case .last: queue.append(place)
        case .first: queue.prepend(place)
        case .inOrder:
            let key = entries[place].key
            queue.insert(place) { entries[$0].key < key }
        }
    }

    func hash(_ place: Int, _ attribute: String?) -> Int {
        guard let attribute else {
            return Int(truncatingIfNeeded: entries[place].key.frameId &- 1) & Int.max
        }
        // FNV-1a (Fowler, Noll, Vo; 64 bit): the same on every machine and in every run.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        let text = entries[place].frame.attributes[attribute]?.value?.description ?? ""
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash >> 1)
    }

    /// Gives waiting frames to workers that have credit, in all stages.
    func dispatchAll() {
        guard state == .running || state == .draining, ending?.isImmediate != true, !isBehind
        else { return }
        for stage in stages where stage.waitingCount > 0 { dispatch(stage) }
    }

    private func dispatch(_ stage: Stage) {
        if stage.hold.isHeld { return tryHeld(stage) }
        if stage.suspectCount > 0 { return dispatchSingly(stage) }
        switch stage.configuration.policy {
        case .leastLoaded:
            while !stage.queue.isEmpty, mayDispatch(stage), let place = stage.board.leastLoaded() {
                dispatchNext(from: &stage.queue, of: stage, to: stage.workers[place])
            }
        case .roundRobin:
            while !stage.queue.isEmpty, mayDispatch(stage), let place = stage.board.roundRobin() {
                dispatchNext(from: &stage.queue, of: stage, to: stage.workers[place])
            }
        case .hash:
            for worker in stage.workers {
                while !worker.queue.isEmpty, mayDispatch(stage),
                    stage.board.hasCredit(worker.placeInStage)
                { dispatchNext(from: &worker.queue, of: stage, to: worker) }
            }
        }
    }

    /// Whether there are output slots for one more frame, and the stages behind are not flooded.
    func mayDispatch(_ stage: Stage) -> Bool {
        if let pool = stage.outputPool, pool.freeCount < stage.leaseCount { return false }
        return stage.consumers.allSatisfy {
            !stages[$0].waits || stages[$0].waitingCount < stages[$0].maximumWaitingCount
        }
    }

    /// Gives the first frame of a queue to a worker.
    func dispatchNext(from queue: inout IndexQueue, of stage: Stage, to worker: Worker) {
        guard let place = queue.popFirst(), let process = worker.process else { return }
        stage.waitingCount -= 1
        if stage.hold.isHeld { stage.hold.tried(place) }
        if stage.leaseCount > 0, let pool = stage.outputPool {
            for _ in 0..<stage.leaseCount {
                if let slot = pool.take() { entries[place].leasedSlots.append(slot) }
            }
        }
        let version = entries[place].configurationVersion ?? stage.version
        entries[place].configurationVersion = version
        entries[place].worker = Int32(worker.id)
        entries[place].lastWorker = Int32(worker.id)
        entries[place].wasDispatched = true
        stage.board.add(worker.placeInStage)
        let inline = inlineBytes(
            of: place, mapsPools: worker.capabilities.contains(.sharedPools))
        process.writer.beginMessage(
            type: MessageType.process.rawValue, requestId: entries.requestId(of: place))
        var frame = entries[place].frame
        if let inline { frame.location = .inline(byteOffset: 0, byteCount: UInt64(inline.count)) }
        ProcessCommand(
            key: entries[place].key, configurationVersion: version,
            attempt: entries[place].attempt, leasedSlots: entries[place].leasedSlots, frame: frame,
            payloadChecksum: checksum(of: inline, for: worker)
        ).write(to: &process.writer)
        do throws(WireError) {
            try process.writer.endMessage(payloadByteCount: inline?.count ?? 0)
        } catch {
            stage.board.subtract(worker.placeInStage)
            close(place, .failed, reason: "it can't be sent to a worker: \(error)")
            // No worker will answer for it: the source is told in the next turn.
            wake(at: now)
            return
        }
        markDirty(worker)
        if let inline { appendPayload(inline, process) }
    }

    private func checksum(of payload: UnsafeRawBufferPointer?, for worker: Worker) -> UInt32? {
        guard let payload, !payload.isEmpty,
            worker.protocolVersion >= ProtocolVersion.firstWithPayloadChecksum
        else { return nil }
        return PayloadChecksum.of(payload)
    }

    /// The bytes that go inside the message; nil when the worker finds them in a pool or a file.
    func inlineBytes(of place: Int, mapsPools: Bool) -> UnsafeRawBufferPointer? {
        switch entries[place].bytes {
        case .none: return nil
        case .slot(let poolId, let slot, let byteCount):
            guard let pool = pool(poolId), !(pool.isShared && mapsPools) else { return nil }
            return UnsafeRawBufferPointer(rebasing: pool.bytes(of: slot)[..<byteCount])
        case .inline(let buffer, let byteOffset, let byteCount):
            return UnsafeRawBufferPointer(
                rebasing: buffer.bytes[byteOffset..<byteOffset + byteCount])
        }
    }

    /// Bytes before a payload go ahead of it. The pipe's buffer has room: the worker's credit bounds
    /// what is on its way.
    private func appendPayload(_ bytes: UnsafeRawBufferPointer, _ process: WorkerProcess) {
        let hadRoom = process.outgoing.append(process.writer.bytes)
        process.writer.removeAll()
        precondition(hadRoom && process.outgoing.appendPayload(bytes, token: 0))
    }

    // MARK: Results

    /// Takes the answer to a dispatch.
    func take(
        _ result: FrameResult, _ payload: InlineBuffer?, requestId: UInt64, from worker: Worker
    ) {
        guard let place = entries.place(ofRequest: requestId), entries[place].worker == worker.id
        else {
            return drive(worker, .misbehaved("it answered for a frame that it does not have"))
        }
        let stage = stages[worker.stage]
        if let problem = settleLeases(place, result, payload, stage) {
            return drive(worker, .misbehaved("its result can't be: \(problem)"))
        }
        stage.board.subtract(worker.placeInStage)
        // A frame that comes again has the same request id, and was not begun then.
        if worker.startedRequestId == requestId { worker.startedRequestId = 0 }
        entries[place].worker = Entry.noWorker
        entries[place].frame.uniqueId = result.uniqueId
        worker.finishedFrames += 1
        worker.answerCount += 1
        switch result.outcome {
        case .processed, .filtered:
            note(result.bytesIn, result.bytesOut, place)
            finish(place, result, payload, stage)
        case .failed(let index, let reason):
            note(result.bytesIn, 0, place)
            let name =
                stage.configuration.processors[safely: Int(index)].map { $0.name + ": " } ?? ""
            close(place, .failed, reason: reason.hasPrefix(name) ? reason : name + reason)
        case .returned(let reason):
            worker.finishedFrames -= 1
            takeReturned(place, reason: reason, from: worker)
        case .held(let reason): hold(place, reason: reason)
        }
    }

    /// Notes the bytes of a frame, which count when it is closed: one that comes again because its place
    /// could not take its files counts once, and those that an earlier life has counted do not.
    private func note(_ bytesIn: UInt64, _ bytesOut: UInt64, _ place: Int) {
        guard !entries[place].isRepeated else { return }
        entries[place].bytesIn = bytesIn
        entries[place].bytesOut = bytesOut
    }

    /// Frees the leased slots that no output uses; returns what is wrong with the outputs, if anything.
    private func settleLeases(
        _ place: Int, _ result: FrameResult, _ payload: InlineBuffer?, _ stage: Stage
    ) -> String? {
        if entries[place].leasedSlots.isEmpty && result.outputs.isEmpty { return nil }
        var leased = entries[place].leasedSlots
        for output in result.outputs {
            switch output.location {
            case .slot(let poolId, let slot, let byteCount):
                guard let pool = stage.outputPool, poolId == pool.poolId,
                    let position = leased.firstIndex(of: slot)
                else {
                    return "slot \(slot) of pool \(poolId) was not leased to it, or is named twice"
                }
                guard byteCount <= UInt64(pool.slotByteCount) else {
                    return "\(byteCount) bytes in a slot of \(pool.slotByteCount)"
                }
                leased.remove(at: position)
            case .inline(let offset, let byteCount):
                let (end, overflow) = offset.addingReportingOverflow(byteCount)
                guard !overflow, end <= UInt64(payload?.bytes.count ?? 0) else {
                    return "an inline output beyond the end of its payload"
                }
            case .reference: return "an output by reference"
            case .sameAsInput: break
            }
        }
        for slot in leased { stage.outputPool?.release(slot) }
        entries[place].leasedSlots.removeAll { leased.contains($0) }
        return nil
    }

    private func finish(
        _ place: Int, _ result: FrameResult, _ payload: InlineBuffer?, _ stage: Stage
    ) {
        entries[place].outputCount =
            stage.consumers.isEmpty ? result.outputCount : UInt32(result.outputs.count)
        guard
            result.outputs.isEmpty || stage.consumers.isEmpty
                || entries[place].key.child(result.outputs.count - 1) != nil
        else {
            jobs.append(.discard(files: result.files))
            return close(
                place, .failed,
                reason: "it is too deep in the pipeline: more than \(FrameKey.maximumDepth) stages "
                    + "behind each other")
        }
        if let refusal = enter(result.claims, of: place) {
            if !result.files.isEmpty { jobs.append(.discard(files: result.files)) }
            return close(place, .failed, reason: refusal)
        }
        if entries[place].isRepeated {
            // Its files were committed before.
            if !result.files.isEmpty { jobs.append(.discard(files: result.files)) }
            return complete(place, result, payload, stage)
        }
        let mustReport = deliversReports && stage.consumers.isEmpty
        guard !result.files.isEmpty || (mustReport && !result.outputs.isEmpty) else {
            return complete(place, result, payload, stage)
        }
        var report: FrameReport?
        var outputs: [OutputBytes] = []
        if mustReport {
            report = self.report(place, result.outcome == .filtered ? .filtered : .processed)
            outputs = result.outputs.map { output in
                OutputBytes(frame: output, bytes: bytes(of: output, place, payload))
            }
        }
        entries[place].result = result
        entries[place].resultPayload = payload
        commitsUnderWay += 1
        jobs.append(
            .commit(
                CommitRequest(
                    place: place, closing: commitClosing(place, result), files: result.files,
                    report: report, outputs: outputs)))
    }

    /// Takes what the committer has done.
    func takeCommits() {
        guard commitsUnderWay > 0 else { return }
        for outcome in committer.takeOutcomes() {
            commitsUnderWay -= 1
            if let reason = outcome.held {
                hold(outcome.place, reason: reason)
                continue
            }
            let stage = stages[entries[outcome.place].stage]
            stage.fileCount += UInt64(outcome.fileCount)
            if let failure = outcome.failure {
                close(outcome.place, .failed, reason: failure)
            } else if let result = entries[outcome.place].result {
                entries[outcome.place].isRecorded = outcome.fileCount > 0
                complete(outcome.place, result, entries[outcome.place].resultPayload, stage)
            }
        }
    }

    /// Hands the outputs of a finished frame on and closes its entry.
    private func complete(
        _ place: Int, _ result: FrameResult, _ payload: InlineBuffer?, _ stage: Stage
    ) {
        if !entries[place].isRepeated { stage.outputCount += UInt64(entries[place].outputCount) }
        let fate: FrameFate = result.outcome == .filtered ? .filtered : .processed
        if stage.outputsMayBeLetGo && !entries[place].isRepeated {
            // In the ledger a parent stands before its children, and those may end here.
            recordClosing(of: place, fate)
            entries[place].isRecorded = true
        }
        for consumer in stage.consumers {
            for (index, output) in result.outputs.enumerated() {
                guard let key = entries[place].key.child(index),
                    isWanted(key, stage: consumer, outputOf: place, index)
                else { continue }
                handOn(output, key: key, from: place, payload, to: stages[consumer])
            }
        }
        let isLeaf = stage.consumers.isEmpty || result.outputs.isEmpty
        let isReported = deliversReports && stage.consumers.isEmpty && result.outputs.isEmpty
        if isReported && result.files.isEmpty {
            jobs.append(.report(report(place, fate == .filtered ? .filtered : .processed)))
        }
        close(place, fate, isLeaf: isLeaf)
    }

    private func handOn(
        _ output: FrameDescriptor, key: FrameKey, from place: Int, _ payload: InlineBuffer?,
        to stage: Stage
    ) {
        if letGoAtOnce(key, uniqueId: output.uniqueId, root: entries[place].root, by: stage) {
            return
        }
        var frame = output
        let bytes: EntryBytes
        switch output.location {
        case .slot(let pool, let slot, let byteCount):
            bytes = .slot(pool: pool, slot: slot, byteCount: Int(byteCount))
        case .inline(let byteOffset, let byteCount):
            bytes =
                payload.map {
                    .inline($0, byteOffset: Int(byteOffset), byteCount: Int(byteCount))
                } ?? .none
        case .sameAsInput, .reference:
            bytes = entries[place].bytes
            frame.location = entries[place].frame.location
        }
        retain(bytes)
        let root = entries[place].root
        roots[root].openEntries += 1
        let child = open(
            key: key, stage: stage, root: root, frame: frame, bytes: bytes, acceptedAt: now)
        enqueueOrLetGo(child)
    }

    private func bytes(
        of output: FrameDescriptor, _ place: Int, _ payload: InlineBuffer?
    ) -> UnsafeRawBufferPointer {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        switch output.location {
        case .slot(let poolId, let slot, let byteCount):
            return pool(poolId).map {
                UnsafeRawBufferPointer(rebasing: $0.bytes(of: slot)[..<Int(byteCount)])
            } ?? empty
        case .inline(let offset, let byteCount):
            return payload.map {
                UnsafeRawBufferPointer(rebasing: $0.bytes[Int(offset)..<Int(offset + byteCount)])
            } ?? empty
        case .sameAsInput:
            return inlineBytes(of: place, mapsPools: false) ?? empty
        case .reference: return empty
        }
    }
}

extension Array {
    /// The element at `index`, nil outside.
    subscript(safely index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
