internal import Glibc
internal import Journal

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
        let code = startDetachedThread(name) {
            while let batch = core.next() {
                take(batch)
                core.finished()
            }
        }
        guard code == 0 else { throw .noThread(name: name, errno: code) }
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
