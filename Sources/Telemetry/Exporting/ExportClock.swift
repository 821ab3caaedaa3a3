internal import CLinux
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

/// What one thread rings and another waits for; a ring that nobody waited for is remembered, several
/// count as one.
///
/// Unchecked: `isRung` is guarded by the mutex, which lives as long as the object.
public final class Doorbell: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var isRung = false

    /// A doorbell that was not rung.
    public init() {
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

    /// Wakes the waiter, or lets the next one pass.
    public func ring() {
        pthread_mutex_lock(mutex)
        isRung = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Waits until it is rung and takes the ring; or until CLOCK_MONOTONIC is there, nil: for ever.
    public func wait(until deadline: Duration?) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isRung {
            guard let deadline else {
                pthread_cond_wait(condition, mutex)
                continue
            }
            let (seconds, attoseconds) = deadline.components
            var time = timespec(
                tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
            if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return }
        }
        isRung = false
    }
}

/// Starts a thread that runs `body` once. It takes no signals: handlers run elsewhere, and a destination
/// that hangs up gives an error, not SIGPIPE. The system keeps the first 15 bytes of the name. False where
/// the system has no thread left.
func startExportThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
    final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 1 << 20)
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let result = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            _ = cl_set_thread_name(start.name)
            var all = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_BLOCK, &all, nil)
            start.body()
            return nil
        }, start.toOpaque())
    if result != 0 { start.release() }
    return result == 0
}
