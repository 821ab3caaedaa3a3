import NDArrays
import TestSupport
import WorkerProtocol

@testable import ControllerRuntime

/// What the world knows of a frame in a stage, without asking the engine.
struct FrameRecord {
    /// The process that has it, by its number.
    var holder: Int32?
    /// The configuration that it was first given out with.
    var firstVersion: UInt64?
    /// Workers that ended while they processed it.
    var attempts: UInt32 = 0
    /// The answer that the controller took.
    var answer: FrameOutcome?
    /// What the ledger says of it: its end, and before that why it did not go through.
    var closed: FrameFate?
    var told: FrameFate?
    var isUnreadable = false
    var commitFailed = false
}

extension SimulatedWorld {
    // MARK: What happens to frames

    /// A frame came into the pipe of a worker.
    func given(_ link: SimulatedWorker, _ place: StageKey, _ command: ProcessCommand) {
        log.add("given", link.worker, Int(place.key.frameId))
        var record = frames[place] ?? FrameRecord()
        expect(
            record.holder == nil, "\(place) is given out while process \(record.holder ?? 0) has it"
        )
        expect(
            record.answer == nil && record.closed == nil && !record.isUnreadable,
            "\(place) is given out after its end")
        expect(
            command.attempt == record.attempts && record.attempts < maximumAttempts(place.stage),
            "\(place) comes with attempt \(command.attempt) after \(record.attempts)")
        let version = command.configurationVersion
        expect(
            !refused[place.stage].contains(version),
            "\(place) comes with version \(version), which was refused")
        if let first = record.firstVersion, first != version {
            expect(
                takenBack[place.stage].contains(first),
                "\(place) had version \(first) first and has \(version) now")
        }
        record.firstVersion = version
        record.holder = link.processId
        frames[place] = record
        let credit = plan.configuration.stages[place.stage].inFlight
        expect(link.held.count <= credit, "worker \(link.worker) has more frames than credit")
    }

    /// A worker begins with a frame.
    func began(_ link: SimulatedWorker, _ place: StageKey, _ command: ProcessCommand) {
        log.add("begin", link.worker, Int(place.key.frameId))
        let isHolder = frames[place]?.holder == link.processId
        expect(isHolder, "\(place) is processed by worker \(link.worker), which does not have it")
    }

    /// The controller has read the answer to a frame.
    func answered(_ place: StageKey, _ outcome: FrameOutcome) {
        log.add("answered", place.stage, Int(place.key.frameId))
        frames[place]?.holder = nil
        switch outcome {
        case .returned:
            // It gets the version that is present then.
            frames[place]?.firstVersion = nil
            return
        case .held: return
        case .processed, .filtered, .failed: break
        }
        expect(frames[place]?.answer == nil, "\(place) is answered twice")
        frames[place]?.answer = outcome
    }

    /// The controller gives a lost worker's frames back. It charges at most one of them, which the worker
    /// had begun with and not answered.
    func released(_ link: SimulatedWorker) {
        links.removeAll { $0 === link }
        let charged = engine?.workers[link.worker].fault?.requestId ?? 0
        if let place = link.held[charged] {
            expect(
                link.begun.contains(charged),
                "\(place) is charged for worker \(link.worker), which did not begin with it")
        }
        for (requestId, place) in link.held {
            frames[place]?.holder = nil
            if requestId == charged { frames[place]?.attempts += 1 }
        }
    }

    /// The ledger tells of a frame's end.
    func closed(_ closing: Closing) {
        let place = StageKey(stage: Int(closing.stage), key: closing.key)
        var record = frames[place] ?? FrameRecord()
        expect(record.closed == nil, "\(place) is closed twice")
        let told = closing.fate > .processed ? closing.fate : nil
        expect(record.told == told, "\(place) ends \(closing.fate.name), and was told otherwise")
        record.closed = closing.fate
        frames[place] = record
    }

    /// The ledger tells why a frame did not go through.
    func told(_ place: StageKey, _ fate: FrameFate) {
        log.add("told", place.stage, Int(place.key.frameId))
        var record = frames[place] ?? FrameRecord()
        expect(record.told == nil, "\(place) is told twice")
        record.told = fate
        frames[place] = record
        switch fate {
        case .processed, .filtered: fail("\(place) is told to be \(fate.name)")
        case .quarantined:
            expect(
                record.attempts == maximumAttempts(place.stage) && record.answer == nil,
                "\(place) is quarantined after \(record.attempts) attempts")
        case .dropped:
            expect(engine?.ending?.isImmediate == true, "\(place) is dropped while the run goes on")
        case .failed:
            var isAnswered = false
            if case .failed = record.answer { isAnswered = true }
            expect(
                isAnswered || record.commitFailed || record.isUnreadable,
                "\(place) is told to have failed")
        }
    }

    private func maximumAttempts(_ stage: Int) -> UInt32 {
        UInt32(plan.configuration.stages[stage].maximumAttempts)
    }

    func noteUnreadable(_ frameId: UInt64) {
        for (index, stage) in plan.configuration.stages.enumerated() where stage.from == nil {
            frames[StageKey(stage: index, key: FrameKey(frameId: frameId)), default: FrameRecord()]
                .isUnreadable = true
        }
    }

    /// The files of a frame found no room: it is to come again.
    func noteHeldCommit(_ place: StageKey) { frames[place]?.answer = nil }

    func noteCommitFailure(_ place: StageKey) { frames[place]?.commitFailed = true }

    // MARK: Configuration

    /// A change came into the pipe of a worker.
    func asked(_ link: SimulatedWorker, _ command: ConfigureCommand) {
        guard command.phase == .prepare else { return }
        let value = SimulatedChange(command.changes).value
        if values[link.stage].updateValue(value, forKey: command.version) != value {
            refused[link.stage].remove(command.version)
            takenBack[link.stage].remove(command.version)
        }
        let number = Int(value / 8)
        for (index, request) in requests[..<min(number, requests.count)].enumerated()
        where request.kind == .configure {
            expect(request.answers == 1, "change \(number) begins before \(index) was answered")
        }
    }

    /// Who asked for a change was told that it did not happen, or that all workers have it.
    func changeAnswered(_ value: Int64, _ stage: Int, _ success: Bool) {
        guard let version = values[stage].first(where: { $0.value == value })?.key else { return }
        if !success {
            takenBack[stage].insert(version)
            if let engine, engine.stages[stage].lastVersion < version {
                refused[stage].insert(version)
            }
            return
        }
        for link in links where link.stage == stage && link.life == .running && !link.wasKilled {
            if case .known(_, wasAnnounced: false) = link.history.versions[version],
                link.version >= ProtocolVersion.firstWithApply
            {
                fail(
                    "version \(version) of stage \(stage) is told to be applied, not so in "
                        + "worker \(link.worker)")
            }
        }
    }
}
