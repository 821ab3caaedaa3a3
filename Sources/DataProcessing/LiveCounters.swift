import Synchronization

/// The framework's counters of one processor, which other threads may read while it works.
package final class LiveCounters: Sendable {
    private let counters = Mutex(ProcessorCounters())

    init() {}

    /// The counters now.
    package var snapshot: ProcessorCounters { counters.withLock { $0 } }

    /// Sets all counters to 0.
    package func reset() { counters.withLock { $0.reset() } }

    /// Counts one frame; `outputs` is nil when it failed.
    func record(
        frameId: UInt64, bytesIn: Int, nanoseconds: UInt64,
        _ outputs: (count: Int, byteCount: Int)?
    ) {
        counters.withLock { counters in
            counters.received &+= 1
            counters.bytesIn &+= UInt64(bytesIn)
            counters.recordProcessing(nanoseconds: nanoseconds)
            counters.lastFrameId = max(counters.lastFrameId ?? 0, frameId)
            guard let outputs else {
                counters.failed &+= 1
                return
            }
            if outputs.count == 0 { counters.filtered &+= 1 } else { counters.processed &+= 1 }
            counters.outputs &+= UInt64(outputs.count)
            counters.bytesOut &+= UInt64(outputs.byteCount)
        }
    }
}
