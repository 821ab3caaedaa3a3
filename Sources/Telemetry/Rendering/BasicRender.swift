internal import Synchronization

/// Renders into one queue of metrics, a line each, and a text buffer of all of them, until `reset`.
///
/// Like its ancestor it has no limit unless it is given one: whoever asks for the metrics resets it.
/// Any thread may call.
public final class BasicRender: Render, CustomStringConvertible, CustomDebugStringConvertible {
    private struct State {
        var metrics: [String] = []
        var buffer = ""
        var counts = RenderCounts()
        var droppedCount: UInt64 = 0
    }

    /// The tags of the host, which every result gets.
    public let meta: Meta
    /// The most metrics that are kept; what comes beyond is dropped and counted. 0: no limit.
    public let maxQueue: Int
    private let format: any LineRender
    private let state = Mutex(State())

    /// A renderer of that format; refuses a negative `maxQueue`.
    public init(
        _ format: some LineRender, meta: Meta = Meta(), maxQueue: Int = 0
    ) throws(RenderError) {
        guard maxQueue >= 0 else {
            throw .invalidSetting("maxQueue is \(maxQueue): give 0 (no limit) or more")
        }
        self.format = format
        self.meta = meta
        self.maxQueue = maxQueue
    }

    public func process(_ rset: ResultSet) {
        var lines = RenderedLines()
        format.render(rset, meta: meta, into: &lines)
        state.withLock { state in
            state.counts = state.counts + lines.counts
            var start = 0
            for end in lines.ends {
                if maxQueue > 0, state.metrics.count >= maxQueue {
                    state.droppedCount += 1
                } else {
                    let line = String(decoding: lines.bytes[start..<end], as: UTF8.self)
                    state.metrics.append(line)
                    state.buffer += line
                }
                start = end
            }
        }
    }

    /// The metrics in order, each a line with its line feed.
    public func getMetrics() -> [String] { state.withLock { $0.metrics } }

    /// Forgets metrics and text; the counts stay.
    public func reset() {
        state.withLock { state in
            state.metrics = []
            state.buffer = ""
        }
    }

    /// The text buffer.
    public var description: String { state.withLock { $0.buffer } }

    /// The text buffer.
    public var debugDescription: String { description }

    /// What was made and what was left out since the beginning.
    public var counts: RenderCounts { state.withLock { $0.counts } }

    /// How many metrics were dropped because the queue was full.
    public var droppedCount: UInt64 { state.withLock { $0.droppedCount } }
}
