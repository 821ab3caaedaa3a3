internal import DataProcessing
internal import Glibc
internal import Pipes
internal import Wire
internal import WorkerProtocol

extension ServeLoop {
    /// Writes the result of the frame at hand, and what its configuration came to; under the lock.
    mutating func finishFrame(_ core: inout WorkerCore) throws(WorkerEnding) {
        isFrameDone = false
        if let news {
            core.writer.beginMessage(type: MessageType.configured.rawValue, requestId: 0)
            news.withinLimit.write(to: &core.writer)
            core.endMessage()
            self.news = nil
        }
        defer { chain?.finish() }
        settleFiles()
        parts.removeAll(keepingCapacity: true)
        let payloadByteCount = describeOutputs()
        if let fault = faultOfResult {
            return failUnsendable("an output can't be sent: \(fault)", &core)
        }
        core.writer.beginMessage(type: MessageType.result.rawValue, requestId: requestId)
        result.write(to: &core.writer)
        do throws(WireError) {
            try core.writer.endMessage(payloadByteCount: payloadByteCount)
        } catch {
            return failUnsendable("the outputs: \(error)", &core)
        }
        if payloadByteCount > 0 { try flushWithPayload(&core) }
    }

    /// Staged files go with the result; those of a frame that failed, or comes again, are removed before
    /// it is told.
    private mutating func settleFiles() {
        takeClaims()
        switch result.outcome {
        case .processed, .filtered:
            for file in staging.take() {
                result.files.append(
                    StagedFile(
                        stagedPath: file.stagedPath, finalPath: file.finalPath,
                        byteCount: UInt64(file.byteCount), checksum: file.checksum,
                        mayReplace: file.overwrite))
            }
        case .failed, .held: staging.discard()
        case .returned: break
        }
    }

    /// What a frame was called elsewhere goes with its result. A controller that does not know of that could
    /// be given the same frame twice: there it fails.
    private mutating func takeClaims() {
        guard let claims = chain?.claims, !claims.isEmpty else { return }
        switch result.outcome {
        case .processed, .filtered: break
        case .failed, .held, .returned: return
        }
        guard version >= ProtocolVersion.firstWithClaims else {
            result.outcome = .failed(
                processorIndex: FrameOutcome.beforeChain,
                reason:
                    "the controller speaks version \(version) of the worker protocol and can't tell "
                    + "a replay; frames are decrypted from version "
                    + "\(ProtocolVersion.firstWithClaims) on")
            return
        }
        result.claims = claims
    }

    /// Counts the outputs and says where they lie; bytes that go inline are put into `parts`. The number
    /// of those bytes.
    private mutating func describeOutputs() -> Int {
        guard case .processed = result.outcome, let chain else { return 0 }
        result.outputCount = UInt32(clamping: chain.outputs.count)
        var payloadByteCount = 0
        for output in chain.outputs {
            result.bytesOut &+= UInt64(output.byteCount)
            guard greeting.wantsOutputs else { continue }
            let location: FrameLocation
            switch output.region?.origin {
            case .input: location = .sameAsInput
            case .output(let slot):
                location = .slot(
                    pool: pools.output?.description.poolId ?? 0, slot: slot,
                    byteCount: UInt64(output.byteCount))
            case .privateMemory, nil:
                location = .inline(
                    byteOffset: UInt64(payloadByteCount), byteCount: UInt64(output.byteCount))
                if let region = output.region, output.byteCount > 0 {
                    add(UnsafeRawBufferPointer(start: region.base, count: output.byteCount))
                    payloadByteCount += output.byteCount
                }
            }
            result.outputs.append(
                FrameDescriptor(
                    uniqueId: output.uniqueId, timeStamp: output.timeStamp,
                    payload: PayloadDescriptor(output.content), location: location,
                    attributes: output.attributes, sourceName: output.sourceName))
        }
        return payloadByteCount
    }

    /// One more part of the payload.
    private mutating func add(_ part: UnsafeRawBufferPointer) {
        parts.append(
            iovec(
                iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: part.count))
        guard version >= ProtocolVersion.firstWithPayloadChecksum else { return }
        result.payloadChecksum = PayloadChecksum.of(part, after: result.payloadChecksum ?? 0)
    }

    /// What the protocol can't carry, nil as a rule.
    private var faultOfResult: String? {
        if result.files.count > ProtocolLimits.maximumOutputCount {
            return "it has \(result.files.count) files"
        }
        if result.claims.count > ProtocolLimits.maximumClaimCount {
            return "it was decrypted \(result.claims.count) times"
        }
        for output in result.outputs {
            if let fault = output.fault { return fault }
        }
        return nil
    }

    /// An answer over the limits of the protocol fails the frame: the controller has to hear of it.
    private mutating func failUnsendable(_ reason: String, _ core: inout WorkerCore) {
        for file in result.files { unlink(file.stagedPath) }
        let (uniqueId, bytesIn) = (result.uniqueId, result.bytesIn)
        result.reset(uniqueId: uniqueId)
        result.bytesIn = bytesIn
        result.processingNanoseconds = lastNanoseconds
        let index = UInt32(clamping: (chain?.links.count ?? 1) - 1)
        result.outcome = .failed(processorIndex: index, reason: textWithinLimit(reason))
        core.writer.beginMessage(type: MessageType.result.rawValue, requestId: requestId)
        result.write(to: &core.writer)
        core.endMessage()
    }

    /// Writes what waits, and behind it the payload of its last message, without copying that.
    private mutating func flushWithPayload(_ core: inout WorkerCore) throws(WorkerEnding) {
        let bytes = core.writer.bytes
        parts.insert(
            iovec(
                iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                iov_len: bytes.count), at: 0)
        do throws(PipeError) {
            try runtime.output.writeAll(parts: &parts)
        } catch {
            throw WorkerEnding(error)
        }
        core.writer.removeAll()
    }
}

extension OwnedDescriptor {
    /// The most parts of one writev(2): IOV_MAX of Linux.
    private static let maximumPartCount = 1024

    /// Writes all parts, waiting as long as it takes; they are used up.
    fileprivate borrowing func writeAll(parts: inout [iovec]) throws(PipeError) {
        var first = 0
        while first < parts.count {
            let count = min(parts.count - first, Self.maximumPartCount)
            let written = try parts.withUnsafeBufferPointer { all throws(PipeError) in
                try write(parts: UnsafeBufferPointer(rebasing: all[first..<first + count]))
            }
            switch written {
            case .wouldBlock: _ = try waitUntil(.writable)
            case .closed: throw PipeError(.write, errorNumber: brokenPipeNumber)
            case .bytes(var rest):
                while first < parts.count, rest >= parts[first].iov_len {
                    rest -= parts[first].iov_len
                    first += 1
                }
                if rest > 0 {
                    parts[first].iov_base += rest
                    parts[first].iov_len -= rest
                }
            }
        }
    }
}

extension FrameResult {
    /// Forgets the frame before and keeps the memory.
    mutating func reset(uniqueId: UInt64) {
        outcome = .processed
        self.uniqueId = uniqueId
        (processingNanoseconds, bytesIn, bytesOut, outputCount) = (0, 0, 0, 0)
        if !outputs.isEmpty { outputs.removeAll(keepingCapacity: true) }
        if !files.isEmpty { files.removeAll(keepingCapacity: true) }
        if !claims.isEmpty { claims.removeAll(keepingCapacity: true) }
        payloadChecksum = nil
    }
}

extension PayloadDescriptor {
    /// What a frame carries.
    fileprivate init(_ content: FrameContent) {
        switch content {
        case .image(let layout): self = .image(layout)
        case .bytes(let typeName): self = .bytes(typeName: typeName)
        case .structure(let structure, let typeName):
            self = .structure(structure, typeName: typeName)
        }
    }
}

extension Configured {
    /// The same with a reason of bearable length.
    fileprivate var withinLimit: Configured {
        Configured(
            version: version,
            failure: failure.map { CommandFailure($0.code, textWithinLimit($0.reason)) })
    }
}
