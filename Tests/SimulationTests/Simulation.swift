import Foundation
import Journal
import NDArrays
import TestSupport

@testable import ControllerRuntime

/// One run of the engine in a simulated world.
enum Simulation {
    /// What many runs came to.
    struct Tally {
        var runs = 0
        var steps = 0
        var turns = 0
        var completed = 0
        var frames: UInt64 = 0
    }

    /// Runs a seed from beginning to end; the seed says everything, but for what `change` makes of
    /// its plan.
    ///
    /// - Throws: `SimulationFault` with the seed and the last steps when a rule did not hold.
    static func run(
        seed: UInt64, _ tally: inout Tally, _ change: (inout SimulationPlan) -> Void = { _ in }
    ) throws {
        if ProcessInfo.processInfo.environment["SLUICE_SIMULATION_STEPS"] != nil {
            // Should the engine trap, this is what remains.
            FileHandle.standardError.write(Data("seed \(seed)\n".utf8))
        }
        var plan = SimulationPlan(seed: seed)
        change(&plan)
        let world = try SimulatedWorld(plan)
        defer { world.close() }
        do {
            try run(world, &tally)
        } catch {
            throw SimulationFault(
                description: "seed \(seed), step \(world.steps): \(error)\n"
                    + "\(describe(world.plan))\nlast steps:\n\(world.log.last(60))")
        }
        tally.runs += 1
        tally.steps += world.steps
        tally.turns += world.turns
    }

    private static func run(_ world: SimulatedWorld, _ tally: inout Tally) throws {
        guard let committer = world.committer else { return }
        let engine = try Engine(
            configuration: world.plan.configuration, source: InMemorySource(world.plan),
            mailbox: world.mailbox, journal: NoJournal(), committer: committer, system: world,
            runId: "simulated", deliversReports: world.plan.deliversReports)
        world.engine = engine
        var summary: RunSummary?
        do {
            summary = try engine.run()
        } catch let error as ControllerError {
            guard world.plan.faultChance > 0 else { throw error }
        }
        committer.finish()
        world.refuseTheRest()
        world.checkEnd(summary)
        if let fault = world.fault { throw fault }
        if let summary, summary.end == .completed { tally.completed += 1 }
        tally.frames += summary?.accepted ?? 0
    }

    private static func describe(_ plan: SimulationPlan) -> String {
        let stages = plan.configuration.stages.map {
            "\($0.name) from \($0.from ?? "source"): \($0.workerCount) × \($0.inFlight), \($0.policy)"
        }
        return
            "\(plan.frameCount) frames, \(plan.configuration.plane), faults \(plan.faultChance), "
            + "calm at \(plan.calmStep), stop at \(plan.stopStep.map(String.init) ?? "never")"
            + "\(plan.stopsNow ? " now" : ""), reports \(plan.deliversReports); "
            + stages.joined(separator: "; ")
    }
}

/// A journal that keeps nothing.
private struct NoJournal: JournalSink {
    func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent {
        JournalEvent(timestamp: 0, seq: 0, name: entry.name, context: entry.context)
    }
}
