internal import Journal

/// The chunks that wait for one writer, in order and bounded. The writer takes them by `next`, with a
/// blocking wait or as an async sequence. Any thread may call; each chunk goes to one taker.
///
/// Unchecked: everything is guarded by `monitor`.
public final class ChunkQueue: AsyncSequence, @unchecked Sendable {
    /// What it holds.
    public typealias Element = Chunk

    /// What became of the chunks.
    public struct Counts: Sendable, Equatable {
        /// Chunks that were offered.
        public var offered: UInt64 = 0
        /// Chunks that were taken for good.
        public var taken: UInt64 = 0
        /// Chunks that were dropped because the queue was full.
        public var dropped: UInt64 = 0
        /// Chunks that were there when the writer was deregistered.
        public var discarded: UInt64 = 0
        /// The most chunks that waited at once, one that is being sent included.
        public var highWater = 0
        /// Bytes of the chunks that wait now.
        public var byteCount = 0
    }

    /// The name of the writer.
    public let writer: String
    /// The most chunks that it holds, one that is being sent included.
    public let capacity: Int
    /// What happens when it is full.
    public let whenFull: ChunkOverflow

    private let monitor = EventMonitor()
    private var chunks: [Chunk] = []
    /// How many of `chunks` are gone; they are removed together, so that taking is cheap.
    private var goneCount = 0
    private var lent: Chunk?
    private var counted = Counts()
    private var isClosed = false
    private var waiting: [(id: UInt64, continuation: CheckedContinuation<Chunk?, Never>)] = []
    private var waiterCount: UInt64 = 0

    init(writer: String, capacity: Int, whenFull: ChunkOverflow) {
        self.writer = writer
        self.capacity = capacity
        self.whenFull = whenFull
    }

    /// How many chunks wait, one that is being sent included.
    public var count: Int { monitor.locked { depth } }

    /// What became of the chunks so far.
    public var counts: Counts { monitor.locked { counted } }

    /// Whether the writer was deregistered: then there is nothing in it and nothing comes any more.
    public var isFinished: Bool { monitor.locked { isClosed } }

    /// The next chunk; waits so long for one, nil for as long as it takes. Nil when the time is over or the
    /// writer was deregistered.
    public func next(timeout: Duration?) -> Chunk? {
        monitor.locked {
            let chunk = waitForChunk(timeout)
            if chunk != nil { counted.taken += 1 }
            return chunk
        }
    }

    /// The chunks from here on, until the writer is deregistered or the task is cancelled.
    public func makeAsyncIterator() -> Iterator { Iterator(queue: self) }

    /// Takes the chunks of a queue, waiting without holding a thread.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let queue: ChunkQueue

        /// The next chunk; nil when the writer was deregistered or the task cancelled.
        public func next() async -> Chunk? { await queue.nextAsync() }
    }
}

// MARK: - The side of the renderer

extension ChunkQueue {
    /// Offers a chunk; waits only where the policy says so.
    func offer(_ chunk: Chunk) {
        monitor.locked {
            guard !isClosed else { return }
            counted.offered += 1
            if !waiting.isEmpty {
                counted.taken += 1
                waiting.removeFirst().continuation.resume(returning: chunk)
                return
            }
            guard makeRoom(), !isClosed else {
                counted.dropped += 1
                return
            }
            append(chunk)
        }
    }

    /// Ends the queue: whoever waits gets nil, what is in it is discarded and counted.
    func close() {
        monitor.locked {
            guard !isClosed else { return }
            isClosed = true
            counted.discarded += UInt64(depth)
            counted.byteCount = 0
            chunks = []
            goneCount = 0
            lent = nil
            for waiter in waiting { waiter.continuation.resume(returning: nil) }
            waiting = []
            monitor.changed()
        }
    }

    /// Whether a chunk would have to wait for room.
    var mayBlock: Bool { if case .block = whenFull { true } else { false } }

    private func makeRoom() -> Bool {
        switch whenFull {
        case .dropNewest: return depth < capacity
        case .dropOldest:
            if depth < capacity { return true }
            guard goneCount < chunks.count else { return false }
            _ = removeFirst()
            counted.dropped += 1
            return true
        case .block(let timeout):
            let deadline = ContinuousClock.now + timeout
            while depth >= capacity, !isClosed {
                guard monitor.wait(until: deadline) else { break }
            }
            return depth < capacity
        }
    }
}

// MARK: - The side of the writer

extension ChunkQueue {
    /// Lends the oldest chunk to a sender, which must say `returnSent` or `putBack` of it; it keeps its
    /// place among those that count, so that there is room for it when it comes back. Nil when the time is
    /// over, when `isInterrupted` says so after `wake`, or when the writer was deregistered.
    func lend(timeout: Duration?, isInterrupted: () -> Bool) -> Chunk? {
        monitor.locked {
            lent = waitForChunk(timeout, isInterrupted: isInterrupted)
            if let lent {
                counted.byteCount += lent.bytes.count
                counted.highWater = Swift.max(counted.highWater, depth)
            }
            return lent
        }
    }

    /// The lent chunk was sent, or nobody wants it.
    func returnSent() {
        monitor.locked {
            guard let chunk = lent else { return }
            lent = nil
            counted.taken += 1
            counted.byteCount -= chunk.bytes.count
            monitor.changed()
        }
    }

    /// The lent chunk was not sent: it is the first again.
    func putBack() {
        monitor.locked {
            guard let chunk = lent else { return }
            lent = nil
            if goneCount > 0 {
                goneCount -= 1
                chunks[goneCount] = chunk
            } else {
                chunks.insert(chunk, at: 0)
            }
            monitor.changed()
        }
    }

    /// Wakes those that wait, so that they look again.
    func wake() { monitor.locked { monitor.changed() } }

    private func waitForChunk(
        _ timeout: Duration?, isInterrupted: () -> Bool = { false }
    ) -> Chunk? {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            if isClosed || isInterrupted() { return nil }
            if goneCount < chunks.count {
                let chunk = removeFirst()
                monitor.changed()
                return chunk
            }
            if let deadline {
                if !monitor.wait(until: deadline) { return nil }
            } else {
                monitor.wait()
            }
        }
    }

    fileprivate func nextAsync() async -> Chunk? {
        let id = monitor.locked {
            waiterCount += 1
            return waiterCount
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                monitor.locked {
                    if isClosed || Task.isCancelled {
                        continuation.resume(returning: nil)
                    } else if goneCount < chunks.count {
                        counted.taken += 1
                        continuation.resume(returning: removeFirst())
                        monitor.changed()
                    } else {
                        waiting.append((id, continuation))
                    }
                }
            }
        } onCancel: {
            monitor.locked {
                guard let place = waiting.firstIndex(where: { $0.id == id }) else { return }
                waiting.remove(at: place).continuation.resume(returning: nil)
            }
        }
    }
}

// MARK: - With the lock held

extension ChunkQueue {
    private var depth: Int { chunks.count - goneCount + (lent == nil ? 0 : 1) }

    private func append(_ chunk: Chunk) {
        chunks.append(chunk)
        counted.byteCount += chunk.bytes.count
        counted.highWater = Swift.max(counted.highWater, depth)
        monitor.changed()
    }

    private func removeFirst() -> Chunk {
        let chunk = chunks[goneCount]
        goneCount += 1
        counted.byteCount -= chunk.bytes.count
        // As many as are left: each chunk is moved once at most.
        if goneCount * 2 >= chunks.count {
            chunks.removeSubrange(..<goneCount)
            goneCount = 0
        }
        return chunk
    }
}
