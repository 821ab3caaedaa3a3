internal import Journal
internal import Statistics
internal import WorkerProtocol

/// One gathering of statistics from all workers.
struct Gathering {
    /// Most time that workers have to answer; what is there then is the gathering.
    static let maximumNanoseconds: UInt64 = 2_000_000_000

    /// Serial number, from 1.
    var number: UInt64 = 0
    /// When the next one begins, in monotonic nanoseconds.
    var nextAt = UInt64.max
    /// Answers that are still to come; nil when none is under way.
    var outstanding: Int?
    var startedAt: UInt64 = 0
    /// Whether the run ends with it.
    var isLast = false
    /// Who waits for this one, and for the one after it.
    var waiters: [@Sendable (Result<RunStatisticsRecord, ControllerError>) -> Void] = []
    var nextWaiters: [@Sendable (Result<RunStatisticsRecord, ControllerError>) -> Void] = []
}

/// Frames and bytes per second over the last while.
struct RateMeter {
    /// Shortest time over which a rate is measured.
    private static let minimumNanoseconds: UInt64 = 500_000_000

    private var sampledAt: UInt64?
    private var frames: UInt64 = 0
    private var bytes: UInt64 = 0
    /// Frames per second over the last finished span.
    private(set) var framesPerSecond = 0.0
    /// Bytes per second over the last finished span.
    private(set) var bytesPerSecond = 0.0

    /// Takes the totals at a moment.
    mutating func sample(at now: UInt64, frames: UInt64, bytes: UInt64) {
        guard let sampledAt else {
            (self.sampledAt, self.frames, self.bytes) = (now, frames, bytes)
            return
        }
        guard now > sampledAt, now - sampledAt >= Self.minimumNanoseconds else { return }
        let seconds = Double(now - sampledAt) / 1e9
        framesPerSecond = Double(frames - self.frames) / seconds
        bytesPerSecond = Double(bytes - self.bytes) / seconds
        (self.sampledAt, self.frames, self.bytes) = (now, frames, bytes)
    }
}

extension Engine {
    // MARK: Gathering

    /// Asks all workers for their statistics; does nothing while they are still answering.
    func beginGathering() {
        gathering.nextAt = MonotonicClock.time(
            now, plus: max(1_000_000, configuration.statisticsPeriod.nanoseconds))
        if gathering.outstanding != nil {
            if now - gathering.startedAt > Gathering.maximumNanoseconds { completeGathering() }
            return
        }
        gathering.number += 1
        gathering.startedAt = now
        gathering.waiters += gathering.nextWaiters
        gathering.nextWaiters = []
        let asked = workers.filter { $0.machine.state == .started }
        gathering.outstanding = asked.count
        for worker in asked {
            request(.getStats, .getStats(gathering: gathering.number), of: worker) { _ in }
        }
        if asked.isEmpty { completeGathering() }
    }

    /// Takes a worker's answer, nil when it died before it gave one.
    func gathered(_ snapshot: WorkerSnapshot?, from worker: Worker, gathering number: UInt64) {
        if let snapshot {
            accumulator.record(snapshot, stage: stages[worker.stage].name)
            note(snapshot, of: worker)
        }
        guard number == gathering.number, let outstanding = gathering.outstanding else { return }
        gathering.outstanding = outstanding - 1
        if outstanding == 1 { completeGathering() }
    }

    private func note(_ snapshot: WorkerSnapshot, of worker: Worker) {
        let counters = ProcessorCounters.chain(snapshot.processors.map(\.counters))
        let busy = counters.processingNanoseconds
        let period = Double(configuration.statisticsPeriod.nanoseconds)
        worker.load =
            busy >= worker.busyNanoseconds && period > 0
            ? min(1, Double(busy - worker.busyNanoseconds) / period) : 0
        worker.busyNanoseconds = busy
        worker.counters = [
            StatisticKey.received.rawValue: Double(counters.received),
            StatisticKey.processed.rawValue: Double(counters.processed),
            StatisticKey.filtered.rawValue: Double(counters.filtered),
            StatisticKey.failed.rawValue: Double(counters.failed),
            StatisticKey.outputs.rawValue: Double(counters.outputs),
            StatisticKey.bytesIn.rawValue: Double(counters.bytesIn),
            StatisticKey.bytesOut.rawValue: Double(counters.bytesOut),
            StatisticKey.processingTime.rawValue: Double(busy) / 1e9,
        ]
    }

    private func completeGathering() {
        gathering.outstanding = nil
        rates.sample(at: now, frames: ledger.closed, bytes: bytesIn)
        let statistics = accumulator.statistics(atNanoseconds: now)
        let record = statisticsRecord(PipelineReport(statistics, since: lastStatistics))
        lastStatistics = statistics
        jobs.append(.statistics(record))
        for waiter in gathering.waiters { waiter(.success(record)) }
        gathering.waiters = []
        if gathering.isLast {
            stopWorkers()
        } else if !gathering.nextWaiters.isEmpty {
            beginGathering()
        }
    }

    /// Gathers the counters of the whole run before the workers leave.
    func gatherForTheLastTime() {
        guard !gathering.isLast else { return }
        if ending?.isImmediate == true { return stopWorkers() }
        // Answers under way may have been given before the last frame: they are waited for first.
        guard gathering.outstanding == nil else { return }
        gathering.isLast = true
        beginGathering()
        // However long the period, the run does not wait for a worker that says nothing.
        gathering.nextAt = min(gathering.nextAt, now + Gathering.maximumNanoseconds + 1)
        wake(at: gathering.nextAt)
    }

    /// Somebody wants fresh statistics.
    func gather(
        for waiter: @escaping @Sendable (Result<RunStatisticsRecord, ControllerError>) -> Void
    ) {
        gathering.nextWaiters.append(waiter)
        if gathering.outstanding == nil { beginGathering() }
    }

    // MARK: Records

    /// Pixel bytes that went into the first stages.
    var bytesIn: UInt64 { firstStages.reduce(0) { $0 + stages[$1].bytesIn } }

    /// Pixel bytes that came out of the last stages.
    var bytesOut: UInt64 {
        stages.reduce(0) { $0 + ($1.consumers.isEmpty ? $1.bytesOut : 0) }
    }

    /// The run's account; frames that the source has announced and not yet handed over are in flight.
    var runCounts: LedgerCounts {
        ledger.counts(pending: sourceIsRunning ? intake.accepted - ledger.accepted : 0)
    }

    private func statisticsRecord(_ report: PipelineReport) -> RunStatisticsRecord {
        RunStatisticsRecord(
            timestamp: MonotonicClock.secondsSinceEpoch(), objectId: gathering.number,
            ledger: runCounts, stages: stageSummaries(report), workers: workerSummaries)
    }

    /// The stages with the statistics of their processors.
    func stageSummaries(_ report: PipelineReport) -> [StageSummary] {
        stages.map { stage in
            let processors = report.stages.first { $0.name == stage.name }?.processors ?? []
            return StageSummary(
                name: stage.name, ledger: stage.ledger.counts(), outputs: stage.outputCount,
                files: stage.fileCount,
                processors: processors.map { processor in
                    ProcessorSummary(
                        name: processor.statistics.processorName,
                        processorId: processor.statistics.processorId,
                        statistics: processor.flattened().map { field in
                            let declared = processor.declaration(of: field.key)
                            return StatisticSummary(
                                key: field.key, value: JSONScalar(field.value),
                                unit: field.unit.rawValue,
                                isCounter: declared?.isCounter == true ? true : nil,
                                isReal: declared?.kind == .real ? true : nil,
                                description: declared.flatMap { declared in
                                    declared.description.isEmpty ? nil : declared.description
                                })
                        },
                        frameTimes: FrameTimesSummary(processor.statistics.counters.durations))
                }, latency: LatencySummary(stage.ledger.latency))
        }
    }

    /// The workers with their counters as they came last.
    var workerSummaries: [WorkerSummary] {
        workers.map {
            WorkerSummary(
                id: $0.id, processId: $0.processId, stage: stages[$0.stage].name,
                replacements: $0.incarnation, counters: $0.counters)
        }
    }

    /// Where the run stands.
    func status() -> RunStatus {
        rates.sample(at: now, frames: ledger.closed, bytes: bytesIn)
        let counts = runCounts
        let remaining = information.frameCount.map { Double($0) - Double(ledger.closed) }
        return RunStatus(
            runId: runId, state: state, reason: ending?.reason ?? committer.problem ?? "",
            processId: Int32(ProcessIdentity.current),
            elapsedSeconds: Double(now - startedAt) / 1e9, frameCount: information.frameCount,
            ledger: counts, framesPerSecond: rates.framesPerSecond,
            bytesPerSecond: rates.bytesPerSecond,
            remainingSeconds: remaining.flatMap {
                rates.framesPerSecond > 0 ? max(0, $0) / rates.framesPerSecond : nil
            },
            stages: stages.map {
                StageStatus(
                    name: $0.name, ledger: $0.ledger.counts(), queued: $0.waitingCount,
                    held: $0.hold.stall?.reason,
                    heldSeconds: $0.hold.lasted(at: now).map { Double($0) / 1e9 })
            },
            workers: workers.map { worker in
                let stage = stages[worker.stage]
                return WorkerStatus(
                    id: worker.id, stage: stage.name, processId: worker.processId,
                    state: worker.machine.state.rawValue,
                    inFlight: stage.board.load(of: worker.placeInStage),
                    credit: stage.configuration.inFlight, load: worker.load)
            })
    }
}

extension ProcessorReport {
    /// What the processor declares of a statistic of its own.
    fileprivate func declaration(of key: String) -> StatisticDeclaration? {
        statistics.userStatistics.first { $0.declaration.key == key }?.declaration
    }
}
