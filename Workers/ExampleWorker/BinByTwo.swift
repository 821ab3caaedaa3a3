import DataProcessing

/// Adds up squares of 2 × 2 pixels, into 32 bits.
final class BinByTwo: AdImageProcessor {
    override class var summary: String { "Adds up squares of 2 x 2 pixels, into 32 bits." }

    override func process(_ frame: Frame) throws -> Frame? {
        let old = try frame.layout
        guard old.dimensions.count == 2, old.width > 1, old.height > 1 else {
            throw ProcessingError.badInput(
                "frame \(frame.uniqueId)", reason: "a \(old.text) image can't be binned by two")
        }
        var dimensions = old.dimensions
        for index in 0..<2 {
            dimensions[index].size /= 2
            dimensions[index].binning *= 2
        }
        let layout = try ArrayLayout(elementType: .uint32, dimensions: dimensions)
        try frame.replacePixels(layout: layout, from: UInt16.self, to: UInt32.self) { old, new in
            for y in 0..<new.height {
                for x in 0..<new.width {
                    let upper = UInt32(old[2 * x, 2 * y]) + UInt32(old[2 * x + 1, 2 * y])
                    let lower = UInt32(old[2 * x, 2 * y + 1]) + UInt32(old[2 * x + 1, 2 * y + 1])
                    new[x, y] = upper + lower
                }
            }
        }
        return frame
    }
}
