internal import Synchronization

extension Destination {
    /// Calls the exporter. It has to say what became of every record; where it does not, the rest failed.
    func deliver(_ records: [ExportRecord]) -> [ExportOutcome] {
        var outcomes = exporter.deliver(records, within: rules.timeout)
        if outcomes.count != records.count {
            let reason =
                "the exporter said what became of \(outcomes.count) of \(records.count) records"
            outcomes = Array(outcomes.prefix(records.count))
            while outcomes.count < records.count {
                outcomes.append(.retryable(reason: reason, after: nil))
            }
        }
        return outcomes
    }

    /// Counts what became of a record that is not in the spool.
    func settle(_ record: ExportRecord, _ outcome: ExportOutcome) {
        switch outcome {
        case .delivered: noteSuccess(1)
        case .retryable(let reason, let delay):
            noteFailure(1, reason, delay)
        case .permanent(let reason): bury(record, reason)
        }
    }

    private func noteSuccess(_ count: Int) {
        state.withLock { state in
            state.delivered += count
            state.standing = .connected
            state.timer.succeeded()
        }
    }

    private func noteFailure(_ count: Int, _ reason: String, _ delay: Duration?) {
        let now = rules.clock.now
        state.withLock { state in
            state.retried += count
            state.standing = .retrying
            state.lastError = reason
            state.timer.failed(at: now, askedFor: delay)
        }
    }

    /// A record that can never succeed: put aside where it can be found, and counted.
    private func bury(_ record: ExportRecord, _ reason: String) {
        var isKept = false
        var problem: String?
        if let letters = rules.deadLetters {
            do throws(SpoolError) {
                isKept = try letters.write(
                    record, exporter: name, reason: reason,
                    wallNanoseconds: rules.clock.wallNanoseconds)
            } catch { problem = error.description }
        }
        state.withLock { state in
            state.lastError = problem ?? reason
            if isKept { state.deadLetters += 1 }
        }
        if !isKept { spool.countDrop(name, .deadLetterNotKept) }
    }

    /// Delivers the next batch of what is owed.
    func drain(from first: UInt64) {
        let entries: [SpoolEntry]
        do throws(SpoolError) {
            entries = try spool.batch(
                for: name, first...UInt64.max, maximumCount: max(1, exporter.maximumBatchCount))
        } catch {
            fail(error.description)
            return
        }
        guard let last = entries.last else {
            // What was still counted lies before, or was damaged.
            state.withLock { $0.lastTried = max($0.lastTried, spool.lastSeq) }
            return
        }
        _ = settle(entries, deliver(entries.map(\.record)))
        state.withLock { $0.lastTried = max($0.lastTried, last.seq) }
    }

    /// Delivers what is owed up to a serial number, until the first failure; the outcomes of all that were
    /// tried, in order.
    func resend(through last: UInt64) -> [ExportOutcome] {
        var all: [ExportOutcome] = []
        var next: UInt64 = 0
        while next <= last {
            let entries: [SpoolEntry]
            do throws(SpoolError) {
                entries = try spool.batch(
                    for: name, next...last, maximumCount: max(1, exporter.maximumBatchCount))
            } catch {
                fail(error.description)
                return all + [.retryable(reason: error.description, after: nil)]
            }
            guard let newest = entries.last else { return all }
            let outcomes = deliver(entries.map(\.record))
            let isFailed = settle(entries, outcomes)
            all += outcomes
            next = newest.seq + 1
            state.withLock { $0.lastTried = max($0.lastTried, newest.seq) }
            if isFailed || state.withLock({ $0.isStopping }) { return all }
        }
        return all
    }

    /// Takes off the spool what need not be delivered again, and counts. Whether something failed.
    private func settle(_ entries: [SpoolEntry], _ outcomes: [ExportOutcome]) -> Bool {
        var done: [SpoolEntry] = []
        var failed: [SpoolEntry] = []
        var delivered = 0
        var failure: (reason: String, delay: Duration?)?
        for (entry, outcome) in zip(entries, outcomes) {
            switch outcome {
            case .delivered:
                delivered += 1
                done.append(entry)
            case .permanent(let reason):
                bury(entry.record, reason)
                done.append(entry)
            case .retryable(let reason, let delay):
                failure = failure ?? (reason, delay)
                failed.append(entry)
            }
        }
        if delivered > 0 { noteSuccess(delivered) }
        spool.acknowledge(done, at: name)
        guard let failure else {
            state.withLock { $0.timer.succeeded() }
            return false
        }
        noteFailure(failed.count, failure.reason, failure.delay)
        giveUp(failed)
        return true
    }

    /// Lets go what is not to be tried again.
    private func giveUp(_ failed: [SpoolEntry]) {
        let now = rules.clock.now
        let isOver = state.withLock { $0.timer.isOver(at: now) }
        guard isOver || !rules.saves else { return }
        let count = spool.acknowledge(failed, at: name)
        spool.countDrop(name, rules.saves ? .retryTimeOver : .notSaved, count)
    }

    /// How it stands now.
    var status: ExporterStatus {
        let queued = spool.queued(name)
        let dropped = spool.dropped(name)
        let now = rules.clock.now
        let isBlocking = spool.isBlocking
        return state.withLock { state in
            var standing = state.isStopping ? .stopped : state.standing
            if standing == .retrying, isBlocking { standing = .blocked }
            var status = ExporterStatus(
                name: name, state: standing,
                lastError: state.lastError, queued: queued)
            status.delivered = state.delivered
            status.retried = state.retried
            status.dropped = dropped
            status.deadLetters = state.deadLetters
            if rules.isBackground, !rules.isManual, queued.records > 0 {
                status.nextAttempt = state.timer.nextAttempt.map { max($0 - now, .zero) }
            }
            return status
        }
    }

    /// Records that were given to the exporter so far: grows while it answers.
    var deliveryCount: Int { state.withLock { $0.delivered + $0.retried + $0.deadLetters } }

    /// Forgets which serial numbers were tried, because those of another spool hold now.
    func restart() {
        state.withLock { $0.lastTried = 0 }
        wake()
    }

    /// Tries again at once what is in the spool.
    func expireBackOff() {
        state.withLock { $0.timer.expire() }
        wake()
    }
}
