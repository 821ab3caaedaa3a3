internal import Journal

/// Keeps the events that the journal can't take now (its disk is full), in order and with their times,
/// and records them when it can. Times in nanoseconds are monotonic.
struct JournalBacklog {
    /// The most events that wait: some hundred bytes each. Later ones are lost, and counted by a
    /// `journal-gap` in their place.
    static let maximumCount = 4096
    /// Time between two tries: what fails costs one system call.
    static let pauseNanoseconds: UInt64 = 200_000_000

    private let journal: any JournalSink
    /// Events that wait, the oldest first.
    private var waiting: [JournalEntry] = []
    /// How many of them are recorded already.
    private var doneCount = 0
    /// Events that were lost, and when the first of them happened.
    private var lost: (count: UInt64, timestamp: Double)?
    /// What the journal said last.
    private var trouble: String?
    /// An event that no journal would take: a fault of Sluice.
    private var refused: String?
    /// When it is tried again; nil when nothing waits.
    private(set) var nextTryAt: UInt64?

    init(_ journal: any JournalSink) { self.journal = journal }

    /// Why the journal is not complete now, with what is missing; nil when it is.
    var problem: String? {
        guard let trouble, nextTryAt != nil else { return refused }
        let missing = UInt64(waiting.count - doneCount) + (lost?.count ?? 0)
        return "\(missing) events are missing at the end of the journal: \(trouble)"
    }

    /// Records an event, now or when there is room. `wallTime` is now in seconds since the Unix epoch.
    mutating func record(_ entry: JournalEntry, at now: UInt64, wallTime: () -> Double) {
        if let nextTryAt {
            if now < nextTryAt || !retry(at: now) { return keep(entry, wallTime()) }
        }
        guard !write(entry) else { return }
        keep(entry, wallTime())
        nextTryAt = MonotonicClock.time(now, plus: Self.pauseNanoseconds)
    }

    /// Records what waits, as far as the journal takes it; true when nothing waits any more.
    @discardableResult
    mutating func retry(at now: UInt64) -> Bool {
        guard nextTryAt != nil else { return true }
        while doneCount < waiting.count {
            guard write(waiting[doneCount]) else {
                nextTryAt = MonotonicClock.time(now, plus: Self.pauseNanoseconds)
                return false
            }
            doneCount += 1
        }
        if let lost {
            var gap = JournalEntry(
                "journal-gap", ["missed": .init(lost.count), "reason": .string(trouble ?? "")])
            gap.timestamp = lost.timestamp
            guard write(gap) else {
                nextTryAt = MonotonicClock.time(now, plus: Self.pauseNanoseconds)
                return false
            }
        }
        waiting.removeAll()
        (doneCount, lost, nextTryAt) = (0, nil, nil)
        return true
    }

    private mutating func keep(_ entry: JournalEntry, _ wallTime: Double) {
        // Once one was lost all that follow are, so that the gap has one place.
        guard lost == nil, waiting.count < Self.maximumCount else {
            lost = ((lost?.count ?? 0) + 1, lost?.timestamp ?? wallTime)
            return
        }
        var late = entry
        late.timestamp = wallTime
        waiting.append(late)
    }

    /// False when the journal can't be written now.
    private mutating func write(_ entry: JournalEntry) -> Bool {
        do throws(JournalError) {
            try journal.record(entry)
        } catch {
            if case .system = error {
                trouble = "\(error)"
                return false
            }
            refused = refused ?? "\(error)"
        }
        return true
    }
}
