import Glibc
import Journal
import Synchronization

/// A transport that gives what a test wants, and waits where it wants.
final class ScriptedTransport: JournalTransport {
    enum Step: Sendable {
        case response(JournalResponse)
        case failure(JournalConsumerError)
        /// Goes on when the gate is opened, or the stream is cancelled.
        case gate(Gate)
    }

    /// A door that a test opens.
    final class Gate: Sendable {
        private let isOpen = Atomic(false)
        func open() { isOpen.store(true, ordering: .releasing) }
        fileprivate func pass(unless isCancelled: () -> Bool) {
            while !isOpen.load(ordering: .acquiring), !isCancelled() { giveWay() }
        }
    }

    private let steps: [Step]
    private let opened = Mutex<[JournalValue]>([])
    private let cancelCount = Atomic(0)

    init(_ steps: [Step]) { self.steps = steps }

    convenience init(_ responses: [[JournalEvent]], ending: [Step] = [.gate(Gate())]) {
        self.init(responses.map { .response(JournalResponse($0)) } + ending)
    }

    /// The payloads of all requests so far.
    var payloads: [JournalValue] { opened.withLock { $0 } }
    /// How many streams were cancelled.
    var cancels: Int { cancelCount.load(ordering: .acquiring) }

    func open(_ payload: JournalValue) throws -> any JournalResponseStream {
        opened.withLock { $0.append(payload) }
        return Stream(steps) { self.cancelCount.add(1, ordering: .acquiringAndReleasing) }
    }

    private final class Stream: JournalResponseStream {
        private let rest: Mutex<ArraySlice<Step>>
        private let isCancelled = Atomic(false)
        private let cancelled: @Sendable () -> Void

        init(_ steps: [Step], _ cancelled: @escaping @Sendable () -> Void) {
            rest = Mutex(steps[...])
            self.cancelled = cancelled
        }

        func next() throws -> JournalResponse? {
            while let step = rest.withLock({ $0.popFirst() }) {
                switch step {
                case .response(let response): return response
                case .failure(let error): throw error
                case .gate(let gate):
                    gate.pass { isCancelled.load(ordering: .acquiring) }
                    if isCancelled.load(ordering: .acquiring) { return nil }
                }
            }
            return nil
        }

        func cancel() {
            if !isCancelled.exchange(true, ordering: .acquiringAndReleasing) { cancelled() }
        }
    }
}

/// Gives the processor to another thread.
func giveWay() { sched_yield() }

/// An event at a time.
func event(
    _ seq: UInt64, at timestamp: Double, _ name: String = "a", _ context: [JournalField] = []
) -> JournalEvent {
    JournalEvent(timestamp: timestamp, seq: seq, name: name, context: context)
}

/// What a callback was given, for tests that wait for it.
final class Received<Event: JournalEventBase>: Sendable {
    private let results = Mutex<[Result<Event?, any Error>]>([])

    func take(_ result: Result<Event?, any Error>) { results.withLock { $0.append(result) } }

    var count: Int { results.withLock { $0.count } }
    var events: [Event] { results.withLock { $0.compactMap { try? $0.get() } } }
    var seqs: [UInt64] { events.map(\.seq) }
    var failures: [String] {
        results.withLock { results in
            results.compactMap { result in
                if case .failure(let error) = result { "\(error)" } else { nil }
            }
        }
    }
    var nilCount: Int {
        results.withLock { results in
            results.count { result in
                if case .success(nil) = result { true } else { false }
            }
        }
    }

    /// Waits until it was called that often.
    func wait(count: Int) { while self.count < count { giveWay() } }
    /// Waits for the end.
    func waitForEnd() { while nilCount == 0 { giveWay() } }
}

extension JournalConsumerBase {
    /// Everything up to the end.
    func pollAll() throws -> [Event] {
        var events: [Event] = []
        while let event = try poll() { events.append(event) }
        return events
    }

    /// So many events.
    func poll(count: Int) throws -> [Event] {
        var events: [Event] = []
        while events.count < count, let event = try poll() { events.append(event) }
        return events
    }
}
