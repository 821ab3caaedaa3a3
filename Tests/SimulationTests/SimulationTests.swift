import Foundation
import Testing

@testable import ControllerRuntime

@Suite struct SimulationTests {
    /// Runs in an ordinary test run.
    private static let ordinaryRunCount = 150

    @Test(.timeLimit(.minutes(1)))
    func `Whatever order things happen in, the account holds`() throws {
        guard ProcessInfo.processInfo.environment["SLUICE_SIMULATION_STEPS"] == nil else { return }
        var tally = Simulation.Tally()
        for seed in 1...UInt64(Self.ordinaryRunCount) {
            try Simulation.run(seed: seed, &tally) { plan in
                plan.frameCount = min(plan.frameCount, 20)
                plan.calmStep /= 4
            }
        }
        #expect(tally.completed > Self.ordinaryRunCount / 3)
        #expect(tally.frames > 500)
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["SLUICE_SIMULATION_STEPS"] != nil))
    func `As many steps as the environment asks for`() throws {
        let environment = ProcessInfo.processInfo.environment
        let steps = Int(environment["SLUICE_SIMULATION_STEPS"] ?? "") ?? 1
        var seed = UInt64(environment["SLUICE_SIMULATION_SEED"] ?? "") ?? 1
        var tally = Simulation.Tally()
        repeat {
            try Simulation.run(seed: seed, &tally)
            seed += 1
        } while tally.steps < steps
        print(
            "simulated \(tally.runs) runs, \(tally.steps) steps, \(tally.turns) turns of the "
                + "engine, \(tally.frames) frames, \(tally.completed) runs completed; "
                + "next seed \(seed)")
    }

    /// A commit that found no room took the bytes of its frame back, and a rate of fewer bytes than
    /// before ended the controller.
    @Test(.timeLimit(.minutes(1)))
    func `Frames that find no room at their commit are counted once`() throws {
        var tally = Simulation.Tally()
        for seed in 1...12 as ClosedRange<UInt64> {
            try Simulation.run(seed: seed, &tally) { plan in
                plan.frameCount = 40
                plan.slotByteCount = 256
                plan.fillsDisk = true
                plan.stopStep = nil
            }
        }
        #expect(tally.frames > 100)
    }

    /// A frame that was begun, held and given out again was charged for a worker that died before it
    /// began with it again.
    @Test(.timeLimit(.minutes(1)))
    func `A frame that comes again is charged only when it is begun again`() throws {
        var tally = Simulation.Tally()
        for seed in 1...12 as ClosedRange<UInt64> {
            try Simulation.run(seed: seed, &tally) { plan in
                plan.frameCount = 40
                plan.configuration.plane = .inline
                plan.faultChance = 80
                plan.fillsDisk = true
                plan.pipeByteCount = 97
            }
        }
        #expect(tally.runs == 12)
    }

    /// More than 64 payloads on their way to one worker ended the controller.
    @Test(.timeLimit(.minutes(1)))
    func `Hundreds of inline frames may be on their way to one worker`() throws {
        var tally = Simulation.Tally()
        for seed in 1...3 as ClosedRange<UInt64> {
            try Simulation.run(seed: seed, &tally) { plan in
                plan.frameCount = 400
                plan.slotByteCount = 256
                plan.faultChance = 0
                plan.stopStep = nil
                plan.pipeByteCount = 600
                plan.configuration.plane = .inline
                plan.configuration.inputSlotCount = 0
                plan.configuration.stages = [
                    StageConfiguration(
                        name: "s0", processors: [ProcessorConfiguration("P0")],
                        workerExecutable: "/simulated/worker", inFlight: 300,
                        startTimeLimit: .seconds(600), stopTimeLimit: .seconds(600),
                        frameTimeLimit: nil, responseTimeLimit: nil)
                ]
            }
        }
        #expect(tally.completed == 3)
    }

    @Test func `A seed replays exactly`() throws {
        var (first, second) = (Simulation.Tally(), Simulation.Tally())
        for seed in 300...305 as ClosedRange<UInt64> {
            try Simulation.run(seed: seed, &first)
            try Simulation.run(seed: seed, &second)
        }
        #expect(first.steps == second.steps && first.turns == second.turns)
        #expect(first.frames == second.frames)
    }
}
