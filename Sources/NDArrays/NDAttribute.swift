/// A named, typed value that travels with a frame, as areaDetector's NDAttribute.
public struct NDAttribute: Sendable, Hashable {
    /// Where areaDetector got an attribute from (`NDAttrSource_t`).
    public enum SourceType: Int32, Sendable, Hashable {
        case driver = 0
        case parameter = 1
        case epicsProcessVariable = 2
        case function = 3
        case constant = 4
        case undefined = -1
    }

    /// Name, unique in a frame's attributes.
    public let name: String
    /// The typed value; nil is areaDetector's "undefined".
    public var value: ScalarValue?
    /// What it is, for people.
    public var description: String
    /// Which kind of thing `source` names.
    public var sourceType: SourceType
    /// The process variable, parameter or function it came from.
    public var source: String

    /// An attribute; a nil value means undefined.
    public init(
        _ name: String, _ value: ScalarValue?, description: String = "",
        sourceType: SourceType = .undefined, source: String = ""
    ) {
        self.name = name
        self.value = value
        self.description = description
        self.sourceType = sourceType
        self.source = source
    }
}

/// The attributes of a frame, in order, each name once.
public struct NDAttributes: Sendable, Hashable, RandomAccessCollection {
    private var list: [NDAttribute] = []

    /// No attributes.
    public init() {}

    /// These attributes; a later one replaces an earlier one of the same name. Takes time
    /// proportional to their number.
    public init(_ attributes: some Sequence<NDAttribute>) {
        var positions: [String: Int] = [:]
        for attribute in attributes {
            if let position = positions[attribute.name] {
                list[position] = attribute
            } else {
                positions[attribute.name] = list.count
                list.append(attribute)
            }
        }
    }

    /// These attributes in this order, nil when a name comes twice. Takes time proportional to
    /// their number.
    package init?(uniqueAttributes attributes: [NDAttribute]) {
        let isUnique =
            attributes.count < 2 || Set(attributes.map(\.name)).count == attributes.count
        guard isUnique else { return nil }
        list = attributes
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { list.count }

    /// The attribute at `position` in the order they were added.
    public subscript(position: Int) -> NDAttribute { list[position] }

    /// The attribute called `name`, nil when there is none.
    public subscript(name: String) -> NDAttribute? { list.first { $0.name == name } }

    /// Makes room for `count` attributes.
    package mutating func reserveCapacity(_ count: Int) { list.reserveCapacity(count) }

    /// Adds `attribute`, or replaces the one of the same name in its place.
    public mutating func set(_ attribute: NDAttribute) {
        if let position = list.firstIndex(where: { $0.name == attribute.name }) {
            list[position] = attribute
        } else {
            list.append(attribute)
        }
    }

    /// Sets name and value, with empty description and source for a new attribute.
    public mutating func set(_ name: String, _ value: ScalarValue, description: String = "") {
        set(NDAttribute(name, value, description: description))
    }

    /// Removes the attribute called `name`; does nothing when there is none.
    public mutating func remove(_ name: String) { list.removeAll { $0.name == name } }
}

/// A point in time of a frame: seconds since the POSIX epoch and nanoseconds, as pvData's `time_t`.
public struct TimeStamp: Sendable, Hashable, Comparable {
    /// Seconds from areaDetector's epoch of 1990 to the POSIX epoch of 1970 (EPICS
    /// `POSIX_TIME_AT_EPICS_EPOCH`).
    public static let epicsEpochOffset: Int64 = 631_152_000
    /// Whole seconds since 1970-01-01 00:00 UTC.
    public var secondsPastEpoch: Int64
    /// Nanoseconds, 0 to 999 999 999.
    public var nanoseconds: Int32

    /// A time stamp; zero in both means that the source has none.
    public init(secondsPastEpoch: Int64 = 0, nanoseconds: Int32 = 0) {
        self.secondsPastEpoch = secondsPastEpoch
        self.nanoseconds = nanoseconds
    }

    /// Seconds since the POSIX epoch as float64, to about a microsecond.
    public var seconds: Double { Double(secondsPastEpoch) + Double(nanoseconds) / 1e9 }

    public static func < (left: TimeStamp, right: TimeStamp) -> Bool {
        (left.secondsPastEpoch, left.nanoseconds) < (right.secondsPastEpoch, right.nanoseconds)
    }
}
