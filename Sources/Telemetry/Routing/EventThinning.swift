internal import CLinux
internal import Glibc
internal import Synchronization

/// Keeps one event of so many.
public final class SampleProcessor: EventProcessor {
    private enum Choice: Sendable {
        case counter(next: UInt64)
        case random(state: UInt64)
    }

    private let every: UInt64
    private let choice: Mutex<Choice>

    /// Without a seed the first event and each `every`-th after it are kept; with one, each event with a chance
    /// of 1 in `every`, the same for the same seed (SplitMix64: Steele, Lea and Flood, OOPSLA 2014). `every` is
    /// 1 or more; 1 keeps all.
    public init(every: Int, seed: UInt64? = nil) throws(RoutingError) {
        guard every >= 1 else {
            throw .invalidOption("sample", problem: "has every \(every)", advice: "use 1 or more")
        }
        self.every = UInt64(every)
        choice = Mutex(seed.map { .random(state: $0) } ?? .counter(next: 0))
    }

    public func process(_ event: inout TelemetryEvent) -> Disposition {
        let isKept = choice.withLock { choice in
            switch choice {
            case .counter(let next):
                choice = .counter(next: (next + 1) % every)
                return next == 0
            case .random(var state):
                state &+= 0x9E37_79B9_7F4A_7C15
                choice = .random(state: state)
                var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
                mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
                // The upper half of the product is evenly spread over 0 ..< every.
                return (mixed ^ mixed >> 31).multipliedFullWidth(by: every).high == 0
            }
        }
        return isKept ? .keep : .drop(reason: "not in the sample")
    }
}

/// Keeps so many events a second on average, and short bursts of more: a token bucket, full at first. It takes
/// a token for each event that passes, and gets new ones with time, up to the burst.
public final class RateLimitProcessor: EventProcessor {
    private struct Bucket {
        var tokens: Double
        /// When the tokens were counted; nil before the first event.
        var time: Duration?
    }

    private let perSecond: Double
    private let burst: Double
    private let now: @Sendable () -> Duration
    private let bucket: Mutex<Bucket>

    /// `perSecond` is above 0; `burst` is the number of events that may come at once, 1 or more, by default
    /// those of a second. `now` is a clock that does not go back, since any moment: a step back adds no
    /// tokens.
    public init(
        perSecond: Double, burst: Int? = nil,
        now: @escaping @Sendable () -> Duration = RateLimitProcessor.monotonicTime
    ) throws(RoutingError) {
        guard perSecond > 0, perSecond <= 1e9 else {
            throw .invalidOption(
                "rateLimit", problem: "has perSecond \(perSecond)",
                advice: "use more than 0 and at most 1000000000")
        }
        let burst = burst ?? max(1, Int(perSecond.rounded(.up)))
        guard burst >= 1, burst <= 1_000_000_000 else {
            throw .invalidOption(
                "rateLimit", problem: "has burst \(burst)", advice: "use 1 to 1000000000")
        }
        self.perSecond = perSecond
        self.burst = Double(burst)
        self.now = now
        bucket = Mutex(Bucket(tokens: Double(burst), time: nil))
    }

    public func process(_ event: inout TelemetryEvent) -> Disposition {
        let now = now()
        let isKept = bucket.withLock { bucket in
            let passed = bucket.time.map { (now - $0) / .seconds(1) } ?? 0
            bucket.time = now
            bucket.tokens = min(burst, bucket.tokens + max(0, passed) * perSecond)
            guard bucket.tokens >= 1 else { return false }
            bucket.tokens -= 1
            return true
        }
        return isKept ? .keep : .drop(reason: "above the rate limit")
    }

    /// Time since the start of the system.
    public static let monotonicTime: @Sendable () -> Duration = {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
