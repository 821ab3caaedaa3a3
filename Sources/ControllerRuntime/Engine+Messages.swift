internal import Journal
internal import NDArrays
internal import Pipes
internal import Statistics
internal import Wire
internal import WorkerProtocol

extension Engine {
    /// Reads from one worker in a row before the others get their turn: 16 × 64 KiB.
    private static let maximumReadsInARow = 16

    /// Takes messages of a worker; `toTheEnd` when its process has ended and no more will come.
    func readOutput(of worker: Worker, toTheEnd: Bool = false) {
        guard let process = worker.process, !process.outputEnded, process.waiting == nil else {
            return
        }
        var reads = 0
        do {
            while toTheEnd || reads < Self.maximumReadsInARow {
                reads += 1
                let (result, wasFull) =
                    process.incoming == nil ? try fill(process) : try readPayload(process, worker)
                switch result {
                case .bytes:
                    try takeMessages(process, worker)
                    if worker.process !== process || process.waiting != nil { return }
                    if !(wasFull || toTheEnd) { return }
                case .wouldBlock: return
                case .endOfFile:
                    outputEnded(process, worker)
                    return
                }
            }
        } catch {
            outputFailed(error, process, worker)
        }
    }

    /// Reads no more from a worker whose output makes no sense or can't be had.
    func outputFailed(_ error: any Error, _ process: WorkerProcess, _ worker: Worker) {
        endOutput(process)
        guard let error = error as? WireError else {
            return drive(worker, .misbehaved("its output can't be read: \(error)"))
        }
        let hint = worker.machine.state == .spawned ? "; is it a Sluice worker?" : ""
        drive(worker, .misbehaved("it sent what is no message: \(error)\(hint)"))
    }

    private func fill(_ process: WorkerProcess) throws(PipeError) -> (ReadResult, wasFull: Bool) {
        var result = ReadResult.wouldBlock
        var wasFull = false
        _ = try process.decoder.withWritableSpace { (space) throws(PipeError) -> Int in
            result = try process.link.read(into: space)
            guard case .bytes(let count) = result else { return 0 }
            wasFull = count == space.count
            return count
        }
        return (result, wasFull)
    }

    private func readPayload(
        _ process: WorkerProcess, _ worker: Worker
    ) throws -> (ReadResult, wasFull: Bool) {
        guard let incoming = process.incoming else { return (.wouldBlock, false) }
        let rest = UnsafeMutableRawBufferPointer(
            rebasing: incoming.buffer.bytes[incoming.filled...])
        let result = try process.link.read(into: rest)
        if case .bytes(let count) = result {
            process.decoder.didReadPayload(byteCount: count)
            process.incoming?.filled += count
            if count == rest.count {
                process.incoming = nil
                try takeWhole(
                    incoming.result, incoming.buffer, requestId: incoming.requestId, from: worker)
            }
        }
        return (result, true)
    }

    /// Takes a result whose payload is there to its end.
    func takeWhole(
        _ result: FrameResult, _ buffer: InlineBuffer, requestId: UInt64, from worker: Worker
    ) throws(WireError) {
        try PayloadChecksum.check(
            UnsafeRawBufferPointer(buffer.bytes), against: result.payloadChecksum)
        take(result, buffer, requestId: requestId, from: worker)
    }

    private func outputEnded(_ process: WorkerProcess, _ worker: Worker) {
        endOutput(process)
        noteClosedPipe("output", of: worker)
    }

    private func endOutput(_ process: WorkerProcess) {
        guard !process.outputEnded else { return }
        process.outputEnded = true
        process.link.endOutput()
    }

    func takeMessages(_ process: WorkerProcess, _ worker: Worker) throws {
        guard process.incoming == nil, process.waiting == nil else { return }
        while let message = try process.decoder.next() {
            try take(message, process, worker)
            if process.incoming != nil || process.waiting != nil || worker.process !== process {
                return
            }
        }
    }

    private func take(_ message: WireMessage, _ process: WorkerProcess, _ worker: Worker) throws {
        var reader = message.reader
        let requestId = message.header.requestId
        worker.heardAt = now
        switch MessageType(rawValue: message.header.messageType) {
        case .result:
            let result = try FrameResult(from: &reader)
            let byteCount = Int(message.header.payloadByteCount)
            guard byteCount > 0 else {
                return take(result, nil, requestId: requestId, from: worker)
            }
            try takeInline(
                WaitingPayload(requestId: requestId, result: result, byteCount: byteCount), process,
                worker)
        case .welcome:
            greeted(by: worker, try Welcome(from: &reader))
        case .started: noteStarted(try Started(from: &reader).requestId, by: worker)
        case .configured:
            let news = try Configured(from: &reader)
            guard isSent(news.version, to: worker) else {
                return drive(
                    worker, .misbehaved("it applied a configuration that it was never sent"))
            }
            configured(news, by: worker)
        case .staging: staged(in: try Staging(from: &reader).folder, by: worker)
        case .description, .reply, .statistics:
            try takeAnswer(message, requestId: requestId, worker)
        case .hello, .describe, .start, .configure, .process, .getStats, .resetStats, .stop, .ping,
            nil:
            drive(
                worker,
                .misbehaved(
                    "it sent a message of type \(message.header.messageType), which no worker sends"
                ))
        }
    }

    /// A worker is about to stage files in a folder: it is known before there is one, so that none is left
    /// there whatever becomes of the worker.
    private func staged(in folder: String, by worker: Worker) {
        guard folder.hasPrefix("/") else {
            return drive(
                worker,
                .misbehaved("it told of files in \(folder), which is not a whole path from /"))
        }
        jobs.append(.staging(folder: folder))
    }

    private func greeted(by worker: Worker, _ welcome: Welcome) {
        worker.capabilities = welcome.capabilities
        worker.protocolVersion = welcome.version
        if welcome.capabilities.contains(.wipedSlots) { keepSecret(worker) }
        let needsReferences =
            firstStages.contains(worker.stage) && information.slotByteCount == 0
        if needsReferences && !welcome.capabilities.contains(.references) {
            return drive(
                worker,
                .misbehaved(
                    "it can't read files itself, as the source \(information.name) asks; put a stage "
                        + "of sluice-worker before it"))
        }
        drive(worker, .welcomed(version: welcome.version))
    }

    /// What a worker gets and gives lies in its stage's output slots and in those of all stages before it, for
    /// an unchanged frame is handed on where it is; and it comes through this process, too.
    private func keepSecret(_ worker: Worker) {
        var stage: Stage? = stages[worker.stage]
        while let current = stage {
            wipe(current.outputPool)
            let from = current.configuration.from
            stage = from.flatMap { name in stages.first { $0.name == name } }
        }
        wipe(sourcePool)
        guard !keepsSecrets else { return }
        keepsSecrets = true
        if !system.forbidDumps() {
            record(
                "core-dumps-allowed",
                [
                    "worker": .init(worker.id),
                    "problem": .string(
                        "core dumps of the controller can't be turned off, and may hold pixels of "
                            + "frames that are to be encrypted"),
                ])
        }
    }

    private func wipe(_ pool: SlotPool?) {
        if let pool, !pool.wipesFreedSlots { pool.wipesFreedSlots = true }
    }

    /// An answer is taken only for a request that waits; a late one is dropped, and one to what was
    /// never asked is not forgiven.
    private func takeAnswer(_ message: WireMessage, requestId: UInt64, _ worker: Worker) throws {
        guard let pending = pendingReplies[requestId], pending.worker == worker.id,
            pending.incarnation == worker.incarnation
        else { return try takeUnexpectedAnswer(message, requestId: requestId, worker) }
        pendingReplies[requestId] = nil
        var reader = message.reader
        switch (MessageType(rawValue: message.header.messageType), pending.kind) {
        case (.description, .describe):
            let processors = try ProcessorDescription.read(from: &reader)
            describe(processors, stages[worker.stage])
            drive(worker, .described)
        case (.statistics, .getStats(let number)):
            gathered(try WorkerSnapshot(from: &reader), from: worker, gathering: number)
        case (.reply, let kind):
            answered(try Reply(from: &reader), kind, worker)
        default:
            drive(worker, .misbehaved("it answered a request with something else"))
        }
    }

    private func takeUnexpectedAnswer(
        _ message: WireMessage, requestId: UInt64, _ worker: Worker
    ) throws {
        var reader = message.reader
        if requestId == 0, worker.machine.state == .spawned,
            message.header.messageType == MessageType.reply.rawValue,
            case .failure(let failure) = try Reply(from: &reader)
        {
            return drive(worker, .misbehaved("it refused the greeting: \(failure.reason)"))
        }
        if requestId <= Self.firstRequestId || requestId > Self.firstRequestId + lastRequestId {
            drive(worker, .misbehaved("it answered a request that was never sent"))
        }
    }

    private func answered(_ reply: Reply, _ kind: Pending, _ worker: Worker) {
        switch kind {
        case .start:
            switch reply {
            case .success: drive(worker, .startAnswered(failure: nil))
            case .failure(let failure):
                worker.startRefused = true
                drive(worker, .startAnswered(failure: failure.reason))
            }
        case .stop:
            if case .failure(let failure) = reply { stopFailed(worker, failure.reason) }
            drive(worker, .stopAnswered)
        case .prepare(let change): prepared(by: worker, change: change, reply)
        case .apply(let change): applied(by: worker, change: change, reply)
        case .replay: replayed(by: worker, reply)
        case .reapply: reapplied(by: worker, reply)
        case .resetStatistics: resetAnswered(by: worker, reply)
        case .acknowledgement, .ping: break
        case .getStats(let number):
            guard case .failure(let failure) = reply else {
                return drive(worker, .misbehaved("it answered a request with something else"))
            }
            jobs.append(
                .log(Array("[worker \(worker.id)] no statistics: \(failure.reason)\n".utf8)))
            gathered(nil, from: worker, gathering: number)
        case .describe:
            guard case .failure(let failure) = reply else {
                return drive(worker, .misbehaved("it answered a request with something else"))
            }
            drive(worker, .misbehaved("it can't say what it offers: \(failure.reason)"))
        }
    }

    /// A stop hook threw: the worker leaves all the same.
    private func stopFailed(_ worker: Worker, _ reason: String) {
        record(
            "worker-stop", ["worker": .init(worker.id), "problem": .string(reason)])
    }

    /// How many slots a frame of this stage leases: as many as its processors may need.
    private func describe(_ processors: [ProcessorDescription], _ stage: Stage) {
        guard let pool = stage.outputPool else { return }
        var count = 1
        for wanted in stage.configuration.processors {
            guard let found = processors.first(where: { $0.name == wanted.name }) else { continue }
            count *= max(1, Int(found.maximumOutputCount))
        }
        let affordable = max(1, pool.slotCount / stage.configuration.workerCount)
        stage.leaseCount = min(count, affordable, FrameKey.maximumOutputCount)
    }
}
