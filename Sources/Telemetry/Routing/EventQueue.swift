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
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        // A day at most, so that no sum overflows; the caller looks again.
        let (seconds, attoseconds) = min(rest, .seconds(86_400)).components
        let nanoseconds = time.tv_nsec + Int(attoseconds / 1_000_000_000)
        time.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
        time.tv_nsec = nanoseconds % 1_000_000_000
        pthread_cond_timedwait(condition, mutex, &time)
        return true
    }
}

/// A bounded queue whose elements a thread of its own takes out, in order. When nobody holds the queue any
/// more, the thread takes out what is left and ends.
final class EventQueue<Element: Sendable>: Sendable {
    /// What became of an element that was offered.
    enum Offer {
        case accepted
        /// Accepted, and the oldest one was given up for it.
        case displacedOldest
        case refused
    }

    private let core: Core

    /// A queue with its thread, which hands over up to `maximumBatch` elements at once.
    init(
        name: String, isolation: SinkIsolation, maximumBatch: Int = 1,
        take: @escaping @Sendable ([Element]) -> Void
    ) throws(RoutingError) {
        try isolation.check()
        let core = Core(isolation, maximumBatch)
        self.core = core
        try startThread(name) {
            while let batch = core.next() {
                take(batch)
                core.finished()
            }
        }
    }

    deinit { core.close() }

    /// Puts an element into the queue, or does what its policy says; refuses all once it is closed.
    func offer(_ element: Element) -> Offer { core.offer(element) }

    /// Elements that wait, and the most that ever waited.
    var depth: (now: Int, highest: Int) { core.depth }

    /// Waits until all that was offered before has been taken and dealt with; false: the time was over.
    func flush(until deadline: ContinuousClock.Instant) -> Bool { core.flush(until: deadline) }

    /// Lets the thread deal with what waits until then, gives up the rest and returns its number. Later
    /// offers are refused.
    func close(until deadline: ContinuousClock.Instant) -> Int {
        core.close()
        _ = core.flush(until: deadline)
        return core.abandon()
    }

    private final class Core: @unchecked Sendable {  // guard: `monitor`
        private let monitor = EventMonitor()
        private let limit: Int
        private let whenFull: SinkIsolation.WhenFull
        private let maximumBatch: Int
        private var elements: [Element?] = []
        /// Place of the oldest one in `elements`.
        private var head = 0
        /// Elements ever put in and taken out, whatever became of them after.
        private var entered = 0
        private var removed = 0
        /// The serial number, from 1, of the first element that is being dealt with.
        private var busyFrom: Int?
        private var highest = 0
        private var isClosed = false

        init(_ isolation: SinkIsolation, _ maximumBatch: Int) {
            limit = isolation.queueLimit
            whenFull = isolation.whenFull
            self.maximumBatch = maximumBatch
        }

        private var count: Int { entered - removed }

        func offer(_ element: Element) -> Offer {
            monitor.locked {
                while whenFull == .block, count >= limit, !isClosed { monitor.wait() }
                guard !isClosed else { return .refused }
                var offer = Offer.accepted
                if count >= limit {
                    guard whenFull == .dropOldest else { return .refused }
                    _ = removeOldest()
                    offer = .displacedOldest
                }
                elements.append(element)
                entered += 1
                highest = max(highest, count)
                monitor.changed()
                return offer
            }
        }

        private func removeOldest() -> Element? {
            guard count > 0 else { return nil }
            let oldest = elements[head]
            elements[head] = nil
            head += 1
            removed += 1
            // The empty places are given back when they are the most, so each element moves once at most.
            if head * 2 > elements.count, head >= 32 || count == 0 {
                elements.removeFirst(head)
                head = 0
            }
            return oldest
        }

        /// nil: closed, and nothing waits.
        func next() -> [Element]? {
            monitor.locked {
                while count == 0, !isClosed { monitor.wait() }
                guard count > 0 else { return nil }
                busyFrom = removed + 1
                var batch: [Element] = []
                while batch.count < maximumBatch, let element = removeOldest() {
                    batch.append(element)
                }
                monitor.changed()
                return batch
            }
        }

        func finished() {
            monitor.locked {
                busyFrom = nil
                monitor.changed()
            }
        }

        var depth: (now: Int, highest: Int) { monitor.locked { (count, highest) } }

        func flush(until deadline: ContinuousClock.Instant) -> Bool {
            monitor.locked {
                let target = entered
                while removed < target || busyFrom.map({ $0 <= target }) ?? false {
                    guard monitor.wait(until: deadline) else { return false }
                }
                return true
            }
        }

        func close() {
            monitor.locked {
                isClosed = true
                monitor.changed()
            }
        }

        func abandon() -> Int {
            monitor.locked {
                let left = count
                removed = entered
                elements = []
                head = 0
                monitor.changed()
                return left
            }
        }
    }
}

private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

/// Starts a thread that runs `body` once and is joined by nobody. The system keeps 15 bytes of the name.
private func startThread(
    _ name: String, _ body: @escaping @Sendable () -> Void
) throws(RoutingError) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // Room for the calls of nested routers; pages that are never touched cost nothing.
    pthread_attr_setstacksize(&attributes, 1 << 20)
    let start = Unmanaged.passRetained(ThreadStart(name, body))
    var thread = pthread_t()
    let result = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
            _ = cl_set_thread_name(start.name)
            start.body()
            return nil
        }, start.toOpaque())
    if result != 0 {
        start.release()
        throw .noThread(name: name, errno: result)
    }
}
