import NDArrays
import Pipes
import Statistics
import TestSupport
import Wire
import WorkerProtocol

@testable import ControllerRuntime

/// The configurations that a worker knows.
struct VersionHistory {
    enum Version: Equatable {
        /// `wasAnnounced`: the processors had it once.
        case known(value: Int64, wasAnnounced: Bool)
        case failed
    }

    var active: UInt64 = 0
    var versions: [UInt64: Version] = [:]
}

/// What a worker counts.
struct WorkerCounters {
    var since: UInt64 = 0
    var values = ProcessorCounters()
}

extension SimulatedWorker {
    // MARK: Steps

    /// Does one thing, or nothing.
    func act() {
        switch life {
        case .collected, .ended: return
        case .dying(let status):
            if world.numbers.below(3) == 0 { life = .ended(status) }
            return
        case .running: break
        }
        // Who neither reads nor writes is ended by somebody at last.
        if wasKilled || world.isCalm && (isSilent || !readsInput) {
            if world.numbers.below(2) == 0 { die(.signalled(signal: 9, coreDumped: false)) }
            return
        }
        if isSilent { return }
        if world.goesWrong(world.plan.faultChance) {
            return misbehave(world.numbers.below(16))
        }
        switch world.numbers.below(8) {
        case 0, 1: readSome()
        case 2, 3: writeSome(world.numbers.below(4) == 0 ? Int(world.numbers.below(80)) : 1 << 16)
        case 4: if busy != nil { finishFrame() } else { takeOrder() }
        default: if busy == nil { takeOrder() } else { answerWhileBusy() }
        }
        leaveWhenDone()
    }

    private func readSome() {
        guard readsInput, unreadByteCount > 0 else { return }
        let all = UInt64(unreadByteCount)
        readByteCount += world.numbers.below(3) == 0 ? 1 + world.numbers.below(all) : all
    }

    private func leaveWhenDone() {
        guard outbox.count == 0 || !writesOutput, busy == nil else { return }
        if hasStopped || isAtEndOfInput && orders.isEmpty { die(.exited(code: 0)) }
    }

    /// The process ends: its pipes close, and what it had not written is lost.
    func die(_ status: ExitStatus) {
        world.log.add("die", worker, Int(processId))
        scribble()
        if world.numbers.below(2) == 0 { writeSome(Int(world.numbers.below(200))) }
        readsInput = false
        writesOutput = false
        writesErrors = false
        life = .dying(status)
    }

    /// Writes into the slots that it may write to, as long as it lives.
    func scribble() {
        guard let command = busy?.command, let pool = outputPool else { return }
        for slot in command.leasedSlots { FrameBytes.write(2, pool.bytes(of: slot)) }
    }

    /// The pool for its outputs; nil where there is none.
    var outputPool: SlotPool? {
        guard let poolId = hello.pools.first(where: \.isWritable)?.poolId else { return nil }
        return world.engine?.pool(poolId)
    }

    // MARK: Orders

    private func takeOrder() {
        guard !hasStopped, let next = orders.first, next.end <= readByteCount else { return }
        orders.removeFirst()
        let id = next.requestId
        switch next.order {
        case .hello(let hello): greet(id, hello)
        case .describe:
            let outputs = UInt32(
                [1, 1, 2, 4][Int(world.plan.draw(6, stage, .init(frameId: 0)) % 4)])
            put(.description, id) { writer in
                ProcessorDescription.write(
                    [
                        ProcessorDescription(
                            name: "P\(stage)", summary: "", maximumOutputCount: outputs,
                            settings: [])
                    ], to: &writer)
            }
        case .start(let start):
            history.active = start.configurationVersion
            history.versions[history.active] = .known(value: 0, wasAnnounced: true)
            counters.since = world.now()
            reply(id, nil)
        case .configure(let command): configure(id, command)
        case .process(let command, let payload): begin(id, command, payload)
        case .getStats: tellStatistics(id)
        case .resetStats:
            counters = WorkerCounters(since: world.now())
            reply(id, nil)
        case .stop:
            hasStopped = true
            reply(id, nil)
        case .ping: reply(id, nil)
        }
    }

    /// A second thread answers some orders while a frame is being processed.
    private func answerWhileBusy() {
        guard let next = orders.first, next.end <= readByteCount else { return finishFrame() }
        switch next.order {
        case .getStats: tellStatistics(next.requestId)
        case .ping: reply(next.requestId, nil)
        default: return finishFrame()
        }
        orders.removeFirst()
    }

    private func greet(_ id: UInt64, _ hello: Hello) {
        self.hello = hello
        var used = hello.capabilities
        let kind = world.plan.draw(7, stage, .init(frameId: UInt64(worker)))
        if kind % 5 == 0 { used.remove(.statusPage) }
        if kind % 7 == 0 { used.remove(.sharedPools) }
        if !world.plan.keepsSecret(stage) { used.remove(.wipedSlots) }
        usesPage = used.contains(.statusPage)
        if !used.contains(.sharedPools) { self.hello.pools = [] }
        version = kind % 11 == 0 ? 1 : ProtocolVersion.current
        put(.welcome, id) { writer in
            Welcome(
                version: version, capabilities: used,
                processId: UInt32(processId), software: "simulated"
            ).write(to: &writer)
        }
    }

    func reply(_ id: UInt64, _ failure: CommandFailure?) {
        put(.reply, id) { (failure.map(Reply.failure) ?? .success).write(to: &$0) }
    }

    private func tellStatistics(_ id: UInt64) {
        let snapshot = WorkerSnapshot(
            workerId: Int(hello.workerId), incarnation: Int(hello.incarnation),
            timestampNanoseconds: world.now(), resetNanoseconds: counters.since,
            processors: [
                ProcessorStatistics(
                    processorName: "P\(stage)", processorId: 0, counters: counters.values)
            ])
        put(.statistics, id) { snapshot.write(to: &$0) }
    }

    private func configure(_ id: UInt64, _ command: ConfigureCommand) {
        switch command.phase {
        case .abandon:
            if command.version != history.active { history.versions[command.version] = nil }
            return reply(id, nil)
        case .apply:
            let reason = changeConfiguration(to: command.version, isAsked: true)
            guard case .running = life else { return }
            return reply(id, reason.map { CommandFailure(.hook, $0) })
        case .prepare: break
        }
        guard case .known = history.versions[command.baseVersion],
            history.versions[command.version] == nil
        else {
            return reply(id, CommandFailure(.configuration, "version \(command.version)"))
        }
        let change = SimulatedChange(command.changes)
        switch change.kind {
        case .refusedByAll,
            .refusedByOne where worker % 2 == 1:
            return reply(id, CommandFailure(.configuration, "it does not like \(change.value)"))
        case .deadlyToValidate where world.request(change)?.isUsedUp == false:
            world.useUp(change)
            return die(.signalled(signal: 11, coreDumped: false))
        default: break
        }
        history.versions[command.version] = .known(value: change.value, wasAnnounced: false)
        reply(id, nil)
    }

    // MARK: Faults

    /// Does something that no worker should.
    private func misbehave(_ kind: UInt64) {
        world.log.add("misbehave", worker, Int(kind))
        switch kind {
        case 0, 1: die(.signalled(signal: 9, coreDumped: false))
        case 2: die(.exited(code: 0))
        case 3: die(.exited(code: 3))
        case 4:
            let bytes = [UInt8](repeating: 0xEE, count: 40)
            bytes.withUnsafeBytes { put($0, .garbage) }
        case 5: isSilent = true
        case 6: writesOutput = false
        case 7: readsInput = false
        case 8: writesErrors = false
        case 9:
            let half = lastAnswer.prefix(20)
            half.withUnsafeBytes { put($0, .garbage) }
            isSilent = true
        case 10: answerTwice()
        case 11: if world.numbers.below(2) == 0 { memoryByteCount = 1 << 40 }
        case 12: answerForOthers()
        case 13: put(.ping, 1) { _ in }
        case 14: "a line\nand a half".utf8CString.withUnsafeBytes { printed.append($0) }
        default:
            put(.welcome, 0) {
                Welcome(version: 1, capabilities: [], processId: 0, software: "").write(to: &$0)
            }
        }
    }

    private func answerTwice() {
        guard !lastAnswer.isEmpty, !lastAnswerIsReturn else { return }
        lastAnswer.withUnsafeBytes { put($0) }
    }

    /// An answer for a frame that another worker has.
    private func answerForOthers() {
        let others = world.links.filter { $0 !== self }.flatMap { $0.held.keys.sorted() }
        let id = others.first ?? world.numbers.next() >> 1
        guard held[id] == nil else { return }
        put(.result, id) { FrameResult(outcome: .filtered, uniqueId: 1).write(to: &$0) }
        lastAnswer = []
    }
}
