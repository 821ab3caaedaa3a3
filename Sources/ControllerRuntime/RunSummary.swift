public import Statistics

/// The account of frames: of a stage, or of the run.
public struct LedgerCounts: Sendable, Hashable, Codable {
    /// Frames whose entry was opened.
    public var accepted: UInt64 = 0
    /// Frames that went through.
    public var processed: UInt64 = 0
    /// Frames that a processor took out on purpose.
    public var filtered: UInt64 = 0
    /// Frames that could not be read, were refused by a processor or could not be written.
    public var failed: UInt64 = 0
    /// Frames that took down too many workers.
    public var quarantined: UInt64 = 0
    /// Frames dropped on purpose, by reason: `stopped`, `stage-failed`; by a policy `overload`, `sample`.
    public var dropped: [String: UInt64] = [:]
    /// Frames that have no outcome yet.
    public var inFlight: UInt64 = 0
    /// Frames that were never accepted because they have no valid identity; beside the balance.
    public var rejected: UInt64 = 0

    /// An empty account.
    public init() {}

    /// All drops together.
    public var droppedTotal: UInt64 { dropped.values.reduce(0, +) }

    /// Whether every accepted frame is accounted for:
    /// accepted = processed + filtered + failed + quarantined + dropped + in flight.
    public var isBalanced: Bool {
        accepted == processed + filtered + failed + quarantined + droppedTotal + inFlight
    }
}

/// A frame that did not go through, with the reason.
public struct FrameFailure: Sendable, Hashable, Codable {
    /// The key of the frame: `17`, `17/0/3`.
    public var frame: String
    /// The source's own id.
    public var uniqueId: UInt64
    /// Name of the stage.
    public var stage: String
    /// What became of it: `failed`, `quarantined`, `dropped`.
    public var outcome: String
    /// Where it came from: the path of a file.
    public var source: String
    /// Why.
    public var reason: String
}

/// Latency from accept to close of entries, in seconds; nil when there was none.
public struct LatencySummary: Sendable, Hashable, Codable {
    /// Half of the entries took no longer.
    public var p50: Double?
    /// 99 % took no longer.
    public var p99: Double?
    /// 99.9 % took no longer.
    public var p999: Double?
    /// The longest.
    public var maximum: Double?
    /// Number of entries, and their latencies together; nil when there was none.
    public var count: UInt64?
    public var sum: Double?
    /// Entries that took less than each of the bounds of `FrameTimesSummary.exponents`; nil when there was none,
    /// and in records of versions that did not keep them.
    public var counts: [UInt64]?

    enum CodingKeys: String, CodingKey {
        case p50, p99
        case p999 = "p99.9"
        case maximum, count, sum, counts
    }

    /// The quantiles of a histogram of nanoseconds.
    public init(_ histogram: DurationHistogram) {
        func seconds(_ nanoseconds: UInt64?) -> Double? { nanoseconds.map { Double($0) / 1e9 } }
        p50 = seconds(histogram.quantile(0.5))
        p99 = seconds(histogram.quantile(0.99))
        p999 = seconds(histogram.quantile(0.999))
        maximum = histogram.count == 0 ? nil : seconds(histogram.maximum)
        count = histogram.count == 0 ? nil : histogram.count
        sum = histogram.count == 0 ? nil : seconds(histogram.sum)
        counts =
            histogram.count == 0
            ? nil : FrameTimesSummary.exponents.map { histogram.count(belowPowerOfTwo: $0) }
    }

    /// All keys are always there, with null where there is no value: readers need not ask.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(p50, forKey: .p50)
        try container.encode(p99, forKey: .p99)
        try container.encode(p999, forKey: .p999)
        try container.encode(maximum, forKey: .maximum)
        try container.encode(count, forKey: .count)
        try container.encode(sum, forKey: .sum)
        try container.encode(counts, forKey: .counts)
    }
}

/// One worker at the end of a run.
public struct WorkerSummary: Sendable, Hashable, Codable {
    /// Place in the run, from 0.
    public var id: Int
    /// Process id of its last life.
    public var processId: Int32
    /// Name of its stage.
    public var stage: String
    /// How often it was replaced.
    public var replacements: Int
    /// Its counters, summed over its processors' chain: `nReceived`, `nProcessed`, …
    public var counters: [String: Double]
}

/// One stage at the end of a run.
public struct StageSummary: Sendable, Hashable, Codable {
    /// Name of the stage.
    public var name: String
    /// Its account.
    public var ledger: LedgerCounts
    /// Output frames handed on, and files committed.
    public var outputs: UInt64
    public var files: UInt64
    /// Statistics of its processors, by name and key, aggregated over its workers.
    public var processors: [ProcessorSummary]
    /// Latency in the stage.
    public var latency: LatencySummary
}

/// One processor of a stage, aggregated over its workers.
public struct ProcessorSummary: Sendable, Hashable, Codable {
    /// Class name.
    public var name: String
    /// Place in the pipeline.
    public var processorId: Int
    /// Key, value and unit of every statistic, in order.
    public var statistics: [StatisticSummary]
    /// How its times for single frames are distributed; nil where a record does not say.
    public var frameTimes: FrameTimesSummary?
}

/// How the times of single frames are distributed.
public struct FrameTimesSummary: Sendable, Hashable, Codable {
    /// The quantiles that are given, as parts of 1.
    public static let parts = [0, 0.5, 0.9, 0.99, 0.999, 1]
    /// The bounds are 2 to the power of these, in nanoseconds, 1.024 µs to 68.7 s: edges of
    /// `DurationHistogram`, so that the counts are exact.
    public static let exponents = 10...36

    /// Number of frames.
    public var count: UInt64
    /// Their times together, in seconds.
    public var sum: Double
    /// The quantiles at `parts` in seconds, within 1.6 %; empty where there was no frame.
    public var quantiles: [Double]
    /// Frames that took less than each of the bounds of `exponents`.
    public var counts: [UInt64]

    /// The distribution of a histogram of nanoseconds.
    public init(_ histogram: DurationHistogram) {
        count = histogram.count
        sum = Double(histogram.sum) / 1e9
        quantiles = Self.parts.compactMap { histogram.quantile($0).map { Double($0) / 1e9 } }
        counts = Self.exponents.map { histogram.count(belowPowerOfTwo: $0) }
    }
}

/// One statistic with its unit.
public struct StatisticSummary: Sendable, Hashable, Codable {
    /// The field's key.
    public var key: String
    /// The value: number, text or boolean as JSON shows it.
    public var value: JSONScalar
    /// Unit, empty for none.
    public var unit: String
    /// Whether it only grows, where a processor declares it so; nil for those that every processor has.
    public var isCounter: Bool?
    /// Whether it is a number that may have a fraction, where a processor declares it so; nil for those that
    /// every processor has.
    public var isReal: Bool?
    /// What it says, in one sentence, where a processor declares it; nil for those that every processor has.
    public var description: String?

    /// A statistic.
    public init(
        key: String, value: JSONScalar, unit: String, isCounter: Bool? = nil, isReal: Bool? = nil,
        description: String? = nil
    ) {
        self.key = key
        self.value = value
        self.unit = unit
        self.isCounter = isCounter
        self.isReal = isReal
        self.description = description
    }

    /// Reads one; a whole number stays real where the statistic is: JSON does not tell 2.0 from 2, and a
    /// database takes one column to be of one type.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        key = try container.decode(String.self, forKey: .key)
        value = try container.decode(JSONScalar.self, forKey: .value)
        unit = try container.decode(String.self, forKey: .unit)
        isCounter = try container.decodeIfPresent(Bool.self, forKey: .isCounter)
        isReal = try container.decodeIfPresent(Bool.self, forKey: .isReal)
        description = try container.decodeIfPresent(String.self, forKey: .description)
        let known = StatisticKey(rawValue: key).map { ![.count, .bytes, .none].contains($0.unit) }
        guard known ?? isReal ?? false else { return }
        switch value {
        case .unsigned(let number): value = .real(Double(number))
        case .signed(let number): value = .real(Double(number))
        case .real, .text, .boolean: break
        }
    }
}

/// A JSON value that is not made of others.
public enum JSONScalar: Sendable, Hashable, Codable {
    case unsigned(UInt64)
    case signed(Int64)
    case real(Double)
    case text(String)
    case boolean(Bool)

    /// The value of a statistic.
    public init(_ value: StatisticValue) {
        self =
            switch value {
            case .unsigned(let value): .unsigned(value)
            case .signed(let value): .signed(value)
            case .real(let value): .real(value)
            case .text(let value): .text(value)
            case .boolean(let value): .boolean(value)
            }
    }

    /// The value as a statistic has it.
    public var statisticValue: StatisticValue {
        switch self {
        case .unsigned(let value): .unsigned(value)
        case .signed(let value): .signed(value)
        case .real(let value): .real(value)
        case .text(let value): .text(value)
        case .boolean(let value): .boolean(value)
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .unsigned(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .signed(value)
        } else if let value = try? container.decode(Double.self) {
            self = .real(value)
        } else if container.decodeNil() {
            self = .real(.nan)
        } else {
            self = .text(try container.decode(String.self))
        }
    }

    /// Numbers that JSON does not know (NaN, infinity) become null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .unsigned(let value): try container.encode(value)
        case .signed(let value): try container.encode(value)
        case .real(let value) where value.isFinite: try container.encode(value)
        case .real: try container.encodeNil()
        case .text(let value): try container.encode(value)
        case .boolean(let value): try container.encode(value)
        }
    }
}

/// The proof that every accepted frame is accounted for.
public struct Certificate: Sendable, Hashable, Codable {
    /// Whether the run's and every stage's account balances and nothing is in flight.
    public var balanced: Bool
    /// The run it is of.
    public var runId: String
    /// The run's account in one line, for people.
    public var statement: String
    /// Number of output files that were committed.
    public var files: UInt64
}

/// How a run ended; the raw value is in `summary.json`.
public enum RunEnd: String, Sendable, Hashable, Codable {
    /// The source ended and everything was finished.
    case completed
    /// It was drained on request.
    case drained
    /// It was stopped at once on request.
    case stopped
    /// A stage could not go on.
    case stageFailed = "stage-failed"
    /// The source could not go on.
    case sourceFailed = "source-failed"
}

/// What a run leaves as `summary.json`.
public struct RunSummary: Sendable, Hashable, Codable {
    /// Name of the run.
    public var runId: String
    /// How it ended.
    public var end: RunEnd
    /// Why, when it did not complete; empty otherwise.
    public var reason: String
    /// What went wrong with the run's own records (ledger, journal, statistics, summary), one sentence
    /// each: the frames are done, but `verify` may not know of all. Empty when nothing did.
    public var problems: [String] = []
    /// The run's account: every source frame once.
    public var accepted: UInt64
    public var processed: UInt64
    public var filtered: UInt64
    public var failed: UInt64
    public var quarantined: UInt64
    public var rejected: UInt64
    public var dropped: [String: UInt64]
    public var inFlight: UInt64
    /// Seconds from the first accepted frame to the last closed entry.
    public var elapsedSeconds: Double
    /// Closed frames in `elapsedSeconds`, per second.
    public var framesPerSecond: Double
    /// Pixel bytes that went into the first stages and that came out of the last ones.
    public var bytesIn: UInt64
    public var bytesOut: UInt64
    /// From accept to close.
    public var latency: LatencySummary
    /// The stages in order.
    public var stages: [StageSummary]
    /// The workers in order.
    public var workers: [WorkerSummary]
    /// Frames that did not go through: the first `maximumFailureCount`.
    public var failures: [FrameFailure]
    /// The proof.
    public var certificate: Certificate

    /// Kinds of drop that a stage's overload policy makes; frames dropped so are counted, not listed.
    public static let policyDropReasons: Set<String> = ["overload", "sample"]
    /// How many failures a summary lists; the journal has all of them.
    public static let maximumFailureCount = 1000
}
