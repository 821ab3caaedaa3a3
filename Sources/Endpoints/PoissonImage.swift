internal import Glibc

/// An image of expected counts from which frames with Poisson noise are drawn.
///
/// A count is the Cornish-Fisher expansion of the Poisson quantile, rounded: with z a standard normal
/// number and s² = μ - 5/36, it is s (s + z) + (z² - 1)/6 + 5/36 (M. G. Kendall, A. Stuart, "The
/// Advanced Theory of Statistics" vol. 1, §6.25: the term in z² is the skewness). The 5/36 that s²
/// lacks are the variances that the term in z² (2/36) and the rounding (1/12) add, so that mean and
/// variance are μ. That holds to 1 % from μ = 4 up; below, counts are only roughly Poisson.
///
/// z comes from a table of 4096 quantiles, which reaches to 3.5 standard deviations: 16 random bits a
/// pixel, two multiplications, no logarithm. Results are the same on every machine: the table and s are
/// rounded to binary fractions, and the rest is IEEE arithmetic.
struct PoissonImage: Sendable {
    /// The largest mean: s has 16 bits with 9 after the point.
    static let maximumMean = 16_000.0
    /// Counts are below 2^23, where float32 holds whole numbers apart.
    static let maximumCount: Float = 8_388_607
    private static let scale = 512.0

    /// s of each pixel, in steps of 1/512.
    private let roots: [UInt16]

    init(_ means: [Float]) {
        roots = means.map { mean in
            let mean = min(max(Double(mean), 0), Self.maximumMean)
            return UInt16((max(mean - 5.0 / 36, 0).squareRoot() * Self.scale).rounded())
        }
    }

    /// Calls `store` with the index and the count of every pixel, in order; counts above `maximum` are
    /// held there.
    @inline(__always)
    func draw(
        _ generator: CounterGenerator, maximum: Float = maximumCount,
        _ store: (Int, UInt32) -> Void
    ) {
        roots.withUnsafeBufferPointer { roots in
            Self.normals.withUnsafeBufferPointer { normals in
                let groups = roots.count / 4
                for group in 0..<groups {
                    let bits = generator[group]
                    for lane in 0..<4 {
                        let index = group &* 4 &+ lane
                        let normal = normals[Int(bits &>> UInt64(16 &* lane) & 4095)]
                        store(index, Self.count(roots[index], normal, maximum))
                    }
                }
                for index in groups * 4..<roots.count {
                    let bits = generator[groups] >> UInt64(16 * (index - groups * 4))
                    store(index, Self.count(roots[index], normals[Int(bits & 4095)], maximum))
                }
            }
        }
    }

    @inline(__always)
    private static func count(_ root: UInt16, _ normal: Float, _ maximum: Float) -> UInt32 {
        let root = Float(root) * Float(1 / scale)
        let value = root * (root + normal) + (normal * normal - 1) * (1 / 6) + (5.0 / 36)
        // Adding 2^23 leaves no bits after the point: the sum's significand is the rounded value.
        return (min(max(value, 0), maximum) + 0x1p23).bitPattern &- Float(0x1p23).bitPattern
    }

    /// Standard normal numbers at the middles of 4096 equal shares of probability, scaled to variance 1
    /// and rounded to 1/4096.
    private static let normals: [Float] = {
        let half = 2048
        let upper = (0..<half).map { quantile(0.5 + (Double($0) + 0.5) / Double(2 * half)) }
        let variance = upper.reduce(0) { $0 + $1 * $1 } / Double(half)
        let scaled = upper.map { Float(($0 / variance.squareRoot() * 4096).rounded() / 4096) }
        return scaled.reversed().map { -$0 } + scaled
    }()

    /// The number below which a standard normal one lies with this probability (0.5 up), by bisection.
    private static func quantile(_ probability: Double) -> Double {
        var (lower, upper) = (0.0, 8.0)
        for _ in 0..<52 {
            let middle = (lower + upper) / 2
            if 0.5 * erfc(-middle / 2.0.squareRoot()) < probability {
                lower = middle
            } else {
                upper = middle
            }
        }
        return (lower + upper) / 2
    }
}
