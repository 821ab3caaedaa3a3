import NDArrays
import Pipes
import TestSupport
import WorkerProtocol

@testable import ControllerRuntime

/// A committer over files in memory; it takes its time, and sometimes it can't.
final class SimulatedCommitter: CommitQueue {
    private unowned let world: SimulatedWorld
    private var jobs: [CommitJob] = []
    private var outcomes: [CommitOutcome] = []
    /// Files under their temporary names, and under their final ones, with the tags in them.
    var staged: [String: UInt64] = [:]
    private(set) var files: [String: UInt64] = [:]
    /// Frames that the embedding program was told of.
    private(set) var reported: Set<StageKey> = []
    private var claimed: [EntryId: [FrameClaim]] = [:]
    private var lastCounts = LedgerCounts()
    private var lastReceived: [Double] = []

    init(world: SimulatedWorld) { self.world = world }

    func submit(_ jobs: inout [CommitJob]) {
        self.jobs += jobs
        jobs.removeAll(keepingCapacity: true)
    }

    func takeOutcomes() -> [CommitOutcome] {
        defer { outcomes.removeAll() }
        return outcomes
    }

    /// Carries some of the jobs out.
    func act() {
        guard !jobs.isEmpty else { return }
        let count = 1 + Int(world.numbers.below(UInt64(jobs.count)))
        for job in jobs[..<count] { carryOut(job) }
        jobs.removeFirst(count)
        if !outcomes.isEmpty { world.mailbox.flag.signal() }
    }

    /// Carries all out that is left at the end of the run.
    func finish() {
        for job in jobs { carryOut(job) }
        jobs = []
    }

    private func carryOut(_ job: CommitJob) {
        switch job {
        case .commit(let request): commit(request)
        case .discard(let files): for file in files { staged[file.stagedPath] = nil }
        case .record(.reason(let reason)):
            world.told(StageKey(stage: Int(reason.stage), key: reason.key), reason.fate)
        case .record(.claims(let id, let claims)):
            claimed[id] = claims
        case .closings(let closings, _): for closing in closings { close(closing) }
        case .record, .staging, .log, .end: break
        case .statistics(let record): check(record)
        case .report(let report): note(report.key, report.stage)
        }
    }

    /// In the ledger the claims of a frame stand before its closing.
    private func close(_ closing: Closing) {
        let isExpected = closing.fate <= .processed && world.plan.claims(Int(closing.stage))
        world.expect(
            !isExpected || claimed[closing.id]?.map(\.key) == [closing.key],
            "frame \(closing.key) of stage \(closing.stage) is closed, and its claim is not known")
        world.closed(closing)
    }

    private func stageIndex(_ name: String) -> Int? {
        world.plan.configuration.stages.firstIndex { $0.name == name }
    }

    private func note(_ key: FrameKey, _ stage: String) {
        guard let index = stageIndex(stage) else { return world.fail("a report of \(stage)") }
        let isNew = reported.insert(StageKey(stage: index, key: key)).inserted
        world.expect(isNew, "frame \(key) of \(stage) is reported twice")
    }

    private func commit(_ request: CommitRequest) {
        let place = StageKey(stage: Int(request.closing.stage), key: request.closing.key)
        world.log.add("commit", place.stage, Int(place.key.frameId))
        if world.diskIsFull && !request.files.isEmpty { return hold(request, place) }
        var failure: String?
        if !world.isCalm, world.numbers.happens(world.plan.commitFailureChance) {
            failure = "the disk has a bad day"
            for file in request.files { staged[file.stagedPath] = nil }
            world.noteCommitFailure(place)
        } else {
            for file in request.files { publish(file, place) }
            // Of a frame that failed the engine tells itself.
            if let report = request.report { note(report.key, report.stage) }
            if !request.files.isEmpty { close(request.closing) }
        }
        outcomes.append(
            CommitOutcome(
                place: request.place, fileCount: failure == nil ? request.files.count : 0,
                failure: failure))
    }

    /// The disk is full before all files have their names: none of them stays.
    private func hold(_ request: CommitRequest, _ place: StageKey) {
        for file in request.files { staged[file.stagedPath] = nil }
        world.noteHeldCommit(place)
        outcomes.append(
            CommitOutcome(
                place: request.place, fileCount: 0, failure: nil, held: "the disk is full"))
    }

    private func publish(_ file: StagedFile, _ place: StageKey) {
        guard let tag = staged.removeValue(forKey: file.stagedPath) else {
            return world.fail("\(place): \(file.stagedPath) was never staged, or committed before")
        }
        world.expect(files[file.finalPath] == nil, "\(place): \(file.finalPath) comes twice")
        files[file.finalPath] = tag
    }

    /// Totals never fall, but those of the processors by a reset.
    private func check(_ record: RunStatisticsRecord) {
        let counts = record.ledger
        world.expect(counts.isBalanced, "a report does not balance: \(counts)")
        let pairs: [(UInt64, UInt64)] = [
            (lastCounts.accepted, counts.accepted), (lastCounts.processed, counts.processed),
            (lastCounts.filtered, counts.filtered), (lastCounts.failed, counts.failed),
            (lastCounts.quarantined, counts.quarantined),
            (lastCounts.droppedTotal, counts.droppedTotal),
        ]
        world.expect(pairs.allSatisfy { $0 <= $1 }, "a count fell: \(lastCounts), \(counts)")
        lastCounts = counts
        let received = record.stages.map { stage in
            stage.processors.reduce(0.0) { sum, processor in
                let value = processor.statistics.first { $0.key == "nReceived" }?.value
                if case .unsigned(let number) = value { return sum + Double(number) }
                return sum
            }
        }
        if !lastReceived.isEmpty, !world.requests.contains(where: \.isReset) {
            world.expect(
                zip(lastReceived, received).allSatisfy { $0 <= $1 },
                "a statistic fell: \(lastReceived), \(received)")
        }
        lastReceived = received
        for stage in record.stages {
            world.expect(stage.ledger.isBalanced, "stage \(stage.name): \(stage.ledger)")
        }
    }
}
