import NDArrays
import Pipes
import Statistics
import TestSupport
import Wire
import WorkerProtocol

@testable import ControllerRuntime

extension SimulatedWorker {
    // MARK: Begin

    func begin(_ requestId: UInt64, _ command: ProcessCommand, _ payload: [UInt8]) {
        lastAnswerIsReturn = false
        if let reason = changeConfiguration(to: command.configurationVersion) {
            guard case .running = life else { return }
            return giveBack(requestId, command, reason)
        }
        world.began(self, StageKey(stage: stage, key: command.key), command)
        busy = (requestId, command, payload)
        checkInput()
        counters.values.received += 1
        begun.insert(requestId)
        begunCount += 1
        if usesPage {
            pageTime = world.now()
            page = requestId
        } else {
            put(.started, 0) { Started(requestId: requestId).write(to: &$0) }
        }
    }

    /// Why the frame's version can't be had; nil when it is there.
    func changeConfiguration(to version: UInt64, isAsked: Bool = false) -> String? {
        if version == history.active { return nil }
        switch history.versions[version] {
        case nil: return "version \(version) is not known"
        case .failed: return "version \(version) could not be applied"
        case .known(let value, let wasAnnounced):
            let change = SimulatedChange(value: value)
            if change.kind == .deadlyToApply, world.request(change)?.isUsedUp == false {
                world.useUp(change)
                die(.signalled(signal: 11, coreDumped: false))
                return "it is dead"
            }
            if change.kind == .failsToApply {
                history.versions[version] = .failed
                // A worker of the first protocol is not asked; its frames go on with another version.
                if self.version < ProtocolVersion.firstWithApply {
                    world.takenBack[stage].insert(version)
                }
                if !isAsked { tell(version, CommandFailure(.hook, "it can't have \(value)")) }
                return "version \(version) can't be applied"
            }
            history.active = version
            history.versions[version] = .known(value: value, wasAnnounced: true)
            if !wasAnnounced && !isAsked { tell(version, nil) }
            return nil
        }
    }

    private func tell(_ version: UInt64, _ failure: CommandFailure?) {
        put(.configured, 0) { Configured(version: version, failure: failure).write(to: &$0) }
    }

    private func giveBack(_ requestId: UInt64, _ command: ProcessCommand, _ reason: String) {
        let result = FrameResult(
            outcome: .returned(reason: reason), uniqueId: command.frame.uniqueId)
        put(.result, requestId, .answer(requestId: requestId, result.outcome)) {
            result.write(to: &$0)
        }
        lastAnswerIsReturn = true
    }

    /// The bytes of the frame are its own, from the beginning of its processing to its end.
    private func checkInput() {
        guard let (_, command, payload) = busy else { return }
        let tag = command.frame.uniqueId
        switch command.frame.location {
        case .slot(let poolId, let slot, let byteCount):
            guard let pool = world.engine?.pool(poolId) else { return world.fail("pool \(poolId)") }
            let bytes = UnsafeRawBufferPointer(rebasing: pool.bytes(of: slot)[..<Int(byteCount)])
            world.expect(
                FrameBytes.hold(tag, bytes),
                "frame \(command.key) in stage \(stage) has foreign bytes in slot \(slot)")
        case .inline:
            world.expect(
                payload.count < FrameBytes.minimumCount
                    || payload.withUnsafeBytes { FrameBytes.hold(tag, $0) },
                "frame \(command.key) in stage \(stage) has foreign bytes in its message")
        case .reference, .sameAsInput: break
        }
    }

    // MARK: Finish

    func finishFrame() {
        guard let (requestId, command, _) = busy else { return }
        if world.numbers.below(3) == 0 { return scribble() }
        checkInput()
        let fate = world.plan.fate(stage, command.key)
        if fate == .deadly { return die(.signalled(signal: 11, coreDumped: true)) }
        if world.diskIsFull, version >= ProtocolVersion.firstWithHeld,
            world.plan.fileCount(stage, command.key) > 0
        {
            return hold(requestId, command)
        }
        busy = nil
        page = 0
        finishedCount += 1
        counters.values.recordProcessing(nanoseconds: 1000)
        var result = FrameResult(
            outcome: .processed, uniqueId: command.frame.uniqueId, processingNanoseconds: 1000,
            bytesIn: command.frame.byteCount)
        var payload: [UInt8] = []
        switch fate {
        case .processed(let count):
            counters.values.processed += 1
            result.outputCount = UInt32(count)
            if hello.wantsOutputs {
                for index in 0..<count {
                    result.outputs.append(output(index, of: command, &payload))
                }
            }
            stageFiles(of: command, into: &result)
        case .filtered:
            counters.values.filtered += 1
            result.outcome = .filtered
        case .failed, .deadly:
            counters.values.failed += 1
            result.outcome = .failed(processorIndex: 0, reason: "it is one of those")
        }
        if world.plan.claims(stage), result.outcome == .processed || result.outcome == .filtered {
            result.claims = [FrameClaim(scope: "sealed", key: command.key)]
        }
        if !payload.isEmpty, version >= ProtocolVersion.firstWithPayloadChecksum {
            result.payloadChecksum = payload.withUnsafeBytes { PayloadChecksum.of($0) }
        }
        put(
            .result, requestId, payload: payload,
            .answer(requestId: requestId, result.outcome)
        ) { result.write(to: &$0) }
    }

    /// There is no room for its files: it is to come again.
    private func hold(_ requestId: UInt64, _ command: ProcessCommand) {
        busy = nil
        page = 0
        finishedCount += 1
        let result = FrameResult(
            outcome: .held(reason: "the disk is full"), uniqueId: command.frame.uniqueId)
        put(.result, requestId, .answer(requestId: requestId, result.outcome)) {
            result.write(to: &$0)
        }
        lastAnswerIsReturn = true
    }

    /// An output: unchanged, in a leased slot as long as there are any, or in the message.
    private func output(
        _ index: Int, of command: ProcessCommand, _ payload: inout [UInt8]
    ) -> FrameDescriptor {
        let key = command.key.child(index) ?? command.key
        let number = world.plan.draw(8, stage, key)
        var frame = command.frame
        if number % 4 == 0 {
            frame.location = .sameAsInput
            return frame
        }
        frame.uniqueId = world.plan.tag(stage, key)
        frame.payload = .bytes(typeName: "simulated")
        let byteCount = FrameBytes.minimumCount + Int(number >> 32) % 50
        if number % 4 < 3, let pool = outputPool, index < command.leasedSlots.count {
            let slot = command.leasedSlots[index]
            FrameBytes.write(
                frame.uniqueId,
                UnsafeMutableRawBufferPointer(rebasing: pool.bytes(of: slot)[..<byteCount]))
            frame.location = .slot(
                pool: pool.poolId, slot: slot, byteCount: UInt64(byteCount))
            return frame
        }
        frame.location = .inline(
            byteOffset: UInt64(payload.count), byteCount: UInt64(byteCount))
        var bytes = [UInt8](repeating: 0, count: byteCount)
        bytes.withUnsafeMutableBytes { FrameBytes.write(frame.uniqueId, $0) }
        payload += bytes
        return frame
    }

    private func stageFiles(of command: ProcessCommand, into result: inout FrameResult) {
        for index in 0..<world.plan.fileCount(stage, command.key) {
            let name = "\(stage)/\(command.key)/\(index)"
            let file = StagedFile(
                stagedPath: "staged/\(name).\(command.attempt)", finalPath: "out/\(name)",
                byteCount: 8, checksum: nil, mayReplace: false)
            world.committer?.staged[file.stagedPath] = world.plan.tag(stage, command.key)
            result.files.append(file)
        }
    }
}
