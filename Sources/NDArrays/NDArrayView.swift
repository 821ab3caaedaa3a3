/// A borrowed, typed, read-only view of an image, which cannot be kept.
///
/// Pixels are addressed as (x, y) = (column, row).
@frozen
public struct NDArrayView<Element: ArrayElement>: ~Escapable {
    @usableFromInline
    let elements: Span<Element>
    /// Width, height, planes and strides.
    public let geometry: PixelGeometry

    /// A view of `elements`, whose count must be what `geometry` addresses.
    @inlinable
    @_lifetime(copy elements)
    public init(_ elements: Span<Element>, geometry: PixelGeometry) {
        precondition(elements.count == geometry.width * geometry.height * geometry.planeCount)
        self.elements = elements
        self.geometry = geometry
    }

    /// All elements in the order of memory.
    @inlinable
    public var span: Span<Element> {
        @_lifetime(copy self)
        get { elements }
    }

    /// Pixels in a row.
    @inlinable
    public var width: Int { geometry.width }

    /// Number of rows.
    @inlinable
    public var height: Int { geometry.height }

    /// Number of elements.
    @inlinable
    public var count: Int { elements.count }

    /// The element at column `x` and row `y` of plane 0; traps outside the image.
    @inlinable
    public subscript(x: Int, y: Int) -> Element {
        elements[unchecked: geometry.index(x: x, y: y, plane: 0)]
    }

    /// The element at column `x` and row `y` of `plane` (a colour or a stack plane).
    @inlinable
    public subscript(x: Int, y: Int, plane plane: Int) -> Element {
        elements[unchecked: geometry.index(x: x, y: y, plane: plane)]
    }

    /// The pixels of row `y` of plane 0, for images whose pixels lie next to each other (not RGB1).
    @inlinable
    @_lifetime(copy self)
    public func row(_ y: Int) -> Span<Element> {
        precondition(geometry.xStride == 1, "the pixels of a row do not lie next to each other")
        let start = geometry.index(x: 0, y: y, plane: 0)
        return elements.extracting(start..<start + geometry.width)
    }
}

/// A borrowed, typed view of an image that may be written, which cannot be kept.
@frozen
public struct MutableNDArrayView<Element: ArrayElement>: ~Copyable, ~Escapable {
    /// All elements in the order of memory, to be read and written. As they may be put in place by
    /// others, the subscripts check against their count as well.
    public var elements: MutableSpan<Element>
    /// Width, height, planes and strides.
    public let geometry: PixelGeometry

    /// A view of `elements`, whose count must be what `geometry` addresses.
    @inlinable
    @_lifetime(copy elements)
    public init(_ elements: consuming MutableSpan<Element>, geometry: PixelGeometry) {
        precondition(elements.count == geometry.width * geometry.height * geometry.planeCount)
        self.elements = elements
        self.geometry = geometry
    }

    /// All elements in the order of memory.
    @inlinable
    public var span: Span<Element> {
        @_lifetime(borrow self)
        get { elements.span }
    }

    /// Pixels in a row.
    @inlinable
    public var width: Int { geometry.width }

    /// Number of rows.
    @inlinable
    public var height: Int { geometry.height }

    /// Number of elements.
    @inlinable
    public var count: Int { elements.count }

    /// The positions in memory order, 0 up to `count`.
    @inlinable
    public var indices: Range<Int> { 0..<elements.count }

    /// The element at a position in memory order; traps outside.
    @inlinable
    public subscript(index: Int) -> Element {
        get { elements[index] }
        set { elements[index] = newValue }
    }

    /// The element at column `x` and row `y` of plane 0; traps outside the image.
    @inlinable
    public subscript(x: Int, y: Int) -> Element {
        get { elements[geometry.index(x: x, y: y, plane: 0)] }
        set { elements[geometry.index(x: x, y: y, plane: 0)] = newValue }
    }

    /// The element at column `x` and row `y` of `plane` (a colour or a stack plane).
    @inlinable
    public subscript(x: Int, y: Int, plane plane: Int) -> Element {
        get { elements[geometry.index(x: x, y: y, plane: plane)] }
        set { elements[geometry.index(x: x, y: y, plane: plane)] = newValue }
    }
}
