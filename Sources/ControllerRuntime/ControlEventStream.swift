internal import Journal

/// The events that one client of a control socket follows. They are read from the journal's file as the client
/// takes them, so nothing is kept for it but a line.
final class ControlEventStream {
    /// What there is to be sent now.
    enum Portion {
        case nothing
        /// Some events, or none where history ends.
        case line([UInt8])
        /// The end of the stream.
        case answer(ControlAnswer)
    }

    /// Number of the request.
    let id: UInt64
    private let request: JournalRequest
    private let path: String
    private var reader: JournalReader?
    /// Whether the client has had all there was.
    private var isLive = false
    /// The last event that was announced when the file was read to its end.
    private var seenSeq: UInt64?

    init(_ path: String, _ request: JournalRequest, id: UInt64) {
        self.path = path
        self.request = request
        self.id = id
    }

    /// The next portion. `lastSeq` is the last event that was announced; nothing is read where the client has
    /// not taken the portion before. A run that ends has no events to come: then the end follows the last one.
    func portion(lastSeq: UInt64, mayRead: Bool, isClosing: Bool) -> Portion {
        let sent = reader?.lastSeq ?? request.seq ?? 0
        if isLive, lastSeq > sent, lastSeq - sent > ControlLimits.maximumEventsBehind {
            var failure = ControlFailure(
                code: "overrun",
                message: "the client did not read: event \(sent) was the last one, and "
                    + "\(lastSeq - sent) are recorded since; ask again with that seq")
            (failure.lastSeq, failure.missed) = (sent, lastSeq - sent)
            return .answer(.failure(failure))
        }
        guard mayRead, isClosing || seenSeq != lastSeq else { return .nothing }
        do {
            if let line = try nextLine() { return .line(line) }
        } catch {
            return .answer(.failure(ControlFailure(code: "state", message: error.description)))
        }
        seenSeq = lastSeq
        if !isLive {
            isLive = true
            return .line(Array("{\"id\":\(id),\"events\":[]}\n".utf8))
        }
        return isClosing ? .answer(.done) : .nothing
    }

    /// A line of the next events that are wanted; nil when there are none now.
    private func nextLine() throws(JournalError) -> [UInt8]? {
        if reader == nil { reader = try opened() }
        while true {
            var events: [JournalEvent]
            do throws(JournalError) {
                events = try read()
            } catch {
                guard case .eventsRemoved(_, let first, let last) = error else { throw error }
                events = try read()
                let time = events.first?.timestamp ?? request.since
                guard time > request.since else { continue }
                let notice = JournalEvent.removed(first: first, last: last, at: time)
                return try Self.line(id, [notice] + events.filter(request.takes))
            }
            if events.isEmpty { return nil }
            let wanted = events.filter(request.takes)
            if !wanted.isEmpty { return try Self.line(id, wanted) }
        }
    }

    private func read() throws(JournalError) -> [JournalEvent] {
        try reader?.readNew(
            maximumCount: JournalFileTransport.responseCount,
            maximumByteCount: ControlLimits.eventsByteCount) ?? []
    }

    private func opened() throws(JournalError) -> JournalReader {
        if let seq = request.seq { return try JournalReader(path: path, after: seq) }
        if !request.full { return try JournalReader(atEndOf: path) }
        return try JournalReader(path: path, after: 0)
    }

    /// `{"id":1,"events":[…]}`.
    private static func line(
        _ id: UInt64, _ events: [JournalEvent]
    ) throws(JournalError) -> [UInt8] {
        var line = Array("{\"id\":\(id),\"events\":[".utf8)
        for (place, event) in events.enumerated() {
            if place > 0 { line.append(UInt8(ascii: ",")) }
            line += try event.line().dropLast()
        }
        return line + Array("]}\n".utf8)
    }
}
