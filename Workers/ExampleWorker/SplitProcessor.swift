import DataProcessing

/// Cuts an image into its four quarters, which go on as frames of their own: upper left, upper
/// right, lower left, lower right, with id 4 · id + index.
final class SplitProcessor: AdImageProcessor {
    override class var summary: String { "Cuts every image into its four quarters." }
    override class var maximumOutputCount: Int { 4 }

    override func process(_ frame: Frame) throws -> Frame? {
        let layout = try frame.layout
        guard layout.dimensions.count == 2, layout.codecName.isEmpty, layout.width > 1,
            layout.height > 1
        else {
            throw ProcessingError.badInput(
                "frame \(frame.uniqueId)",
                reason: "a \(layout.text) image can't be cut into quarters")
        }
        for index in 0..<4 {
            let columns = Self.half(index % 2, of: layout.width)
            let rows = Self.half(index / 2, of: layout.height)
            let tile = try ArrayLayout(
                elementType: layout.elementType,
                dimensions: NDDimensions(
                    Self.part(columns, of: layout.dimensions[0]),
                    Self.part(rows, of: layout.dimensions[1])))
            let quarter = try makeFrame(layout: tile) { new in
                frame.withUnsafeBytes { old in
                    let pixelByteCount = layout.elementType.byteCount
                    let rowByteCount = columns.count * pixelByteCount
                    for (line, row) in rows.enumerated() {
                        let start = (row * layout.width + columns.lowerBound) * pixelByteCount
                        let source = UnsafeRawBufferPointer(
                            rebasing: old[start..<start + rowByteCount])
                        UnsafeMutableRawBufferPointer(rebasing: new[(line * rowByteCount)...])
                            .copyMemory(from: source)
                    }
                }
            }
            quarter.uniqueId = frame.uniqueId &* 4 &+ UInt64(index)
            try updateOutputChannel(quarter)
        }
        return nil
    }

    private static func half(_ index: Int, of count: Int) -> Range<Int> {
        index == 0 ? 0..<count / 2 : count / 2..<count
    }

    /// The dimension of a part: offset and full size stay those of the detector.
    private static func part(_ range: Range<Int>, of dimension: NDDimension) -> NDDimension {
        NDDimension(
            size: range.count, offset: dimension.offset + range.lowerBound * dimension.binning,
            fullSize: dimension.fullSize, binning: dimension.binning, reverse: dimension.reverse)
    }
}
