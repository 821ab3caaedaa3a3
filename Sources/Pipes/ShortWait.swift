internal import CLinux
internal import Glibc

/// Whether to look again for a moment before going to sleep.
///
/// To sleep and to be woken on another processor costs both sides more than the work on a small frame;
/// where messages follow each other faster than that, two processes that hand work to and fro spend
/// most of their time so. A thread whose last wait was short therefore looks again for a moment, and
/// lets others run in between; one that waits longer sleeps at once.
package struct ShortWait {
    /// How long to look: what is lost, once, where nothing comes.
    package static let maximumLookNanoseconds: UInt64 = 20_000
    /// The longest wait before it after which to look.
    package static let maximumLastNanoseconds: UInt64 = 60_000

    private var begunAt: UInt64 = 0
    private var lastNanoseconds = UInt64.max

    /// A thread that has not waited yet.
    package init() {}

    /// Begins a wait; true when it is likely to be short.
    package mutating func begin() -> Bool {
        begunAt = Self.now()
        return lastNanoseconds < Self.maximumLastNanoseconds
    }

    /// Lets others run, unless it has been looked long enough: then false.
    package func mayLookAgain() -> Bool {
        guard Self.now() &- begunAt < Self.maximumLookNanoseconds else { return false }
        sched_yield()
        return true
    }

    /// Ends the wait, slept or not.
    package mutating func end() { lastNanoseconds = Self.now() &- begunAt }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
