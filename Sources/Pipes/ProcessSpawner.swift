internal import CLinux
internal import Glibc

/// Starts processes from one thread of its own, which lives as long as the spawner does: a child
/// that asks for a signal at its parent's death gets it when the *thread* that started it ends
/// (man 2 PR_SET_PDEATHSIG). So the end of a spawner is the end of its workers: keep it until they
/// have been collected.
package final class ProcessSpawner: Sendable {
    private let queue: SpawnQueue
    private let thread: NamedThread

    /// A spawner with its thread.
    package init(threadName: String = "spawner") throws(PipeError) {
        let queue = SpawnQueue()
        self.queue = queue
        thread = try NamedThread(name: threadName) {
            while let (ticket, request) = queue.takeRequest() {
                queue.finish(ticket, Spawning.result(of: request))
            }
        }
    }

    deinit { close() }

    /// Starts a process: own process group, default signal dispositions, nothing blocked, exactly
    /// the descriptors named. Any thread may call; returns when the program runs or is known not
    /// to.
    package func spawn(_ request: SpawnRequest) throws(SpawnError) -> ChildProcess {
        let ticket = queue.post(request)
        switch queue.awaitResult(ticket) {
        case .failure(let error): throw error
        case .success(let pid):
            // Nobody has collected the child yet, so its number cannot mean another process.
            let handle = cl_pidfd_open(pid)
            if handle < 0 {
                let number = errno
                kill(pid, SIGKILL)
                waitpid(pid, nil, 0)
                throw SpawnError(.system(errorNumber: number), executable: request.executable)
            }
            return ChildProcess(pid: pid, handle: OwnedDescriptor(owning: handle))
        }
    }

    /// Ends the thread after the requests that wait; later ones fail. Children that are tied to
    /// their parent get their signal now.
    package func close() {
        queue.close()
        thread.join()
    }
}

/// Hands requests to the spawning thread and results back.
private final class SpawnQueue: @unchecked Sendable {  // guard: `lock`
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var requests: [(ticket: Int, request: SpawnRequest)] = []
    private var results: [Int: Result<pid_t, SpawnError>] = [:]
    private var nextTicket = 0
    private var isClosed = false

    init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
        changed = .allocate(capacity: 1)
        changed.initialize(to: pthread_cond_t())
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(lock)
        changed.deallocate()
        lock.deallocate()
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return body()
    }

    func post(_ request: SpawnRequest) -> Int {
        locked {
            nextTicket += 1
            if isClosed {
                results[nextTicket] = .failure(
                    SpawnError(.spawnerClosed, executable: request.executable))
            } else {
                requests.append((nextTicket, request))
                pthread_cond_broadcast(changed)
            }
            return nextTicket
        }
    }

    func awaitResult(_ ticket: Int) -> Result<pid_t, SpawnError> {
        locked {
            while true {
                if let result = results.removeValue(forKey: ticket) { return result }
                pthread_cond_wait(changed, lock)
            }
        }
    }

    /// nil: closed, and nothing waits.
    func takeRequest() -> (ticket: Int, request: SpawnRequest)? {
        locked {
            while requests.isEmpty && !isClosed { pthread_cond_wait(changed, lock) }
            return requests.isEmpty ? nil : requests.removeFirst()
        }
    }

    func finish(_ ticket: Int, _ result: Result<pid_t, SpawnError>) {
        locked {
            results[ticket] = result
            pthread_cond_broadcast(changed)
        }
    }

    func close() {
        locked {
            isClosed = true
            pthread_cond_broadcast(changed)
        }
    }
}
