import NDArrays
import Pipes
import Synchronization
import TestSupport

@testable import ControllerRuntime

/// A rule that did not hold, and where.
struct SimulationFault: Error, CustomStringConvertible {
    var description: String
}

/// The system around an engine, in memory: workers, source, committer and people, who all get their
/// turn when the engine waits, in an order that a seed decides.
///
/// Unchecked: everything happens in the thread of the engine.
final class SimulatedWorld: EngineSystem, @unchecked Sendable {
    let plan: SimulationPlan
    var numbers: SeededNumbers
    private(set) var clock: UInt64 = 1_000_000_000
    private(set) var steps = 0
    private(set) var turns = 0
    var log = StepLog()
    private var diskIsFilled = false
    /// The first rule that did not hold.
    private(set) var fault: SimulationFault?

    let mailbox: EngineMailbox
    var engine: Engine?
    /// Workers that the engine has not released.
    var links: [SimulatedWorker] = []
    private var lastProcessId: Int32 = 1000
    /// Pixel bytes in and out of the run when it was looked at last.
    var lastBytes: (in: UInt64, out: UInt64) = (0, 0)
    var source: SimulatedSource?
    private(set) var committer: SimulatedCommitter?
    var frames: [StageKey: FrameRecord] = [:]
    var requests: [SimulatedRequest] = []
    /// What each version of each stage sets; a number that was refused is used again.
    var values: [[UInt64: Int64]]
    /// Versions of each stage that were refused before a frame had them, and those that were not
    /// accepted for any reason.
    var refused: [Set<UInt64>]
    var takenBack: [Set<UInt64>]

    init(_ plan: SimulationPlan) throws {
        self.plan = plan
        numbers = SeededNumbers(seed: plan.seed ^ 0xA5A5_5A5A_0F0F_F0F0)
        mailbox = try EngineMailbox()
        refused = plan.configuration.stages.map { _ in [] }
        takenBack = refused
        values = refused.map { _ in [:] }
        committer = SimulatedCommitter(world: self)
    }

    /// Whether nothing goes wrong any more.
    var isCalm: Bool { steps >= plan.calmStep }

    /// Whether a fault of this chance (in 10 000) happens now.
    func goesWrong(_ chance: UInt64) -> Bool {
        guard !isCalm, plan.faultsFromStart || engine?.state != .starting else { return false }
        return numbers.happens(chance)
    }

    /// Whether no file can be written now.
    var diskIsFull: Bool { diskIsFilled && !isCalm }

    /// Notes that a rule did not hold; the first one counts.
    func fail(_ sentence: @autoclosure () -> String) {
        if fault == nil { fault = SimulationFault(description: sentence()) }
    }

    func expect(_ condition: Bool, _ sentence: @autoclosure () -> String) {
        if !condition { fail(sentence()) }
    }

    /// Lets go of what refers to this.
    func close() {
        engine = nil
        links = []
        committer = nil
    }

    // MARK: The system

    func now() -> UInt64 { clock }

    func spawn(_ order: WorkerSpawn) throws -> any WorkerLink {
        if goesWrong(plan.faultChance) {
            log.add("spawn-fails", order.worker)
            throw SimulationFault(description: "no more processes")
        }
        expect(
            !links.contains { $0.worker == order.worker },
            "worker \(order.worker) is spawned while its last process is not released")
        lastProcessId += 1
        let link = SimulatedWorker(
            world: self, worker: order.worker, stage: engine?.workers[order.worker].stage ?? 0,
            processId: lastProcessId)
        links.append(link)
        log.add("spawn", order.worker, Int(lastProcessId))
        return link
    }

    func forbidDumps() -> Bool { true }

    func startSource(_ driver: SourceDriver) throws {
        source = SimulatedSource(world: self, driver: driver)
    }

    func wait(timeoutMilliseconds: Int32, _ events: inout [EngineEvent]) throws {
        events.removeAll(keepingCapacity: true)
        turns += 1
        log.add("turn", Int(timeoutMilliseconds))
        checkQuiet()
        let deadline = clock + UInt64(timeoutMilliseconds) * 1_000_000
        var actions = numbers.below(6)
        var idle = 0
        while true {
            for _ in 0..<actions { act() }
            collectEvents(&events)
            if let fault { throw fault }
            if !events.isEmpty || timeoutMilliseconds == 0 || clock >= deadline { break }
            idle += 1
            if idle > 3000 { clock = deadline }
            actions = 1 + numbers.below(3)
        }
        clock += 500
        if max(steps, turns) > plan.maximumStepCount {
            throw SimulationFault(description: "the run does not end: \(standing)")
        }
    }

    /// What can be read or written now, in any order, and not always all of it.
    private func collectEvents(_ events: inout [EngineEvent]) {
        if numbers.below(8) > 0 && mailbox.flag.drain() { events.append(.mailbox) }
        guard !links.isEmpty else { return }
        let start = Int(numbers.below(UInt64(links.count)))
        for offset in links.indices {
            let link = links[(start + offset) % links.count]
            for descriptor in [.output, .errors, .process, .input] as [WorkerDescriptor]
            where link.isReady(descriptor) && numbers.below(8) > 0 {
                events.append(.worker(link.worker, descriptor))
            }
        }
        if events.count > 1, numbers.below(2) == 0 { events.reverse() }
    }

    // MARK: Steps

    private func act() {
        steps += 1
        if let step = plan.stopStep, steps >= step, !requests.contains(where: \.isStop) {
            ask(.stop)
        }
        switch numbers.below(100) {
        case 0..<12: advanceClock()
        case 12..<28: source?.act()
        case 28..<38: committer?.act()
        case 38: if !isCalm, numbers.happens(plan.requestChance * 50) { ask(nil) }
        case 39:
            if plan.fillsDisk, numbers.below(6) == 0 {
                diskIsFilled.toggle()
                log.add("disk", diskIsFilled ? 1 : 0)
            }
        default:
            if !links.isEmpty { links[Int(numbers.below(UInt64(links.count)))].act() }
        }
    }

    private func advanceClock() {
        let isLong = !isCalm && plan.faultChance > 0 && numbers.below(100) == 0
        let nanoseconds = 1000 + numbers.below(isLong ? 2_000_000_000 : 3_000_000)
        clock += nanoseconds
        log.add("clock", Int(nanoseconds))
    }

    /// Where everything stands, for the message when it does not move.
    var standing: String {
        guard let engine else { return "" }
        let workers = engine.workers.map {
            "\($0.machine.state.rawValue)\($0.respawnAt == nil ? "" : "+respawn")"
        }
        return "state \(engine.state), \(engine.roots.openCount) frames open, "
            + "\(engine.commitsUnderWay) commits, accepted \(engine.intake.accepted) "
            + "of \(engine.ledger.accepted), source ended \(engine.sourceHasEnded), "
            + "waiting \(engine.stages.map(\.waitingCount)), gathering "
            + "\(engine.gathering.outstanding.map(String.init) ?? "none"), workers \(workers), "
            + "links \(links.map(\.standing))"
    }
}

/// One frame in one stage.
struct StageKey: Hashable, CustomStringConvertible {
    var stage: Int
    var key: FrameKey

    var description: String { "frame \(key) in stage \(stage)" }
}

/// The last steps, cheap enough for millions.
struct StepLog {
    private static let maximumCount = 300
    private var lines: [(name: StaticString, first: Int, second: Int)] = []
    private var count = 0

    /// Notes a step.
    mutating func add(_ name: StaticString, _ first: Int = 0, _ second: Int = 0) {
        if lines.count < Self.maximumCount {
            lines.append((name, first, second))
        } else {
            lines[count % Self.maximumCount] = (name, first, second)
        }
        count += 1
    }

    /// The last `limit` steps, oldest first.
    func last(_ limit: Int) -> String {
        (max(0, count - min(limit, lines.count))..<count).map { number in
            let line = lines[number % Self.maximumCount]
            return "\(number) \(line.name) \(line.first) \(line.second)"
        }.joined(separator: "\n")
    }
}
