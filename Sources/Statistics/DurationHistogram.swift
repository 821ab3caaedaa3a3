/// A histogram of durations with fixed memory (1216 buckets, 9.5 KiB) and a bounded relative error.
///
/// The buckets are log-linear, as in HdrHistogram: with B = 5 bits, a value v < 2^B has a bucket of
/// its own; from there every octave [2^e, 2^(e+1)) is cut into 2^B buckets of equal width 2^(e−B):
///
///     index(v) = v                                       for v < 32
///     index(v) = (e − B + 1)·2^B + (v >> (e − B)) − 2^B  with e = floor(log2 v), for v ≥ 32
///
/// A bucket is never wider than 1/32 of its lower bound, and a quantile is the middle of its
/// bucket, clamped to the smallest and largest recorded value: the relative error is at most 1/64
/// (1.6 %), and 0 below 64 ns. Values from 2^42 ns (73 minutes) up saturate into the last bucket;
/// the minimum, maximum and sum stay exact.
public struct DurationHistogram: Sendable, Hashable {
    /// log2 of the number of buckets in an octave.
    static let subBucketBits = 5
    /// Number of buckets in an octave.
    static let subBucketCount = 1 << subBucketBits
    /// log2 of the first value that saturates.
    static let rangeBits = 42

    /// Number of buckets; an encoded index is below it.
    public static let bucketCount = (rangeBits - subBucketBits + 1) << subBucketBits
    /// The first value, in nanoseconds, that no longer has a bucket of its own width (2^42).
    public static let saturationNanoseconds: UInt64 = 1 << 42

    var counts: [UInt64]

    /// Number of recorded values.
    public private(set) var count: UInt64
    /// Sum of the recorded values in nanoseconds; stays at its largest value instead of
    /// overflowing.
    public private(set) var sum: UInt64
    private var smallest: UInt64
    private var largest: UInt64

    /// An empty histogram; this allocates, recording does not.
    public init() {
        counts = [UInt64](repeating: 0, count: Self.bucketCount)
        count = 0
        sum = 0
        smallest = .max
        largest = 0
    }

    init(counts: [UInt64], count: UInt64, sum: UInt64, smallest: UInt64, largest: UInt64) {
        self.counts = counts
        self.count = count
        self.sum = sum
        self.smallest = smallest
        self.largest = largest
    }

    /// The smallest recorded value in nanoseconds, 0 when empty.
    public var minimum: UInt64 { count == 0 ? 0 : smallest }

    /// The largest recorded value in nanoseconds, 0 when empty.
    public var maximum: UInt64 { largest }

    /// The mean of the recorded values in nanoseconds, 0 when empty.
    public var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    /// Counts one value; a constant number of instructions and no allocation, unless a copy of this
    /// histogram is held elsewhere: then the first record after the copy copies the buckets.
    public mutating func record(nanoseconds value: UInt64) {
        counts[Self.bucketIndex(nanoseconds: value)] &+= 1
        count &+= 1
        sum = sum.addingSaturating(value)
        if value < smallest { smallest = value }
        if value > largest { largest = value }
    }

    /// Counts one duration, rounded down to nanoseconds; a negative one counts as 0.
    public mutating func record(_ duration: Duration) {
        record(nanoseconds: duration.wholeNanoseconds)
    }

    /// Adds everything `other` has recorded; the result is as if all had been recorded here.
    public mutating func merge(_ other: DurationHistogram) {
        guard other.count > 0 else { return }
        for index in counts.indices {
            counts[index] = counts[index].addingSaturating(other.counts[index])
        }
        count = count.addingSaturating(other.count)
        sum = sum.addingSaturating(other.sum)
        smallest = Swift.min(smallest, other.smallest)
        largest = Swift.max(largest, other.largest)
    }

    /// Forgets everything and keeps the memory.
    public mutating func reset() {
        guard count > 0 else { return }
        for index in counts.indices { counts[index] = 0 }
        count = 0
        sum = 0
        smallest = .max
        largest = 0
    }

    /// The value in nanoseconds below or at which the fraction `q` of the recorded values lies
    /// (the ⌈q·count⌉-th smallest; `q` is clamped to 0…1); nil when empty.
    public func quantile(_ q: Double) -> UInt64? {
        guard count > 0, !q.isNaN else { return nil }
        if q <= 0 { return smallest }
        if q >= 1 { return largest }
        let rank = (q * Double(count)).rounded(.up)
        var seen: UInt64 = 0
        for (index, inBucket) in counts.enumerated() where inBucket > 0 {
            seen = seen.addingSaturating(inBucket)
            if Double(seen) >= rank {
                if index == Self.bucketCount - 1 { return largest }
                return Swift.min(Swift.max(Self.middle(ofBucket: index), smallest), largest)
            }
        }
        return largest
    }

    /// The bucket of a value; the formula is in the description of this type.
    static func bucketIndex(nanoseconds value: UInt64) -> Int {
        if value < UInt64(subBucketCount) { return Int(truncatingIfNeeded: value) }
        if value >= saturationNanoseconds { return bucketCount - 1 }
        let shift = (63 &- value.leadingZeroBitCount) &- subBucketBits
        return (shift << subBucketBits) &+ Int(truncatingIfNeeded: value >> UInt64(shift))
    }

    /// The smallest value of a bucket.
    static func lowerBound(ofBucket index: Int) -> UInt64 {
        if index < subBucketCount { return UInt64(index) }
        let shift = (index >> subBucketBits) - 1
        return UInt64(index - (shift << subBucketBits)) << UInt64(shift)
    }

    /// The middle of a bucket, rounded down.
    static func middle(ofBucket index: Int) -> UInt64 {
        let shift = Swift.max((index >> subBucketBits) - 1, 0)
        return lowerBound(ofBucket: index) + (((1 << UInt64(shift)) - 1) >> 1)
    }
}

extension UInt64 {
    /// The sum, or the largest value where the sum does not fit.
    func addingSaturating(_ other: UInt64) -> UInt64 {
        let (result, overflow) = addingReportingOverflow(other)
        return overflow ? .max : result
    }
}

extension Duration {
    /// Whole nanoseconds, rounded down; 0 for a negative duration, clamped above 2^64.
    var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : whole.addingSaturating(UInt64(attoseconds / 1_000_000_000))
    }
}
