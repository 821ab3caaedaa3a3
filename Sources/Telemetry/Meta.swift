/// Tags: keys, each once, with their values, in the order in which the keys came.
public struct Meta: Sendable, Hashable {
    /// A key with its value.
    public struct Tag: Sendable, Hashable {
        /// The key.
        public let key: String
        /// Its value.
        public var value: MetricValue
    }

    /// The tags in order.
    public private(set) var tags: [Tag] = []

    /// No tags.
    public init() {}

    /// The value of a key; nil where there is none. Setting replaces the value and keeps the place of the
    /// key; setting nil removes the key.
    public subscript(key: String) -> MetricValue? {
        get { tags.first { $0.key == key }?.value }
        set {
            let place = tags.firstIndex { $0.key == key }
            switch (place, newValue) {
            case (let place?, let value?): tags[place].value = value
            case (let place?, nil): tags.remove(at: place)
            case (nil, let value?): tags.append(Tag(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    /// These tags, then the others; where both have a key the value is that of the others.
    public func merging(_ others: Meta) -> Meta {
        var merged = self
        for tag in others.tags { merged[tag.key] = tag.value }
        return merged
    }
}

extension Meta: ExpressibleByDictionaryLiteral {
    /// Tags in the order they are written; a later value of a key replaces an earlier one.
    public init(dictionaryLiteral elements: (String, MetricValue)...) {
        for (key, value) in elements { self[key] = value }
    }
}
