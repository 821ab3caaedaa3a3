internal import NDArrays
internal import Pipes
internal import Wire
internal import WorkerProtocol

/// Outputs that come inside messages, within the memory of their stage.
extension Engine {
    /// Takes a result with a payload: now, when there is memory again, or without its payload where that
    /// is larger than all there is.
    func takeInline(
        _ payload: WaitingPayload, _ process: WorkerProcess, _ worker: Worker
    ) throws(WireError) {
        let memory = stages[worker.stage].inlineMemory
        guard payload.byteCount <= memory.limit else { return refuse(payload, worker, memory) }
        guard let buffer = memory.buffer(byteCount: payload.byteCount) else {
            // The worker waits in its pipe; frames that it has stay its own.
            process.waiting = payload
            watchOutput(of: worker, process, false)
            pausedWorkers.append(worker.id)
            return
        }
        let filled = process.decoder.takeBufferedPayload(into: buffer.bytes)
        if filled == payload.byteCount {
            try takeWhole(payload.result, buffer, requestId: payload.requestId, from: worker)
        } else {
            process.incoming = IncomingPayload(
                requestId: payload.requestId, result: payload.result, buffer: buffer,
                filled: filled)
        }
    }

    private func watchOutput(of worker: Worker, _ process: WorkerProcess, _ isWanted: Bool) {
        guard !process.outputEnded else { return }
        do throws(PipeError) {
            try process.link.watchOutput(isWanted)
        } catch {
            drive(worker, .misbehaved("its output can't be watched: \(error)"))
        }
    }

    /// The decoder passes over the payload, and the frame fails.
    private func refuse(_ payload: WaitingPayload, _ worker: Worker, _ memory: InlineMemory) {
        var result = payload.result
        if !result.files.isEmpty { jobs.append(.discard(files: result.files)) }
        result.files = []
        result.outputs = []
        result.outcome = .failed(
            processorIndex: FrameOutcome.beforeChain,
            reason:
                "its outputs have \(payload.byteCount) bytes without a slot, and the memory for such "
                + "outputs of the stage is \(memory.limit) bytes; allow more (memory.maximumBytes, "
                + "--memory) or larger slots (outputSlotBytes)")
        take(result, nil, requestId: payload.requestId, from: worker)
    }

    /// Reads on from workers whose results had to wait, where memory was freed.
    func resumePaused() {
        guard !pausedWorkers.isEmpty else { return }
        let paused = pausedWorkers
        pausedWorkers = []
        for id in paused {
            let worker = workers[id]
            guard let process = worker.process, let payload = process.waiting else { continue }
            let memory = stages[worker.stage].inlineMemory
            guard payload.byteCount <= memory.limit - memory.byteCount else {
                pausedWorkers.append(id)
                continue
            }
            process.waiting = nil
            watchOutput(of: worker, process, true)
            do {
                try takeInline(payload, process, worker)
                try takeMessages(process, worker)
            } catch {
                outputFailed(error, process, worker)
            }
        }
    }
}
