import TestSupport
import Testing

@testable import Statistics

extension SeededNumbers {
    /// Durations spread evenly over the octaves, from nanoseconds to an hour.
    mutating func duration() -> UInt64 {
        next() >> (22 + next() % 42)
    }
}

struct DurationHistogramTests {
    @Test func `every bucket begins where the one before it ends`() {
        var expected: UInt64 = 0
        for index in 0..<DurationHistogram.bucketCount {
            let bound = DurationHistogram.lowerBound(ofBucket: index)
            #expect(bound == expected)
            #expect(DurationHistogram.bucketIndex(nanoseconds: bound) == index)
            let width: UInt64 = index < 32 ? 1 : 1 << UInt64((index >> 5) - 1)
            #expect(DurationHistogram.bucketIndex(nanoseconds: bound + width - 1) == index)
            let middle = DurationHistogram.middle(ofBucket: index)
            #expect(middle >= bound && middle < bound + width)
            expected = bound + width
        }
        #expect(expected == DurationHistogram.saturationNanoseconds)
        #expect(DurationHistogram.saturationNanoseconds > 3_600_000_000_000)
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func `quantiles are within a sixty-fourth of the exact ones`(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        let values = (0..<5000).map { _ in numbers.duration() }
        var histogram = DurationHistogram()
        for value in values { histogram.record(nanoseconds: value) }
        let sorted = values.sorted()
        for q in [0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1] {
            let rank = max(1, Int((q * Double(values.count)).rounded(.up)))
            let exact = Double(sorted[rank - 1])
            let estimate = Double(try #require(histogram.quantile(q)))
            #expect(abs(estimate - exact) <= exact / 64, "q \(q): \(estimate) for \(exact)")
        }
        #expect(histogram.count == 5000)
        #expect(histogram.minimum == sorted.first)
        #expect(histogram.maximum == sorted.last)
        #expect(histogram.sum == values.reduce(0, +))
    }

    @Test(arguments: [7, 8, 9] as [UInt64])
    func `merging equals recording everything in one`(seed: UInt64) {
        var numbers = SeededNumbers(seed: seed)
        var (all, merged) = (DurationHistogram(), DurationHistogram())
        for part in 0..<4 {
            var histogram = DurationHistogram()
            for _ in 0..<(part * 100) {
                let value = numbers.duration()
                histogram.record(nanoseconds: value)
                all.record(nanoseconds: value)
            }
            merged.merge(histogram)
        }
        #expect(merged == all)
    }

    @Test func `values above the range saturate and their maximum stays exact`() {
        var histogram = DurationHistogram()
        histogram.record(nanoseconds: .max)
        histogram.record(nanoseconds: DurationHistogram.saturationNanoseconds)
        #expect(histogram.buckets == [DurationBucket(index: 1215, count: 2)])
        #expect(histogram.quantile(0.9) == .max)
        #expect(histogram.maximum == .max)
        #expect(histogram.sum == .max)
    }

    @Test func `an empty histogram has no quantiles and a reset one is empty`() {
        var histogram = DurationHistogram()
        #expect(histogram.quantile(0.5) == nil)
        #expect((histogram.minimum, histogram.maximum, histogram.mean) == (0, 0, 0))
        histogram.record(.milliseconds(3))
        histogram.record(.seconds(-1))
        #expect((histogram.minimum, histogram.maximum) == (0, 3_000_000))
        histogram.reset()
        #expect(histogram == DurationHistogram())
    }

    @Test(arguments: [11, 12, 13] as [UInt64])
    func `the sparse form gives the same histogram back`(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        var histogram = DurationHistogram()
        for _ in 0..<300 { histogram.record(nanoseconds: numbers.duration()) }
        let back = try DurationHistogram(
            buckets: histogram.buckets, minimum: histogram.minimum, maximum: histogram.maximum,
            sum: histogram.sum)
        #expect(back == histogram)
        let empty = try DurationHistogram(buckets: [], minimum: 0, maximum: 0, sum: 0)
        #expect(empty == DurationHistogram())
    }

    @Test(
        arguments: [
            ([(1216, 1)], 0, 0, StatisticsError.bucketIndexOutOfRange(index: 1216, limit: 1216)),
            ([(-1, 1)], 0, 0, .bucketIndexOutOfRange(index: -1, limit: 1216)),
            ([(5, 1), (5, 1)], 5, 5, .bucketsOutOfOrder(index: 5)),
            ([(5, 1), (4, 1)], 5, 4, .bucketsOutOfOrder(index: 4)),
            ([(5, 0)], 5, 5, .emptyBucket(index: 5)),
            ([(5, .max), (6, 1)], 5, 6, .countOverflow),
            ([(5, 1), (6, 1)], 4, 6, .extremesOutsideBuckets(minimum: 4, maximum: 6)),
            ([(5, 1), (6, 1)], 5, 7, .extremesOutsideBuckets(minimum: 5, maximum: 7)),
            ([(64, 1)], 65, 64, .extremesOutsideBuckets(minimum: 65, maximum: 64)),
        ] as [([(Int, UInt64)], UInt64, UInt64, StatisticsError)])
    func `a sparse form that cannot be is refused`(
        buckets: [(Int, UInt64)], minimum: UInt64, maximum: UInt64, error: StatisticsError
    ) {
        #expect(throws: error) {
            try DurationHistogram(
                buckets: buckets.map { DurationBucket(index: $0.0, count: $0.1) },
                minimum: minimum, maximum: maximum, sum: 0)
        }
        #expect(!error.description.isEmpty)
    }

    @Test(arguments: 0..<10)
    func `Counts below powers of two are exact`(_ seed: UInt64) {
        var numbers = SeededNumbers(seed: seed)
        var histogram = DurationHistogram()
        let values = (0..<500).map { _ in
            numbers.next() >> UInt64.random(in: 0...60, using: &numbers)
        }
        for value in values { histogram.record(nanoseconds: value) }
        for exponent in 5...41 {
            let below = values.count { $0 < 1 << UInt64(exponent) }
            #expect(histogram.count(belowPowerOfTwo: exponent) == UInt64(below))
        }
        #expect(DurationHistogram().count(belowPowerOfTwo: 20) == 0)
    }
}
