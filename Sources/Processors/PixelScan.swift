import NDArrays

/// Elements that are summed before the result goes into wide totals. 32 768 16-bit values fit a
/// 32-bit sum, and a block stays in the first-level cache for its second pass.
let scanBlockCount = 1 << 13

/// Sums over pixels of a type, written so that the compiler makes vector loops of them.
protocol ScannableElement: ArrayElement {
    /// The sum of `count` (at most `scanBlockCount`) elements, NaN left out.
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum
    /// Everything `PixelStatistics` wants of `count` (at most `scanBlockCount`) elements.
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments
}

/// A sum that is exact for integers.
enum ExactSum: Sendable, Hashable {
    case integer(Int128)
    case real(Double)

    /// The sum as float64.
    var doubleValue: Double {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        }
    }
}

/// Sums of one block.
enum BlockMoments {
    /// Exact sums of values and of their squares.
    case exact(sum: Int128, squares: UInt128)
    /// Number of values that are not NaN, their sum, mean, and the sum of squares about that mean.
    case centred(count: Int, sum: ExactSum, mean: Double, squares: Double)
}

/// The smallest and largest of `count` elements, NaN left out; `minimum` > `maximum` when there are
/// none.
@inline(__always)
func blockExtremes<Element: ArrayElement>(
    _ pixels: UnsafePointer<Element>, _ count: Int, from start: (minimum: Element, maximum: Element)
) -> (minimum: Element, maximum: Element) {
    var (minimum, maximum) = start
    for index in 0..<count {
        let value = pixels[index]
        // In this order NaN is never taken: every comparison with it is false.
        minimum = value < minimum ? value : minimum
        maximum = value > maximum ? value : maximum
    }
    return (minimum, maximum)
}

// MARK: - 8 and 16 bits: 32-bit lanes

@inline(__always)
func smallSum<Element: FixedWidthInteger>(
    _ pixels: UnsafePointer<Element>, _ count: Int
) -> ExactSum {
    var sum: Int32 = 0
    for index in 0..<count { sum &+= Int32(truncatingIfNeeded: pixels[index]) }
    return .integer(Int128(sum))
}

/// The sum of `count` (at most `scanBlockCount`) pixels at one and a half times the speed of
/// `smallSum`, which spends its time on widening: memory is taken as 32-bit lanes of two pixels each.
///
///     whole = Σ lane mod 2^32,   upper = Σ (lane >> 16),   Σ (lane & 0xFFFF) = whole − 2^16 · upper
///
/// With 8192 pixels a lane is added to 128 times, so that no sum of halves reaches 2^24 and all
/// lanes together stay below 2^32.
func pairSum(_ pixels: UnsafePointer<UInt16>, _ count: Int) -> ExactSum {
    typealias Lanes = SIMD16<UInt32>
    let bytes = UnsafeRawPointer(pixels)
    let vectorByteCount = count * 2 & ~127
    var (whole, upper) = (Lanes(), Lanes())
    var (otherWhole, otherUpper) = (Lanes(), Lanes())
    for offset in stride(from: 0, to: vectorByteCount, by: 128) {
        let lanes = bytes.loadUnaligned(fromByteOffset: offset, as: Lanes.self)
        let others = bytes.loadUnaligned(fromByteOffset: offset + 64, as: Lanes.self)
        whole &+= lanes
        upper &+= lanes &>> 16
        otherWhole &+= others
        otherUpper &+= others &>> 16
    }
    whole &+= otherWhole
    upper &+= otherUpper
    var sum = (whole &- upper &<< 16 &+ upper).wrappedSum()
    for index in vectorByteCount / 2..<count { sum &+= UInt32(pixels[index]) }
    return .integer(Int128(sum))
}

/// A square of a 16-bit value has 32 bits; its halves are summed apart, so that lanes of 32 bits
/// hold.
@inline(__always)
func smallMoments<Element: FixedWidthInteger>(
    _ pixels: UnsafePointer<Element>, _ count: Int
) -> BlockMoments {
    var sum: Int32 = 0
    var low: UInt32 = 0
    var high: UInt32 = 0
    for index in 0..<count {
        let value = Int32(truncatingIfNeeded: pixels[index])
        let square = UInt32(truncatingIfNeeded: value &* value)
        sum &+= value
        low &+= square & 0xFFFF
        high &+= square >> 16
    }
    return .exact(sum: Int128(sum), squares: UInt128(UInt64(high) << 16 + UInt64(low)))
}

// MARK: - 32 bits: 64-bit lanes

@inline(__always)
func mediumSum<Element: FixedWidthInteger>(
    _ pixels: UnsafePointer<Element>, _ count: Int
) -> ExactSum {
    var sum: Int64 = 0
    for index in 0..<count { sum &+= Int64(truncatingIfNeeded: pixels[index]) }
    return .integer(Int128(sum))
}

@inline(__always)
func mediumMoments<Element: FixedWidthInteger>(
    _ pixels: UnsafePointer<Element>, _ count: Int
) -> BlockMoments {
    var sum: Int64 = 0
    var low: UInt64 = 0
    var high: UInt64 = 0
    for index in 0..<count {
        let value = Int64(truncatingIfNeeded: pixels[index])
        // The magnitude has at most 32 bits: the square fits, whatever the sign.
        let magnitude = UInt64(truncatingIfNeeded: value < 0 ? 0 &- value : value) & 0xFFFF_FFFF
        let square = magnitude &* magnitude
        sum &+= value
        low &+= square & 0xFFFF_FFFF
        high &+= square >> 32
    }
    return .exact(sum: Int128(sum), squares: UInt128(high) << 32 + UInt128(low))
}

// MARK: - 64 bits: the sum exactly in halves, squares in float64

@inline(__always)
func largeSum<Element: FixedWidthInteger>(
    _ pixels: UnsafePointer<Element>, _ count: Int
) -> Int128 {
    var low: UInt64 = 0
    var high: Int64 = 0
    for index in 0..<count {
        low &+= UInt64(truncatingIfNeeded: pixels[index]) & 0xFFFF_FFFF
        high &+= Int64(truncatingIfNeeded: pixels[index] >> 32)
    }
    return Int128(high) << 32 + Int128(low)
}

@inline(__always)
func largeMoments<Element: ArrayElement & FixedWidthInteger>(
    _ pixels: UnsafePointer<Element>, _ count: Int
) -> BlockMoments {
    let sum = largeSum(pixels, count)
    let mean = Double(sum) / Double(max(count, 1))
    var squares = SIMD4<Double>()
    for index in stride(from: 0, to: count - 3, by: 4) {
        let values = SIMD4(
            Double(pixels[index]), Double(pixels[index + 1]), Double(pixels[index + 2]),
            Double(pixels[index + 3]))
        let distance = values - mean
        squares += distance * distance
    }
    var total = squares.sum()
    for index in count & ~3..<count {
        let distance = Double(pixels[index]) - mean
        total += distance * distance
    }
    return .centred(count: count, sum: .integer(sum), mean: mean, squares: total)
}

// MARK: - Floating point: float64 in eight lanes, NaN counted out

@inline(__always)
private func lanes<Element: BinaryFloatingPoint>(
    _ pixels: UnsafePointer<Element>, _ index: Int
) -> SIMD8<Double> {
    SIMD8(
        Double(pixels[index]), Double(pixels[index + 1]), Double(pixels[index + 2]),
        Double(pixels[index + 3]), Double(pixels[index + 4]), Double(pixels[index + 5]),
        Double(pixels[index + 6]), Double(pixels[index + 7]))
}

@inline(__always)
func realSum<Element: BinaryFloatingPoint>(
    _ pixels: UnsafePointer<Element>, _ count: Int
) -> (sum: Double, count: Int) {
    var sums = SIMD8<Double>()
    var valid = SIMD8<Double>()
    for index in stride(from: 0, to: count - 7, by: 8) {
        let values = lanes(pixels, index)
        let isNumber = values .== values
        sums += SIMD8<Double>().replacing(with: values, where: isNumber)
        valid += SIMD8<Double>().replacing(with: 1, where: isNumber)
    }
    var (sum, number) = (sums.sum(), valid.sum())
    for index in count & ~7..<count where !pixels[index].isNaN {
        sum += Double(pixels[index])
        number += 1
    }
    return (sum, Int(number))
}

@inline(__always)
func realMoments<Element: BinaryFloatingPoint>(
    _ pixels: UnsafePointer<Element>, _ count: Int
) -> BlockMoments {
    let (sum, number) = realSum(pixels, count)
    let mean = number > 0 ? sum / Double(number) : 0
    var squares = SIMD8<Double>()
    for index in stride(from: 0, to: count - 7, by: 8) {
        let values = lanes(pixels, index)
        let distance = values - mean
        squares += SIMD8<Double>().replacing(
            with: distance * distance, where: values .== values)
    }
    var total = squares.sum()
    for index in count & ~7..<count where !pixels[index].isNaN {
        let distance = Double(pixels[index]) - mean
        total += distance * distance
    }
    return .centred(count: number, sum: .real(sum), mean: mean, squares: total)
}
