/// The life of one worker process, as a value: events in, orders out.
///
/// `spawned → ready → started → stopping → gone`. Whoever owns it carries the orders out.
struct WorkerStateMachine: Equatable, Sendable {
    /// Where a worker stands.
    enum State: String, Equatable, Sendable {
        /// The process runs and has been greeted.
        case spawned
        /// It speaks our protocol; its chain is being made.
        case ready
        /// It takes frames.
        case started
        /// It was told to finish and leave, or is being killed.
        case stopping
        /// It was collected.
        case gone
    }

    /// What happened.
    enum Event: Equatable, Sendable {
        /// It answered the greeting with this version of the protocol, 0 when it knows no common one.
        case welcomed(version: UInt16)
        /// It described its processors.
        case described
        /// It started its chain, or says why not.
        case startAnswered(failure: String?)
        /// The controller wants it to end.
        case stopRequested
        /// It carried `stop` out.
        case stopAnswered
        /// The time it had in this state is over.
        case timeLimitPassed
        /// It did something that it must not: closed its pipe, sent garbage.
        case misbehaved(String)
        /// The process was collected.
        case exited(String)
    }

    /// An order.
    enum Action: Equatable, Sendable {
        case sendDescribe
        case sendStart
        /// Frames may be dispatched to it from now on.
        case open
        case sendStop
        /// Its input is closed: it leaves by itself.
        case closeInput
        case kill
        /// It is gone: reuse what it held. `cause` is nil for an orderly end.
        case finish(cause: String?)
    }

    private(set) var state = State.spawned
    /// Why it has to go, as far as known.
    private var cause: String?

    /// The versions of the protocol that this controller speaks.
    let versions: ClosedRange<UInt16>

    /// A worker that was just spawned and greeted.
    init(versions: ClosedRange<UInt16>) { self.versions = versions }

    /// Takes an event and returns what is to be done, in order.
    mutating func handle(_ event: Event) -> [Action] {
        switch (state, event) {
        case (.gone, _): return []
        case (_, .exited(let status)):
            let orderly = state == .stopping && cause == nil
            state = .gone
            return [.finish(cause: orderly ? nil : cause ?? "it \(status)")]
        case (_, .misbehaved(let what)): return kill(what)
        case (.spawned, .welcomed(let found)) where versions.contains(found):
            state = .ready
            return [.sendDescribe]
        case (.spawned, .welcomed):
            return kill(
                "it speaks another version of the worker protocol than \(versions.upperBound); "
                    + "build it again with this release of Sluice")
        case (.ready, .described): return [.sendStart]
        case (.ready, .startAnswered(failure: nil)):
            state = .started
            return [.open]
        case (.ready, .startAnswered(let failure?)): return kill(failure)
        case (.spawned, .stopRequested), (.ready, .stopRequested):
            state = .stopping
            return [.closeInput]
        case (.started, .stopRequested):
            state = .stopping
            return [.sendStop]
        case (.stopping, .stopRequested): return []
        case (.stopping, .stopAnswered): return [.closeInput]
        case (.spawned, .timeLimitPassed):
            return kill("it did not answer the greeting in time; is it a Sluice worker?")
        case (.ready, .timeLimitPassed): return kill("its processors did not start in time")
        case (.stopping, .timeLimitPassed): return kill("it did not stop in time")
        case (.started, .timeLimitPassed): return []
        case (.stopping, .welcomed), (.stopping, .described), (.stopping, .startAnswered):
            // Asked before the stop, answered after it.
            return []
        case (_, .welcomed), (_, .described), (_, .startAnswered), (_, .stopAnswered):
            return kill("it answered what was not asked")
        }
    }

    /// The process never came to be, or never will again.
    mutating func abandon() { state = .gone }

    /// The first reason counts, and a process is killed once: it can't survive that.
    private mutating func kill(_ reason: String) -> [Action] {
        guard cause == nil else { return [] }
        cause = reason
        state = .stopping
        return [.kill]
    }
}
