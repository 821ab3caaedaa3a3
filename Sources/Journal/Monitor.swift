internal import Glibc

/// A lock with a condition on the monotonic clock: steps of the wall clock lengthen no wait.
///
/// What no `Mutex` can do is wait for another thread: hence a lock and a condition of the system.
package final class EventMonitor: @unchecked Sendable {  // guard: the lock
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// A monitor that nobody holds.
    package init() {
        pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(lock)
        condition.deallocate()
        lock.deallocate()
    }

    /// Does something with the lock held.
    package func locked<Value>(_ body: () throws -> Value) rethrows -> Value {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body()
    }

    /// Wakes all that wait; called with the lock held, as are all forms of waiting.
    package func changed() { pthread_cond_broadcast(condition) }

    /// Waits for a change.
    package func wait() { pthread_cond_wait(condition, lock) }

    /// Waits for a change until then, an hour at most: the caller looks again. False: the time is over.
    package func wait(until deadline: ContinuousClock.Instant) -> Bool {
        let left = ContinuousClock.now.duration(to: deadline)
        guard left > .zero else { return false }
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        _ = wait(
            until: .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec) + min(left, .seconds(3600)))
        return true
    }

    /// Waits for a change until CLOCK_MONOTONIC is there; false: the time is over.
    package func wait(until deadline: Duration) -> Bool {
        let (seconds, attoseconds) = deadline.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        return pthread_cond_timedwait(condition, lock, &time) != ETIMEDOUT
    }
}

/// Values that several threads share, and wait for changes of.
final class Monitor<State>: @unchecked Sendable {
    private let monitor = EventMonitor()
    // Guard: `monitor`, which is held in every use of it.
    private var state: State

    init(_ state: State) { self.state = state }

    /// Looks at the state, or changes it in a way that nobody waits for.
    func withLock<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        try monitor.locked { try body(&state) }
    }

    /// Changes the state and wakes all who wait.
    func change<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        try monitor.locked {
            defer { monitor.changed() }
            return try body(&state)
        }
    }

    /// Waits until `body` gives something, and wakes the others then, because it may have changed the state;
    /// nil when the deadline comes first. Without a deadline it waits for ever.
    func wait<Result>(
        until deadline: ContinuousClock.Instant? = nil, _ body: (inout State) throws -> Result?
    ) rethrows -> Result? {
        try monitor.locked {
            while true {
                if let result = try body(&state) {
                    monitor.changed()
                    return result
                }
                guard let deadline else {
                    monitor.wait()
                    continue
                }
                guard monitor.wait(until: deadline) else { return nil }
            }
        }
    }
}

/// A thread for work that blocks; it ends when its body returns, and nobody waits for it.
package enum DetachedThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts it, with a stack of so many bytes or, nil, as large as the system makes it. Returns 0, or the error
    /// number where the system has no thread left.
    package static func start(
        stackByteCount: Int? = nil, _ run: @escaping @Sendable () -> Void
    ) -> Int32 {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        if let stackByteCount { pthread_attr_setstacksize(&attributes, stackByteCount) }
        let body = Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        if result != 0 { body.release() }
        return result
    }
}
