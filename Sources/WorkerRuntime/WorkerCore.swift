internal import DataProcessing
internal import Glibc
internal import Pipes
internal import Statistics
internal import Wire
internal import WorkerProtocol

/// What both threads of a worker use, under one lock.
///
/// The main thread holds it for everything but waiting for input and user code: one lock and unlock a
/// frame. So a control thread that has the lock and finds the main thread in user code may read, answer
/// and queue in its place.
struct WorkerCore: ~Copyable, Sendable {
    /// One processor as the statistics need it.
    struct Member: Sendable {
        var name: String
        var processorId: Int
        var counters: LiveCounters
        /// Its own statistics when it was last between two frames.
        var userStatistics: [Statistic]
    }

    /// Whole messages that wait to be written.
    var writer = ByteWriter(initialByteCount: 32 << 10)
    var life = WorkerLife()
    /// The number of the main thread's present stay in user code; nil while it is not there.
    private(set) var stay: UInt64?
    private(set) var stayCount: UInt64 = 0
    /// What the control thread has read while the main thread was busy.
    var queue = MessageQueue()
    /// Whether `stop` is among what was read: the end of the input is then no surprise.
    var hasReadStop = false
    /// Why nothing more can be read, found by the control thread.
    var ending: WorkerEnding?
    /// Whether the control thread waits to be woken.
    var isControlParked = false
    /// Whether the main thread has left, so that the control thread ends.
    var hasLeft = false

    /// Place and incarnation of the worker, for its statistics.
    var workerId = 0
    var incarnation = 0
    /// When counting began: nanoseconds of the monotonic clock.
    var resetNanoseconds: UInt64 = 0
    /// When statistics were last asked for.
    var statisticsAskedNanoseconds: UInt64 = 0
    var members: [Member] = []

    /// The main thread goes into user code; true when the control thread has to be woken.
    mutating func enterUserCode() -> Bool {
        stayCount &+= 1
        stay = stayCount
        guard isControlParked else { return false }
        isControlParked = false
        return true
    }

    /// The main thread is back.
    mutating func leaveUserCode() { stay = nil }

    // MARK: Answers

    /// Writes everything that waits.
    mutating func flush(to output: borrowing OwnedDescriptor) throws(WorkerEnding) {
        if writer.isEmpty { return }
        do throws(PipeError) {
            try output.writeAll(writer.bytes)
        } catch {
            throw WorkerEnding(error)
        }
        writer.removeAll()
    }

    /// Answers the greeting; version 0 means: none in common.
    mutating func welcome(
        requestId: UInt64, version: UInt16, capabilities: Capabilities = [], software: String
    ) {
        writer.beginMessage(type: MessageType.welcome.rawValue, requestId: requestId)
        Welcome(
            version: version, capabilities: capabilities, processId: UInt32(clamping: getpid()),
            software: software
        ).write(to: &writer)
        endMessage()
    }

    /// Answers a command.
    mutating func reply(_ reply: Reply, to requestId: UInt64) {
        writer.beginMessage(type: MessageType.reply.rawValue, requestId: requestId)
        switch reply {
        case .success: reply.write(to: &writer)
        case .failure(let failure):
            let cut = CommandFailure(failure.code, textWithinLimit(failure.reason))
            Reply.failure(cut).write(to: &writer)
        }
        endMessage()
    }

    /// Ends a message that is within the limits by how it was made: all its texts are cut.
    mutating func endMessage() {
        do throws(WireError) {
            try writer.endMessage()
        } catch {
            preconditionFailure("a short message is over the limit: \(error)")
        }
    }

    /// Answers `getStats` with the counters as they are.
    mutating func writeStatistics(to requestId: UInt64, nanoseconds: UInt64) {
        statisticsAskedNanoseconds = nanoseconds
        let processors = members.map { member in
            ProcessorStatistics(
                processorName: member.name, processorId: member.processorId,
                counters: member.counters.snapshot, queueDepth: UInt64(queue.frameCount),
                userStatistics: member.userStatistics)
        }
        let snapshot = WorkerSnapshot(
            workerId: workerId, incarnation: incarnation, timestampNanoseconds: nanoseconds,
            resetNanoseconds: resetNanoseconds, processors: processors)
        writer.beginMessage(type: MessageType.statistics.rawValue, requestId: requestId)
        snapshot.write(to: &writer)
        do throws(WireError) {
            try writer.endMessage()
        } catch {
            reply(.failure(CommandFailure(.resources, "the statistics: \(error)")), to: requestId)
        }
    }
}

/// The most bytes of a reason that go to the controller: a page of text; the rest helps nobody.
private let maximumReasonByteCount = 4096

/// `text`, cut where it is longer than a reason should be.
func textWithinLimit(_ text: String) -> String {
    if text.utf8.count <= maximumReasonByteCount { return text }
    return String(decoding: text.utf8.prefix(maximumReasonByteCount), as: UTF8.self) + " …"
}
