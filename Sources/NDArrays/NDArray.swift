/// An image that owns its pixels, with unique id, time stamp and attributes.
///
/// Copies share the pixels until one of them is written.
public struct NDArray: Sendable {
    /// Element type, dimensions, colour mode, codec.
    public let layout: ArrayLayout
    /// The source's own id of the frame.
    public var uniqueId: UInt64
    /// When the frame was taken.
    public var timeStamp: TimeStamp
    /// The attributes that travel with the frame.
    public var attributes: NDAttributes
    private var storage: PixelStorage

    /// An image of zeros; compressed layouts give `byteCount` bytes (nil: the uncompressed count).
    public init(
        layout: ArrayLayout, byteCount: Int? = nil, uniqueId: UInt64 = 0,
        timeStamp: TimeStamp = TimeStamp(), attributes: NDAttributes = NDAttributes()
    ) {
        self.layout = layout
        self.uniqueId = uniqueId
        self.timeStamp = timeStamp
        self.attributes = attributes
        storage = PixelStorage(byteCount: byteCount ?? layout.byteCount)
    }

    /// A mono image from its pixels, x fastest.
    ///
    /// - Throws: `NDArrayError` when the number of pixels is not `width` × `height`.
    public init<Element: ArrayElement>(
        _ pixels: [Element], width: Int, height: Int, uniqueId: UInt64 = 0
    ) throws(NDArrayError) {
        let layout = try ArrayLayout(Element.elementType, width: width, height: height)
        try self.init(pixels, layout: layout, uniqueId: uniqueId)
    }

    /// An image of any layout from its elements in memory order.
    ///
    /// - Throws: `NDArrayError` when count or type do not fit the layout.
    public init<Element: ArrayElement>(
        _ pixels: [Element], layout: ArrayLayout, uniqueId: UInt64 = 0
    ) throws(NDArrayError) {
        guard pixels.count == layout.elementCount else {
            throw .byteCountMismatch(
                needed: layout.byteCount, had: pixels.count * MemoryLayout<Element>.size)
        }
        try layout.check(Element.self)
        self.init(layout: layout, uniqueId: uniqueId)
        pixels.withUnsafeBytes { source in storage.bytes.copyMemory(from: source) }
    }

    /// Bytes that are held: those of the layout, or of the compressed data.
    public var byteCount: Int { storage.bytes.count }

    /// Calls `body` with the bytes of the pixels, which must not be kept.
    public borrowing func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(storage.bytes))
    }

    /// Calls `body` with the bytes of the pixels for writing; other copies of the image keep
    /// theirs.
    public mutating func withUnsafeMutableBytes<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if !isKnownUniquelyReferenced(&storage) { storage = PixelStorage(copying: storage) }
        return try body(storage.bytes)
    }

    /// Calls `body` with a typed view of the pixels, which cannot be kept.
    ///
    /// - Throws: `NDArrayError` when the pixels are of another type or compressed, and what `body`
    /// throws.
    public borrowing func withPixels<Element: ArrayElement, Result>(
        of type: Element.Type = Element.self, _ body: (NDArrayView<Element>) throws -> Result
    ) throws -> Result {
        try layout.check(type)
        let span = Span<Element>(_unsafeElements: storage.bytes.assumingMemoryBound(to: type))
        return try body(NDArrayView(span, geometry: layout.geometry))
    }

    /// Calls `body` with a typed view of the pixels that it may write.
    ///
    /// - Throws: as `withPixels`.
    public mutating func withMutablePixels<Element: ArrayElement, Result>(
        of type: Element.Type = Element.self,
        _ body: (inout MutableNDArrayView<Element>) throws -> Result
    ) throws -> Result {
        try layout.check(type)
        let geometry = layout.geometry
        return try withUnsafeMutableBytes { bytes in
            let span = MutableSpan<Element>(
                _unsafeElements: bytes.assumingMemoryBound(to: type))
            var view = MutableNDArrayView(span, geometry: geometry)
            return try body(&view)
        }
    }

    /// The elements in memory order, copied.
    ///
    /// - Throws: `NDArrayError` when the pixels are of another type or compressed.
    public func elements<Element: ArrayElement>(
        of type: Element.Type = Element.self
    ) throws(NDArrayError) -> [Element] {
        try layout.check(type)
        return Array(storage.bytes.assumingMemoryBound(to: type))
    }
}

extension ArrayLayout {
    /// Whether elements can be read as `type`: the same type, or `UInt8` for boolean, and not
    /// compressed.
    ///
    /// - Throws: `NDArrayError` that says what they are.
    package func check<Element: ArrayElement>(_ type: Element.Type) throws(NDArrayError) {
        guard codecName.isEmpty else { throw .compressed(codecName: codecName) }
        let asked = Element.elementType
        guard asked == elementType || (asked == .uint8 && elementType == .boolean) else {
            throw .elementTypeMismatch(had: elementType, asked: asked)
        }
    }
}

/// The pixels of an `NDArray`.
///
/// Unchecked: `bytes` is written only by an `NDArray` that holds the only reference.
final class PixelStorage: @unchecked Sendable {
    /// Cache line and widest vector of x86-64, so that pixel loops start aligned.
    static let alignment = 64

    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: Self.alignment)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    init(copying other: PixelStorage) {
        bytes = .allocate(byteCount: other.bytes.count, alignment: Self.alignment)
        bytes.copyMemory(from: UnsafeRawBufferPointer(other.bytes))
    }

    deinit { bytes.deallocate() }
}

/// What a frame carries.
public enum Payload: Sendable {
    /// A detector image.
    case image(NDArray)
    /// Encrypted or foreign data with the name of its type.
    case bytes([UInt8], typeName: String)
    /// Named values: what is not an image.
    case structure(Structure, typeName: String)
}
