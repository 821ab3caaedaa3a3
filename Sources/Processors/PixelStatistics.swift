public import DataProcessing

/// Measures every image: minimum and maximum with their places, sum, mean and standard deviation,
/// as attributes of the frame (names as of areaDetector's NDPluginStats) and as statistics.
open class PixelStatistics: AdImageProcessor {
    /// What every attribute name begins with.
    public static let attributePrefix = Setting(
        "attributePrefix", default: "",
        "Text that the names of the attributes begin with, so that two instances can be told apart."
    )

    /// One sentence for people.
    open override class var summary: String {
        "Measures minimum, maximum, sum, mean and sigma of every image."
    }
    /// The settings.
    open override class var settings: [any SettingDeclaration] { [attributePrefix] }

    private var names = AttributeNames(prefix: "")
    private var last: ImageStatistics?
    private var run = RunTotals()

    /// Takes over the prefix.
    open override func configure(_ configuration: Configuration) throws {
        names = AttributeNames(prefix: configuration[Self.attributePrefix])
    }

    /// Measures the pixels and sets the attributes.
    open override func process(_ frame: Frame) throws -> Frame? {
        let layout = try frame.layout
        let statistics = try frame.withUnsafeBytes { bytes in
            try ImageStatistics(bytes, layout: layout)
        }
        last = statistics
        run.add(statistics)
        setAttributes(of: frame, statistics)
        return frame
    }

    /// Forgets what was measured.
    open override func resetStats() {
        last = nil
        run = RunTotals()
    }

    /// The run's totals, and the last image's values once there is one.
    open override func getStats() -> [String: StatisticValue] {
        var stats: [String: StatisticValue] = [
            "nPixels": .unsigned(run.pixelCount), "nNaN": .unsigned(run.nanCount),
            "minimum": .real(run.minimum ?? .nan), "maximum": .real(run.maximum ?? .nan),
            "sum": .real(run.sum),
        ]
        guard let last else { return stats }
        if let minimum = last.minimum, let maximum = last.maximum {
            stats["MinValue"] = .real(minimum.value.doubleValue ?? .nan)
            stats["MinX"] = .unsigned(UInt64(minimum.x))
            stats["MinY"] = .unsigned(UInt64(minimum.y))
            stats["MaxValue"] = .real(maximum.value.doubleValue ?? .nan)
            stats["MaxX"] = .unsigned(UInt64(maximum.x))
            stats["MaxY"] = .unsigned(UInt64(maximum.y))
        }
        stats["Total"] = .real(last.sum.doubleValue ?? .nan)
        stats["MeanValue"] = .real(last.mean)
        stats["SigmaValue"] = .real(last.sigma)
        return stats
    }

    /// Totals of the run first, then the values of the last image.
    open override func getStatsTypes() -> [StatisticDeclaration] {
        func last(_ key: String, _ kind: StatisticKind, _ text: String) -> StatisticDeclaration {
            StatisticDeclaration(
                key: key, kind: kind, aggregation: .last, description: text + " of the last image")
        }
        return [
            StatisticDeclaration(
                key: "nPixels", kind: .unsigned, unit: .count, description: "Pixels measured"),
            StatisticDeclaration(
                key: "nNaN", kind: .unsigned, unit: .count, description: "Pixels that were NaN"),
            StatisticDeclaration(
                key: "minimum", kind: .real, aggregation: .minimum,
                description: "Smallest value of all images"),
            StatisticDeclaration(
                key: "maximum", kind: .real, aggregation: .maximum,
                description: "Largest value of all images"),
            StatisticDeclaration(
                key: "sum", kind: .real, isCounter: false, description: "Sum over all images"),
            last("MinValue", .real, "Minimum"), last("MinX", .unsigned, "Column of the minimum"),
            last("MinY", .unsigned, "Row of the minimum"), last("MaxValue", .real, "Maximum"),
            last("MaxX", .unsigned, "Column of the maximum"),
            last("MaxY", .unsigned, "Row of the maximum"), last("Total", .real, "Sum"),
            last("MeanValue", .real, "Mean"), last("SigmaValue", .real, "Standard deviation"),
        ]
    }

    private func setAttributes(of frame: Frame, _ statistics: ImageStatistics) {
        func set(_ name: String, _ value: ScalarValue, _ text: String) {
            frame.attributes.set(name, value, description: text)
        }
        if let minimum = statistics.minimum, let maximum = statistics.maximum {
            set(names.minimum, minimum.value, "Smallest pixel")
            set(names.minimumX, .int64(Int64(minimum.x)), "Column of the smallest pixel")
            set(names.minimumY, .int64(Int64(minimum.y)), "Row of the smallest pixel")
            set(names.maximum, maximum.value, "Largest pixel")
            set(names.maximumX, .int64(Int64(maximum.x)), "Column of the largest pixel")
            set(names.maximumY, .int64(Int64(maximum.y)), "Row of the largest pixel")
        }
        set(names.sum, statistics.sum, "Sum of the pixels")
        set(names.mean, .float64(statistics.mean), "Mean of the pixels")
        set(names.sigma, .float64(statistics.sigma), "Standard deviation of the pixels")
        if statistics.nanCount > 0 {
            set(names.nanCount, .int64(Int64(statistics.nanCount)), "Pixels that are not a number")
        }
    }
}

/// The names with their prefix, put together once and not for every frame.
private struct AttributeNames {
    let minimum, minimumX, minimumY, maximum, maximumX, maximumY: String
    let sum, mean, sigma, nanCount: String

    init(prefix: String) {
        minimum = prefix + "MinValue"
        minimumX = prefix + "MinX"
        minimumY = prefix + "MinY"
        maximum = prefix + "MaxValue"
        maximumX = prefix + "MaxX"
        maximumY = prefix + "MaxY"
        sum = prefix + "Total"
        mean = prefix + "MeanValue"
        sigma = prefix + "SigmaValue"
        nanCount = prefix + "NaNCount"
    }
}

/// What all images of a run have together.
private struct RunTotals {
    var pixelCount: UInt64 = 0
    var nanCount: UInt64 = 0
    var minimum: Double?
    var maximum: Double?
    var sum = 0.0

    mutating func add(_ image: ImageStatistics) {
        pixelCount &+= UInt64(image.count)
        nanCount &+= UInt64(image.nanCount)
        sum += image.sum.doubleValue ?? 0
        if let value = image.minimum?.value.doubleValue { minimum = min(minimum ?? value, value) }
        if let value = image.maximum?.value.doubleValue { maximum = max(maximum ?? value, value) }
    }
}
