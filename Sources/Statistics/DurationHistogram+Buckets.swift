/// One bucket of a histogram that is not empty.
public struct DurationBucket: Sendable, Hashable {
    /// Its index, below `DurationHistogram.bucketCount`.
    public var index: Int
    /// How many values fell into it, at least 1.
    public var count: UInt64

    /// A bucket with its count.
    public init(index: Int, count: UInt64) {
        self.index = index
        self.count = count
    }
}

extension DurationHistogram {
    /// The sparse form: the buckets that are not empty, in rising order.
    public var buckets: [DurationBucket] {
        guard count > 0 else { return [] }
        return counts.enumerated().compactMap { index, count in
            count == 0 ? nil : DurationBucket(index: index, count: count)
        }
    }

    /// The histogram of a sparse form, which comes from outside: refuses indexes out of range or
    /// order, empty buckets, counts that overflow, and a minimum or maximum (nanoseconds) outside
    /// the first and last bucket. Without buckets the other values are ignored.
    public init(
        buckets: [DurationBucket], minimum: UInt64, maximum: UInt64, sum: UInt64
    ) throws(StatisticsError) {
        guard let first = buckets.first, let last = buckets.last else {
            self.init()
            return
        }
        var counts = [UInt64](repeating: 0, count: Self.bucketCount)
        var total: UInt64 = 0
        var previous = -1
        for bucket in buckets {
            guard (0..<Self.bucketCount).contains(bucket.index) else {
                throw .bucketIndexOutOfRange(index: bucket.index, limit: Self.bucketCount)
            }
            guard bucket.index > previous else { throw .bucketsOutOfOrder(index: bucket.index) }
            guard bucket.count > 0 else { throw .emptyBucket(index: bucket.index) }
            let (added, overflow) = total.addingReportingOverflow(bucket.count)
            guard !overflow else { throw .countOverflow }
            total = added
            counts[bucket.index] = bucket.count
            previous = bucket.index
        }
        guard Self.bucketIndex(nanoseconds: minimum) == first.index,
            Self.bucketIndex(nanoseconds: maximum) == last.index, minimum <= maximum
        else { throw .extremesOutsideBuckets(minimum: minimum, maximum: maximum) }
        self.init(
            counts: counts, count: total, sum: sum, smallest: minimum, largest: maximum)
    }
}

extension DurationHistogram {
    /// How many recorded values are below 2^`exponent` nanoseconds: exact, for those are edges of buckets.
    /// `exponent` is from 5 to 41; values from 2^42 on share the last bucket with others.
    public func count(belowPowerOfTwo exponent: Int) -> UInt64 {
        precondition(
            (Self.subBucketBits..<Self.rangeBits).contains(exponent), "an edge of a bucket")
        guard count > 0 else { return 0 }
        let end = Self.bucketIndex(nanoseconds: 1 << UInt64(exponent))
        return counts[..<end].reduce(0) { $0.addingSaturating($1) }
    }
}
