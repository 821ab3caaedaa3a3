internal import Journal
internal import NDArrays
internal import Pipes
internal import WorkerProtocol

extension Engine {
    /// Output slots for every frame that may be in flight: a frame with four outputs goes through
    /// without copies.
    private static let outputSlotsPerFrame = 4

    /// Makes the stages and their workers from the configuration, and checks it.
    func makeStages() throws(ControllerError) {
        guard configuration.stages.count <= LedgerRecord.maximumStageCount else {
            throw ControllerError(
                .configuration,
                "\(configuration.stages.count) stages; \(LedgerRecord.maximumStageCount) are possible"
            )
        }
        guard !configuration.stages.isEmpty else {
            throw ControllerError(.configuration, "the run has no stage; name at least one")
        }
        if let rate = configuration.rateLimit, !(rate > 0 && rate.isFinite) {
            throw ControllerError(
                .configuration,
                "a rate of \(rate) frames per second is none; give a number above 0, or no rate")
        }
        for (index, configuration) in configuration.stages.enumerated() {
            try check(configuration, index: index)
            stages.append(
                Stage(index: index, configuration: configuration, isLive: information.isLive))
        }
        for stage in stages {
            if let from = stage.configuration.from {
                guard let upstream = stages.first(where: { $0.name == from }) else {
                    throw ControllerError(
                        .configuration,
                        "stage \(stage.name) takes its frames from \(from), "
                            + "which is no stage; the stages are "
                            + stages.map(\.name).joined(separator: ", "))
                }
                upstream.consumers.append(stage.index)
                if stage.overload != .block { upstream.outputsMayBeLetGo = true }
            } else {
                firstStages.append(stage.index)
            }
            for place in 0..<stage.configuration.workerCount {
                let worker = Worker(id: workers.count, stage: stage.index, placeInStage: place)
                stage.workers.append(worker)
                workers.append(worker)
            }
        }
        guard firstStages.count <= StageSet.maximumCount else {
            throw ControllerError(
                .configuration,
                "\(firstStages.count) stages take the source's frames; "
                    + "\(StageSet.maximumCount) are possible")
        }
        for stage in stages { try checkReachable(stage) }
        for stage in stages { stage.wantsOutputs = deliversReports || !stage.consumers.isEmpty }
    }

    private func check(
        _ stage: StageConfiguration, index: Int
    ) throws(ControllerError) {
        func refuse(_ reason: String) -> ControllerError {
            ControllerError(.configuration, "stage \(stage.name): \(reason)")
        }
        guard !stage.name.isEmpty, !stage.name.contains("/") else {
            throw refuse("a stage needs a name without /")
        }
        guard stages.allSatisfy({ $0.name != stage.name }) else {
            throw refuse("there are two of that name")
        }
        let workerLimit = StageConfiguration.maximumWorkerCount
        guard (1...workerLimit).contains(stage.workerCount) else {
            throw refuse("\(stage.workerCount) workers; 1 to \(workerLimit) are possible")
        }
        let flightLimit = StageConfiguration.maximumInFlight
        guard (1...flightLimit).contains(stage.inFlight) else {
            throw refuse("\(stage.inFlight) frames in flight; 1 to \(flightLimit) are possible")
        }
        guard !stage.processors.isEmpty else { throw refuse("it has no processor") }
        try checkLimits(of: stage, refuse)
        try checkOverload(of: stage, refuse)
    }

    private func checkOverload(
        of stage: StageConfiguration, _ refuse: (String) -> ControllerError
    ) throws(ControllerError) {
        if let limit = stage.queueLimit {
            guard (1...StageConfiguration.maximumQueueLimit).contains(limit) else {
                throw refuse(
                    "a queue limit of \(limit) frames; 1 to "
                        + "\(StageConfiguration.maximumQueueLimit) are possible")
            }
        }
        switch stage.overload {
        case .sample(let everyNth) where everyNth < 1:
            throw refuse("a sample of 1/\(everyNth); give 1/1 or less")
        case .dropOldest where stage.from == nil && !information.isLive,
            .dropNewest where stage.from == nil && !information.isLive:
            throw refuse(
                "it would drop frames of \(information.name), which waits for the pipeline and loses "
                    + "none; use block, or sample=1/n to look at every n-th frame only")
        case .block, .dropOldest, .dropNewest, .sample, nil: break
        }
    }

    private func checkLimits(
        of stage: StageConfiguration, _ refuse: (String) -> ControllerError
    ) throws(ControllerError) {
        let times = [
            ("startTimeLimit", stage.startTimeLimit), ("stopTimeLimit", stage.stopTimeLimit),
            ("frameTimeLimit", stage.frameTimeLimit ?? .seconds(1)),
            ("responseTimeLimit", stage.responseTimeLimit ?? .seconds(1)),
        ]
        for (name, time) in times where time <= .zero {
            throw refuse("its \(name) of \(time) is no time; give one above 0")
        }
        if let limit = stage.memoryLimit, limit <= 0 {
            throw refuse("its memoryLimit of \(limit) bytes is none; give more, or no limit")
        }
        let counts = [
            ("maximumAttempts", stage.maximumAttempts),
            ("maximumFruitlessLives", stage.maximumFruitlessLives),
        ]
        for (name, count) in counts where count < 1 {
            throw refuse("its \(name) is \(count); at least 1 is needed")
        }
    }

    /// A stage that takes its frames from itself, over others, would wait for ever.
    private func checkReachable(_ stage: Stage) throws(ControllerError) {
        var upstream = stage.configuration.from
        for _ in 0...stages.count {
            guard let name = upstream, let next = stages.first(where: { $0.name == name }) else {
                return
            }
            upstream = next.configuration.from
        }
        throw ControllerError(
            .configuration, "stage \(stage.name) takes its frames from itself, over other stages")
    }

    /// Makes the pools: the source's, and one for every stage whose outputs somebody takes.
    func makePools() throws {
        let isShared = configuration.plane == .shared
        let slotByteCount = max(configuration.inputSlotByteCount, information.slotByteCount)
        let shares = InputShares(
            firstStages.map { place in
                let stage = stages[place]
                return InputShares.Demand(
                    policy: stage.overload, waits: stage.waits, credit: stage.credit,
                    queueLimit: stage.configuration.queueLimit, behind: openCount(behind: stage))
            }, slotByteCount: slotByteCount, askedSlotCount: configuration.inputSlotCount)
        let plan = try planMemory(
            slotByteCount > 0
                ? MemoryPlan.Pool(
                    slotByteCount: MemoryPlan.pages(slotByteCount),
                    slotCount: shares.slotCount)
                : nil)
        var slots: [UInt32] = []
        if let input = plan.input {
            let pool = try SlotPool(
                poolId: 0, slotByteCount: input.slotByteCount, slotCount: input.slotCount,
                isShared: isShared)
            while let slot = pool.take() { slots.append(slot) }
            slots.reverse()
            sourcePool = pool
        }
        let isPlain = shares.stages.allSatisfy { $0 == IntakeStage() }
        closedOf = isPlain ? [] : Array(repeating: 0, count: firstStages.count)
        roomOf = Array(repeating: 0, count: closedOf.count)
        let flag = mailbox.flag
        intake = try FrameIntake(
            freeSlots: slots, maximumOpenCount: shares.openLimit, stages: shares.stages,
            wakeEngine: { flag.signal() })
        let givers = stages.filter(\.wantsOutputs)
        for (stage, pool) in zip(givers, plan.outputs) {
            stage.outputPool = try SlotPool(
                poolId: UInt16(stage.index + 1), slotByteCount: pool.slotByteCount,
                slotCount: pool.slotCount, isShared: true)
            for consumer in stage.consumers where !stages[consumer].waits {
                let spare = pool.slotCount - stage.configuration.workerCount
                stages[consumer].waitingCap = max(
                    1, spare / stage.consumers.count - stages[consumer].credit)
            }
        }
        for stage in givers { stage.inlineMemory = InlineMemory(limit: plan.inlineByteCount) }
    }

    /// Frames that the stages behind a stage may have with workers, and waiting where they drop: these must
    /// not hold up the stage by the slots that they hold.
    private func openCount(behind stage: Stage) -> Int {
        stage.consumers.reduce(0) { sum, place in
            let consumer = stages[place]
            let waiting = consumer.waits ? 0 : consumer.maximumWaitingCount
            return sum + consumer.credit + waiting + openCount(behind: consumer)
        }
    }

    private func planMemory(_ input: MemoryPlan.Pool?) throws(ControllerError) -> MemoryPlan {
        let outputs = stages.filter(\.wantsOutputs).map { stage in
            return MemoryPlan.Outputs(
                stage: stage.name, askedSlotByteCount: stage.configuration.outputSlotByteCount,
                wantedSlotCount: (stage.credit + openCount(behind: stage))
                    * Self.outputSlotsPerFrame,
                leastSlotCount: stage.configuration.workerCount + 1)
        }
        return try MemoryPlan(
            limit: MemoryPlan.limit(
                asked: configuration.maximumMemoryByteCount, available: MemoryAvailable.now()),
            input: input, outputs: outputs, isShared: configuration.plane == .shared,
            elementCount: information.frameElementCount)
    }

    /// Pools that a stage's workers map: every pool from which a frame may come, and its own.
    func pools(of stage: Stage) -> [(pool: SlotPool, isWritable: Bool)] {
        guard configuration.plane == .shared else { return [] }
        var pools: [(SlotPool, Bool)] = []
        if let sourcePool { pools.append((sourcePool, false)) }
        var upstream = stage.configuration.from
        while let name = upstream, let next = stages.first(where: { $0.name == name }) {
            if let pool = next.outputPool { pools.append((pool, false)) }
            upstream = next.configuration.from
        }
        if let pool = stage.outputPool { pools.append((pool, true)) }
        return pools
    }

    /// The pool with this number, nil when there is none.
    func pool(_ poolId: UInt16) -> SlotPool? {
        poolId == 0 ? sourcePool : stages[Int(poolId) - 1].outputPool
    }

    /// What `run-define` says.
    var definition: KeyValuePairs<String, JournalValue> {
        [
            "runId": .string(runId), "source": .string(information.name),
            "frameCount": information.frameCount.map { .init($0) } ?? .null,
            "stages": .array(
                stages.map { stage in
                    [
                        "name": .string(stage.name),
                        "from": stage.configuration.from.map { .string($0) } ?? .null,
                        "workers": .init(stage.configuration.workerCount),
                        "processors": .array(
                            stage.configuration.processors.map { .string($0.name) }),
                    ]
                }),
        ]
    }
}
