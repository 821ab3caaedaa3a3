internal import Glibc
internal import Journal
internal import NDArrays
internal import Pipes
internal import Statistics
internal import Wire
internal import WorkerProtocol

extension Engine {
    /// Lines that a worker printed last, kept for the message when it dies.
    private static let maximumLastLines = 5
    /// Reads of 4 KiB of what a worker prints before the others get their turn; and when it has ended: as
    /// much as a pipe holds, and the end.
    private static let maximumErrorReadsInARow = 4
    private static let maximumLastErrorReads = 17
    /// Bytes of the log that may wait to be written.
    private static let maximumLogByteCount = 4 << 20

    // MARK: Spawning

    /// Starts a process in a worker's place and greets it.
    func spawn(_ worker: Worker) {
        let stage = stages[worker.stage]
        worker.machine = WorkerStateMachine(versions: ProtocolVersion.spoken)
        worker.finishedFrames = 0
        worker.startedRequestId = 0
        worker.answerCount = 0
        worker.fault = nil
        worker.lastLines = []
        do {
            let executable = try WorkerExecutable.resolve(stage.configuration.workerExecutable)
            try start(worker, stage: stage, executable: executable)
        } catch {
            couldNotSpawn(worker, reason: "\(error)")
        }
    }

    private func start(_ worker: Worker, stage: Stage, executable: String) throws {
        var shared: [Int32] = []
        var descriptions: [PoolDescription] = []
        for (pool, isWritable) in pools(of: stage) {
            guard let descriptor = pool.descriptor(isWritable: isWritable) else { continue }
            let number = Int(WorkerSpawn.firstSharedDescriptor) + shared.count
            shared.append(descriptor)
            descriptions.append(
                PoolDescription(
                    poolId: pool.poolId, descriptor: UInt32(number), isWritable: isWritable,
                    slotByteCount: UInt64(pool.slotByteCount), slotCount: UInt32(pool.slotCount)))
        }
        let hasStatusPage = configuration.plane == .shared
        let link = try system.spawn(
            WorkerSpawn(
                worker: worker.id, executable: executable, shared: shared,
                hasStatusPage: hasStatusPage))
        worker.processId = link.processId
        worker.process = WorkerProcess(link)
        worker.deadline = MonotonicClock.time(
            now, plus: stage.configuration.startTimeLimit.nanoseconds)
        wake(at: worker.deadline ?? now)
        record(
            "worker-spawn",
            [
                "worker": .init(worker.id), "stage": .string(stage.name),
                "processId": .init(worker.processId), "incarnation": .init(worker.incarnation),
                "executable": .string(executable),
            ])
        let statusDescriptor =
            hasStatusPage
            ? UInt32(WorkerSpawn.firstSharedDescriptor) + UInt32(shared.count)
            : Hello.noDescriptor
        send(.hello, to: worker) { writer in
            greeting(
                of: worker, stage: stage, pools: descriptions, statusDescriptor: statusDescriptor
            )
            .write(to: &writer)
        }
    }

    private func greeting(
        of worker: Worker, stage: Stage, pools: [PoolDescription], statusDescriptor: UInt32
    ) -> Hello {
        var capabilities: Capabilities = [.references, .stagedFiles, .wipedSlots]
        if configuration.plane == .shared { capabilities.formUnion([.sharedPools, .statusPage]) }
        if configuration.durability == .file { capabilities.insert(.syncedFiles) }
        return Hello(
            capabilities: capabilities, controllerProcessId: UInt32(getpid()), runId: runId,
            stageName: stage.name, workerId: UInt32(worker.id),
            incarnation: UInt32(worker.incarnation), wantsOutputs: stage.wantsOutputs,
            inputChannel: stage.configuration.from ?? information.name,
            outputChannel: stage.consumers.map { stages[$0].name }.joined(separator: ","),
            logLevel: configuration.logLevel, statusDescriptor: statusDescriptor, pools: pools,
            placeInStage: UInt32(worker.placeInStage))
    }

    private func couldNotSpawn(_ worker: Worker, reason: String) {
        worker.machine.abandon()
        lifeEnded(of: worker, cause: reason)
    }

    // MARK: Orders

    /// Tells a worker's state machine what happened and carries its orders out. `seenAt` is when that
    /// could first be seen where it was before this turn.
    func drive(_ worker: Worker, _ event: WorkerStateMachine.Event, seenAt: UInt64? = nil) {
        for action in worker.machine.handle(event) {
            noteFault(of: worker, action, after: event, seenAt: seenAt)
            carryOut(action, worker)
        }
    }

    private func carryOut(_ action: WorkerStateMachine.Action, _ worker: Worker) {
        let stage = stages[worker.stage]
        switch action {
        case .sendDescribe:
            request(.describe, .describe, of: worker) { _ in }
        case .sendStart:
            record(
                "worker-ready",
                ["worker": .init(worker.id), "processId": .init(worker.processId)])
            request(.start, .start, of: worker) { stage.startCommand.write(to: &$0) }
        case .open:
            worker.deadline = nil
            worker.heardAt = now
            worker.memorySeenAt = now
            worker.watch = WorkerWatch(startedAt: now)
            stage.board.open(worker.placeInStage)
            record("worker-start", ["worker": .init(worker.id), "stage": .string(stage.name)])
            introduce(worker, to: stage)
        case .sendStop:
            stage.board.close(worker.placeInStage)
            limitStop(of: worker)
            request(.stop, .stop, of: worker) { _ in }
        case .closeInput:
            limitStop(of: worker)
            closeInput(of: worker)
        case .kill:
            stage.board.close(worker.placeInStage)
            kill(worker)
        case .finish(let cause):
            stage.board.close(worker.placeInStage)
            lifeEnded(of: worker, cause: cause)
        }
    }

    private func limitStop(of worker: Worker) {
        worker.deadline = MonotonicClock.time(
            now, plus: stages[worker.stage].configuration.stopTimeLimit.nanoseconds)
        wake(at: worker.deadline ?? now)
    }

    private func closeInput(of worker: Worker) {
        guard let process = worker.process, process.inputIsOpen else { return }
        flush(worker)
        process.outgoing.abandon()
        process.inputIsOpen = false
        process.link.closeInput()
    }

    /// Ends a worker's process and what it started.
    func kill(_ worker: Worker) {
        guard let process = worker.process else { return }
        do {
            try process.link.kill()
        } catch {
            record(
                "worker-stop",
                ["worker": .init(worker.id), "problem": .string("it can't be killed: \(error)")])
        }
    }

    // MARK: Messages to workers

    /// Puts a message for a worker into its buffer.
    func send(
        _ type: MessageType, requestId: UInt64 = 0, to worker: Worker,
        _ write: (inout ByteWriter) -> Void
    ) {
        guard let process = worker.process, process.inputIsOpen else { return }
        process.writer.beginMessage(type: type.rawValue, requestId: requestId)
        write(&process.writer)
        do throws(WireError) {
            try process.writer.endMessage()
            markDirty(worker)
        } catch {
            drive(worker, .misbehaved("a message to it could not be made: \(error)"))
        }
    }

    /// Sends a command whose answer is awaited.
    func request(
        _ type: MessageType, _ kind: Pending, of worker: Worker, _ write: (inout ByteWriter) -> Void
    ) {
        lastRequestId += 1
        let requestId = Self.firstRequestId + lastRequestId
        pendingReplies[requestId] = PendingReply(
            worker: worker.id, incarnation: worker.incarnation, kind: kind, sentAt: now)
        send(type, requestId: requestId, to: worker, write)
    }

    /// Notes that a worker has bytes to be written at the end of the turn.
    func markDirty(_ worker: Worker) {
        guard !worker.isDirty else { return }
        worker.isDirty = true
        dirtyWorkers.append(worker.id)
    }

    /// Writes what was put into the buffers of all workers in this turn.
    func flushAll() {
        guard !dirtyWorkers.isEmpty else { return }
        for id in dirtyWorkers {
            workers[id].isDirty = false
            flush(workers[id])
        }
        dirtyWorkers.removeAll(keepingCapacity: true)
    }

    /// Writes as much as a worker's pipe takes; the poller tells when it takes more.
    func flush(_ worker: Worker) {
        guard let process = worker.process, process.inputIsOpen else { return }
        do throws(PipeError) {
            var result = FlushResult.drained
            if !process.writer.isEmpty {
                result =
                    try process.outgoing.send(process.writer.bytes, to: process.link)
                    ?? .closed
                process.writer.removeAll()
            } else {
                result = try process.outgoing.flush(to: process.link)
            }
            while process.outgoing.takeFinishedPayload() != nil {}
            let isWaiting = result == .wouldBlock
            if isWaiting != process.isWaitingToWrite {
                try process.link.watchInput(isWaiting)
                process.isWaitingToWrite = isWaiting
            }
            if result == .closed { noteClosedPipe("input", of: worker) }
        } catch {
            drive(worker, .misbehaved("its pipe can't be written: \(error)"))
        }
    }

    /// A worker closed a pipe: its end is expected soon, and is forced if it does not come.
    func noteClosedPipe(_ name: String, of worker: Worker) {
        guard worker.machine.state != .stopping, worker.closedPipe == nil else { return }
        worker.closedPipe = (name, now + Self.housekeepingPeriod)
        wake(at: now + Self.housekeepingPeriod)
    }

    /// The pipe to a worker has room again.
    func continueWriting(to worker: Worker) { flush(worker) }

    // MARK: The end of a process

    /// A process has ended: takes what it still said, collects it, and lets the state machine decide.
    func collect(_ worker: Worker) {
        guard let process = worker.process else { return }
        readOutput(of: worker, toTheEnd: true)
        readErrors(of: worker, toTheEnd: true)
        guard worker.process === process else { return }
        do {
            guard let status = try process.link.reap() else { return }
            drive(worker, .exited("\(status)"))
        } catch {
            drive(worker, .exited("could not be collected: \(error)"))
        }
    }

    /// Everything that follows from the end of a life: frames, answers, the next life.
    private func lifeEnded(of worker: Worker, cause: String?) {
        let stage = stages[worker.stage]
        let charged = entries.place(ofRequest: worker.fault?.requestId ?? 0)
            .flatMap { entries[$0].worker == worker.id ? $0 : nil }
        worker.process?.link.release()
        worker.process?.outgoing.abandon()
        worker.process = nil
        worker.deadline = nil
        worker.closedPipe = nil
        record(
            "worker-gone",
            [
                "worker": .init(worker.id), "stage": .string(stage.name),
                "processId": .init(worker.processId), "incarnation": .init(worker.incarnation),
                "cause": cause.map { .string($0) } ?? .null,
                "detectionSeconds": worker.fault.map { .init($0.detectionSeconds) } ?? .null,
                "charged": charged.map { .string("\(entries[$0].key)") } ?? .null,
                "attempts": charged.map { .init(entries[$0].attempt + 1) } ?? .null,
            ])
        accumulator.markGone(
            workerId: worker.id, incarnation: worker.incarnation, stage: stage.name)
        forgetReplies(of: worker)
        changeLost(
            worker, charged: worker.fault?.requestId ?? 0, cause: cause ?? "it has ended")
        if let cause, state == .starting { failStart(worker, cause: cause) }
        let isConviction = takeBackFrames(
            of: worker, charged: charged, cause: cause ?? "it has ended")
        worker.failures.add(
            finishedFrames: worker.finishedFrames, isConviction: isConviction,
            isHeld: stage.hold.isHeld)
        if state == .running || state == .draining { replace(worker, cause: cause ?? "it left") }
        nextHousekeeping = 0
    }

    private func failStart(_ worker: Worker, cause: String) {
        guard startFailure == nil else { return }
        let stage = stages[worker.stage]
        let code: ControllerError.Code = worker.startRefused ? .processor : .worker
        var reason = "stage \(stage.name): \(cause)"
        if code == .worker {
            let executable = stage.configuration.workerExecutable ?? "sluice-worker"
            reason = "worker \(executable) of stage \(stage.name) could not be started: \(cause)"
            if !worker.lastLines.isEmpty {
                reason += "; it printed: " + worker.lastLines.joined(separator: " | ")
            }
        }
        startFailure = ControllerError(code, reason)
        decide(.stageFailed, reason: reason, isImmediate: true)
    }

    private func replace(_ worker: Worker, cause: String) {
        guard ending?.isImmediate != true else { return }
        worker.incarnation += 1
        let stage = stages[worker.stage]
        let failures = worker.failures
        guard failures.worst < stage.configuration.maximumFruitlessLives else {
            let what =
                failures.lives >= failures.convictions
                ? "ended \(failures.lives) times without finishing a frame"
                : "lost \(failures.convictions) frames in a row to the quarantine"
            decide(
                .stageFailed,
                reason:
                    "stage \(stage.name) can't go on: worker \(worker.id) \(what), at last because "
                    + cause, isImmediate: true)
            return
        }
        let lives = failures.lives + failures.livesOnHold
        let doublings = UInt64(max(0, lives - 1))
        let backOff =
            lives == 0
            ? 0 : min(Self.maximumBackOff, Self.firstBackOff << min(doublings, 10))
        worker.respawnAt = now + backOff
    }

    private func forgetReplies(of worker: Worker) {
        // In the order of asking: what follows must not depend on the order of a dictionary.
        let owed = pendingReplies.filter { $0.value.worker == worker.id }
        for (requestId, pending) in owed.sorted(by: { $0.key < $1.key }) {
            pendingReplies[requestId] = nil
            switch pending.kind {
            case .getStats(let number): gathered(nil, from: worker, gathering: number)
            case .resetStatistics: resetAnswered(by: worker, .success)
            case .describe, .start, .stop, .prepare, .apply, .replay, .reapply, .acknowledgement,
                .ping:
                break
            }
        }
    }

    // MARK: What workers print

    /// Takes what a worker has printed, line by line. One that prints without end gets its turn as the
    /// others do; `toTheEnd` when its process has ended: then all that its pipe holds.
    func readErrors(of worker: Worker, toTheEnd: Bool = false) {
        guard let process = worker.process, !process.errorsEnded else { return }
        var chunk = [UInt8](repeating: 0, count: 4096)
        var text: [UInt8] = []
        let most = toTheEnd ? Self.maximumLastErrorReads : Self.maximumErrorReadsInARow
        for _ in 0..<most {
            var result = ReadResult.endOfFile
            do {
                result = try chunk.withUnsafeMutableBytes { try process.link.readErrors(into: $0) }
            } catch {
                result = .endOfFile
            }
            guard case .bytes(let count) = result else {
                if result == .endOfFile {
                    process.errorsEnded = true
                    process.link.endErrors()
                }
                break
            }
            for byte in chunk[..<count] {
                if byte == UInt8(ascii: "\n") || process.unfinishedLine.count >= 1 << 16 {
                    takeLine(process, worker, &text)
                } else {
                    process.unfinishedLine.append(byte)
                }
            }
        }
        let isOver = process.errorsEnded || toTheEnd
        if isOver, !process.unfinishedLine.isEmpty { takeLine(process, worker, &text) }
        log(text, process, worker, isOver: isOver)
    }

    private func takeLine(_ process: WorkerProcess, _ worker: Worker, _ text: inout [UInt8]) {
        let line = process.unfinishedLine
        process.unfinishedLine.removeAll(keepingCapacity: true)
        worker.lastLines.append(String(decoding: line, as: UTF8.self))
        if worker.lastLines.count > Self.maximumLastLines { worker.lastLines.removeFirst() }
        text += "[worker \(worker.id)] ".utf8
        text += line
        text.append(UInt8(ascii: "\n"))
    }

    /// Hands lines over to be written. Where too many wait already they are lost, and that is said in
    /// their place: no worker waits for its log, and memory has a bound.
    private func log(_ text: [UInt8], _ process: WorkerProcess, _ worker: Worker, isOver: Bool) {
        let hasRoom = committer.waitingLogByteCount < Self.maximumLogByteCount
        if !hasRoom { process.lostLogByteCount += text.count }
        if process.lostLogByteCount > 0, hasRoom || isOver {
            let note =
                "[worker \(worker.id)] (\(process.lostLogByteCount) bytes are missing here: they "
                + "came faster than the log could be written)\n"
            jobs.append(.log(Array(note.utf8)))
            process.lostLogByteCount = 0
        }
        if hasRoom, !text.isEmpty { jobs.append(.log(text)) }
    }
}
