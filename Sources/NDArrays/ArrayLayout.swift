/// What the bytes of an array mean: element type, dimensions, colour mode and codec.
public struct ArrayLayout: Sendable, Hashable {
    /// The most bytes one array may have, 64 GiB: more is no detector image but a damaged header.
    public static let maximumByteCount = 64 << 30
    /// The largest magnitude of a dimension's offset and full size: far beyond every detector, and
    /// low enough that arithmetic with sizes and binning cannot overflow.
    public static let maximumOffset = 1 << 40
    /// The largest binning of a dimension.
    public static let maximumBinning = 1 << 20

    /// Type of one element, uncompressed.
    public let elementType: ElementType
    /// The 1 to 3 dimensions, fastest first.
    public let dimensions: NDDimensions
    /// How colours lie in the dimensions.
    public let colorMode: ColorMode
    /// Name of the compression as areaDetector spells it (`blosc`, `lz4`, `bslz4` …); empty means
    /// raw.
    public let codecName: String
    /// Number of elements, all dimensions multiplied.
    public let elementCount: Int

    /// A checked layout.
    ///
    /// - Throws: `NDArrayError` for a dimension below 1, a binning that is not 1 to
    /// `maximumBinning`,
    ///   an offset or full size beyond `maximumOffset`, a colour mode that does not fit the
    ///   dimensions, or more than `maximumByteCount` bytes.
    public init(
        elementType: ElementType, dimensions: NDDimensions, colorMode: ColorMode = .mono,
        codecName: String = ""
    ) throws(NDArrayError) {
        var count = 1
        for position in 0..<dimensions.count {
            let dimension = dimensions[position]
            guard dimension.size > 0 else { throw .emptyDimension(size: dimension.size) }
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension.size)
            guard !overflow, product <= Self.maximumByteCount / elementType.byteCount else {
                throw .tooLarge(limit: Self.maximumByteCount)
            }
            count = product
            try dimension.checkRegion()
        }
        if colorMode != .mono {
            let colorDimension = colorMode == .rgb1 ? 0 : colorMode == .rgb2 ? 1 : 2
            guard dimensions.count == 3, dimensions[colorDimension].size == 3 else {
                throw .colorModeMismatch(colorMode, sizes: dimensions.map(\.size))
            }
        }
        self.elementType = elementType
        self.dimensions = dimensions
        self.colorMode = colorMode
        self.codecName = codecName
        self.elementCount = count
    }

    /// A mono image of `width` × `height` elements (x fastest).
    public init(_ elementType: ElementType, width: Int, height: Int) throws(NDArrayError) {
        try self.init(
            elementType: elementType,
            dimensions: NDDimensions(NDDimension(size: width), NDDimension(size: height)))
    }

    /// Bytes of the array, uncompressed.
    public var byteCount: Int { elementCount * elementType.byteCount }

    /// Pixels in a row: the x dimension.
    public var width: Int { dimensions[colorMode == .rgb1 ? 1 : 0].size }

    /// Number of rows: the y dimension; 1 for a one-dimensional array.
    public var height: Int {
        switch colorMode {
        case .mono, .rgb3: dimensions.count > 1 ? dimensions[1].size : 1
        case .rgb1, .rgb2: dimensions[2].size
        }
    }

    /// Number of planes: 3 for colour, the third dimension of a mono array, else 1.
    public var planeCount: Int {
        switch colorMode {
        case .mono: dimensions.count > 2 ? dimensions[2].size : 1
        case .rgb1, .rgb2, .rgb3: 3
        }
    }

    /// Where the element of (x, y, plane) lies.
    public var geometry: PixelGeometry {
        let (width, height, planes) = (width, height, planeCount)
        switch colorMode {
        case .mono, .rgb3:
            return PixelGeometry(
                width: width, height: height, planeCount: planes, xStride: 1, yStride: width,
                planeStride: width * height)
        case .rgb1:
            return PixelGeometry(
                width: width, height: height, planeCount: 3, xStride: 3, yStride: 3 * width,
                planeStride: 1)
        case .rgb2:
            return PixelGeometry(
                width: width, height: height, planeCount: 3, xStride: 1, yStride: 3 * width,
                planeStride: width)
        }
    }

    /// The shape as rows × columns with the type, for messages to people: `1043×981 int32`.
    public var text: String {
        var parts = dimensions.reversed().map { "\($0.size)" }
        if parts.count == 1 { parts.insert("1", at: 0) }
        let shape = parts.joined(separator: "×") + " " + elementType.name
        return colorMode == .mono ? shape : shape + " " + colorMode.name
    }
}

/// Strides of an image, in elements.
@frozen
public struct PixelGeometry: Sendable, Hashable {
    /// Pixels in a row.
    public let width: Int
    /// Number of rows.
    public let height: Int
    /// Number of colour or stack planes.
    public let planeCount: Int
    /// Elements from one pixel to the next in x.
    public let xStride: Int
    /// Elements from one row to the next.
    public let yStride: Int
    /// Elements from one plane to the next.
    public let planeStride: Int

    /// Strides in elements. Traps when a stride is negative or the largest index they reach is not
    /// below `width` × `height` × `planeCount`: views rely on that.
    @inlinable
    public init(
        width: Int, height: Int, planeCount: Int, xStride: Int, yStride: Int, planeStride: Int
    ) {
        precondition(width >= 0 && height >= 0 && planeCount >= 0, "a size is not negative")
        precondition(xStride >= 0 && yStride >= 0 && planeStride >= 0, "a stride is not negative")
        let count = width * height * planeCount
        precondition(
            count == 0
                || (width - 1) * xStride + (height - 1) * yStride + (planeCount - 1) * planeStride
                    < count,
            "the strides reach beyond the image")
        self.width = width
        self.height = height
        self.planeCount = planeCount
        self.xStride = xStride
        self.yStride = yStride
        self.planeStride = planeStride
    }

    /// Index of the element at column `x`, row `y` and `plane`; traps outside the image.
    @inlinable
    public func index(x: Int, y: Int, plane: Int) -> Int {
        precondition(
            x >= 0 && x < width && y >= 0 && y < height && plane >= 0 && plane < planeCount,
            "pixel outside the image")
        return x &* xStride &+ y &* yStride &+ plane &* planeStride
    }
}
