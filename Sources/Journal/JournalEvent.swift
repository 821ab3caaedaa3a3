/// What happened, as it is sent to a `JournalSink`, which adds the time and the serial number.
public struct JournalEntry: Sendable, Equatable, ExpressibleByStringLiteral {
    /// Short, lower case, hyphenated; the names of Sluice are in `Docs/JournalFormat.md`.
    public var name: String
    /// The facts, in order.
    public var context: [JournalField]
    /// When it happened, in seconds since the Unix epoch, where it is recorded later; nil: now.
    public var timestamp: Double?

    /// An entry whose context is written as a literal: `.init("worker-gone", ["worker": 3])`.
    public init(_ name: String, _ context: KeyValuePairs<String, JournalValue> = [:]) {
        self.name = name
        self.context = context.map { JournalField($0.key, $0.value) }
    }

    /// An entry with those facts.
    public init(_ name: String, context: [JournalField]) {
        self.name = name
        self.context = context
    }

    /// An entry without context.
    public init(stringLiteral value: String) { self.init(value) }
}

/// One event of a journal: a line of RFC 18 of the Flux framework with a serial number.
public struct JournalEvent: Sendable, Equatable {
    /// When it was recorded: seconds since the Unix epoch, with microseconds.
    public var timestamp: Double
    /// Its serial number in the journal, from 1 without gaps.
    public var seq: UInt64
    /// Short, lower case, hyphenated.
    public var name: String
    /// The facts, in order; empty where the line has no context.
    public var context: [JournalField]

    /// An event.
    public init(timestamp: Double, seq: UInt64, name: String, context: [JournalField] = []) {
        self.timestamp = timestamp
        self.seq = seq
        self.name = name
        self.context = context
    }

    /// The value of the first field of that key in the context; nil when there is none.
    public subscript(key: String) -> JournalValue? {
        context.first { $0.key == key }?.value
    }
}

/// Where events go: one method, several implementations (`JournalWriter`, `InMemoryJournal`).
public protocol JournalSink: Sendable {
    /// Records what happened, with the present time and the next serial number, and returns the
    /// event as recorded. May be called from any thread; the order of the calls is the order of
    /// `seq`.
    @discardableResult
    func record(_ entry: JournalEntry) throws(JournalError) -> JournalEvent
}

extension JournalSink {
    /// Records an event of that name and context.
    @discardableResult
    public func record(
        _ name: String, _ context: KeyValuePairs<String, JournalValue> = [:]
    ) throws(JournalError) -> JournalEvent {
        try record(JournalEntry(name, context))
    }
}
