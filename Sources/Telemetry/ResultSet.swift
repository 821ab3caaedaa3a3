/// What one measurement gave: fields with the tags that say of what.
public struct MetricResult: Sendable, Hashable {
    /// What a field of a result is, where a format wants to know.
    public enum Kind: Sendable, Hashable {
        /// Goes up and down.
        case gauge
        /// Never goes down in the life of a run.
        case counter
    }

    /// A named value.
    public struct Field: Sendable, Hashable {
        /// The name, such as `nProcessed`.
        public var name: String
        /// The value.
        public var value: MetricValue
        /// Whether it can go down.
        public var kind: Kind
        /// The unit as `StatisticUnit` spells it, such as `s`; empty where there is none.
        public var unit: String
        /// What it says, in one sentence; empty where nobody said.
        public var summary: String
        /// Whether it follows from other fields, as a rate does from a counter: Prometheus, which
        /// calculates such things itself, is not given it.
        public var isDerived: Bool

        /// A named value.
        public init(
            _ name: String, _ value: MetricValue, kind: Kind = .gauge, unit: String = "",
            summary: String = "", isDerived: Bool = false
        ) {
            self.isDerived = isDerived
            self.name = name
            self.value = value
            self.kind = kind
            self.unit = unit
            self.summary = summary
        }
    }

    /// The measurement, such as `stage`.
    public var name: String
    /// Tags of this result; they win over those of the host.
    public var meta: Meta
    /// The fields, in order.
    public var fields: [Field]
    /// Distributions, in order; as a rule none.
    public var distributions: [MetricDistribution]

    /// A result.
    public init(
        _ name: String, meta: Meta = Meta(), fields: [Field] = [],
        distributions: [MetricDistribution] = []
    ) {
        self.name = name
        self.meta = meta
        self.fields = fields
        self.distributions = distributions
    }
}

/// Results of one moment.
public struct ResultSet: Sendable, Hashable {
    /// When they were taken, in nanoseconds since the Unix epoch.
    public var timestampNanoseconds: Int64
    /// The results, in order.
    public var results: [MetricResult]

    /// Results of one moment.
    public init(timestampNanoseconds: Int64, results: [MetricResult] = []) {
        self.timestampNanoseconds = timestampNanoseconds
        self.results = results
    }
}
