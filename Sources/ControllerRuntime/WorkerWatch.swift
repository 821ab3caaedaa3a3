/// Whether a worker that has started still gets on, as a value: what is seen of it goes in, a judgement
/// comes out.
///
/// It is looked at a few times a second and never for a frame. All times are nanoseconds of the
/// monotonic clock.
struct WorkerWatch: Equatable, Sendable {
    /// What a stage allows its workers.
    struct Limits: Equatable, Sendable {
        /// Time in user code for one frame, or with frames in hand and nothing done; nil: no limit.
        var frameTime: UInt64?
        /// Time to answer a command; nil: no limit, and no question to idle workers.
        var responseTime: UInt64?

        /// Time between two looks: a quarter of the shortest limit, so that a limit is noticed soon
        /// after it was passed, but no more than 4 and no fewer than 50 looks a second.
        var period: UInt64 {
            let shortest = min(frameTime ?? .max, responseTime ?? .max)
            return max(Self.shortestPeriod, min(Self.longestPeriod, shortest / 4))
        }

        private static let shortestPeriod: UInt64 = 20_000_000
        private static let longestPeriod: UInt64 = 250_000_000
    }

    /// A frame in user code.
    struct FrameInHand: Equatable, Sendable {
        var requestId: UInt64
        var startedAt: UInt64
    }

    /// What is seen of a worker at one moment.
    struct Look: Equatable, Sendable {
        var now: UInt64
        /// The frame that it is in user code with, nil for none.
        var frame: FrameInHand?
        /// Frames that it has.
        var inFlight: Int
        /// Frames that it gave back in this life, with whatever outcome.
        var answerCount: UInt64
        /// When its last message came.
        var heardAt: UInt64
        /// When the oldest command was sent to which it owes an answer; nil: it owes none.
        var oldestDebt: UInt64?
        /// The same of the commands that change something (`configure`, `resetStats`).
        var oldestChange: UInt64?
    }

    /// What a look says.
    enum Judgement: Equatable, Sendable {
        case well
        /// It has nothing to do and said nothing for a while: it is asked whether it is there.
        case ping
        /// It was over the limit with this frame from `since` on.
        case frameTooLong(requestId: UInt64, since: UInt64)
        /// It has frames, is in none of them, and gave none back; over the limit from `since` on.
        case stuck(since: UInt64)
        /// It owes an answer; over the limit from `since` on.
        case silent(since: UInt64)
    }

    /// Silence of an idle worker after which it is pinged.
    static let silenceBeforePing: UInt64 = 1_000_000_000

    private var answerCount: UInt64 = 0
    private var wasIdle = true
    /// Since when nothing was seen to be done.
    private var stillSince: UInt64 = 0

    /// A watch over a worker that has just started.
    init(startedAt: UInt64) { stillSince = startedAt }

    /// Judges what is seen now by what was seen before.
    mutating func judge(_ look: Look, by limits: Limits) -> Judgement {
        let isIdle = look.inFlight == 0
        if look.frame != nil || look.answerCount != answerCount || wasIdle && !isIdle {
            stillSince = look.now
        }
        answerCount = look.answerCount
        wasIdle = isIdle
        if let frame = look.frame {
            guard let limit = limits.frameTime else { return .well }
            let end = MonotonicClock.time(frame.startedAt, plus: limit)
            return look.now >= end ? .frameTooLong(requestId: frame.requestId, since: end) : .well
        }
        if let limit = limits.frameTime, !isIdle {
            let end = MonotonicClock.time(stillSince, plus: limit)
            if look.now >= end { return .stuck(since: end) }
        }
        // One that works on frames in a single thread answers a ping after them, so that only
        // changes, which take their turn among the frames, are waited for then.
        guard let limit = limits.responseTime else { return .well }
        if let debt = isIdle ? look.oldestDebt : look.oldestChange {
            let end = MonotonicClock.time(max(debt, stillSince), plus: limit)
            if look.now >= end { return .silent(since: end) }
        }
        guard isIdle, look.oldestDebt == nil else { return .well }
        let end = MonotonicClock.time(look.heardAt, plus: Self.silenceBeforePing)
        return look.now >= end ? .ping : .well
    }
}
