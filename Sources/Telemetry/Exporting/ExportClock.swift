internal import Glibc

/// Time as senders see it; tests have one that is moved by hand.
public protocol ExportClock: Sendable {
    /// Time since some fixed moment; it never goes back, whatever becomes of the wall clock.
    var now: Duration { get }

    /// The wall clock in nanoseconds since the Unix epoch, for time stamps only: no wait depends on it.
    var wallNanoseconds: Int64 { get }

    /// Returns when the doorbell was rung or the deadline, on the scale of `now`, is there; nil: no end.
    /// May return earlier.
    func wait(for doorbell: Doorbell, until deadline: Duration?)
}

/// The clocks of the system.
public struct SystemExportClock: ExportClock {
    /// The clocks of the system.
    public init() {}

    /// CLOCK_MONOTONIC, which steps of the wall clock do not move.
    public var now: Duration {
        let time = clockTime(CLOCK_MONOTONIC)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// CLOCK_REALTIME.
    public var wallNanoseconds: Int64 {
        let time = clockTime(CLOCK_REALTIME)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Sleeps in the kernel.
    public func wait(for doorbell: Doorbell, until deadline: Duration?) {
        doorbell.wait(until: deadline)
    }
}

private func clockTime(_ clock: clockid_t) -> timespec {
    var time = timespec()
    clock_gettime(clock, &time)
    return time
}
