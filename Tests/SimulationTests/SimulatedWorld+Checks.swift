import NDArrays
import TestSupport
import WorkerProtocol

@testable import ControllerRuntime

extension SimulatedWorld {
    // MARK: While the run goes on

    /// What must hold whenever the engine waits.
    func checkQuiet() {
        guard let engine else { return }
        var open = Array(repeating: 0, count: engine.stages.count)
        var idle = 0
        var atWorkers = Array(repeating: 0, count: engine.workers.count)
        var slots: [[UInt32]] = Array(repeating: [], count: engine.stages.count + 1)
        for place in 0..<engine.entries.count where engine.entries[place].isOpen {
            let entry = engine.entries[place]
            open[entry.stage] += 1
            if entry.worker >= 0 {
                atWorkers[Int(entry.worker)] += 1
            } else {
                idle += 1
            }
            slots[entry.stage + 1] += entry.leasedSlots
            if case .slot(let pool, let slot, _) = entry.bytes { slots[Int(pool)].append(slot) }
        }
        for stage in engine.stages {
            let counts = stage.ledger.counts()
            expect(
                counts.isBalanced && counts.inFlight == open[stage.index],
                "\(stage.name): \(open[stage.index]) open, the ledger says \(counts)")
            if let pool = stage.outputPool {
                let used = Set(slots[stage.index + 1]).count
                expect(
                    pool.freeCount + used == pool.slotCount,
                    "\(stage.name): \(pool.freeCount) free and \(used) used of \(pool.slotCount)")
            }
        }
        let waiting = engine.stages.reduce(0) { $0 + $1.waitingCount }
        expect(
            waiting + engine.commitsUnderWay == idle,
            "\(idle) frames are with no worker, \(waiting) wait, \(engine.commitsUnderWay) "
                + "are being committed")
        for worker in engine.workers {
            let stage = engine.stages[worker.stage]
            expect(
                stage.board.load(of: worker.placeInStage) == atWorkers[worker.id],
                "worker \(worker.id) has \(atWorkers[worker.id]) frames, the board says "
                    + "\(stage.board.load(of: worker.placeInStage))")
        }
        expect(
            engine.bytesIn >= lastBytes.in && engine.bytesOut >= lastBytes.out,
            "bytes fell from \(lastBytes) to \(engine.bytesIn) and \(engine.bytesOut)")
        lastBytes = (engine.bytesIn, engine.bytesOut)
        let counts = engine.runCounts
        expect(
            counts.isBalanced && engine.ledger.inFlight == engine.roots.openCount,
            "\(engine.roots.openCount) source frames open, the ledger says \(counts)")
    }

    // MARK: At the end

    /// What must hold when the run is over; `summary` is nil where it could not start.
    func checkEnd(_ summary: RunSummary?) {
        guard let engine else { return }
        checkQuiet()
        expect(
            engine.entries.openCount == 0 && engine.roots.openCount == 0
                && engine.commitsUnderWay == 0, "the run ends with frames open: \(standing)")
        expect(links.isEmpty, "the run ends with workers: \(links.map(\.standing))")
        for stage in engine.stages {
            if let pool = stage.outputPool {
                expect(pool.freeCount == pool.slotCount, "\(stage.name) has lost slots")
                expectWiped(pool)
            }
        }
        checkSourceSlots(engine)
        checkSecrets(engine)
        for (number, request) in requests.enumerated() {
            expect(
                request.answers == 1,
                "request \(number), \(request.kind), has \(request.answers) answers")
        }
        guard let summary else { return }
        expect(
            summary.certificate.balanced && summary.inFlight == 0,
            "the certificate: \(summary.certificate.statement)")
        if plan.deliversReports { checkReports(engine) }
        guard engine.ending?.isImmediate != true else { return }
        var account = ExpectedAccount(world: self)
        account.addAll(summary.accepted)
        account.compare(summary)
    }

    /// A frame of a stage that keeps it secret may have come through any stage before, unchanged.
    private func checkSecrets(_ engine: Engine) {
        for worker in engine.workers where worker.capabilities.contains(.wipedSlots) {
            var stage: Stage? = engine.stages[worker.stage]
            while let current = stage {
                expect(
                    current.outputPool?.wipesFreedSlots != false,
                    "\(current.name) keeps what is secret in \(engine.stages[worker.stage].name)")
                stage = engine.stages.first { $0.name == current.configuration.from }
            }
            expect(engine.sourcePool?.wipesFreedSlots != false, "the source keeps secrets")
        }
    }

    /// Workers that keep frames secret leave nothing of them in shared memory, however they ended.
    private func expectWiped(_ pool: SlotPool) {
        // What is not shared is memory of this process, of which nobody says what is in it at first.
        guard pool.wipesFreedSlots, pool.isShared else { return }
        // Slots of the source that were free before the first such worker was there belong to the source.
        for slot in 0..<UInt32(pool.slotCount) where !pool.unwiped.contains(slot) {
            expect(
                pool.bytes(of: slot).allSatisfy { $0 == 0 },
                "slot \(slot) of pool \(pool.poolId) holds bytes of a frame")
        }
    }

    private func checkSourceSlots(_ engine: Engine) {
        guard let pool = engine.sourcePool, source != nil else { return }
        var free = engine.freedSlots.count
        while let taken = engine.intake.takeSlotAtOnce(), taken != nil { free += 1 }
        expect(free == pool.slotCount, "\(free) of \(pool.slotCount) source slots are free")
        expectWiped(pool)
    }

    private func checkReports(_ engine: Engine) {
        guard let reported = committer?.reported else { return }
        for stage in engine.stages where stage.consumers.isEmpty {
            let count = reported.count { $0.stage == stage.index }
            expect(
                count == stage.ledger.accepted,
                "\(stage.name): \(count) reports of \(stage.ledger.accepted) frames")
        }
    }
}

/// The account that follows from the plan and from what the world has seen.
struct ExpectedAccount {
    private unowned let world: SimulatedWorld
    private let consumers: [[Int]]
    private var stages: [LedgerCounts]
    private var run = LedgerCounts()
    private var fileCount = 0

    init(world: SimulatedWorld) {
        self.world = world
        let configurations = world.plan.configuration.stages
        stages = configurations.map { _ in LedgerCounts() }
        consumers = configurations.map { stage in
            configurations.indices.filter { configurations[$0].from == stage.name }
        }
    }

    /// All source frames with what came out of them.
    mutating func addAll(_ accepted: UInt64) {
        guard accepted > 0 else { return }
        for frameId in 1...accepted {
            var worst = FrameFate.filtered
            for (index, stage) in world.plan.configuration.stages.enumerated()
            where stage.from == nil {
                add(StageKey(stage: index, key: FrameKey(frameId: frameId)), &worst)
            }
            Self.count(worst, in: &run)
        }
    }

    private mutating func add(_ place: StageKey, _ worst: inout FrameFate) {
        let fate = fate(place)
        Self.count(fate, in: &stages[place.stage])
        guard fate == .processed,
            case .processed(let outputs) = world.plan.fate(place.stage, place.key)
        else {
            worst = max(worst, fate)
            return
        }
        checkFiles(place)
        if outputs == 0 || consumers[place.stage].isEmpty {
            worst = max(worst, fate)
            return
        }
        for consumer in consumers[place.stage] {
            for index in 0..<outputs {
                guard let key = place.key.child(index) else { continue }
                add(StageKey(stage: consumer, key: key), &worst)
            }
        }
    }

    private func fate(_ place: StageKey) -> FrameFate {
        guard let record = world.frames[place] else {
            world.fail("\(place) never came")
            return .failed
        }
        if let closed = record.closed { return closed }
        world.fail("\(place) has no end: \(record)")
        return .failed
    }

    private mutating func checkFiles(_ place: StageKey) {
        for index in 0..<world.plan.fileCount(place.stage, place.key) {
            fileCount += 1
            let path = "out/\(place.stage)/\(place.key)/\(index)"
            world.expect(
                world.committer?.files[path] == world.plan.tag(place.stage, place.key),
                "\(place): \(path) is missing or foreign")
        }
    }

    private static func count(_ fate: FrameFate, in counts: inout LedgerCounts) {
        counts.accepted += 1
        switch fate {
        case .processed: counts.processed += 1
        case .filtered: counts.filtered += 1
        case .failed: counts.failed += 1
        case .quarantined: counts.quarantined += 1
        case .dropped: counts.dropped["stopped", default: 0] += 1
        }
    }

    /// The run's own account is the same.
    func compare(_ summary: RunSummary) {
        world.expect(summary.ledger == run, "the run says \(summary.ledger), it was \(run)")
        for (index, stage) in summary.stages.enumerated() {
            world.expect(
                stage.ledger == stages[index],
                "\(stage.name) says \(stage.ledger), it was \(stages[index])")
        }
        world.expect(
            world.committer?.files.count == fileCount,
            "\(world.committer?.files.count ?? 0) files, \(fileCount) were declared")
    }
}
