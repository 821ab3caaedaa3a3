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
    /// Time from acceptance to close of what was not dropped, in nanoseconds.
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
        // What was let go says nothing about how long a frame takes.
        if fate != .dropped { latency.record(nanoseconds: nanoseconds) }
        switch fate {
        case .processed: processed += 1
        case .filtered: filtered += 1
        case .failed: failed += 1
        case .quarantined: quarantined += 1
        case .dropped: dropped[reason, default: 0] += 1
        }
    }

    /// Frames that are let go as they come: opened and closed at once.
    mutating func letGo(_ count: UInt64, reason: OverloadReason) {
        accepted += count
        dropped[reason.rawValue, default: 0] += count
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
