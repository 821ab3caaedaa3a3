internal import CLinux
internal import Glibc

/// Starts processes from one thread of its own, which lives as long as the spawner does: a child
/// that asks for a signal at its parent's death gets it when the *thread* that started it ends
/// (man 2 PR_SET_PDEATHSIG). So the end of a spawner is the end of its workers: keep it until they
/// have been collected.
package final class ProcessSpawner: Sendable {
    /// How long a program may take until it runs: its file may be on a file system that hangs, or somebody may
    /// have stopped the child before.
    private static let timeLimit = Duration.seconds(3)
    /// How long a child may take to be gone after it was killed.
    private static let killTimeLimit = Duration.seconds(1)

    private let queue: SpawnQueue
    private let thread: NamedThread

    /// A spawner with its thread.
    package init(threadName: String = "spawner") throws(PipeError) {
        let queue = SpawnQueue()
        self.queue = queue
        thread = try NamedThread(name: threadName) {
            queue.begin(thread: cl_thread_id())
            while let (ticket, request) = queue.takeRequest() {
                queue.finish(ticket, Spawning.result(of: request))
            }
        }
    }

    deinit { close() }

    /// Starts a process: own process group, default signal dispositions, nothing blocked, exactly
    /// the descriptors named. Any thread may call; returns when the program runs or is known not
    /// to. A child whose program does not run after 3 s is killed, and is then one that ended by SIGKILL.
    ///
    /// - Throws: `SpawnError`; `.tooSlow` when even that does not end it.
    package func spawn(_ request: SpawnRequest) throws(SpawnError) -> ChildProcess {
        let ticket = queue.post(request)
        let result =
            queue.awaitResult(ticket, limit: Self.timeLimit)
            ?? queue.resultAfterKill(ticket, limit: Self.killTimeLimit)
            ?? .failure(SpawnError(.tooSlow, executable: request.executable))
        switch result {
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
    /// Requests that nobody waits for any more.
    private var abandoned: Set<Int> = []
    /// The spawning thread; 0 until it has begun.
    private var threadId: pid_t = 0
    private var nextTicket = 0
    private var isClosed = false

    init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
        changed = .allocate(capacity: 1)
        changed.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
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

    /// The spawning thread says who it is.
    func begin(thread: pid_t) { locked { threadId = thread } }

    /// nil: there is none within the limit.
    func awaitResult(_ ticket: Int, limit: Duration) -> Result<pid_t, SpawnError>? {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        deadline.tv_sec += Int(limit.components.seconds)
        return locked {
            while true {
                if let result = results.removeValue(forKey: ticket) { return result }
                if pthread_cond_timedwait(changed, lock, &deadline) == ETIMEDOUT {
                    return results.removeValue(forKey: ticket)
                }
            }
        }
    }

    /// Kills the child whose program does not run; nil: not even that ends it within the limit, and whatever
    /// becomes of it later, it is ended.
    func resultAfterKill(_ ticket: Int, limit: Duration) -> Result<pid_t, SpawnError>? {
        locked {
            if results[ticket] == nil, let child = newestChild() { kill(child, SIGKILL) }
        }
        if let result = awaitResult(ticket, limit: limit) { return result }
        return locked {
            if let result = results.removeValue(forKey: ticket) { return result }
            if let place = requests.firstIndex(where: { $0.ticket == ticket }) {
                // It had not even begun, behind another that hangs.
                requests.remove(at: place)
            } else {
                abandoned.insert(ticket)
            }
            return nil
        }
    }

    /// The child that the spawning thread made last: the kernel lists them by age.
    private func newestChild() -> pid_t? {
        guard let file = fopen("/proc/self/task/\(threadId)/children", "re") else { return nil }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        guard getline(&line, &capacity, file) > 0, let line else { return nil }
        return String(cString: line).split(separator: " ").last.flatMap { pid_t($0) }
    }

    /// nil: closed, and nothing waits.
    func takeRequest() -> (ticket: Int, request: SpawnRequest)? {
        locked {
            while requests.isEmpty && !isClosed { pthread_cond_wait(changed, lock) }
            return requests.isEmpty ? nil : requests.removeFirst()
        }
    }

    func finish(_ ticket: Int, _ result: Result<pid_t, SpawnError>) {
        let isWanted = locked {
            guard abandoned.remove(ticket) == nil else { return false }
            results[ticket] = result
            pthread_cond_broadcast(changed)
            return true
        }
        guard !isWanted, case .success(let child) = result else { return }
        kill(child, SIGKILL)
        waitpid(child, nil, 0)
    }

    func close() {
        locked {
            isClosed = true
            pthread_cond_broadcast(changed)
        }
    }
}
