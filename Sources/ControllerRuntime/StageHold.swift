/// Whether a stage can go on, as a value: `flowing`, or `held` because the place of its files can't
/// take them. While it is held one frame at a time is given out as a probe, with a growing pause between
/// two; the first that comes to an end lets the stage flow again. Times are monotonic nanoseconds.
struct StageHold: Equatable, Sendable {
    /// Pause before the first probe: short, for what another program removes at once …
    static let firstBackOff: UInt64 = 200_000_000
    /// … doubled with every probe that comes back held, up to this: a person who has made room sees
    /// the run go on within a few seconds.
    static let maximumBackOff: UInt64 = 5_000_000_000

    /// A stage that is held.
    struct Stall: Equatable, Sendable {
        /// What the place said last.
        var reason: String
        /// When it began.
        var since: UInt64
        /// When the next probe may go.
        var nextTryAt: UInt64
        /// The pause before it.
        var backOff: UInt64
        /// The entry that is being tried; nil between two probes.
        var probe: Int?
    }

    /// An order to whoever owns it.
    enum Action: Equatable, Sendable {
        /// Tell that the stage is held, or for another reason than before.
        case tellHeld(reason: String)
        /// Tell that it flows again after so long.
        case tellResumed(reason: String, nanoseconds: UInt64)
    }

    /// Nil while it flows.
    private(set) var stall: Stall?

    /// Whether it does not flow.
    var isHeld: Bool { stall != nil }

    /// A frame came back because its place can't take it. One that was on its way when the stage
    /// stopped joins the others; the probe doubles the pause.
    mutating func frameHeld(_ place: Int, reason: String, at now: UInt64) -> [Action] {
        guard var current = stall else {
            stall = Stall(
                reason: reason, since: now,
                nextTryAt: MonotonicClock.time(now, plus: Self.firstBackOff),
                backOff: Self.firstBackOff)
            return [.tellHeld(reason: reason)]
        }
        guard current.probe == place else { return [] }
        current.probe = nil
        current.backOff = min(Self.maximumBackOff, current.backOff * 2)
        current.nextTryAt = MonotonicClock.time(now, plus: current.backOff)
        let isNews = current.reason != reason
        current.reason = reason
        stall = current
        return isNews ? [.tellHeld(reason: reason)] : []
    }

    /// Whether a frame may be given out now.
    func mayTry(at now: UInt64) -> Bool {
        guard let stall else { return true }
        return stall.probe == nil && now >= stall.nextTryAt
    }

    /// A frame was given out as a probe.
    mutating func tried(_ place: Int) { stall?.probe = place }

    /// A frame came to an end. `isProof`: it asked the place, which answered otherwise than before;
    /// a frame without files proves nothing, and the next may follow at once.
    mutating func frameEnded(_ place: Int, isProof: Bool, at now: UInt64) -> [Action] {
        guard let current = stall, current.probe == place else { return [] }
        guard isProof else {
            stall?.probe = nil
            return []
        }
        stall = nil
        return [.tellResumed(reason: current.reason, nanoseconds: now &- min(now, current.since))]
    }

    /// A frame came back for another reason, as that its worker was lost: it has told nothing.
    mutating func frameReturned(_ place: Int) {
        if stall?.probe == place { stall?.probe = nil }
    }

    /// How long it has been held at `now`; nil while it flows.
    func lasted(at now: UInt64) -> UInt64? {
        stall.map { now &- min(now, $0.since) }
    }

    /// When somebody has to look again: for the next probe, or the end of the `limit` (nanoseconds;
    /// nil: it may last for ever). Nil while it flows.
    func nextLook(limit: UInt64?) -> UInt64? {
        guard let stall else { return nil }
        let end = limit.map { MonotonicClock.time(stall.since, plus: $0) } ?? .max
        return stall.probe == nil ? min(stall.nextTryAt, end) : end
    }
}
