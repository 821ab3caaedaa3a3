/// An image as the ancestor's `reshapeNtNdArray` describes it.
public struct ReshapedImage {
    /// The unique id of the image.
    public let imageId: UInt64
    /// Pixels in a row.
    public let nx: Int
    /// Number of rows.
    public let ny: Int
    /// Number of colours or of planes; nil for a plain two-dimensional image.
    public let nz: Int?
    /// How colours lie in the array.
    public let colorMode: ColorMode
    /// The field of an NTNDArray's `value` that holds the pixels, for example `ushortValue`.
    public let fieldKey: String
    /// Type of the pixels.
    public let elementType: ElementType
    let frame: Frame
    let geometry: PixelGeometry

    /// Calls `body` with a typed view of the pixels by (x, y, plane), which cannot be kept.
    ///
    /// - Throws: as `Frame.withPixels`.
    public func withPixels<Element: ArrayElement, Result>(
        of type: Element.Type = Element.self, _ body: (NDArrayView<Element>) throws -> Result
    ) throws -> Result {
        try frame.layout.check(type)
        let span = Span<Element>(_unsafeElements: frame.bytes.assumingMemoryBound(to: type))
        return try body(NDArrayView(span, geometry: geometry))
    }
}

/// The base class of processors of areaDetector images: takes images only, and has the five image
/// operations of the ancestor. Where those are not needed, `Frame`'s own members do the same with
/// less.
open class AdImageProcessor: UserDataProcessor {
    /// The attribute that says how colours lie in an image, as areaDetector names it.
    public static let colorModeAttribute = "ColorMode"

    /// Images.
    open override func getInputType() -> PayloadKind? { .image }

    /// Dimensions, colour mode and id of an image, with its pixels where they are: nothing is
    /// copied.
    ///
    /// The colour mode is that of the layout; a three-dimensional array without one has that of its
    /// `ColorMode` attribute if its dimensions fit.
    ///
    /// - Throws: `NDArrayError` when the payload is not an image or the pixels are compressed.
    public func reshape(_ frame: Frame) throws(NDArrayError) -> ReshapedImage {
        var layout = try frame.layout
        guard layout.codecName.isEmpty else { throw .compressed(codecName: layout.codecName) }
        if layout.colorMode == .mono, layout.dimensions.count == 3,
            let code = frame.attributes[Self.colorModeAttribute]?.value?.int64Value,
            let mode = UInt8(exactly: code).flatMap(ColorMode.init), mode != .mono
        {
            do {
                layout = try ArrayLayout(
                    elementType: layout.elementType, dimensions: layout.dimensions, colorMode: mode)
            } catch {
                logger.debug(
                    "ColorMode attribute does not fit the dimensions",
                    metadata: ["frameId": "\(frame.frameId)", "colorMode": "\(mode.name)"])
            }
        }
        return ReshapedImage(
            imageId: frame.uniqueId, nx: layout.width, ny: layout.height,
            nz: layout.dimensions.count > 2 ? layout.planeCount : nil, colorMode: layout.colorMode,
            fieldKey: layout.elementType.fieldKey, elementType: layout.elementType, frame: frame,
            geometry: layout.geometry)
    }

    /// The field of an NTNDArray's `value` union for pixels of that type: `ushortValue` for
    /// `UInt16`.
    public class func dataFieldKey<Element: ArrayElement>(of type: Element.Type) -> String {
        Element.elementType.fieldKey
    }

    /// A new image in an output slot, with the `ColorMode` attribute that areaDetector clients
    /// expect.
    ///
    /// It has time stamp and attributes of the frame that is being processed; scalar `extraFields`
    /// become attributes (the ancestor adds them to the top of its structure).
    ///
    /// - Throws: `NDArrayError` when the pixels do not fill the dimensions.
    public func generateImage<Element: ArrayElement>(
        imageId: UInt64, pixels: [Element], nx: Int, ny: Int, nz: Int? = nil,
        colorMode: ColorMode = .mono, extraFields: Structure = Structure()
    ) throws -> Frame {
        let layout = try Self.layout(Element.elementType, nx, ny, nz, colorMode)
        let image = try NDArray(pixels, layout: layout)
        let frame = try makeFrame(image)
        frame.uniqueId = imageId
        Self.setAttributes(frame, colorMode, extraFields)
        return frame
    }

    /// Gives `frame` new pixels of the same or another type; dimensions change only where the shape
    /// does, so that offset and binning of an image of the same shape stay.
    ///
    /// - Throws: `NDArrayError` when the pixels do not fill the dimensions.
    public func replaceImage<Element: ArrayElement>(
        in frame: Frame, imageId: UInt64, pixels: [Element], nx: Int, ny: Int, nz: Int? = nil,
        colorMode: ColorMode = .mono, extraFields: Structure = Structure()
    ) throws {
        var layout = try Self.layout(Element.elementType, nx, ny, nz, colorMode)
        let old = try frame.layout
        if old.dimensions.map(\.size) == layout.dimensions.map(\.size), old.colorMode == colorMode {
            layout = try ArrayLayout(
                elementType: Element.elementType, dimensions: old.dimensions, colorMode: colorMode)
        }
        try frame.setPixels(try NDArray(pixels, layout: layout))
        frame.uniqueId = imageId
        Self.setAttributes(frame, colorMode, extraFields)
    }

    private static func layout(
        _ type: ElementType, _ nx: Int, _ ny: Int, _ nz: Int?, _ colorMode: ColorMode
    ) throws(NDArrayError) -> ArrayLayout {
        let (x, y) = (NDDimension(size: nx), NDDimension(size: ny))
        let dimensions: NDDimensions
        switch colorMode {
        case .mono:
            dimensions = nz.map { NDDimensions(x, y, NDDimension(size: $0)) } ?? NDDimensions(x, y)
        case .rgb1: dimensions = NDDimensions(NDDimension(size: 3), x, y)
        case .rgb2: dimensions = NDDimensions(x, NDDimension(size: 3), y)
        case .rgb3: dimensions = NDDimensions(x, y, NDDimension(size: 3))
        }
        return try ArrayLayout(elementType: type, dimensions: dimensions, colorMode: colorMode)
    }

    private static func setAttributes(
        _ frame: Frame, _ colorMode: ColorMode, _ extraFields: Structure
    ) {
        frame.attributes.set(
            NDAttribute(
                colorModeAttribute, .int32(Int32(colorMode.rawValue)), description: "Color mode",
                sourceType: .driver))
        for field in extraFields.fields {
            guard case .scalar(let value) = field.value else { continue }
            frame.attributes.set(field.name, value)
        }
    }
}

// The ancestor's names, for those who look for them.
extension AdImageProcessor {
    /// The ancestor's name of `reshape(_:)`.
    @available(*, deprecated, renamed: "reshape(_:)")
    public func reshapeNtNdArray(_ frame: Frame) throws(NDArrayError) -> ReshapedImage {
        try reshape(frame)
    }

    /// The ancestor's name of `dataFieldKey(of:)`.
    @available(*, deprecated, renamed: "dataFieldKey(of:)")
    public class func getNtNdArrayDataFieldKey<Element: ArrayElement>(
        _ type: Element.Type
    ) -> String { dataFieldKey(of: type) }

    /// The ancestor's name of `generateImage`, for mono images.
    @available(*, deprecated, renamed: "generateImage(imageId:pixels:nx:ny:)")
    public func generateNtNdArray2D<Element: ArrayElement>(
        _ imageId: UInt64, _ pixels: [Element], _ nx: Int, _ ny: Int,
        extraFields: Structure = Structure()
    ) throws -> Frame {
        try generateImage(
            imageId: imageId, pixels: pixels, nx: nx, ny: ny, extraFields: extraFields)
    }

    /// The ancestor's name of `replaceImage`, for mono images.
    @available(*, deprecated, renamed: "replaceImage(in:imageId:pixels:nx:ny:)")
    public func replaceNtNdArrayImage2D<Element: ArrayElement>(
        _ frame: Frame, _ imageId: UInt64, _ pixels: [Element], _ nx: Int, _ ny: Int,
        extraFields: Structure = Structure()
    ) throws {
        try replaceImage(
            in: frame, imageId: imageId, pixels: pixels, nx: nx, ny: ny, extraFields: extraFields)
    }
}
