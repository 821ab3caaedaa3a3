public import DataProcessing
import TIFF

/// Subtracts a dark image, a TIFF file, from every image.
open class DarkCorrection: AdImageProcessor {
    /// The file.
    public static let dark = Setting(
        requiredPath: "dark", "TIFF file with the dark image: its first page, of the images' shape."
    )
    /// What becomes of negative results.
    public static let clamp = Setting(
        "clamp", default: true,
        "Whether results below 0 become 0. Unsigned pixels never go below; without this, signed "
            + "integers stop at the ends of their type.")

    /// One sentence for people.
    open override class var summary: String { "Subtracts a dark image from every image." }
    /// The settings.
    open override class var settings: [any SettingDeclaration] { [dark, clamp] }

    private var image: NDArray?
    private var path = ""
    private var isClamping = true
    private var prepared: (any PreparedDark)?
    private var nCorrected: UInt64 = 0

    /// Reads the dark image and says whether it serves.
    open override func validate(_ configuration: Configuration) throws {
        _ = try Self.read(configuration[Self.dark])
    }

    /// Reads the dark image.
    open override func configure(_ configuration: Configuration) throws {
        let path = configuration[Self.dark]
        image = try Self.read(path)
        isClamping = configuration[Self.clamp]
        (self.path, prepared) = (path, nil)
    }

    /// Subtracts; fails for an image whose shape is not that of the dark one.
    open override func process(_ frame: Frame) throws -> Frame? {
        let layout = try frame.layout
        guard let image else { throw ProcessingError.badInput("dark", reason: "it was not read") }
        guard image.layout.dimensions.map(\.size) == layout.dimensions.map(\.size) else {
            throw ProcessingError.badInput(
                path,
                reason: "the dark image is \(image.layout.text), this frame \(layout.text)")
        }
        if prepared?.elementType != layout.elementType {
            var preparation = DarkPreparation(dark: image, isClamping: isClamping)
            prepared = try layout.elementType.accept(&preparation)
        }
        try prepared?.subtract(from: frame)
        nCorrected += 1
        return frame
    }

    /// Back to zero.
    open override func resetStats() { nCorrected = 0 }

    /// What was counted.
    open override func getStats() -> [String: StatisticValue] {
        ["nCorrected": .unsigned(nCorrected)]
    }

    /// What the statistics are.
    open override func getStatsTypes() -> [StatisticDeclaration] {
        [
            StatisticDeclaration(
                key: "nCorrected", kind: .unsigned, unit: .count, description: "Images corrected")
        ]
    }

    private static func read(_ path: String) throws -> NDArray {
        try TIFFReader(path: path).readArray()
    }
}

/// A dark image in the type of the frames, made once for every type that comes.
private protocol PreparedDark {
    var elementType: ElementType { get }
    func subtract(from frame: Frame) throws
}

private struct TypedDark<Element: ArrayElement>: PreparedDark {
    let pixels: [Element]
    let difference: (Element, Element) -> Element
    let elementType: ElementType

    func subtract(from frame: Frame) throws {
        try pixels.withUnsafeBufferPointer { dark in
            try frame.mapPixels(of: Element.self) { index, pixel in difference(pixel, dark[index]) }
        }
    }
}

private struct IntegerDark<Element: ArrayElement & FixedWidthInteger>: PreparedDark {
    let pixels: [Element]
    let floor: Element
    let elementType: ElementType

    func subtract(from frame: Frame) throws {
        let floor = floor
        try pixels.withUnsafeBufferPointer { dark in
            try frame.mapPixels(of: Element.self) { index, pixel in
                let other = dark[index]
                let (difference, overflow) = pixel.subtractingReportingOverflow(other)
                // Towards the top it takes a negative dark to overflow, else a positive.
                let clamped = overflow ? (other > 0 ? Element.min : Element.max) : difference
                return max(clamped, floor)
            }
        }
    }
}

/// Turns the dark image, of whatever type it is, into the type of the frames.
private struct DarkPreparation: ElementVisitor {
    let dark: NDArray
    let isClamping: Bool

    mutating func visit<Element: ArrayElement>(_ type: Element.Type) throws -> any PreparedDark {
        switch type {
        case is UInt8.Type: try integer(UInt8.self)
        case is Int8.Type: try integer(Int8.self)
        case is UInt16.Type: try integer(UInt16.self)
        case is Int16.Type: try integer(Int16.self)
        case is UInt32.Type: try integer(UInt32.self)
        case is Int32.Type: try integer(Int32.self)
        case is UInt64.Type: try integer(UInt64.self)
        case is Int64.Type: try integer(Int64.self)
        case is Float.Type: try real(Float.self)
        default: try real(Double.self)
        }
    }

    private func integer<Element: ArrayElement & FixedWidthInteger>(
        _ type: Element.Type
    ) throws -> any PreparedDark {
        IntegerDark<Element>(
            pixels: try converted(), floor: isClamping ? max(0, Element.min) : Element.min,
            elementType: Element.elementType)
    }

    private func real<Element: ArrayElement & BinaryFloatingPoint>(
        _ type: Element.Type
    ) throws -> any PreparedDark {
        let floor: Element = isClamping ? 0 : -.infinity
        return TypedDark<Element>(
            pixels: try converted(),
            // NaN stays NaN: the comparison with it is false.
            difference: { $0 - $1 < floor ? floor : $0 - $1 }, elementType: Element.elementType)
    }

    private func converted<Element: ArrayElement>() throws -> [Element] {
        var conversion = Conversion<Element>(image: dark)
        return try dark.layout.elementType.accept(&conversion)
    }

    private struct Conversion<Target: ArrayElement>: ElementVisitor {
        let image: NDArray

        mutating func visit<Source: ArrayElement>(_ type: Source.Type) throws -> [Target] {
            if let same = try image.elements(of: type) as? [Target] { return same }
            return try image.elements(of: type).map { Target(nearest: $0.asDouble) }
        }
    }
}
