internal import DataProcessing
internal import FrameReaders
internal import Glibc
internal import NDArrays
internal import Pipes
internal import Synchronization
internal import Wire
internal import WorkerProtocol

/// Why a frame can't be handed to the processors.
struct FrameRefusal: Error {
    var reason: String
}

extension ServeLoop {
    // MARK: Processing, outside the lock

    /// Brings the processors to the frame's configuration, makes the frame and runs the chain.
    mutating func processFrame() {
        isFrameDone = true
        result.reset(uniqueId: order.frame.uniqueId)
        guard let chain else { return }
        if order.configurationVersion != history.active,
            let failure = bring(to: order.configurationVersion)
        {
            result.outcome = .returned(reason: textWithinLimit(failure.reason))
            return
        }
        memory.begin(leasedSlots: order.leasedSlots)
        staging.begin(attempt: Int(order.attempt))
        var started = monotonicNanoseconds()
        announce(started)
        do throws(FrameRefusal) {
            let isReference = try fillFrame()
            if isReference { started = monotonicNanoseconds() }
        } catch {
            result.outcome = .failed(
                processorIndex: FrameOutcome.beforeChain, reason: textWithinLimit(error.reason))
            endedNanoseconds = started
            return end()
        }
        frame.attempt = order.attempt
        result.uniqueId = frame.uniqueId
        result.bytesIn = UInt64(frame.byteCount)
        switch chain.process(frame) {
        case .processed: result.outcome = .processed
        case .filtered: result.outcome = .filtered
        case .held(let reason): result.outcome = held(reason)
        case .failed(let failure):
            result.outcome = .failed(
                processorIndex: UInt32(clamping: failure.processorId),
                reason: textWithinLimit("\(failure.processorName): \(failure.reason)"))
        }
        endedNanoseconds = monotonicNanoseconds()
        lastNanoseconds = endedNanoseconds &- started
        result.processingNanoseconds = lastNanoseconds
        end()
    }

    /// Tells which frame goes into user code, so that it is the one to blame.
    private mutating func announce(_ nanoseconds: UInt64) {
        if status != nil {
            status?.begin(requestId: requestId, nanoseconds: nanoseconds)
            return
        }
        let started = Started(requestId: requestId)
        Self.tell(.started, by: runtime) { started.write(to: &$0) }
    }

    /// Tells of a folder before there is a file in it, once in this life; nil where the controller does
    /// not know that message. What it costs is a system call for each folder.
    var announceFolder: ((_ folder: String) -> Void)? {
        guard version >= ProtocolVersion.firstWithStaging,
            greeting.capabilities.contains(.stagedFiles)
        else { return nil }
        let runtime = runtime
        return { folder in
            Self.tell(.staging, by: runtime) { Staging(folder: folder).write(to: &$0) }
        }
    }

    /// Sends news that nobody asked for, at once.
    private static func tell(
        _ type: MessageType, by runtime: WorkerRuntime, _ write: (inout ByteWriter) -> Void
    ) {
        runtime.core.withLock { core in
            core.writer.beginMessage(type: type.rawValue, requestId: 0)
            write(&core.writer)
            core.endMessage()
            do throws(WorkerEnding) {
                try core.flush(to: runtime.output)
            } catch {
                core.ending = error
            }
        }
    }

    /// A frame that comes again; a controller that does not know of that gets a failed one.
    private func held(_ reason: String) -> FrameOutcome {
        let reason = textWithinLimit(reason)
        return version >= ProtocolVersion.firstWithHeld
            ? .held(reason: reason)
            : .failed(processorIndex: FrameOutcome.beforeChain, reason: reason)
    }

    private mutating func end() {
        if status != nil { status?.end() }
    }

    // MARK: The frame

    /// Makes the frame of the order; true when it was read from a file.
    private mutating func fillFrame() throws(FrameRefusal) -> Bool {
        switch order.frame.location {
        case .slot(let pool, let slot, let byteCount):
            let base = try slotBase(pool, slot, byteCount)
            let region = FrameRegion(
                base: base, byteCount: Int(byteCount), origin: .input(pool: pool, slot: slot))
            try resetFrame(region, byteCount: Int(byteCount))
            return false
        case .inline(let byteOffset, let byteCount):
            let base = try inlineBase(byteOffset, byteCount)
            let region = base.map {
                FrameRegion(
                    base: $0, byteCount: Int(byteCount), origin: .input(pool: .max, slot: .max))
            }
            try resetFrame(region, byteCount: Int(byteCount))
            return false
        case .reference(let format, let path, let index):
            try readReference(order.frame, format: format, path: path, index: index)
            return true
        case .sameAsInput:
            throw FrameRefusal(reason: "a frame can't be the same as its input")
        }
    }

    private mutating func slotBase(
        _ id: UInt16, _ slot: UInt32, _ byteCount: UInt64
    ) throws(FrameRefusal) -> UnsafeMutableRawPointer {
        guard let pool = pools.pool(id) else {
            throw FrameRefusal(reason: "there is no pool \(id)")
        }
        guard let base = pool.slot(slot) else {
            throw FrameRefusal(
                reason: "pool \(id) has \(pool.description.slotCount) slots, not slot \(slot)")
        }
        guard byteCount <= UInt64(pool.slotByteCount) else {
            throw FrameRefusal(
                reason: "\(byteCount) bytes are not in a slot of \(pool.slotByteCount) bytes")
        }
        return base
    }

    /// Where the pixels of the payload begin: moved to the front, where they are aligned; nil for none.
    private mutating func inlineBase(
        _ byteOffset: UInt64, _ byteCount: UInt64
    ) throws(FrameRefusal) -> UnsafeMutableRawPointer? {
        let (end, overflow) = byteOffset.addingReportingOverflow(byteCount)
        guard !overflow, end <= UInt64(payloadByteCount) else {
            throw FrameRefusal(
                reason: "\(byteCount) bytes from byte \(byteOffset) are outside the payload of "
                    + "\(payloadByteCount) bytes")
        }
        guard byteCount > 0, let base = pixels.bytes.baseAddress else { return nil }
        if byteOffset > 0 { memmove(base, base + Int(byteOffset), Int(byteCount)) }
        return base
    }

    /// Makes the frame what the order says, with the bytes of `region`.
    private mutating func resetFrame(
        _ region: FrameRegion?, byteCount: Int
    ) throws(FrameRefusal) {
        let content: FrameContent
        switch order.frame.payload {
        case .image(nil):
            throw FrameRefusal(reason: "an image that is no reference needs its layout")
        case .image(let layout?):
            guard !layout.codecName.isEmpty || layout.byteCount == byteCount else {
                throw FrameRefusal(
                    reason: "\(layout.text) is \(layout.byteCount) bytes, not \(byteCount)")
            }
            content = .image(layout)
        case .bytes(let typeName): content = .bytes(typeName: typeName)
        case .structure(let structure, let typeName):
            content = .structure(structure, typeName: typeName)
        }
        let hasBytes = content.kind != .structure
        frame.reset(
            key: order.key, uniqueId: order.frame.uniqueId, timeStamp: order.frame.timeStamp,
            attributes: order.frame.attributes, sourceName: order.frame.sourceName,
            content: content, region: hasBytes ? region : nil, byteCount: hasBytes ? byteCount : 0,
            memory: memory)
    }
}
