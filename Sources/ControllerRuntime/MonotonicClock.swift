internal import Glibc

/// The machine's monotonic clock, the one that workers use too.
enum MonotonicClock {
    /// Nanoseconds since some moment before the machine started.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// The moment `nanoseconds` after `start`; the end of time when that can't be told.
    static func time(_ start: UInt64, plus nanoseconds: UInt64) -> UInt64 {
        let (sum, overflow) = start.addingReportingOverflow(nanoseconds)
        return overflow ? .max : sum
    }

    /// Nanoseconds since the POSIX epoch.
    static func nanosecondsSinceEpoch() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(max(0, time.tv_sec)) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Seconds since the POSIX epoch, for records that people compare with other logs.
    static func secondsSinceEpoch() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

extension Duration {
    /// Whole nanoseconds, held between 0 and the largest number.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow
            ? .max : MonotonicClock.time(whole, plus: UInt64(attoseconds / 1_000_000_000))
    }
}
