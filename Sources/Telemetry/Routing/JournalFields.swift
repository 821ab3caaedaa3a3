public import Journal

extension [JournalField] {
    /// The value of the first field of that key; nil where there is none. Setting replaces the value and
    /// keeps the place of the key; setting nil removes the key.
    public subscript(key key: String) -> JournalValue? {
        get { first { $0.key == key }?.value }
        set {
            let place = firstIndex { $0.key == key }
            switch (place, newValue) {
            case (let place?, let value?): self[place].value = value
            case (let place?, nil): remove(at: place)
            case (nil, let value?): append(JournalField(key, value))
            case (nil, nil): break
            }
        }
    }
}

extension JournalValue {
    /// Sets the field of an object in place, or removes it with nil; throws when this is no object.
    public mutating func set(_ key: String, _ value: JournalValue?) throws(RoutingError) {
        guard case .object(var fields) = self else { throw .notAnObject(key: key) }
        // The fields must have one owner only, or they are copied.
        self = .null
        fields[key: key] = value
        self = .object(fields)
    }
}

extension TelemetryEvent {
    /// The event as an object: `name` (`null` where it has none), `timestamp` in seconds, `seq` where it has
    /// one, `data`, `context`.
    public var value: JournalValue { value(timestamp: .double(timestamp)) }

    func value(timestamp: JournalValue) -> JournalValue {
        var fields = [
            JournalField("name", name.map { .string($0) } ?? .null),
            JournalField("timestamp", timestamp),
        ]
        if let seq { fields.append(JournalField("seq", .init(seq))) }
        fields.append(JournalField("data", data))
        fields.append(JournalField("context", .object(context)))
        return .object(fields)
    }
}
