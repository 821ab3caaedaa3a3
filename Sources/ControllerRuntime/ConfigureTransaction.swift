/// A change of configuration of one stage from the first question to the answer, as a value: events in,
/// orders out. Whoever owns it carries the orders out.
///
/// `validating → applying → over`. Workers are named by their places, which outlive their processes.
struct ConfigureTransaction: Hashable, Sendable {
    /// How far it is.
    enum Phase: Hashable, Sendable {
        /// Workers say whether they would take the change. Without any worker it waits for one.
        case validating
        /// Frames are stamped with the new version, and workers apply it.
        case applying
        /// Everybody knows how it ended.
        case over
    }

    /// What happened.
    enum Event: Equatable, Sendable {
        /// A worker is there and takes orders: at the beginning, or it has just started. It has the
        /// accepted changes, in the phase `applying` this one among them.
        case joined(Int)
        /// A worker would take the change.
        case validated(Int)
        /// A worker would not, and why.
        case refused(Int, String)
        /// A worker's processors have the new version.
        case applied(Int)
        /// A worker could not apply it, and why.
        case applyFailed(Int, String)
        /// A worker's process has ended. `wasAtIt`: it had come to what it was asked here, so that this is
        /// what it ended of; else it ended of something else, as workers do.
        case gone(Int, wasAtIt: Bool, String)
        /// The run takes no more changes.
        case runEnding(String)
    }

    /// An order.
    enum Action: Equatable, Sendable {
        case sendPrepare(Int)
        /// Bring the worker to the new version, behind the frames that it has.
        case sendApply(Int)
        /// Make the worker forget a version that it may have prepared.
        case sendAbandon(Int)
        /// Bring the worker to the version before, and make it forget the new one.
        case sendBack(Int)
        /// From here on every dispatch carries the new version: that is the frame boundary.
        case publish
        /// Every dispatch carries the version before again.
        case takeBack(String)
        /// Tell who asked; nil: all have applied it. The last order of all.
        case complete(failure: String?)
    }

    private(set) var phase = Phase.validating
    /// Workers that were asked in this phase and have not answered.
    private var waiting: Set<Int> = []
    /// Workers that have answered in this phase, and are there.
    private var agreed: Set<Int> = []
    /// Those of `waiting` that ended of something else: the next process in their place is to answer.
    private var absent: Set<Int> = []

    /// Takes an event and returns what is to be done, in order.
    mutating func handle(_ event: Event) -> [Action] {
        switch (phase, event) {
        case (.over, _): return []
        case (_, .runEnding(let reason)): return end(reason)
        case (.validating, .joined(let worker)):
            agreed.remove(worker)
            waiting.insert(worker)
            return [.sendPrepare(worker)]
        case (.validating, .validated(let worker)):
            guard waiting.remove(worker) != nil else { return [] }
            agreed.insert(worker)
            return publishIfAgreed()
        case (.validating, .refused(let worker, let reason)):
            return waiting.contains(worker) ? refuse(reason) : []
        case (.validating, .gone(let worker, let wasAtIt, let reason)):
            let wasAsked = waiting.remove(worker) != nil
            agreed.remove(worker)
            return wasAsked && wasAtIt ? refuse(reason) : publishIfAgreed()
        case (.validating, .applied), (.validating, .applyFailed): return []
        case (.applying, .joined(let worker)):
            absent.remove(worker)
            agreed.remove(worker)
            waiting.insert(worker)
            return [.sendApply(worker)]
        case (.applying, .applied(let worker)):
            guard waiting.remove(worker) != nil else { return [] }
            agreed.insert(worker)
            return completeIfApplied()
        case (.applying, .applyFailed(let worker, let reason)):
            return waiting.contains(worker) ? takeBack(reason) : []
        case (.applying, .gone(let worker, let wasAtIt, let reason)):
            return gone(worker, wasAtIt: wasAtIt, reason)
        case (.applying, .validated), (.applying, .refused): return []
        }
    }

    // MARK: Validating

    private mutating func publishIfAgreed() -> [Action] {
        guard waiting.isEmpty, !agreed.isEmpty else { return [] }
        phase = .applying
        waiting = agreed
        agreed = []
        return [.publish] + waiting.sorted().map(Action.sendApply)
    }

    private mutating func refuse(_ reason: String) -> [Action] {
        phase = .over
        return waiting.union(agreed).sorted().map(Action.sendAbandon) + [.complete(failure: reason)]
    }

    // MARK: Applying

    private mutating func completeIfApplied() -> [Action] {
        guard waiting.isEmpty else { return [] }
        phase = .over
        return [.complete(failure: nil)]
    }

    private mutating func gone(_ worker: Int, wasAtIt: Bool, _ reason: String) -> [Action] {
        agreed.remove(worker)
        // One that ends again before it was asked again ended of something else, too.
        guard waiting.contains(worker), absent.insert(worker).inserted else { return [] }
        return wasAtIt ? takeBack(reason) : []
    }

    private mutating func takeBack(_ reason: String) -> [Action] {
        phase = .over
        let present = waiting.union(agreed).subtracting(absent)
        return [.takeBack(reason)] + present.sorted().map(Action.sendBack)
            + [.complete(failure: reason)]
    }

    // MARK: The end of the run

    /// Workers are going anyway: they are told nothing, but the account says what was not carried out.
    private mutating func end(_ reason: String) -> [Action] {
        let wasApplying = phase == .applying
        phase = .over
        return (wasApplying ? [.takeBack(reason)] : []) + [.complete(failure: reason)]
    }
}
