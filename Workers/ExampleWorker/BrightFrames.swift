import DataProcessing

/// Lets only those frames through whose mean is within two limits, and counts them.
final class BrightFrames: AdImageProcessor {
    static let lowest = Setting("lowest", default: 1, in: 0.0..., "Smallest mean that goes on.")
    static let highest = Setting("highest", default: 1e6, in: 0.0..., "Largest mean that goes on.")

    override class var summary: String { "Filters frames by their mean." }
    override class var settings: [any SettingDeclaration] { [lowest, highest] }

    private var range = 0.0...0.0
    private var nBright: UInt64 = 0
    private var largestMean = Double.nan

    // What a setting alone can't say is checked here. Nothing may change.
    override func validate(_ configuration: Configuration) throws {
        guard configuration[Self.lowest] <= configuration[Self.highest] else {
            throw ConfigurationError.refused(
                processor: Self.processorName, key: Self.lowest.name,
                reason: "it has to be at most `highest`")
        }
    }

    override func configure(_ configuration: Configuration) throws {
        try validate(configuration)
        range = configuration[Self.lowest]...configuration[Self.highest]
    }

    override func process(_ frame: Frame) throws -> Frame? {
        let mean = try frame.withPixels(of: UInt16.self) { pixels in
            var sum: UInt64 = 0
            for index in pixels.span.indices { sum += UInt64(pixels.span[index]) }
            return Double(sum) / Double(pixels.count)
        }
        frame.attributes.set("MeanValue", .float64(mean), description: "Mean of the pixels")
        guard range.contains(mean) else { return nil }
        nBright += 1
        largestMean = max(mean, largestMean.isNaN ? mean : largestMean)
        return frame
    }

    override func getStatsTypes() -> [StatisticDeclaration] {
        [
            StatisticDeclaration(
                key: "nBright", kind: .unsigned, unit: .count, description: "Frames that went on"),
            StatisticDeclaration(
                key: "largestMean", kind: .real, aggregation: .maximum,
                description: "Largest mean of those frames"),
        ]
    }

    override func getStats() -> [String: StatisticValue] {
        ["nBright": .unsigned(nBright), "largestMean": .real(largestMean)]
    }

    override func resetStats() {
        nBright = 0
        largestMean = .nan
    }
}
