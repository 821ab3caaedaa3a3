/// How values are distributed: how many there were, their sum, and where they lay. Formats that know
/// histograms and summaries write it as such, the others as fields.
public struct MetricDistribution: Sendable, Hashable {
    /// The value that a part of the values does not exceed.
    public struct Quantile: Sendable, Hashable {
        /// The part, from 0 (the smallest value) to 1 (the largest).
        public var part: Double
        /// The value, in the unit of the distribution.
        public var value: Double

        /// A quantile.
        public init(_ part: Double, _ value: Double) {
            self.part = part
            self.value = value
        }
    }

    /// How many values did not exceed a bound.
    public struct Bucket: Sendable, Hashable {
        /// The bound, in the unit of the distribution; finite.
        public var upperBound: Double
        /// The values up to the bound, those of the buckets before included.
        public var cumulativeCount: UInt64

        /// A bucket.
        public init(upTo upperBound: Double, _ cumulativeCount: UInt64) {
            self.upperBound = upperBound
            self.cumulativeCount = cumulativeCount
        }
    }

    /// The name, such as `frameTime`.
    public var name: String
    /// The unit as `StatisticUnit` spells it, such as `s`; empty where there is none.
    public var unit: String
    /// What it says, in one sentence; empty where nobody said.
    public var summary: String
    /// How many values there were.
    public var count: UInt64
    /// Their sum.
    public var sum: Double
    /// Quantiles with rising parts; none while there are no values.
    public var quantiles: [Quantile]
    /// Buckets with rising bounds, without one for everything; none where only quantiles are known.
    public var buckets: [Bucket]
    /// Whether fields of the same result say the same already, so that a format that would write this as
    /// fields writes nothing.
    public var isAlsoInFields: Bool

    /// A distribution.
    public init(
        _ name: String, unit: String = "", summary: String = "", count: UInt64, sum: Double,
        quantiles: [Quantile] = [], buckets: [Bucket] = [], isAlsoInFields: Bool = false
    ) {
        self.name = name
        self.unit = unit
        self.summary = summary
        self.count = count
        self.sum = sum
        self.quantiles = quantiles
        self.buckets = buckets
        self.isAlsoInFields = isAlsoInFields
    }

    /// The distribution as fields, for formats without distributions: the name with `Count`, `Sum`, and
    /// for each quantile `Minimum` (part 0), `Maximum` (part 1) or `P` with the decimals of the part, two
    /// at least (`P50`, `P999`). Buckets are left out.
    public var fields: [MetricResult.Field] {
        let count = MetricResult.Field(
            name + "Count", .int(Int64(clamping: count)), kind: .counter, unit: "count")
        let sum = MetricResult.Field(name + "Sum", .float(sum), kind: .counter, unit: unit)
        return [count, sum]
            + quantiles.map {
                MetricResult.Field(
                    name + Self.suffix(of: $0.part), .float($0.value), unit: unit, isDerived: true)
            }
    }

    private static func suffix(of part: Double) -> String {
        if part <= 0 { return "Minimum" }
        if part >= 1 { return "Maximum" }
        let decimals = part.plainDecimal.dropFirst(2)
        return "P" + decimals + (decimals.count < 2 ? "0" : "")
    }
}

extension MetricResult {
    /// The fields with those that stand for distributions.
    var allFields: [Field] {
        let others = distributions.filter { !$0.isAlsoInFields }
        return others.isEmpty ? fields : fields + others.flatMap(\.fields)
    }
}
