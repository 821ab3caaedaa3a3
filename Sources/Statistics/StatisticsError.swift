/// Why an encoded histogram was refused.
public enum StatisticsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A bucket index is not below `limit`.
    case bucketIndexOutOfRange(index: Int, limit: Int)
    /// Bucket indexes are not strictly increasing.
    case bucketsOutOfOrder(index: Int)
    /// A bucket of the sparse form holds nothing.
    case emptyBucket(index: Int)
    /// The counts add up to more than 64 bits hold.
    case countOverflow
    /// The smallest or largest value is not in the first or last bucket.
    case extremesOutsideBuckets(minimum: UInt64, maximum: UInt64)

    /// One sentence with what to do.
    public var description: String {
        switch self {
        case .bucketIndexOutOfRange(let index, let limit):
            "Duration histogram has bucket \(index), but the last one is \(limit - 1): "
                + "send it with the bucket formula of this protocol version."
        case .bucketsOutOfOrder(let index):
            "Duration histogram has bucket \(index) after a bucket that is not below it: "
                + "send each bucket once, in rising order."
        case .emptyBucket(let index):
            "Duration histogram sends bucket \(index) with count 0: leave empty buckets out."
        case .countOverflow:
            "Duration histogram has counts that add up to more than 64 bits: reset it."
        case .extremesOutsideBuckets(let minimum, let maximum):
            "Duration histogram says minimum \(minimum) ns and maximum \(maximum) ns, which are "
                + "not in its first and last bucket: send those of the recorded values."
        }
    }
}
