public import NDArrays

/// Minimum, maximum, sum, mean and standard deviation of the pixels of one image, all planes
/// together.
///
/// Integers of up to 32 bits are summed exactly, squares included; for 64-bit integers the sum is
/// exact and the deviation is computed about the mean of each block and merged (T. F. Chan, G. H.
/// Golub, R. J. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
/// Variances", 1979), as for floating point, where NaN is left out and counted.
public struct ImageStatistics: Sendable, Hashable {
    /// One extreme value with where it is first met in memory order.
    public struct Extreme: Sendable, Hashable {
        /// The value, in the type of the pixels.
        public let value: ScalarValue
        /// Column.
        public let x: Int
        /// Row.
        public let y: Int
        /// Colour or stack plane.
        public let plane: Int
    }

    /// Number of pixels (elements), NaN included.
    public let count: Int
    /// Pixels that are NaN and left out of everything else.
    public let nanCount: Int
    /// The smallest value; nil when all pixels are NaN.
    public let minimum: Extreme?
    /// The largest value; nil when all pixels are NaN.
    public let maximum: Extreme?
    /// The sum: `int64` or `uint64` for integers where it fits, else `float64`.
    public let sum: ScalarValue
    /// The mean; NaN without pixels that count.
    public let mean: Double
    /// The standard deviation of the pixels themselves (divisor n, as numpy's `std`); NaN without
    /// pixels that count.
    public let sigma: Double

    /// The statistics of an image.
    ///
    /// - Throws: `NDArrayError` when it is compressed or the bytes do not fit the layout.
    public init(
        _ pixels: UnsafeRawBufferPointer, layout: ArrayLayout
    ) throws(NDArrayError) {
        guard layout.codecName.isEmpty else { throw .compressed(codecName: layout.codecName) }
        guard pixels.count >= layout.byteCount, let start = pixels.baseAddress else {
            throw .byteCountMismatch(needed: layout.byteCount, had: pixels.count)
        }
        self = layout.elementType.scan(Scan(start: start, layout: layout))
    }

    fileprivate init(
        count: Int, nanCount: Int, minimum: Extreme?, maximum: Extreme?, sum: ScalarValue,
        mean: Double, sigma: Double
    ) {
        self.count = count
        self.nanCount = nanCount
        self.minimum = minimum
        self.maximum = maximum
        self.sum = sum
        self.mean = mean
        self.sigma = sigma
    }
}

/// Goes over an image block by block.
private struct Scan: ScanVisitor {
    let start: UnsafeRawPointer
    let layout: ArrayLayout

    func visit<Element: ScannableElement>(_ type: Element.Type) -> ImageStatistics {
        let pixels = start.assumingMemoryBound(to: type)
        let count = layout.elementCount
        var totals = Totals()
        var extremes = Element.widestExtremes
        // The blocks in which the extremes were last improved: the places are in these.
        var (minimumBlock, maximumBlock) = (0, 0)
        for block in stride(from: 0, to: count, by: scanBlockCount) {
            let blockCount = min(scanBlockCount, count - block)
            let found = blockExtremes(pixels + block, blockCount, from: extremes)
            if found.minimum < extremes.minimum { minimumBlock = block }
            if found.maximum > extremes.maximum { maximumBlock = block }
            extremes = found
            totals.add(Element.blockMoments(pixels + block, blockCount), count: blockCount)
        }
        return ImageStatistics(
            count: count, nanCount: count - totals.count,
            minimum: position(of: extremes.minimum, from: minimumBlock, in: pixels),
            maximum: position(of: extremes.maximum, from: maximumBlock, in: pixels),
            sum: totals.sumValue, mean: totals.meanValue, sigma: totals.sigma)
    }

    /// The first element that equals `value`, nil when there is none (all NaN).
    private func position<Element: ScannableElement>(
        of value: Element, from first: Int, in pixels: UnsafePointer<Element>
    ) -> ImageStatistics.Extreme? {
        guard let index = (first..<layout.elementCount).first(where: { pixels[$0] == value }) else {
            return nil
        }
        let (width, height) = (layout.width, layout.height)
        let place: (x: Int, y: Int, plane: Int) =
            switch layout.colorMode {
            case .mono, .rgb3: (index % width, index / width % height, index / (width * height))
            case .rgb1: (index / 3 % width, index / (3 * width), index % 3)
            case .rgb2: (index % width, index / (3 * width), index / width % 3)
            }
        return ImageStatistics.Extreme(
            value: value.scalarValue, x: place.x, y: place.y, plane: place.plane)
    }
}

/// Sums over all blocks.
private struct Totals {
    /// Elements that are not NaN.
    var count = 0
    private var exactSum: Int128 = 0
    private var exactSquares: UInt128 = 0
    private var realSum = 0.0
    /// What the real sum lost to rounding (A. Neumaier, 1974).
    private var realRest = 0.0
    private var mean = 0.0
    private var squares = 0.0
    /// Whether all sums are in `exactSum`, and all squares in `exactSquares`.
    private var (hasExactSum, hasExactSquares) = (true, true)

    mutating func add(_ block: BlockMoments, count blockCount: Int) {
        switch block {
        case .exact(let sum, let squares):
            exactSum += sum
            exactSquares += squares
            count += blockCount
        case .centred(let number, let sum, let blockMean, let blockSquares):
            hasExactSquares = false
            add(sum)
            guard number > 0 else { return }
            let (old, new) = (Double(count), Double(number))
            let distance = blockMean - mean
            squares += blockSquares + distance * distance * old * new / (old + new)
            mean += distance * new / (old + new)
            count += number
        }
    }

    private mutating func add(_ blockSum: ExactSum) {
        switch blockSum {
        case .integer(let sum): exactSum += sum
        case .real(let sum):
            hasExactSum = false
            let total = realSum + sum
            realRest += abs(realSum) >= abs(sum) ? (realSum - total) + sum : (sum - total) + realSum
            realSum = total
        }
    }

    var sumValue: ScalarValue {
        guard hasExactSum else { return .float64(sum) }
        if let value = Int64(exactly: exactSum) { return .int64(value) }
        if let value = UInt64(exactly: exactSum) { return .uint64(value) }
        return .float64(Double(exactSum))
    }

    private var sum: Double {
        hasExactSum ? Double(exactSum) : realRest.isFinite ? realSum + realRest : realSum
    }

    var meanValue: Double { count > 0 ? sum / Double(count) : .nan }

    var sigma: Double {
        guard count > 0 else { return .nan }
        guard hasExactSquares else { return (squares / Double(count)).squareRoot() }
        // n Σx² − (Σx)² without rounding, where 128 bits hold it.
        let number = UInt128(count)
        let magnitude = exactSum.magnitude
        let (left, leftOverflow) = exactSquares.multipliedReportingOverflow(by: number)
        let (right, rightOverflow) = magnitude.multipliedReportingOverflow(by: magnitude)
        guard !leftOverflow, !rightOverflow, left >= right else {
            let variance = Double(exactSquares) / Double(count) - meanValue * meanValue
            return max(0, variance).squareRoot()
        }
        return Double(left - right).squareRoot() / Double(count)
    }
}
