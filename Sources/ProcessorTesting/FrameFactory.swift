public import DataProcessing

/// Images for tests: the same at every run and on every machine.
public enum FrameFactory {
    /// What the pixels look like.
    public enum Pattern: Sendable, Hashable {
        /// Every pixel has this value, held within the type.
        case constant(Double)
        /// 0, 1, 2 … in memory order, starting over at the top of the type (1000 for floating
        /// point).
        case ramp
        /// Evenly distributed over the whole range of the type (−1000 to 1000 for floating point).
        case noise(seed: UInt64)
        /// The smallest and the largest value of the type in turn; infinities for floating point.
        case extremes
    }

    /// A mono image of `width` × `height` pixels.
    ///
    /// - Throws: `NDArrayError` for dimensions below 1.
    public static func image(
        _ type: ElementType = .uint16, width: Int = 16, height: Int = 12,
        pattern: Pattern = .ramp, uniqueId: UInt64 = 1
    ) throws -> NDArray {
        try image(
            layout: ArrayLayout(type, width: width, height: height), pattern: pattern,
            uniqueId: uniqueId)
    }

    /// An image of any layout; its time stamp is the id in seconds, its attribute `FrameNumber` the
    /// id.
    ///
    /// - Throws: `NDArrayError` for a layout with a codec.
    public static func image(
        layout: ArrayLayout, pattern: Pattern = .ramp, uniqueId: UInt64 = 1
    ) throws -> NDArray {
        var fill = Fill(layout: layout, pattern: pattern)
        var image = try layout.elementType.accept(&fill)
        image.uniqueId = uniqueId
        image.timeStamp = TimeStamp(secondsPastEpoch: Int64(clamping: uniqueId))
        image.attributes.set("FrameNumber", .uint64(uniqueId))
        return image
    }

    /// `count` images of one pattern, with ids from 1.
    ///
    /// - Throws: as `image`.
    public static func sequence(
        _ count: Int, _ type: ElementType = .uint16, width: Int = 16, height: Int = 12
    ) throws -> [NDArray] {
        try (0..<count).map {
            try image(
                type, width: width, height: height, pattern: .noise(seed: UInt64($0)),
                uniqueId: UInt64($0 + 1))
        }
    }

    /// One image of every element type, and some of other shapes: a single pixel, one dimension, a
    /// stack and the three colour modes.
    ///
    /// - Throws: never, as long as these layouts are allowed.
    public static func everyKind() throws -> [NDArray] {
        var images = try ElementType.allCases.map { try image($0, pattern: .noise(seed: 7)) }
        images += try ElementType.allCases.map {
            try image($0, width: 3, height: 5, pattern: .extremes)
        }
        images.append(try image(width: 1, height: 1))
        let sizes: [(NDDimensions, ColorMode)] = [
            (dimensions(17), .mono), (dimensions(5, 4, 2), .mono), (dimensions(3, 5, 4), .rgb1),
            (dimensions(5, 3, 4), .rgb2), (dimensions(5, 4, 3), .rgb3),
        ]
        for (dimensions, colorMode) in sizes {
            let layout = try ArrayLayout(
                elementType: .uint16, dimensions: dimensions, colorMode: colorMode)
            images.append(try image(layout: layout))
        }
        return images
    }

    private static func dimensions(_ x: Int, _ y: Int? = nil, _ z: Int? = nil) -> NDDimensions {
        let list = [x, y, z].compactMap { $0 }.map { NDDimension(size: $0) }
        return NDDimensions(list) ?? NDDimensions(NDDimension(size: x))
    }
}

/// Numbers that look random and are the same everywhere (S. Vigna, SplitMix64, public domain).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator; equal seeds give equal numbers.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}

private struct Fill: ElementVisitor {
    let layout: ArrayLayout
    let pattern: FrameFactory.Pattern

    mutating func visit<Element: ArrayElement>(_ type: Element.Type) throws -> NDArray {
        let isBoolean = layout.elementType == .boolean
        let isReal = layout.elementType == .float32 || layout.elementType == .float64
        let lowest = isReal ? -.infinity : Element(nearest: -.infinity).asDouble
        let highest = isBoolean ? 1 : isReal ? .infinity : Element(nearest: .infinity).asDouble
        let period = isReal ? 1000 : min(highest, 0x1p52) + 1
        let count = layout.elementCount
        let pixels: [Element]
        switch pattern {
        case .constant(let value):
            pixels = Array(
                repeating: Element(nearest: min(max(value, lowest), highest)), count: count)
        case .ramp:
            pixels = (0..<count).map {
                Element(nearest: Double($0).truncatingRemainder(dividingBy: period))
            }
        case .extremes:
            pixels = (0..<count).map { Element(nearest: $0 % 2 == 0 ? lowest : highest) }
        case .noise(let seed):
            var generator = SeededGenerator(seed: seed)
            let range = isReal ? -1000...1000 : lowest...highest
            pixels = (0..<count).map { _ in
                let fraction = Double(generator.next() >> 11) * 0x1p-53
                return Element(
                    nearest: range.lowerBound * (1 - fraction) + range.upperBound * fraction)
            }
        }
        // Boolean pixels are held as bytes, which `NDArray` takes as they are.
        return try NDArray(pixels, layout: layout)
    }
}
