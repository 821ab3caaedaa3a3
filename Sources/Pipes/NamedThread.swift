internal import CLinux
internal import Glibc
internal import Synchronization

/// A thread of its own for blocking work, with a name that debuggers and `top -H` show.
package final class NamedThread: Sendable {
    private enum State {
        case running(pthread_t)
        case joined
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private let state: Mutex<State>

    /// Starts a thread that runs `body` once. The system keeps the first 15 bytes of the name.
    /// Stack in bytes; 1 MiB is room for deep calls, and pages that are never touched cost
    /// nothing.
    package init(
        name: String, stackByteCount: Int = 1 << 20, body: @escaping @Sendable () -> Void
    ) throws(PipeError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, max(stackByteCount, 64 << 10))
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                _ = cl_set_thread_name(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        if result != 0 {
            start.release()
            throw PipeError(.startThread, errorNumber: result)
        }
        state = Mutex(.running(thread))
    }

    deinit {
        state.withLock { state in
            if case .running(let thread) = state { pthread_detach(thread) }
        }
    }

    /// Waits until the thread has ended; several threads may wait, the thread itself must not.
    package func join() {
        // The lock is held for as long as the thread runs: that is what the other joiners wait for.
        state.withLock { state in
            guard case .running(let thread) = state else { return }
            precondition(pthread_equal(thread, pthread_self()) == 0, "a thread cannot join itself")
            pthread_join(thread, nil)
            state = .joined
        }
    }
}
