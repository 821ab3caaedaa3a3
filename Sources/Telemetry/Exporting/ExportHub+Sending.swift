internal import Journal

extension ExportHub {
    /// What became of a record at each leaf that was waited for, and of those that were sent again.
    struct Sent {
        var outcomes: [String: ExportOutcome] = [:]
        var resent: [ExportResult] = []
    }

    private struct Delivery {
        var leaf: ExportLeaf
        var destination: Destination
        var record: ExportRecord
        /// The work of its thread; nil where there is none.
        var job: ExportJob?
        var outcome: ExportOutcome?
        /// Whether nobody knows what became of it.
        var isAbandoned = false
    }

    /// Sends a record to its leaves, or puts it into the spool for their threads where nobody waits.
    func send(_ parts: [ExportPart]) throws(ExportError) -> Sent {
        try checkRunning()
        var sent = Sent()
        guard settings.waitForResult else {
            for part in parts where !part.leaves.isEmpty {
                store(part.record, owed: part.leaves.map(\.path))
                for leaf in part.leaves { destination(leaf).wake() }
            }
            return sent
        }
        let deliveries = deliver(parts)
        keepFailures(parts, deliveries)
        for delivery in deliveries { sent.outcomes[delivery.leaf.path] = delivery.outcome }
        if !rules.isManual {
            for delivery in deliveries {
                guard case .delivered? = delivery.outcome else { continue }
                sent.resent += resend([delivery.leaf])
            }
        }
        return sent
    }

    /// Delivers to at most `numThreads` destinations at the same time: one after the other on the sender's own
    /// thread, as far as they may be called there.
    private func deliver(_ parts: [ExportPart]) -> [Delivery] {
        var deliveries = parts.flatMap { part in
            part.leaves.map { leaf in
                Delivery(leaf: leaf, destination: destination(leaf), record: part.record)
            }
        }
        let width = settings.numThreads
        for place in deliveries.indices.prefix(width) where width > 1 { post(&deliveries[place]) }
        for place in deliveries.indices {
            if width == 1 {
                let delivery = deliveries[place]
                deliveries[place].outcome = delivery.destination.deliverHere(delivery.record)
                if deliveries[place].outcome == nil { post(&deliveries[place]) }
            }
            finish(&deliveries[place])
            if width > 1, place + width < deliveries.count { post(&deliveries[place + width]) }
        }
        return deliveries
    }

    private func post(_ delivery: inout Delivery) {
        let job = ExportJob(.deliver(delivery.record))
        delivery.job = job
        delivery.destination.post(job)
    }

    /// Waits for the outcome of what a thread has to deliver.
    private func finish(_ delivery: inout Delivery) {
        guard let job = delivery.job else { return }
        if let outcome = waitOrInterrupt(job, delivery.destination)?.first {
            delivery.outcome = outcome
            return
        }
        let reason = "no answer within \(rules.timeout)"
        delivery.destination.fail(reason)
        delivery.outcome = .retryable(reason: reason, after: nil)
        delivery.isAbandoned = true
    }

    /// Stores each record once, owed by the leaves that did not take it.
    private func keepFailures(_ parts: [ExportPart], _ deliveries: [Delivery]) {
        for part in parts {
            let paths = Set(part.leaves.map(\.path))
            let failed = deliveries.filter { delivery in
                guard case .retryable? = delivery.outcome else { return false }
                return paths.contains(delivery.leaf.path)
            }
            guard !failed.isEmpty else { continue }
            guard rules.saves else {
                for delivery in failed { keepElsewhere(part.record, delivery.leaf) }
                continue
            }
            let seq = store(part.record, owed: failed.map(\.leaf.path))
            guard seq > 0 else { continue }
            for delivery in failed where delivery.isAbandoned {
                if let late = delivery.job?.stored(as: seq) {
                    delivery.destination.acknowledge(late)
                }
            }
        }
    }

    /// A pool that saves nothing leaves that to a member that does.
    private func keepElsewhere(_ record: ExportRecord, _ leaf: ExportLeaf) {
        if let own = leaf.own, own.rules.saves {
            own.store(record, owed: [leaf.exporter.name])
        } else {
            spool.countDrop(leaf.path, .notSaved)
        }
    }

    /// Sends again what these leaves owe at this moment, each record once and each leaf until its first
    /// failure; the results in the order of the leaves and of the records.
    func resend(_ leaves: [ExportLeaf]) -> [ExportResult] {
        let last = spool.lastSeq
        let jobs = leaves.filter { spool.queued($0.path).records > 0 }.map { leaf in
            let destination = destination(leaf)
            let job = ExportJob(.resend(through: last))
            destination.post(job)
            return (leaf, destination, job)
        }
        return jobs.flatMap { leaf, destination, job in
            wait(for: job, destination).map { ExportResult($0, exporter: leaf.path) }
        }
    }

    /// Waits for a job of many deliveries as long as one is done within each time limit.
    private func wait(for job: ExportJob, _ destination: Destination) -> [ExportOutcome] {
        let clock = rules.clock
        while true {
            let before = destination.deliveryCount
            if let outcomes = job.wait(clock, until: clock.now + rules.timeout) { return outcomes }
            guard destination.deliveryCount == before else { continue }
            if let outcomes = waitOrInterrupt(job, destination) { return outcomes }
            return [.retryable(reason: "no answer within \(rules.timeout)", after: nil)]
        }
    }
}
