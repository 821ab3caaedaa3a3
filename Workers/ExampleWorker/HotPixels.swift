import DataProcessing

/// Sets every pixel above a threshold to zero.
final class HotPixels: AdImageProcessor {
    static let threshold = Setting("threshold", default: 60_000, in: 0...65_535, "Above it is hot.")
    override class var settings: [any SettingDeclaration] { [threshold] }
    private var limit: UInt16 = 0
    override func configure(_ configuration: Configuration) {
        limit = UInt16(configuration[Self.threshold])
    }
    override func process(_ frame: Frame) throws -> Frame? {
        try frame.mapPixels { [limit] (_, pixel: UInt16) in pixel > limit ? 0 : pixel }
        return frame
    }
}
