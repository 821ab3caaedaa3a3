internal import Glibc
internal import Journal
internal import Statistics

/// This process.
enum ProcessIdentity {
    /// Its number.
    static var current: Int32 { getpid() }
}

extension Engine {
    /// Answers everybody who still waits, writes the accounts and makes the summary.
    func finish() -> RunSummary {
        let over = ControllerError(.state, "the run is over")
        for waiter in gathering.waiters + gathering.nextWaiters { waiter(.failure(over)) }
        answerStartWaiters()
        for waiter in resetWaiters { waiter(.failure(over)) }
        endChanges()
        let summary = makeSummary()
        submitClosings()
        jobs.append(
            .end(
                [account("", summary.ledger)]
                    + summary.stages.map { account($0.name, $0.ledger) }))
        committer.submit(&jobs)
        recordOverload(all: true)
        record(
            "run-finish",
            [
                "end": .string(summary.end.rawValue), "reason": .string(summary.reason),
                "balanced": .bool(summary.certificate.balanced),
                "accepted": .init(summary.accepted), "processed": .init(summary.processed),
                "filtered": .init(summary.filtered), "failed": .init(summary.failed),
                "quarantined": .init(summary.quarantined),
                "dropped": .init(summary.ledger.droppedTotal), "inFlight": .init(summary.inFlight),
                "files": .init(summary.certificate.files),
            ])
        return summary
    }

    private func account(_ stage: String, _ counts: LedgerCounts) -> LedgerAccount {
        LedgerAccount(
            stage: stage, accepted: counts.accepted, processed: counts.processed,
            filtered: counts.filtered, failed: counts.failed, quarantined: counts.quarantined,
            dropped: counts.droppedTotal, inFlight: counts.inFlight, rejected: counts.rejected)
    }

    private func makeSummary() -> RunSummary {
        let counts = runCounts
        let report = PipelineReport(accumulator.statistics(atNanoseconds: now))
        let elapsed =
            firstAcceptedAt.map { Double(lastClosedAt &- min(lastClosedAt, $0)) / 1e9 } ?? 0
        let stageSummaries = stageSummaries(report)
        let files = stages.reduce(0) { $0 + $1.fileCount }
        let isBalanced =
            counts.isBalanced && counts.inFlight == 0
            && stageSummaries.allSatisfy { $0.ledger.isBalanced && $0.ledger.inFlight == 0 }
        return RunSummary(
            runId: runId, end: ending?.end ?? .completed, reason: ending?.reason ?? "",
            accepted: counts.accepted, processed: counts.processed, filtered: counts.filtered,
            failed: counts.failed, quarantined: counts.quarantined, rejected: counts.rejected,
            dropped: counts.dropped, inFlight: counts.inFlight, elapsedSeconds: elapsed,
            framesPerSecond: elapsed > 0 ? Double(closedInThisLife) / elapsed : 0, bytesIn: bytesIn,
            bytesOut: bytesOut, latency: LatencySummary(ledger.latency), stages: stageSummaries,
            workers: workerSummaries, failures: failures,
            certificate: Certificate(
                balanced: isBalanced, runId: runId, statement: statement(counts, isBalanced),
                files: files))
    }

    private var closedInThisLife: UInt64 { ledger.closed - (resumption?.roots.closed ?? 0) }

    private func statement(_ counts: LedgerCounts, _ isBalanced: Bool) -> String {
        let sum =
            "\(counts.accepted) accepted = \(counts.processed) processed + \(counts.filtered) "
            + "filtered + \(counts.failed) failed + \(counts.quarantined) quarantined + "
            + "\(counts.droppedTotal) dropped + \(counts.inFlight) in flight"
        return isBalanced ? sum : sum + ": DOES NOT BALANCE"
    }
}

extension RunSummary {
    /// The run's account.
    public var ledger: LedgerCounts {
        var counts = LedgerCounts()
        counts.accepted = accepted
        counts.processed = processed
        counts.filtered = filtered
        counts.failed = failed
        counts.quarantined = quarantined
        counts.dropped = dropped
        counts.inFlight = inFlight
        counts.rejected = rejected
        return counts
    }
}
