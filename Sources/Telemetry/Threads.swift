internal import CLinux
internal import Glibc

/// A lock with a condition on the monotonic clock: steps of the wall clock lengthen no wait.
final class EventMonitor: @unchecked Sendable {  // guard: the mutex
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Wakes all that wait; called with the lock held, as are both forms of waiting.
    func changed() { pthread_cond_broadcast(condition) }

    func wait() { pthread_cond_wait(condition, mutex) }

    /// Waits for a change until then; false: the time is over.
    func wait(until deadline: ContinuousClock.Instant) -> Bool {
        let rest = ContinuousClock.now.duration(to: deadline)
        guard rest > .zero else { return false }
        // A day at most, so that no sum overflows; the caller looks again.
        _ = wait(until: SystemExportClock().now + min(rest, .seconds(86_400)))
        return true
    }

    /// Waits for a change until CLOCK_MONOTONIC is there; false: the time is over.
    func wait(until deadline: Duration) -> Bool {
        let (seconds, attoseconds) = deadline.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
    }
}

/// What one thread rings and another waits for; a ring that nobody waited for is remembered, several
/// count as one.
public final class Doorbell: @unchecked Sendable {  // guard: `monitor`
    private let monitor = EventMonitor()
    private var isRung = false

    /// A doorbell that was not rung.
    public init() {}

    /// Wakes the waiter, or lets the next one pass.
    public func ring() {
        monitor.locked {
            isRung = true
            monitor.changed()
        }
    }

    /// Waits until it is rung and takes the ring; or until CLOCK_MONOTONIC is there, nil: for ever.
    public func wait(until deadline: Duration?) {
        monitor.locked {
            while !isRung {
                guard let deadline else {
                    monitor.wait()
                    continue
                }
                if !monitor.wait(until: deadline) { return }
            }
            isRung = false
        }
    }
}

/// Starts a thread that runs `body` once and is joined by nobody. It takes no signals: handlers run elsewhere,
/// and a destination that hangs up gives an error, not SIGPIPE. The system keeps the first 15 bytes of the name.
/// Returns 0, or the error number where the system has no thread left.
func startDetachedThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Int32 {
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
    // Room for the calls of nested routers; pages that are never touched cost nothing.
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
    return result
}
