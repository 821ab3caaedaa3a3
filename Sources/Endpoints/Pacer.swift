internal import Glibc

/// Lets one caller go on at a fixed rate, until it is cancelled.
///
/// Unchecked: `isCancelled` is read and written with `mutex` held; `next` belongs to the one caller.
final class Pacer: @unchecked Sendable {
    /// How far it may fall behind and still catch up, in seconds: a longer halt shifts the schedule, so
    /// that a burst of frames never follows it.
    static let standardMaximumLag = 0.1

    /// After so many seconds it looks again.
    private static let longestWait = 3600.0

    private let interval: Double
    private let maximumLag: Double
    private var next: Double?
    private var isCancelled = false
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// A pacer that catches up what it is behind, up to `maximumLag` seconds.
    init(framesPerSecond: Double, maximumLag: Double = standardMaximumLag) {
        interval = 1 / framesPerSecond
        self.maximumLag = maximumLag
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Waits until the next is due; false when cancelled.
    func wait() -> Bool {
        let due = max(next ?? -.infinity, Self.now() - maximumLag)
        let start = next == nil ? Self.now() : due
        next = start + interval
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isCancelled, Self.now() < start {
            // A rate may be so low that the time of the next has no number of seconds in the system.
            let end = min(start, Self.now() + Self.longestWait)
            let whole = end.rounded(.down)
            var deadline = timespec(tv_sec: Int(whole), tv_nsec: Int((end - whole) * 1e9))
            pthread_cond_timedwait(condition, mutex, &deadline)
        }
        return !isCancelled
    }

    /// Ends a wait, and all later ones at once.
    func cancel() {
        pthread_mutex_lock(mutex)
        isCancelled = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
