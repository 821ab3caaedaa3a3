/// What a consumer asks a journal for: the meaning of a request's payload, which is a JSON object.
public struct JournalRequest: Sendable, Hashable {
    /// Most patterns of a kind in a request: more than there are names of events.
    public static let maximumPatternCount = 64

    /// Whether events come, too, that were recorded before the request.
    public var full: Bool
    /// Only events after the one with this serial number; nil: all. Their history comes, too, whatever `full`
    /// says, because that is what a cursor is for.
    public var seq: UInt64?
    /// Only events that happened after this moment, in seconds since the Unix epoch; 0: all.
    public var since: Double
    /// Only events with one of these names; empty: all.
    public var names: [EventNamePattern]
    /// No events with one of these names, also where `names` has them.
    public var except: [EventNamePattern]

    /// A request; without arguments, for everything.
    public init(
        full: Bool = true, seq: UInt64? = nil, since: Double = 0, names: [EventNamePattern] = [],
        except: [EventNamePattern] = []
    ) {
        self.full = full
        self.seq = seq
        self.since = since
        self.names = names
        self.except = except
    }

    /// Whether an event is asked for; its place in the journal is not looked at.
    public func takes(_ event: JournalEvent) -> Bool {
        if since > 0, event.timestamp <= since { return false }
        if !names.isEmpty, !names.contains(where: { $0.matches(event.name) }) { return false }
        return !except.contains { $0.matches(event.name) }
    }

    /// The request as a payload; what says nothing is left out.
    public var payload: JournalValue {
        var fields = [JournalField("full", .bool(full))]
        if let seq { fields.append(JournalField("seq", .init(seq))) }
        if since > 0 { fields.append(JournalField("since", .double(since))) }
        for (key, patterns) in [("names", names), ("except", except)] where !patterns.isEmpty {
            fields.append(JournalField(key, .array(patterns.map { .string($0.text) })))
        }
        return .object(fields)
    }

    /// The request of a payload. Keys that are absent mean what the initializer's defaults mean; unknown ones
    /// are ignored, because later versions add some.
    ///
    /// - Throws: `JournalConsumerError.badRequest` when it is no object, or a value is not of its kind.
    public init(payload: JournalValue) throws(JournalConsumerError) {
        guard case .object = payload else {
            throw .badRequest("it is no JSON object with full, seq, since, names and except")
        }
        self.init()
        switch payload["full"] {
        case nil: break
        case .bool(let value)?: full = value
        default: throw .badRequest("\"full\" must be true or false")
        }
        switch payload["seq"] {
        case nil, .null?: break
        case .int(let value)? where value >= 0: seq = UInt64(value)
        case .uint(let value)?: seq = value
        default: throw .badRequest("\"seq\" must be a whole number of 0 or more")
        }
        switch payload["since"] {
        case nil, .null?: break
        case .int(let value)?: since = Double(value)
        case .uint(let value)?: since = Double(value)
        case .double(let value)?: since = value
        default: throw .badRequest("\"since\" must be a number of seconds since 1970")
        }
        names = try Self.patterns(payload["names"], "names")
        except = try Self.patterns(payload["except"], "except")
    }

    private static func patterns(
        _ value: JournalValue?, _ key: String
    ) throws(JournalConsumerError) -> [EventNamePattern] {
        guard let value else { return [] }
        guard case .array(let elements) = value else {
            throw .badRequest("\"\(key)\" must be a list of names")
        }
        guard elements.count <= maximumPatternCount else {
            throw .badRequest("\"\(key)\" has more than \(maximumPatternCount) names")
        }
        var patterns: [EventNamePattern] = []
        for element in elements {
            guard case .string(let text) = element, let pattern = EventNamePattern(text) else {
                throw .badRequest(
                    "\"\(key)\" must have names of a-z, 0-9 and hyphens, with * and ? for others")
            }
            patterns.append(pattern)
        }
        return patterns
    }
}
