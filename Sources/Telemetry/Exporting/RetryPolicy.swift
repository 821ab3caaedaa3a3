/// When a destination that failed is tried again: exponential back-off with jitter.
public struct RetryPolicy: Sendable, Equatable {
    /// The wait after the first failure.
    public var initialInterval: Duration = .milliseconds(500)
    /// What each further failure multiplies the wait with; 1 or more.
    public var multiplier = 1.5
    /// The longest wait that comes of it.
    public var maximumInterval: Duration = .seconds(30)
    /// How far a wait may be off, as a part of it, to either side: 0.5 draws from half to one and a half.
    /// From 0 to 1. It keeps many senders from coming back at the same moment.
    public var jitter = 0.5
    /// How long a destination may fail in one piece before what failed is dropped and counted; nil: for
    /// ever.
    public var maximumElapsedTime: Duration?
    /// Where the random numbers begin; nil: anywhere.
    public var seed: UInt64?

    /// The longest delay that a server gets by asking.
    public static let maximumServerDelay: Duration = .seconds(3600)

    /// The standard: 0.5 s × 1.5 up to 30 s, for ever.
    public init(
        initialInterval: Duration = .milliseconds(500), multiplier: Double = 1.5,
        maximumInterval: Duration = .seconds(30), jitter: Double = 0.5,
        maximumElapsedTime: Duration? = nil, seed: UInt64? = nil
    ) {
        self.initialInterval = initialInterval
        self.multiplier = multiplier
        self.maximumInterval = maximumInterval
        self.jitter = jitter
        self.maximumElapsedTime = maximumElapsedTime
        self.seed = seed
    }

    /// Refuses settings that can't work.
    func check() throws(ExportError) {
        guard initialInterval > .zero, maximumInterval >= initialInterval else {
            throw .invalidConfiguration(
                "retry: the intervals must be above zero, the maximum not below the first")
        }
        guard multiplier >= 1, multiplier.isFinite, (0...1).contains(jitter) else {
            throw .invalidConfiguration("retry: multiplier must be 1 or more, jitter from 0 to 1")
        }
    }
}

/// The back-off of one destination: a value that is told of failures and says when to try again.
struct RetryTimer: Sendable {
    let policy: RetryPolicy
    /// Failures in one piece.
    private(set) var failureCount = 0
    /// When the first of them was; nil while there are none.
    private(set) var failingSince: Duration?
    /// Not before this time is the next try; nil: at once.
    private(set) var nextAttempt: Duration?
    private var random: UInt64

    init(_ policy: RetryPolicy) {
        self.policy = policy
        random = policy.seed ?? UInt64.random(in: 0...UInt64.max)
    }

    /// It worked: the next failure begins anew.
    mutating func succeeded() {
        failureCount = 0
        failingSince = nil
        nextAttempt = nil
    }

    /// It failed, and the server may have asked for a delay, which is honoured up to the maximum.
    mutating func failed(at now: Duration, askedFor delay: Duration?) {
        failingSince = failingSince ?? now
        var interval = policy.initialInterval
        // The loop ends early: the wait never grows past its maximum.
        for _ in 0..<failureCount where interval < policy.maximumInterval {
            interval = min(interval * policy.multiplier, policy.maximumInterval)
        }
        failureCount += 1
        let drawn = interval * (1 + policy.jitter * (2 * fraction() - 1))
        let asked = min(max(delay ?? .zero, .zero), RetryPolicy.maximumServerDelay)
        nextAttempt = now + max(drawn, asked)
    }

    /// Tries again at once, as far as the back-off goes.
    mutating func expire() { nextAttempt = nil }

    /// Whether it has failed for longer than the policy allows.
    func isOver(at now: Duration) -> Bool {
        guard let limit = policy.maximumElapsedTime, let since = failingSince else { return false }
        return now - since > limit
    }

    /// The next number from 0 up to 1 (SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
    private mutating func fraction() -> Double {
        random &+= 0x9E37_79B9_7F4A_7C15
        var mixed = random
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return Double((mixed ^ mixed >> 31) >> 11) * 0x1p-53
    }
}
