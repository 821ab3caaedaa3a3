internal import Glibc
internal import NDArrays

/// The expected counts of silicon powder on a flat detector: rings, air scatter, beam stop.
///
/// Lengths are in units of the shorter side, so that every shape shows the same picture. Ring positions
/// are those of the diamond lattice, 2 sin θ = λ √N / a with N = h² + k² + l² (B. E. Warren, "X-Ray
/// Diffraction", ch. 4); intensities are multiplicity times |F|² times the Lorentz factor
/// 1 / (sin² θ cos θ), damped by form factor and temperature, with the polarisation of a synchrotron.
struct PowderPattern {
    /// Reflections with N, multiplicity and |F|² in units of 32 f².
    private static let reflections: [(n: Double, multiplicity: Double, factor: Double)] = [
        (3, 8, 1), (8, 12, 2), (11, 24, 1), (16, 6, 2), (19, 24, 1), (24, 24, 2), (27, 32, 1),
        (32, 12, 2), (35, 48, 1), (40, 24, 2), (43, 24, 1), (48, 8, 2), (51, 48, 1), (56, 48, 2),
        (59, 72, 1), (64, 6, 2), (67, 24, 1), (72, 36, 2), (75, 56, 1), (80, 24, 2), (83, 72, 1),
        (88, 24, 2), (91, 48, 1), (96, 24, 2), (99, 72, 1),
    ]
    /// (λ / 2a)²: puts the first ring at a tenth of the side.
    private static let scale = 0.0011
    /// Distance of sample and detector: 30° at the middle of an edge.
    private static let distance = 0.866
    /// Radial steps of the table per side: finer than a pixel of any usual detector.
    private static let stepsPerSide = 8192.0

    private let width: Int
    private let height: Int
    private let side: Double
    private let centre: (x: Double, y: Double)
    private let brightness: Double

    /// The pattern on a detector of this shape. 8-bit pixels and booleans get fewer counts, so that
    /// the rings are not held at the largest value.
    init(_ layout: ArrayLayout) {
        width = layout.width
        height = layout.height
        side = Double(min(width, height))
        centre = (Double(width) * 0.521, Double(height) * 0.466)
        brightness =
            switch layout.elementType {
            case .boolean: 0.05
            case .int8: 0.1
            case .uint8: 0.2
            case .int16, .uint16, .int32, .uint32, .int64, .uint64, .float32, .float64: 1
            }
    }

    /// Expected counts of each pixel of the plane, repeated for every plane of `layout`.
    func means(in layout: ArrayLayout) -> [Float] {
        let rings = radialTable { ringIntensity($0) }
        let smooth = radialTable { background($0) }
        var means = [Float](repeating: 0, count: layout.elementCount)
        let geometry = layout.geometry
        for y in 0..<height {
            for x in 0..<width {
                let mean = Float(mean(x, y, rings, smooth) * brightness)
                for plane in 0..<geometry.planeCount {
                    means[geometry.index(x: x, y: y, plane: plane)] = mean
                }
            }
        }
        return means
    }

    private func mean(_ x: Int, _ y: Int, _ rings: [Double], _ smooth: [Double]) -> Double {
        let (right, down) = ((Double(x) - centre.x) / side, (Double(y) - centre.y) / side)
        let squared = right * right + down * down
        let radius = squared.squareRoot()
        // Horizontal polarisation of 95 %: less to the left and right than above and below.
        let sineSquared = squared / (squared + Self.distance * Self.distance)
        let polarisation = 1 - 0.95 * sineSquared * (squared > 0 ? right * right / squared : 0)
        let open = shadow(right, down, radius)
        return open * (interpolate(rings, radius) * polarisation + interpolate(smooth, radius))
    }

    private func radialTable(_ value: (Double) -> Double) -> [Double] {
        let corner = (Double(width * width + height * height)).squareRoot() / side
        return (0...Int(corner * Self.stepsPerSide) + 1).map {
            value(Double($0) / Self.stepsPerSide)
        }
    }

    private func interpolate(_ table: [Double], _ radius: Double) -> Double {
        let position = radius * Self.stepsPerSide
        let index = min(Int(position), table.count - 2)
        let part = position - Double(index)
        return table[index] * (1 - part) + table[index + 1] * part
    }

    /// Sum of the rings at `radius`: pseudo-Voigt profiles, half Lorentz and half Gauss, that widen
    /// outwards and are never narrower than a pixel.
    private func ringIntensity(_ radius: Double) -> Double {
        Self.reflections.reduce(0) { sum, reflection in
            let sine = (reflection.n * Self.scale).squareRoot()
            let theta = asin(sine)
            let place = Self.distance * tan(2 * theta)
            let halfWidth = max(0.0016 + 0.003 * place, 0.6 / side)
            let height =
                0.42 * reflection.multiplicity * reflection.factor * exp(-0.035 * reflection.n)
                / (sine * sine * cos(theta))
            let distance = (radius - place) / halfWidth
            let profile = 0.5 / (1 + distance * distance) + 0.5 * exp(-0.693 * distance * distance)
            return sum + height * profile
        }
    }

    /// Air scatter, the halo round the beam and an amorphous hump.
    private func background(_ radius: Double) -> Double {
        let hump = (radius - 0.19) / 0.08
        return 12 + 90 * exp(-radius / 0.16) + 900 * exp(-radius / 0.022) + 22 * exp(-hump * hump)
    }

    /// The part that the beam stop and its arm, which comes from below, let through.
    private func shadow(_ right: Double, _ down: Double, _ radius: Double) -> Double {
        let soft = max(0.002, 1 / side)
        func edge(_ distance: Double) -> Double { 1 / (1 + exp(-distance / soft)) }
        let stop = edge(radius - 0.034)
        let arm = down > 0 ? edge(abs(right - 0.06 * down) - 0.006) : 1
        return 0.05 + 0.95 * min(stop, arm)
    }
}
