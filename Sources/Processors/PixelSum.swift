public import DataProcessing

/// Adds up the pixels of every image in 64 bits and does nothing else: the load of the benchmark.
open class PixelSum: AdImageProcessor {
    /// One sentence for people.
    open override class var summary: String { "Adds up the pixels of every image, and no more." }

    private var nImages: UInt64 = 0
    private var lastSum = 0.0

    /// Reads every pixel; the frame goes on as it came.
    open override func process(_ frame: Frame) throws -> Frame? {
        let layout = try frame.layout
        lastSum = try frame.withUnsafeBytes { bytes in try pixelSum(bytes, layout: layout) }
            .doubleValue
        nImages += 1
        return frame
    }

    /// Back to zero.
    open override func resetStats() { (nImages, lastSum) = (0, 0) }

    /// What was counted.
    open override func getStats() -> [String: StatisticValue] {
        ["nImages": .unsigned(nImages), "lastSum": .real(lastSum)]
    }

    /// What the statistics are.
    open override func getStatsTypes() -> [StatisticDeclaration] {
        [
            StatisticDeclaration(
                key: "nImages", kind: .unsigned, unit: .count, description: "Images added up"),
            StatisticDeclaration(
                key: "lastSum", kind: .real, aggregation: .last,
                description: "Sum of the pixels of the last image"),
        ]
    }
}

/// The sum of the pixels of an image; NaN is left out.
///
/// - Throws: `NDArrayError` when it is compressed or the bytes do not fit the layout.
func pixelSum(
    _ pixels: UnsafeRawBufferPointer, layout: ArrayLayout
) throws(NDArrayError) -> ExactSum {
    guard layout.codecName.isEmpty else { throw .compressed(codecName: layout.codecName) }
    guard pixels.count >= layout.byteCount, let start = pixels.baseAddress else {
        throw .byteCountMismatch(needed: layout.byteCount, had: pixels.count)
    }
    return layout.elementType.scan(SumScan(start: start, count: layout.elementCount))
}

private struct SumScan: ScanVisitor {
    let start: UnsafeRawPointer
    let count: Int

    func visit<Element: ScannableElement>(_ type: Element.Type) -> ExactSum {
        let pixels = start.assumingMemoryBound(to: type)
        var (integer, real, isReal): (Int128, Double, Bool) = (0, 0, false)
        for block in stride(from: 0, to: count, by: scanBlockCount) {
            switch Element.blockSum(pixels + block, min(scanBlockCount, count - block)) {
            case .integer(let sum): integer += sum
            case .real(let sum): (real, isReal) = (real + sum, true)
            }
        }
        return isReal ? .real(real) : .integer(integer)
    }
}
