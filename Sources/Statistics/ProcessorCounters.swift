/// The framework's counters of one processor since its start or its last reset.
public struct ProcessorCounters: Sendable, Hashable {
    /// Frames handed to the processor.
    public var received: UInt64 = 0
    /// Frames it processed: gave at least one output or passed on.
    public var processed: UInt64 = 0
    /// Frames it filtered: no output, on purpose.
    public var filtered: UInt64 = 0
    /// Frames for which it threw.
    public var failed: UInt64 = 0
    /// Frames missing from the sequence of ids it should have seen.
    public var missed: UInt64 = 0
    /// Outputs it gave, which may be more or fewer than processed frames.
    public var outputs: UInt64 = 0
    /// Payload bytes of the received frames.
    public var bytesIn: UInt64 = 0
    /// Payload bytes of the outputs.
    public var bytesOut: UInt64 = 0
    /// Time spent in the processor, in nanoseconds.
    public var processingNanoseconds: UInt64 = 0
    /// The distribution of the time spent on a frame.
    public var durations = DurationHistogram()
    /// The highest frame id seen; nil before the first.
    public var lastFrameId: UInt64?

    /// All zero.
    public init() {}

    /// Counts the time of one frame, in the total and in the distribution.
    public mutating func recordProcessing(nanoseconds: UInt64) {
        processingNanoseconds = processingNanoseconds.addingSaturating(nanoseconds)
        durations.record(nanoseconds: nanoseconds)
    }

    /// Adds the counts of `other`; the higher last frame id stays.
    public mutating func merge(_ other: ProcessorCounters) {
        for field in Self.additive {
            self[keyPath: field] = self[keyPath: field].addingSaturating(other[keyPath: field])
        }
        durations.merge(other.durations)
        if let id = other.lastFrameId { lastFrameId = max(lastFrameId ?? 0, id) }
    }

    /// Back to zero; keeps the memory of the histogram.
    public mutating func reset() {
        for field in Self.additive { self[keyPath: field] = 0 }
        durations.reset()
        lastFrameId = nil
    }

    /// The fields that add up over workers.
    static var additive: [WritableKeyPath<ProcessorCounters, UInt64>] {
        [
            \.received, \.processed, \.filtered, \.failed, \.missed, \.outputs, \.bytesIn,
            \.bytesOut, \.processingNanoseconds,
        ]
    }

    /// Whether any counter is lower than in `earlier`, which only a restart of counting explains.
    func hasFallen(from earlier: ProcessorCounters) -> Bool {
        Self.additive.contains { self[keyPath: $0] < earlier[keyPath: $0] }
            || durations.count < earlier.durations.count
    }
}

extension ProcessorCounters {
    /// The counters of a chain of processors as if it were one, in the order of the chain: a frame
    /// is received (and missed, and its bytes read) by the first and processed by the last,
    /// filtered or failed by any; times add up. The distribution is known only for a chain of one;
    /// the duration of a frame is not the sum of two distributions, so it is left empty for longer
    /// chains. Behind a processor that splits frames, parts are counted as frames.
    public static func chain(_ processors: [ProcessorCounters]) -> ProcessorCounters {
        guard let first = processors.first, let last = processors.last else { return .init() }
        var chain = first
        guard processors.count > 1 else { return chain }
        chain.processed = last.processed
        chain.outputs = last.outputs
        chain.bytesOut = last.bytesOut
        chain.durations.reset()
        for next in processors.dropFirst() {
            chain.filtered = chain.filtered.addingSaturating(next.filtered)
            chain.failed = chain.failed.addingSaturating(next.failed)
            chain.processingNanoseconds = chain.processingNanoseconds.addingSaturating(
                next.processingNanoseconds)
        }
        return chain
    }
}
