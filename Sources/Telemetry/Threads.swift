internal import CLinux
internal import Glibc
internal import Journal

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

/// Starts a thread with a name, of which the system keeps the first 15 bytes. It takes no signals: handlers run
/// elsewhere, and a destination that hangs up gives an error, not SIGPIPE. Returns 0, or the error number where the
/// system has no thread left.
func startDetachedThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Int32 {
    // Room for the calls of nested routers; pages that are never touched cost nothing.
    DetachedThread.start(stackByteCount: 1 << 20) {
        _ = cl_set_thread_name(name)
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        body()
    }
}
