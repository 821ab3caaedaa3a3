internal import Statistics

/// The account of one stage or of the run, counted as things happen.
struct Ledger {
    private(set) var accepted: UInt64 = 0
    private(set) var processed: UInt64 = 0
    private(set) var filtered: UInt64 = 0
    private(set) var failed: UInt64 = 0
    private(set) var quarantined: UInt64 = 0
    private(set) var dropped: [String: UInt64] = [:]
    /// Counted on its own, up on opening and down on closing, so that the balance proves something.
    private(set) var inFlight: UInt64 = 0
    /// Time from acceptance to close, in nanoseconds.
    private(set) var latency = DurationHistogram()

    /// Entries that earlier lives of the run have closed.
    mutating func restore(_ counts: ReplayedCounts) {
        accepted += counts.closed
        processed += counts.processed
        filtered += counts.filtered
        failed += counts.failed
        quarantined += counts.quarantined
        dropped.merge(counts.dropped, uniquingKeysWith: +)
    }

    /// An entry is opened.
    mutating func open() {
        accepted += 1
        inFlight += 1
    }

    /// An entry is closed `nanoseconds` after it was opened; `reason` names the kind of drop.
    mutating func close(_ fate: FrameFate, reason: String = "", nanoseconds: UInt64) {
        inFlight -= 1
        latency.record(nanoseconds: nanoseconds)
        switch fate {
        case .processed: processed += 1
        case .filtered: filtered += 1
        case .failed: failed += 1
        case .quarantined: quarantined += 1
        case .dropped: dropped[reason, default: 0] += 1
        }
    }

    /// The account as a report shows it; `pending` frames are accepted but not yet seen here.
    func counts(pending: UInt64 = 0) -> LedgerCounts {
        var counts = LedgerCounts()
        counts.accepted = accepted + pending
        counts.processed = processed
        counts.filtered = filtered
        counts.failed = failed
        counts.quarantined = quarantined
        counts.dropped = dropped
        counts.inFlight = inFlight + pending
        return counts
    }

    /// Entries closed so far, whatever became of them.
    var closed: UInt64 { accepted - inFlight }
}
