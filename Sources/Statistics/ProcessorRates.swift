/// Rates of a processor over some time, per second; never negative.
public struct ProcessorRates: Sendable, Hashable {
    /// Frames received per second.
    public var received = 0.0
    /// Frames processed per second.
    public var processed = 0.0
    /// Frames filtered per second.
    public var filtered = 0.0
    /// Frames failed per second.
    public var failed = 0.0
    /// Frames missed per second.
    public var missed = 0.0
    /// Outputs per second.
    public var outputs = 0.0
    /// Bytes received per second.
    public var bytesIn = 0.0
    /// Bytes of outputs per second.
    public var bytesOut = 0.0

    /// All zero.
    public init() {}

    /// The mean rates of counters that were counted in that many nanoseconds; 0 for no time.
    public init(_ counters: ProcessorCounters, overNanoseconds interval: UInt64) {
        self.init(from: ProcessorCounters(), to: counters, overNanoseconds: interval)
    }

    /// The rates between two looks at the same counters, that many nanoseconds apart. No time gives
    /// 0, and so does a counter that fell, because how much it grew is then unknown.
    public init(
        from earlier: ProcessorCounters, to later: ProcessorCounters,
        overNanoseconds interval: UInt64
    ) {
        guard interval > 0 else { return }
        let seconds = Double(interval) / 1e9
        func rate(_ field: KeyPath<ProcessorCounters, UInt64>) -> Double {
            let (before, after) = (earlier[keyPath: field], later[keyPath: field])
            return after > before ? Double(after - before) / seconds : 0
        }
        received = rate(\.received)
        processed = rate(\.processed)
        filtered = rate(\.filtered)
        failed = rate(\.failed)
        missed = rate(\.missed)
        outputs = rate(\.outputs)
        bytesIn = rate(\.bytesIn)
        bytesOut = rate(\.bytesOut)
    }
}

extension WorkerSnapshot {
    /// The rates of one of its processors since counting began; all 0 for a processor it has not.
    public func ratesSinceReset(processorId: Int) -> ProcessorRates {
        guard let processor = processors.first(where: { $0.processorId == processorId }) else {
            return ProcessorRates()
        }
        return ProcessorRates(processor.counters, overNanoseconds: intervalNanoseconds)
    }

    /// The rates of one of its processors since an earlier snapshot of the same worker; since
    /// counting began where the worker was replaced or reset in between.
    public func rates(since earlier: WorkerSnapshot, processorId: Int) -> ProcessorRates {
        guard workerId == earlier.workerId, incarnation == earlier.incarnation,
            resetNanoseconds == earlier.resetNanoseconds
        else { return ratesSinceReset(processorId: processorId) }
        guard timestampNanoseconds > earlier.timestampNanoseconds,
            let now = processors.first(where: { $0.processorId == processorId }),
            let before = earlier.processors.first(where: { $0.processorId == processorId })
        else { return ProcessorRates() }
        return ProcessorRates(
            from: before.counters, to: now.counters,
            overNanoseconds: timestampNanoseconds - earlier.timestampNanoseconds)
    }
}
