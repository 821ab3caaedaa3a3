import NDArrays
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

@Suite("What a stage does with a frame that comes")
struct OverloadDecisionTests {
    @Test(
        "follows from its policy, from room, and from who can wait",
        arguments: [
            (.block, 1, true, true, .take), (.block, 1, false, true, .wait),
            (.dropNewest, 1, true, false, .take), (.dropNewest, 1, false, false, .drop(.overload)),
            (.dropOldest, 1, true, false, .take),
            (.dropOldest, 1, false, false, .replaceOldest),
            (.sample(everyNth: 3), 1, true, false, .take),
            (.sample(everyNth: 3), 2, true, true, .drop(.sample)),
            (.sample(everyNth: 3), 3, false, false, .drop(.sample)),
            (.sample(everyNth: 3), 4, false, true, .wait),
            (.sample(everyNth: 3), 4, false, false, .drop(.overload)),
            (.sample(everyNth: 1), 2, true, false, .take),
        ] as [(OverloadPolicy, UInt64, Bool, Bool, OverloadDecision)])
    func decision(
        policy: OverloadPolicy, frameId: UInt64, hasRoom: Bool, waits: Bool,
        expected: OverloadDecision
    ) {
        let decision = OverloadDecision(
            policy, frameId: frameId, hasRoom: hasRoom, waits: waits, hasOlder: true)
        #expect(decision == expected)
    }

    @Test("the new frame goes where nothing older can go")
    func nothingOlder() {
        let decision = OverloadDecision(
            .dropOldest, frameId: 9, hasRoom: false, waits: false, hasOlder: false)
        #expect(decision == .drop(.overload))
    }

    @Test("a source frame counts as dropped only when nothing else became of it")
    func roots() {
        var root = RootOutcome()
        #expect(root.fate == .filtered && root.letGoBecause == nil)
        root.conclude(.dropped, .sample)
        #expect(root.letGoBecause == .sample && root.fate == .dropped)
        root.conclude(.dropped, .overload)
        root.conclude(.dropped, .sample)
        #expect(root.letGoBecause == .overload)
        root.conclude(.processed)
        #expect(root.letGoBecause == nil && root.fate == .processed)
    }

    @Test("the one taken out of a queue is the first that fits, and the others keep their order")
    func queue() {
        var queue = IndexQueue()
        for number in 0..<70 { queue.append(number) }
        for _ in 0..<60 { _ = queue.popFirst() }
        for number in 70..<75 { queue.append(number) }
        let (found, missing) = (queue.removeFirst { $0 > 62 }, queue.removeFirst { $0 > 100 })
        #expect(found == 63 && missing == nil)
        var rest: [Int] = []
        while let number = queue.popFirst() { rest.append(number) }
        #expect(rest == [60, 61, 62] + Array(64..<75))
    }

    @Test("the journal hears of a second's drops at once, and of the first one without delay")
    func notes() {
        var notes = OverloadNotes()
        let nothing = notes.take(now: 5, all: true)
        #expect(nothing.isEmpty)
        notes.add(stage: 0, reason: .overload, frameId: 7, count: 1, now: 10)
        #expect(notes.dueAt == 10)
        let first = notes.take(now: 10)
        #expect(first.map(\.count) == [1])
        notes.add(stage: 0, reason: .overload, frameId: 8, count: 3, now: 20)
        notes.add(stage: 0, reason: .overload, frameId: 20, count: 1, now: 30)
        notes.add(stage: 0, reason: .sample, frameId: 9, count: 1, now: 30)
        notes.add(stage: 1, reason: .overload, frameId: 3, count: 1, now: 30)
        #expect(notes.dueAt == 10 + OverloadNotes.period)
        let early = notes.take(now: 1000)
        #expect(early.isEmpty)
        let told = notes.take(now: 10 + OverloadNotes.period)
        #expect(
            told == [
                .init(stage: 0, reason: .overload, count: 4, firstFrameId: 8, lastFrameId: 20),
                .init(stage: 0, reason: .sample, count: 1, firstFrameId: 9, lastFrameId: 9),
                .init(stage: 1, reason: .overload, count: 1, firstFrameId: 3, lastFrameId: 3),
            ])
        #expect(notes.dueAt == nil)
    }
}

@Suite("How slots are shared out")
struct InputSharesTests {
    private typealias Demand = InputShares.Demand

    private func block(_ credit: Int, queueLimit: Int? = nil) -> InputShares.Demand {
        Demand(policy: .block, waits: true, credit: credit, queueLimit: queueLimit)
    }

    @Test("large frames need two slots more than workers have, small ones get many")
    func plain() {
        let large = InputShares([block(16)], slotByteCount: 32 << 20, askedSlotCount: 0)
        #expect(large.slotCount == 18 && large.openLimit == 34)
        #expect(large.stages == [IntakeStage()])
        let small = InputShares([block(16)], slotByteCount: 4096, askedSlotCount: 0)
        #expect(small.slotCount == 128 && small.openLimit == 128)
        #expect(InputShares([block(16)], slotByteCount: 1, askedSlotCount: 5).slotCount == 5)
        #expect(InputShares([block(16)], slotByteCount: 0, askedSlotCount: 0).slotCount == 0)
    }

    @Test("a stage that drops has slots of its own, and no more than these")
    func mixed() {
        let preview = Demand(policy: .dropOldest, waits: false, credit: 4, queueLimit: 10)
        let shares = InputShares(
            [block(16), preview], slotByteCount: 32 << 20, askedSlotCount: 0)
        #expect(shares.slotCount == 18 + 16)
        #expect(shares.stages[0] == IntakeStage())
        #expect(shares.stages[1].openLimit == 16)
        #expect(shares.slotCount - shares.stages[1].openLimit >= 18)
    }

    @Test("frames that go on unchanged have slots for the stages behind, too")
    func behind() {
        var first = block(8)
        first.behind = 12
        let shares = InputShares([first], slotByteCount: 32 << 20, askedSlotCount: 0)
        #expect(shares.slotCount == 8 + 2 + 12)
        #expect(shares.openLimit >= shares.slotCount)
    }

    @Test("where fewer slots are asked for, what drops gets its part of them")
    func scaled() {
        let preview = Demand(policy: .dropNewest, waits: false, credit: 8, queueLimit: 8)
        let shares = InputShares([block(14), preview], slotByteCount: 1000, askedSlotCount: 8)
        #expect(shares.slotCount == 8)
        #expect(shares.stages[1].openLimit == 4)
        let tiny = InputShares([preview], slotByteCount: 1000, askedSlotCount: 1)
        #expect(tiny.stages[0].openLimit == 1)
    }
}

@Suite("Which frames the intake takes")
struct IntakeStateTests {
    /// The engine's side of an intake, without threads: it takes frames, holds their slots and gives
    /// them back.
    private final class Bench {
        var state: IntakeState
        var frames: [IntakeFrame] = []
        /// What the stages have open: frame ids by stage, and the slots of frames.
        var open: [Set<UInt64>]
        var slots: [UInt64: UInt32] = [:]
        var closedOf: [UInt64]
        var closed: UInt64 = 0
        var roomOf: [Int]
        /// Ids by what became of them in each stage.
        var taken: [[UInt64]]
        var dropped: [[UInt64: OverloadReason]]

        init(_ stages: [IntakeStage], slots count: Int, openLimit: Int = 1000) {
            state = IntakeState(
                freeSlots: Array((0..<UInt32(count)).reversed()), maximumOpenCount: openLimit,
                stages: stages)
            open = Array(repeating: [], count: stages.count)
            closedOf = Array(repeating: 0, count: stages.count)
            roomOf = Array(repeating: .max, count: stages.count)
            taken = Array(repeating: [], count: stages.count)
            dropped = Array(repeating: [:], count: stages.count)
        }

        /// Announces a frame; false: it has to wait.
        func announce() -> Bool {
            guard let admission = state.admit(uniqueId: nil, needsSlot: true) ?? nil else {
                return false
            }
            guard !admission.taken.isEmpty else { return true }
            guard let slot = admission.slot ?? state.freeSlots.popLast() else {
                Issue.record("frame \(admission.frameId) has no slot")
                return false
            }
            state.ready.append(
                IntakeFrame(
                    frameId: admission.frameId, acceptedAt: 0,
                    frame: FrameDescriptor(
                        uniqueId: admission.frameId, payload: .image(nil),
                        location: .slot(pool: 0, slot: slot, byteCount: 1)),
                    slot: slot, taken: admission.taken, overloaded: admission.overloaded))
            return true
        }

        /// Takes what is ready.
        func look(freed: [UInt32] = []) {
            state.exchange(
                &frames, freedSlots: freed, closed: closed, closedOf: closedOf, roomOf: roomOf)
            for frame in frames { take(frame) }
            frames = []
        }

        private func take(_ frame: IntakeFrame) {
            if frame.taken.isEmpty { closed += frame.count }
            for place in open.indices {
                let bit = StageSet(place: place)
                if frame.taken.contains(bit) {
                    open[place].insert(frame.frameId)
                    taken[place].append(frame.frameId)
                } else {
                    let reason: OverloadReason =
                        frame.overloaded.contains(bit) ? .overload : .sample
                    for offset in 0..<frame.count {
                        dropped[place][frame.frameId + offset] = reason
                    }
                }
            }
            if let slot = frame.slot { slots[frame.frameId] = slot }
        }

        /// Closes a frame in a stage.
        func close(_ frameId: UInt64, in place: Int) {
            guard open[place].remove(frameId) != nil else { return }
            closedOf[place] += 1
            guard open.allSatisfy({ !$0.contains(frameId) }) else { return }
            closed += 1
            look(freed: slots.removeValue(forKey: frameId).map { [$0] } ?? [])
        }
    }

    private func stage(_ policy: OverloadPolicy, _ openLimit: Int = .max, waits: Bool? = nil)
        -> IntakeStage
    {
        IntakeStage(policy: policy, waits: waits ?? (policy == .block), openLimit: openLimit)
    }

    @Test("a full stage that drops the newest takes no more, without pixels and without waiting")
    func dropNewest() {
        let bench = Bench([stage(.dropNewest, 3)], slots: 3)
        for _ in 1...10 { #expect(bench.announce()) }
        #expect(bench.state.ready.count == 4, "seven frames in a row are one entry")
        bench.look()
        #expect(bench.taken[0] == [1, 2, 3])
        #expect(bench.dropped[0].keys.sorted() == Array(4...10))
        bench.close(2, in: 0)
        #expect(bench.announce() && bench.announce())
        bench.look()
        #expect(bench.taken[0] == [1, 2, 3, 11] && bench.dropped[0][12] == .overload)
    }

    @Test("a full stage that drops the oldest gives up those that the engine has not seen")
    func dropOldest() {
        let bench = Bench([stage(.dropOldest, 4)], slots: 4)
        for _ in 1...2 { #expect(bench.announce()) }
        bench.look()
        for _ in 3...10 { #expect(bench.announce()) }
        bench.look()
        #expect(bench.taken[0] == [1, 2, 9, 10])
        #expect(bench.dropped[0].keys.sorted() == Array(3...8))
        // All are with the engine: the new one goes.
        #expect(bench.announce())
        bench.look()
        #expect(bench.dropped[0][11] == .overload)
    }

    @Test("of more frames than the engine can keep it gets the newest, and the slots are free")
    func trimmed() {
        let bench = Bench([stage(.dropOldest, 8)], slots: 8)
        for _ in 1...8 { #expect(bench.announce()) }
        bench.roomOf = [3]
        bench.look()
        #expect(bench.taken[0] == [6, 7, 8])
        for _ in 9...20 { #expect(bench.announce()) }
        bench.look()
        #expect(bench.taken[0] == [6, 7, 8, 18, 19, 20])
    }

    @Test("a sample takes by frame id; one that finds no room is told apart from the others")
    func sample() {
        let bench = Bench([stage(.sample(everyNth: 4), 2, waits: false)], slots: 2)
        for _ in 1...12 { #expect(bench.announce()) }
        bench.look()
        #expect(bench.taken[0] == [1, 5])
        #expect(bench.dropped[0][9] == .overload)
        #expect(bench.dropped[0].count { $0.value == .sample } == 9)
        let waiting = Bench([stage(.sample(everyNth: 2), 1, waits: true)], slots: 1)
        #expect(waiting.announce() && waiting.announce())
        #expect(!waiting.announce(), "the source waits for the sampled frame")
    }

    @Test("the source waits for the stage that blocks, whatever the other does")
    func mixed() {
        let bench = Bench([stage(.block, 3), stage(.dropNewest, 2)], slots: 6)
        for _ in 1...3 { #expect(bench.announce()) }
        #expect(!bench.announce())
        bench.look()
        #expect(bench.taken == [[1, 2, 3], [1, 2]])
        for frameId in 1...3 { bench.close(UInt64(frameId), in: 0) }
        bench.look()
        for _ in 4...6 { #expect(bench.announce(), "two slots are held by the other stage alone") }
        #expect(!bench.announce())
        bench.look()
        #expect(bench.dropped[1].keys.sorted() == [3, 4, 5, 6])
    }

    @Test("where the engine does not run at all, frames are only counted")
    func stuck() {
        let bench = Bench([stage(.dropOldest, 2)], slots: 2)
        for _ in 0..<100_000 { #expect(bench.announce()) }
        #expect(bench.state.ready.count <= IntakeState.maximumReadyCount + 1)
        bench.look()
        #expect(bench.taken[0].count + bench.dropped[0].count == 100_000)
    }

    @Test(
        "every frame is accounted for in every stage, and no stage has more than its share",
        arguments: 1...8 as ClosedRange<UInt64>)
    func seeded(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        let limits = (0..<3).map { _ in Int.random(in: 1...6, using: &random) }
        let isBlocking = Bool.random(using: &random)
        let bench = Bench(
            [
                isBlocking ? stage(.block) : stage(.dropNewest, limits[0]),
                stage(.dropOldest, limits[1]),
                stage(.sample(everyNth: 3), limits[2], waits: false),
            ], slots: limits[1] + limits[2] + (isBlocking ? 2 : limits[0]), openLimit: 40)
        var announced: UInt64 = 0
        for _ in 0..<5000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                // A frame for the stage that blocks needs a slot: it waits for one.
                if !isBlocking || !bench.state.freeSlots.isEmpty, bench.announce() {
                    announced += 1
                }
            case 2: bench.look()
            default:
                let place = Int.random(in: 0..<3, using: &random)
                if let frameId = bench.open[place].randomElement(using: &random) {
                    bench.close(frameId, in: place)
                }
            }
            for place in 1..<3 {
                #expect(bench.open[place].count <= limits[place])
            }
            let held = Set(bench.slots.values).union(bench.state.freeSlots)
            #expect(held.count == bench.slots.count + bench.state.freeSlots.count)
        }
        bench.look()
        #expect(announced > 300)
        for place in 0..<3 {
            #expect(bench.taken[place] == bench.taken[place].sorted())
            let all = Set(bench.taken[place]).union(bench.dropped[place].keys)
            #expect(all.count == Int(announced))
            #expect(bench.taken[place].count + bench.dropped[place].count == all.count)
        }
        #expect(bench.taken[2].allSatisfy { $0 % 3 == 1 })
    }
}
