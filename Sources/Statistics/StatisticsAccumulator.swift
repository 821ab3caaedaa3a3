/// Keeps the statistics of a run while its workers come and go: takes snapshots, remembers what
/// workers that are gone had counted, and gives totals that never fall but by a reset.
///
/// It holds one base and one snapshot per worker, whatever the number of snapshots and
/// replacements. A value type without a clock: times come from the caller.
package struct StatisticsAccumulator: Sendable {
    /// What is known of one worker.
    fileprivate struct Account {
        /// Everything its earlier incarnations counted.
        var base: [ProcessorStatistics] = []
        var current: WorkerSnapshot
        var isGone = false
        /// The current counting was forgotten by a reset that the worker has yet to carry out.
        var isForgotten = false
    }

    private struct Stage {
        var name: String
        var accounts: [Int: Account] = [:]
    }

    private var stages: [Stage]
    private var resetNanoseconds: UInt64

    /// An accumulator for those stages, in the order of the pipeline; counting begins at the given
    /// time of the controller's monotonic clock.
    package init(stages: [String], startNanoseconds: UInt64) {
        self.stages = stages.map { Stage(name: $0) }
        resetNanoseconds = startNanoseconds
    }

    /// Takes a snapshot of a worker of that stage (a new stage is added at the end). False when it
    /// says nothing new and is ignored: it is older than the one known, comes from an earlier
    /// incarnation, or was counted before a reset.
    @discardableResult
    package mutating func record(_ snapshot: WorkerSnapshot, stage name: String) -> Bool {
        let place = stages.firstIndex { $0.name == name } ?? stages.count
        if place == stages.count { stages.append(Stage(name: name)) }
        guard var account = stages[place].accounts[snapshot.workerId] else {
            stages[place].accounts[snapshot.workerId] = Account(current: snapshot)
            return true
        }
        guard account.take(snapshot) else { return false }
        stages[place].accounts[snapshot.workerId] = account
        return true
    }

    /// Says that an incarnation of a worker is gone: what it counted stays, its queue and its
    /// gauges don't. Unknown ones are ignored.
    package mutating func markGone(workerId: Int, incarnation: Int, stage name: String) {
        guard let place = stages.firstIndex(where: { $0.name == name }),
            stages[place].accounts[workerId]?.current.incarnation == incarnation
        else { return }
        stages[place].accounts[workerId]?.isGone = true
    }

    /// Forgets everything counted so far (`resetStats`). Snapshots that a worker took before it
    /// carried the reset out, known by an unchanged `resetNanoseconds`, are ignored from here on.
    package mutating func reset(atNanoseconds now: UInt64) {
        resetNanoseconds = now
        for place in stages.indices {
            stages[place].accounts = stages[place].accounts.mapValues { account in
                var account = account
                account.forget()
                return account
            }
        }
    }

    /// The statistics at that time of the controller's monotonic clock.
    package func statistics(atNanoseconds now: UInt64) -> PipelineStatistics {
        PipelineStatistics(
            timestampNanoseconds: now, resetNanoseconds: resetNanoseconds,
            stages: stages.map { stage in
                let accounts = stage.accounts.sorted { $0.key < $1.key }.map(\.value)
                return StageStatistics(
                    name: stage.name, workerCount: accounts.count { !$0.isGone },
                    processors: aggregate(accounts.flatMap(\.contributions)))
            })
    }
}

extension StatisticsAccumulator.Account {
    fileprivate var contributions: [Contribution] {
        [
            Contribution(standing: .predecessor, timestampNanoseconds: 0, processors: base),
            Contribution(
                standing: isGone ? .finished : .live,
                timestampNanoseconds: current.timestampNanoseconds,
                processors: current.processors),
        ]
    }

    fileprivate mutating func take(_ snapshot: WorkerSnapshot) -> Bool {
        guard snapshot.incarnation >= current.incarnation else { return false }
        if snapshot.incarnation > current.incarnation {
            addCurrentToBase()
            isGone = false
        } else {
            guard snapshot.timestampNanoseconds >= current.timestampNanoseconds,
                snapshot.resetNanoseconds >= current.resetNanoseconds
            else { return false }
            if snapshot.resetNanoseconds == current.resetNanoseconds {
                if isForgotten { return false }
                // A worker that began again without saying so; totals must not fall for that.
                if hasFallen(snapshot) { addCurrentToBase() }
            }
        }
        isForgotten = false
        current = snapshot
        return true
    }

    fileprivate mutating func forget() {
        base = []
        isForgotten = true
        for place in current.processors.indices {
            current.processors[place].counters.reset()
            current.processors[place].queueDepth = 0
            current.processors[place].userStatistics = []
        }
    }

    private mutating func addCurrentToBase() {
        base = aggregate([
            Contribution(standing: .predecessor, timestampNanoseconds: 0, processors: base),
            Contribution(
                standing: .predecessor, timestampNanoseconds: 0, processors: current.processors),
        ])
    }

    private func hasFallen(_ snapshot: WorkerSnapshot) -> Bool {
        snapshot.processors.contains { later in
            current.processors.contains {
                $0.processorId == later.processorId
                    && later.counters.hasFallen(from: $0.counters)
            }
        }
    }
}
