/// One dimension of an array, as NTNDArray's `dimension_t`.
///
/// Offset and binning are cumulative and in unbinned detector pixels (areaDetector, `NDArray.h`).
public struct NDDimension: Sendable, Hashable {
    /// Number of elements along the dimension.
    public var size: Int
    /// First element of the region of interest, in unbinned detector pixels.
    public var offset: Int
    /// Number of elements that the detector has along the dimension, unbinned.
    public var fullSize: Int
    /// Detector pixels for each element; 1 means not binned.
    public var binning: Int
    /// Whether the dimension runs against the detector's direction.
    public var reverse: Bool

    /// A dimension of `size` elements; `fullSize` nil means the same.
    public init(
        size: Int, offset: Int = 0, fullSize: Int? = nil, binning: Int = 1, reverse: Bool = false
    ) {
        self.size = size
        self.offset = offset
        self.fullSize = fullSize ?? size
        self.binning = binning
        self.reverse = reverse
    }

    /// Whether offset, full size and binning are ones that arithmetic may be done with.
    func checkRegion() throws(NDArrayError) {
        let maximum = ArrayLayout.maximumOffset
        guard (-maximum...maximum).contains(offset) else {
            throw .invalidValue(
                name: "offset of a dimension", reason: "\(offset) is beyond ±\(maximum)")
        }
        guard (0...maximum).contains(fullSize) else {
            throw .invalidValue(
                name: "full size of a dimension", reason: "\(fullSize) is not 0 to \(maximum)")
        }
        guard (1...ArrayLayout.maximumBinning).contains(binning) else {
            throw .invalidValue(
                name: "binning of a dimension",
                reason: "\(binning) is not 1 to \(ArrayLayout.maximumBinning)")
        }
    }
}

/// The 1 to 3 dimensions of an array, fastest first: dimension 0 of a mono image is x.
///
/// The three places lie inline, so that describing a frame allocates nothing.
public struct NDDimensions: Sendable, Hashable, RandomAccessCollection {
    /// The most dimensions an array has.
    public static let maximumCount = 3

    private var first: NDDimension
    private var second: NDDimension
    private var third: NDDimension
    /// Number of dimensions, 1 to 3.
    public let count: Int

    /// One dimension.
    public init(_ first: NDDimension) {
        self.init(count: 1, first, Self.unused, Self.unused)
    }

    /// Two dimensions: of a mono image, x then y.
    public init(_ first: NDDimension, _ second: NDDimension) {
        self.init(count: 2, first, second, Self.unused)
    }

    /// Three dimensions: of a colour image, in the order of its colour mode.
    public init(_ first: NDDimension, _ second: NDDimension, _ third: NDDimension) {
        self.init(count: 3, first, second, third)
    }

    /// The dimensions in `list`, nil when there are none or more than three.
    public init?(_ list: some Collection<NDDimension>) {
        guard (1...Self.maximumCount).contains(list.count) else { return nil }
        self.init(count: list.count, Self.unused, Self.unused, Self.unused)
        for (position, dimension) in list.enumerated() { self[position] = dimension }
    }

    private static let unused = NDDimension(size: 1)

    private init(count: Int, _ first: NDDimension, _ second: NDDimension, _ third: NDDimension) {
        self.count = count
        self.first = first
        self.second = second
        self.third = third
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    /// The dimension at `position`, 0 the fastest.
    public subscript(position: Int) -> NDDimension {
        get {
            precondition(position >= 0 && position < count, "dimension \(position) of \(count)")
            return position == 0 ? first : position == 1 ? second : third
        }
        set {
            precondition(position >= 0 && position < count, "dimension \(position) of \(count)")
            switch position {
            case 0: first = newValue
            case 1: second = newValue
            default: third = newValue
            }
        }
    }
}

/// How colours lie in an array, with areaDetector's codes (`NDColorMode_t`).
public enum ColorMode: UInt8, Sendable, Hashable, CaseIterable {
    /// One value a pixel: dimensions [x, y].
    case mono = 0
    /// Colours fastest: dimensions [3, x, y].
    case rgb1 = 2
    /// Colours line by line: dimensions [x, 3, y].
    case rgb2 = 3
    /// Colours plane by plane: dimensions [x, y, 3].
    case rgb3 = 4

    /// The name in areaDetector's spelling: `Mono`, `RGB1`, `RGB2`, `RGB3`.
    public var name: String {
        switch self {
        case .mono: "Mono"
        case .rgb1: "RGB1"
        case .rgb2: "RGB2"
        case .rgb3: "RGB3"
        }
    }
}
