public import Logging
internal import Synchronization

/// Renders lines and puts them together to chunks that are sent at once; every registered writer gets all
/// of them through a queue of its own. Any thread may call.
///
/// 1. A line is never divided between chunks.
/// 2. One that is longer than `maxBytes` is refused and counted; what is there stays as it is.
/// 3. Where a line would bring a chunk above `maxBytes`, or `maxItems` lines are there, it is sealed before.
/// 4. A chunk with exactly `maxItems` lines or `maxBytes` bytes is sealed at once.
/// 5. A sealed chunk is offered to the writers in the order of their registration, those that may wait for
///    room last: so a slow writer never delays another, and who renders only where its policy is `block`.
/// 6. A writer sees the chunks that are sealed after its registration.
/// 7. While no writer is registered, the renderer keeps `maxQueue` chunks itself, dropping the oldest.
public final class ChunkedRender: Render {
    /// The limits and the tags of the host.
    public struct Options: Sendable, Equatable {
        /// The most chunks of a queue, each writer's and the renderer's own.
        public var maxQueue: Int
        /// The most lines of a chunk; 0: no limit.
        public var maxItems: Int
        /// The most bytes of a chunk; 0: no limit. The default fits a datagram on Ethernet.
        public var maxBytes: Int
        /// Tags that every result gets; its own win.
        public var meta: Meta

        /// The options; the defaults are plumd's.
        public init(
            maxQueue: Int = 2048, maxItems: Int = 64, maxBytes: Int = 1400, meta: Meta = Meta()
        ) {
            self.maxQueue = maxQueue
            self.maxItems = maxItems
            self.maxBytes = maxBytes
            self.meta = meta
        }
    }

    /// What became of lines and chunks.
    public struct Counts: Sendable, Equatable {
        /// Lines made and values left out.
        public var render = RenderCounts()
        /// Chunks sealed.
        public var chunks: UInt64 = 0
        /// Chunks of the renderer's own queue that were dropped because it was full.
        public var droppedWithoutWriter: UInt64 = 0
        /// Chunks that writers dropped or that were discarded when they were deregistered; those that are
        /// registered have their own counts besides.
        public var discarded: UInt64 = 0

        /// Nothing yet.
        public init() {}
    }

    /// The options it was made with.
    public let options: Options
    private let format: any LineRender
    private let logger: Logger?

    /// Held while chunks are made and offered, so that all writers get them in one order. Nothing else
    /// waits for it: registering and counting go by `shared`.
    private let making: Mutex<(lines: RenderedLines, buffer: ChunkBuffer)>

    private struct Shared {
        var queues: [ChunkQueue] = []
        var own: [Chunk] = []
        var counts = Counts()
    }
    private let shared = Mutex(Shared())

    /// A renderer of that format; refuses negative limits and a `maxQueue` of 0. The logger gets a record
    /// where a line is refused for its length.
    public init(
        _ format: some LineRender, options: Options = Options(), logger: Logger? = nil
    ) throws(RenderError) {
        guard options.maxQueue > 0 else {
            throw .invalidSetting("maxQueue is \(options.maxQueue): give 1 or more")
        }
        guard options.maxItems >= 0, options.maxBytes >= 0 else {
            throw .invalidSetting(
                "maxItems is \(options.maxItems), maxBytes \(options.maxBytes): give 0 (no limit) "
                    + "or more")
        }
        self.format = format
        self.options = options
        self.logger = logger
        making = Mutex(
            (
                RenderedLines(maximumLineByteCount: options.maxBytes),
                ChunkBuffer(maxItems: options.maxItems, maxBytes: options.maxBytes)
            ))
    }

    /// Makes the queue of a writer, which gets all chunks from here on; refuses a name that is registered.
    public func register(
        _ writer: String, whenFull: ChunkOverflow = .dropOldest
    ) throws(RenderError) -> ChunkQueue {
        let queue = ChunkQueue(writer: writer, capacity: options.maxQueue, whenFull: whenFull)
        let isNew = shared.withLock { shared in
            guard !shared.queues.contains(where: { $0.writer == writer }) else { return false }
            shared.queues.append(queue)
            return true
        }
        guard isNew else { throw .duplicateWriter(writer) }
        return queue
    }

    /// Ends the queue of a writer; what is in it is discarded and counted. Nothing happens where none of
    /// that name is registered.
    public func deregister(_ writer: String) {
        let queue = shared.withLock { shared -> ChunkQueue? in
            guard let place = shared.queues.firstIndex(where: { $0.writer == writer }) else {
                return nil
            }
            return shared.queues.remove(at: place)
        }
        guard let queue else { return }
        queue.close()
        let counts = queue.counts
        shared.withLock { $0.counts.discarded += counts.dropped + counts.discarded }
    }

    public func process(_ rset: ResultSet) { processMany(CollectionOfOne(rset)) }

    public func processMany(_ rsets: some Sequence<ResultSet>) {
        making.withLock { making in
            for rset in rsets {
                making.lines.removeAll()
                format.render(rset, meta: options.meta, into: &making.lines)
                let lines = making.lines
                note(lines)
                var start = 0
                for end in lines.ends {
                    making.buffer.append(lines.bytes[start..<end], sealed: offer)
                    start = end
                }
            }
        }
    }

    /// Seals what is there, offers it to the writers, and returns it; nil where there is nothing. Without a
    /// writer it is only returned, and not kept besides.
    @discardableResult
    public func flush() -> Chunk? {
        making.withLock { making in
            guard let chunk = making.buffer.seal() else { return nil }
            offer(chunk, keeping: false)
            return chunk
        }
    }

    /// Takes the chunks that the renderer kept while no writer was registered.
    public func takeChunks() -> [Chunk] {
        shared.withLock { shared in
            defer { shared.own = [] }
            return shared.own
        }
    }

    /// What became of lines and chunks so far.
    public var counts: Counts { shared.withLock { $0.counts } }

    /// The queues of the writers, in the order of their registration.
    public var queues: [ChunkQueue] { shared.withLock { $0.queues } }

    private func note(_ lines: RenderedLines) {
        shared.withLock { $0.counts.render = $0.counts.render + lines.counts }
        guard let first = lines.firstOversize else { return }
        logger?.warning(
            "metric line longer than a chunk may be is refused",
            metadata: [
                "limit": "\(options.maxBytes)", "count": "\(lines.counts.oversizeDropped)",
                "first": "\(first)",
            ])
    }

    private func offer(_ chunk: Chunk) { offer(chunk, keeping: true) }

    private func offer(_ chunk: Chunk, keeping: Bool) {
        let queues = shared.withLock { shared -> [ChunkQueue] in
            shared.counts.chunks += 1
            if shared.queues.isEmpty, keeping {
                if shared.own.count >= options.maxQueue {
                    shared.own.removeFirst()
                    shared.counts.droppedWithoutWriter += 1
                }
                shared.own.append(chunk)
            }
            return shared.queues
        }
        for queue in queues where !queue.mayBlock { queue.offer(chunk) }
        for queue in queues where queue.mayBlock { queue.offer(chunk) }
    }
}
