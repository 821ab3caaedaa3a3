import NDArrays
import TestSupport

@testable import ControllerRuntime

/// What a seed decides before anything happens: the pipeline, its source, and how much goes wrong.
///
/// What becomes of a frame depends on the seed, the stage and the frame alone, so that at the end
/// the account is known, whoever worked on it and however often.
struct SimulationPlan {
    /// What processing a frame comes to.
    enum Fate: Equatable {
        case processed(outputs: Int)
        case filtered
        case failed
        /// Every worker that processes it dies.
        case deadly
    }

    /// How a frame of the source comes.
    enum Arrival: Equatable {
        case bytes(count: Int)
        case reference, structure, unreadable
        /// It has a slot, and then it can't be read.
        case broken(count: Int)
    }

    let seed: UInt64
    var configuration = RunConfiguration(stages: [])
    /// Frames of the source.
    var frameCount = 0
    var slotByteCount = 0
    /// The source fails instead of its end.
    var sourceFails = false
    var deliversReports = false
    /// Chances in 10 000: a fault in a worker's step, a request, a commit that fails.
    var faultChance: UInt64 = 0
    var requestChance: UInt64 = 0
    var commitFailureChance: UInt64 = 0
    /// Faults happen while workers start, too, which mostly ends the run.
    var faultsFromStart = false
    /// The step at which nothing goes wrong any more.
    var calmStep = 0
    /// The disk is full at times.
    var fillsDisk = false
    /// The step at which the run is stopped, if at all.
    var stopStep: Int?
    var stopsNow = false
    /// Bytes that a pipe holds.
    var pipeByteCount = 65536

    init(seed: UInt64) {
        self.seed = seed
        var numbers = SeededNumbers(seed: seed)
        func one(in count: UInt64) -> Bool { numbers.below(count) == 0 }
        let isShared = !one(in: 3)
        frameCount = [0, 3, 10, 30, 100, 200][Int(numbers.below(6))]
        slotByteCount = one(in: 6) ? 0 : 64 << Int(numbers.below(4))
        sourceFails = one(in: 12)
        deliversReports = one(in: 2)
        faultChance = [0, 0, 10, 40, 150][Int(numbers.below(5))]
        requestChance = [0, 50, 200][Int(numbers.below(3))]
        commitFailureChance = [0, 0, 500][Int(numbers.below(3))]
        faultsFromStart = one(in: 5)
        calmStep = 500 + Int(numbers.below(6000))
        if one(in: 5) { stopStep = Int(numbers.below(2000)) }
        stopsNow = one(in: 2)
        fillsDisk = one(in: 4)
        pipeByteCount = [97, 600, 4096, 65536][Int(numbers.below(4))]
        var stages = (0..<(1 + Int(numbers.below(4)))).map { Self.stage($0, &numbers) }
        if !faultsFromStart || faultChance == 0 {
            for index in stages.indices { stages[index].startTimeLimit = .seconds(600) }
        }
        if faultChance == 0 {
            for index in stages.indices {
                stages[index].frameTimeLimit = nil
                stages[index].responseTimeLimit = nil
            }
        }
        configuration = RunConfiguration(
            stages: stages, runDirectory: "/simulated", plane: isShared ? .shared : .inline,
            inputSlotCount: one(in: 3) ? 1 + Int(numbers.below(6)) : 0,
            statisticsPeriod: .milliseconds(Int64(10 << numbers.below(7))),
            stallTimeLimit: one(in: 4) ? .seconds(1) : .seconds(600))
    }

    private static func stage(_ index: Int, _ numbers: inout SeededNumbers) -> StageConfiguration {
        let policies: [DispatchPolicy] = [
            .leastLoaded, .leastLoaded, .roundRobin, .hash(attribute: nil),
            .hash(attribute: "group"),
        ]
        let takesSource = index == 0 || numbers.below(5) == 0
        return StageConfiguration(
            name: "s\(index)", from: takesSource ? nil : "s\(numbers.below(UInt64(index)))",
            workerCount: 1 + Int(numbers.below(5)),
            processors: [ProcessorConfiguration("P\(index)")],
            workerExecutable: "/simulated/worker",
            inFlight: numbers.below(20) == 0 ? 80 : 1 + Int(numbers.below(8)),
            policy: policies[Int(numbers.below(5))], outputSlotByteCount: 4096,
            startTimeLimit: .milliseconds(Int64(50 << numbers.below(6))),
            stopTimeLimit: .milliseconds(Int64(50 << numbers.below(6))),
            frameTimeLimit: numbers.below(2) == 0 ? .seconds(2) : nil, memoryLimit: 1 << 30,
            responseTimeLimit: numbers.below(2) == 0 ? .seconds(2) : nil,
            maximumAttempts: 1 + Int(numbers.below(4)))
    }

    /// Steps after which a run must have ended: a frame needs some hundred where nothing goes wrong,
    /// and may become dozens on its way; the pauses before lives of a worker grow to 10 s, thousands of steps
    /// each, and it may have ten of them.
    var maximumStepCount: Int { calmStep + 600_000 + 6000 * frameCount }

    // MARK: Frames

    /// A number that looks random, the same for the same topic, stage and frame.
    func draw(_ topic: UInt64, _ stage: Int, _ key: FrameKey) -> UInt64 {
        let mixed =
            seed ^ key.frameId &* 0x9E37_79B9_7F4A_7C15 ^ key.branch &* 0xD1B5_4A32_D192_ED03
        var numbers = SeededNumbers(seed: mixed ^ topic << 56 ^ UInt64(stage) << 48)
        return numbers.next()
    }

    /// What processing comes to.
    func fate(_ stage: Int, _ key: FrameKey) -> Fate {
        let number = draw(1, stage, key)
        switch number % 100 {
        case 0..<6: return .filtered
        case 6..<12: return .failed
        case 12..<14: return faultChance > 0 ? .deadly : .failed
        case 14..<26: return .processed(outputs: 0)
        case 26..<80: return .processed(outputs: 1)
        default: return .processed(outputs: 2 + Int(number >> 32 & 3) % 3)
        }
    }

    /// Files that it leaves.
    func fileCount(_ stage: Int, _ key: FrameKey) -> Int {
        guard case .processed = fate(stage, key) else { return 0 }
        return [0, 0, 1, 2][Int(draw(2, stage, key) % 4)]
    }

    /// Whether the frames of a stage say what they were called elsewhere: a frame that is given out again must
    /// never be taken for a replay of itself.
    func claims(_ stage: Int) -> Bool { draw(8, stage, FrameKey(frameId: 0)) % 2 == 0 }

    /// Whether the workers of a stage keep their frames secret.
    func keepsSecret(_ stage: Int) -> Bool { draw(11, stage, FrameKey(frameId: 0)) % 3 == 0 }

    /// How a frame of the source comes.
    func arrival(_ frameId: UInt64) -> Arrival {
        let number = draw(3, 0, FrameKey(frameId: frameId))
        switch number % 20 {
        case 0: return .unreadable
        case 1: return .structure
        case 2: return .reference
        case _ where slotByteCount == 0: return .reference
        case 3: return .broken(count: byteCount(number))
        default: return .bytes(count: byteCount(number))
        }
    }

    private func byteCount(_ number: UInt64) -> Int {
        16 + Int(number >> 32) % (slotByteCount - 15)
    }

    /// What the bytes of a frame say: the frame that they belong to.
    func tag(_ stage: Int, _ key: FrameKey) -> UInt64 { draw(4, stage, key) | 1 }
}

extension SeededNumbers {
    /// A number below `count`.
    mutating func below(_ count: UInt64) -> UInt64 { next() % count }

    /// True in `chance` of 10 000 cases.
    mutating func happens(_ chance: UInt64) -> Bool { chance > 0 && next() % 10_000 < chance }
}
