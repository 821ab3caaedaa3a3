/// Where a consumer gets a journal from: files, the control socket of a run, memory.
public protocol JournalTransport: Sendable {
    /// Sends a request and returns the stream of its responses. `payload` is what the consumer's
    /// `requestPayload` gives, as a rule that of a `JournalRequest`. Called on a thread that may block.
    ///
    /// - Throws: when the journal can't be had, or the request is refused.
    func open(_ payload: JournalValue) throws -> any JournalResponseStream
}

/// The responses to one request.
public protocol JournalResponseStream: AnyObject, Sendable {
    /// Waits for the next response; nil at the end of the data, and ever after. An empty response says that
    /// history ends here. Called by one thread at a time.
    ///
    /// - Throws: when the stream breaks off, an overrun among the reasons; nothing comes after that.
    func next() throws -> JournalResponse?

    /// Asks for the end, from any thread, and waits for nothing: `next` gives what was there by now, then
    /// nil. A second call does nothing.
    func cancel()
}

/// One response: some events, and what belongs to all of them.
public struct JournalResponse: Sendable, Equatable {
    /// The events, in the journal's order; empty: the end of history.
    public var events: [JournalEvent]
    /// What belongs to all of them, such as the run they are of.
    public var extras: [JournalField]
    /// Which of several journals in one stream it is of; empty where there is one. Serial numbers go on
    /// within a source.
    public var source: String

    /// A response.
    public init(
        _ events: [JournalEvent] = [], extras: [JournalField] = [], source: String = ""
    ) {
        self.events = events
        self.extras = extras
        self.source = source
    }
}

/// What a consumer could not do.
public enum JournalConsumerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// It was not started.
    case notStarted
    /// No event came in time.
    case timeout(Duration)
    /// The end was told before; nothing comes until it is started again.
    case ended
    /// It was disconnected because it was too slow: `lastSeq` is the last event that it gets (0: none),
    /// `missed` the number of those recorded since, by the time of the disconnection.
    case overrun(lastSeq: UInt64, missed: UInt64)
    /// There is more history than may be gathered to be put in order.
    case historyTooLong(limit: Int)
    /// The callback threw, with the description of its error.
    case callbackFailed(String)
    /// The journal refused the request, with a reason.
    case badRequest(String)
    /// The journal can't be had, or can't be had any more, with a reason.
    case unavailable(String)

    /// One sentence with what to do.
    public var description: String {
        switch self {
        case .notStarted: "The consumer of the journal was not started: call start() before."
        case .timeout(let duration): "No event came within \(duration): ask again or wait longer."
        case .ended: "The events have ended: start the consumer again for new ones."
        case .overrun(let lastSeq, let missed):
            "The consumer was too slow and was disconnected after event \(lastSeq), \(missed) events "
                + "missed: start it again in the mode that continues."
        case .historyTooLong(let limit):
            "There are more than \(limit) events of history to be put in order: ask for those since a "
                + "later time, or allow for more."
        case .callbackFailed(let reason):
            "The callback of the consumer threw, so it gets no more events: \(reason)"
        case .badRequest(let reason): "The request for events is refused: \(reason)."
        case .unavailable(let reason): "The journal can't be followed: \(reason)."
        }
    }
}
