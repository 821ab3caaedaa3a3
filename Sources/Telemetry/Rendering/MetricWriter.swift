internal import Synchronization

/// Where a writer sends its chunks, such as a connection to Graphite. Calls come from one thread, but for
/// `interrupt`.
public protocol ChunkDestination: AnyObject, Sendable {
    /// Whether it is connected, as far as it knows.
    var isConnected: Bool { get }

    /// One attempt to connect, which returns or throws within the limit.
    func connect(within limit: Duration) throws

    /// Sends a chunk whole, or throws within the limit: `ChunkRefused` where the destination will never take
    /// it, anything else where it may later.
    func send(_ chunk: Chunk, within limit: Duration) throws

    /// Makes a call of `connect` or `send` that is under way return soon; may come from any thread.
    func interrupt()

    /// Ends the connection; nothing happens where there is none.
    func disconnect()
}

/// A destination will never take a chunk; it is dropped and counted.
public struct ChunkRefused: Error, Sendable, CustomStringConvertible {
    /// Why, in the words of the destination.
    public let description: String

    /// A refusal with its reason.
    public init(_ reason: String) { description = reason }
}

/// Takes chunks from one queue and sends them to one destination, in order, on a thread of its own: take a
/// chunk, make sure that it is connected by one attempt, send. After a failure the chunk is the first of its
/// queue again, and the next attempt waits as the policy says: 0.5 s × 1.5 up to 30 s, with jitter.
///
/// It runs until `stop`, or until its queue is deregistered. What is not sent when it stops stays in the
/// queue. A chunk whose sending failed may have arrived in part or as a whole: it is sent again.
public final class MetricWriter: Sendable {
    /// What the writer did.
    public struct Counts: Sendable, Equatable {
        /// Chunks that the destination took.
        public var sent: UInt64 = 0
        /// Their bytes.
        public var sentBytes: UInt64 = 0
        /// Attempts to connect.
        public var connects: UInt64 = 0
        /// Attempts to connect that failed.
        public var connectFailures: UInt64 = 0
        /// Chunks that could not be sent and were put back.
        public var sendFailures: UInt64 = 0
        /// Chunks that the destination will never take, which are dropped.
        public var refused: UInt64 = 0
        /// What the last failure said; empty before the first.
        public var lastFailure = ""
    }

    /// How long one attempt to connect may take.
    public static let connectLimit: Duration = .seconds(10)
    /// How long the sending of one chunk may take.
    public static let sendLimit: Duration = .seconds(10)
    /// How long `stop` waits for a destination that was interrupted.
    public static let stopLimit: Duration = .seconds(1)

    private struct State {
        var counts = Counts()
        var isStopping = false
        var hasEnded = false
    }

    private let queue: ChunkQueue
    private let destination: any ChunkDestination
    private let clock: any ExportClock
    private let state = Mutex(State())
    /// Rung when it is to stop.
    private let wakeUp = Doorbell()
    /// Rung when it has ended.
    private let ended = Doorbell()

    /// Starts to send. Throws where the policy makes no sense, or the system has no thread left.
    public init(
        _ queue: ChunkQueue, to destination: any ChunkDestination,
        retry: RetryPolicy = RetryPolicy(), clock: any ExportClock = SystemExportClock()
    ) throws {
        try retry.check()
        self.queue = queue
        self.destination = destination
        self.clock = clock
        let isStarted = startDetachedThread("writer " + queue.writer) { self.run(retry) } == 0
        guard isStarted else {
            throw RenderError.invalidSetting(
                "writer \(queue.writer): the system has no thread left; stop other programs")
        }
    }

    /// What it did so far.
    public var counts: Counts { state.withLock { $0.counts } }

    /// Ends the sending: what is under way is interrupted, its chunk put back. Returns when it has ended, or
    /// after a second where the destination does not let go: then false, and it ends when the call of the
    /// destination does. Nothing happens the second time.
    @discardableResult
    public func stop() -> Bool {
        state.withLock { $0.isStopping = true }
        queue.wake()
        wakeUp.ring()
        let system = SystemExportClock()
        let deadline = system.now + Self.stopLimit
        while !state.withLock({ $0.hasEnded }) {
            if system.now >= deadline { return false }
            // Again and again: a call that begins just now may not have heard of it.
            destination.interrupt()
            ended.wait(until: min(deadline, system.now + .milliseconds(20)))
        }
        return true
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func run(_ retry: RetryPolicy) {
        var steps = WriterSteps(retry)
        var actions = WriterSteps.first
        var chunk: Chunk?
        while steps.state != .stopped || !actions.isEmpty {
            var event: WriterSteps.Event?
            for action in actions { event = perform(action, &chunk) }
            guard let event else { break }
            actions = steps.handle(event, at: clock.now)
        }
        state.withLock { $0.hasEnded = true }
        ended.ring()
    }

    /// Carries an order out; what may take long gives the next event, and is not begun any more when the
    /// writer is to stop.
    private func perform(_ action: WriterSteps.Action, _ chunk: inout Chunk?) -> WriterSteps.Event?
    {
        switch action {
        case .end: return nil
        case .putBack:
            queue.putBack()
            return nil
        case .finishChunk:
            queue.returnSent()
            return nil
        case .disconnect:
            destination.disconnect()
            return nil
        case .takeChunk:
            chunk = queue.lend(timeout: nil) { isStopping }
            if chunk != nil { return .chunk(isConnected: destination.isConnected) }
            return isStopping ? .stop : .noChunk
        case .connect: return isStopping ? .stop : connect()
        case .send:
            guard !isStopping, let chunk else { return .stop }
            return send(chunk)
        case .wait(let time):
            if isStopping { return .stop }
            clock.wait(for: wakeUp, until: time)
            return .waited
        }
    }

    private func connect() -> WriterSteps.Event {
        state.withLock { $0.counts.connects += 1 }
        do {
            try destination.connect(within: Self.connectLimit)
            return .connected
        } catch {
            state.withLock { state in
                state.counts.connectFailures += 1
                state.counts.lastFailure = "\(error)"
            }
            return .connectFailed
        }
    }

    private func send(_ chunk: Chunk) -> WriterSteps.Event {
        do {
            try destination.send(chunk, within: Self.sendLimit)
            state.withLock { state in
                state.counts.sent += 1
                state.counts.sentBytes += UInt64(chunk.bytes.count)
            }
            return .sent
        } catch let refusal as ChunkRefused {
            state.withLock { state in
                state.counts.refused += 1
                state.counts.lastFailure = refusal.description
            }
            return .refused
        } catch {
            state.withLock { state in
                state.counts.sendFailures += 1
                state.counts.lastFailure = "\(error)"
            }
            return .sendFailed
        }
    }
}

/// An exporter as the destination of a writer: each chunk is one record of bytes, with the writer's name for
/// its source and the serial number of the chunk for its own.
public final class ExporterDestination: ChunkDestination {
    private let exporter: any Exporter
    private let clock: any ExportClock

    /// A destination that sends by that exporter, which connects itself where it has to.
    public init(_ exporter: any Exporter, clock: any ExportClock = SystemExportClock()) {
        self.exporter = exporter
        self.clock = clock
    }

    /// Always: what fails, fails when it is sent.
    public var isConnected: Bool { true }

    /// Does nothing.
    public func connect(within limit: Duration) {}

    public func send(_ chunk: Chunk, within limit: Duration) throws {
        let record = ExportRecord(
            source: exporter.name, seq: chunk.serial, timestampNanoseconds: clock.wallNanoseconds,
            data: .bytes(chunk.bytes))
        switch exporter.deliver([record], within: limit).first {
        case .delivered: return
        case .permanent(let reason): throw ChunkRefused(reason)
        case .retryable(let reason, _): throw ChunkNotSent(description: reason)
        case nil: throw ChunkNotSent(description: "\(exporter.name) gave no outcome")
        }
    }

    public func interrupt() { exporter.interrupt() }

    /// Does nothing: an exporter mends its connection itself, and is closed by whoever made it.
    public func disconnect() {}
}

/// A chunk was not sent and may be later.
struct ChunkNotSent: Error, CustomStringConvertible {
    let description: String
}
