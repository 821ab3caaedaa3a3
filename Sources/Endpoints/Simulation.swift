public import NDArrays

/// What simulated frames show.
public enum SimulatedPattern: String, Sendable, Hashable, CaseIterable {
    /// Powder diffraction: rings around a beam centre on a smooth background, with Poisson noise.
    case rings
    /// Element `n` (in memory order) of frame `f` (from 1) is `n + f`, wrapped to the type's range.
    case ramp
    /// Uniform noise over the whole range of integers, from 0 up to 1 for floating point.
    case noise
    /// The same value everywhere.
    case flat
    /// Memory as it is: nothing is written, so that only the hand-over is measured. In a pool of its
    /// own these are zeros.
    case zero
}

/// What a simulation gives, frame by frame.
public struct Simulation: Sendable, Hashable {
    /// The most rows or columns of a frame: a larger one is a slip of the keyboard.
    public static let maximumSideLength = 65_536
    /// Time stamp that frame 0 would have: 2026-01-01 00:00 UTC.
    public static let epoch: Int64 = 1_767_225_600

    /// Number of frames; nil: without end.
    public var count: Int?
    /// Type and shape of a frame.
    public var layout: ArrayLayout
    /// What the frames show.
    public var pattern: SimulatedPattern
    /// Chooses the noise.
    public var seed: UInt64
    /// Frames per second at which they come; nil: as fast as they are taken.
    public var rate: Double?
    /// Value of every pixel of `flat`.
    public var level: Double
    /// Whether frames come by the clock at `rate`, whatever becomes of those before, as a detector's do.
    public var isLive = false

    /// A simulation of frames with `layout`.
    public init(
        _ layout: ArrayLayout, count: Int? = 100, pattern: SimulatedPattern = .rings,
        seed: UInt64 = 1, rate: Double? = nil, level: Double = 100
    ) {
        self.count = count
        self.layout = layout
        self.pattern = pattern
        self.seed = seed
        self.rate = rate
        self.level = level
    }

    init(_ settings: inout SourceSettings) throws(SourceError) {
        let type = try settings.value("type") { ElementType(name: $0) }
        let layout = try settings.value("shape") { text in
            Self.shape(text).flatMap { shape in
                try? ArrayLayout(type, width: shape.columns, height: shape.rows)
            }
        }
        let count = try settings.value("count") { Int($0).flatMap { $0 >= 0 ? $0 : nil } }
        let rate = try settings.value("rate") {
            Double($0).flatMap { $0 >= 0 && $0.isFinite ? $0 : nil }
        }
        self.init(
            layout, count: count == 0 ? nil : count,
            pattern: try settings.value("pattern") { SimulatedPattern(rawValue: $0) },
            seed: try settings.value("seed") { UInt64($0) },
            rate: rate == 0 ? nil : rate, level: try settings.value("level") { Double($0) })
        isLive = try settings.value("live") { ["true": true, "false": false][$0] }
        if isLive && self.rate == nil {
            throw .liveWithoutRate
        }
    }

    /// Frames per second by which time stamps count.
    private var timeStampRate: Double { rate ?? 1000 }

    /// Everything that pixels and time stamps follow from, as text: the same for the same frames.
    var fingerprint: String {
        "sim, \(count.map { "\($0) frames" } ?? "frames without end") of \(layout.text), "
            + "pattern=\(pattern.rawValue), seed=\(seed), level=\(level), "
            + "\(timeStampRate) time stamps a second"
    }

    /// Rows and columns from `1024x512`, nil for anything else.
    static func shape(_ text: String) -> (rows: Int, columns: Int)? {
        let parts = text.split(
            omittingEmptySubsequences: false,
            whereSeparator: { $0 == "x" || $0 == "X" || $0 == "×" })
        let sides = parts.compactMap { Int($0) }.filter { (1...maximumSideLength).contains($0) }
        return parts.count == 2 && sides.count == 2 ? (sides[0], sides[1]) : nil
    }

    /// When frame `position` (from 1) is said to be taken: the epoch plus position over rate, with 1000
    /// frames per second where no rate is set. Never the wall clock.
    public func timeStamp(of position: UInt64) -> TimeStamp {
        let seconds = Double(position) / timeStampRate
        // What is later than any clock can say (2^62 s) is taken at the epoch.
        guard seconds < 0x1p62 else {
            return TimeStamp(secondsPastEpoch: Self.epoch, nanoseconds: 0)
        }
        let whole = seconds.rounded(.down)
        // Rounded to a microsecond, as float64 holds 30 years to that.
        let microseconds = min(((seconds - whole) * 1e6).rounded(), 999_999)
        return TimeStamp(
            secondsPastEpoch: Self.epoch + Int64(whole), nanoseconds: Int32(microseconds) * 1000)
    }
}
