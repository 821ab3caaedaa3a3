public import Journal

/// An event on its way through routers to backends: a value, so that what one does to it is not seen by
/// others unless it is handed on.
public struct TelemetryEvent: Sendable, Equatable {
    /// What happened, such as `frame.failed`; nil where nobody said.
    public var name: String?
    /// When, in seconds since the Unix epoch.
    public var timestamp: Double
    /// The serial number in the journal or stream it comes from; nil where it comes from none.
    public var seq: UInt64?
    /// What is told of it: an object as a rule, any value at all.
    public var data: JournalValue
    /// What holds for all events of a time: the run, the beamline, the host.
    public var context: [JournalField]

    /// An event.
    public init(
        name: String?, timestamp: Double, seq: UInt64? = nil, data: JournalValue = .object([]),
        context: [JournalField] = []
    ) {
        self.name = name
        self.timestamp = timestamp
        self.seq = seq
        self.data = data
        self.context = context
    }
}
