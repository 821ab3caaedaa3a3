import NDArrays

/// One entry of a page's directory, as it stands in the file.
public struct TIFFTag: Sendable, Hashable {
    /// The number of the tag (TIFF 6.0 §8).
    public let code: UInt16
    /// The type of its values (TIFF 6.0 §2; BigTIFF adds 16 to 18).
    public let type: UInt16
    /// Number of values.
    public let count: UInt64
    /// Where the values begin in the file.
    public let byteOffset: UInt64
}

/// Numbers of the tags that are read or written here.
enum TagCode {
    static let subfileType: UInt16 = 254
    static let imageWidth: UInt16 = 256
    static let imageLength: UInt16 = 257
    static let bitsPerSample: UInt16 = 258
    static let compression: UInt16 = 259
    static let photometric: UInt16 = 262
    static let fillOrder: UInt16 = 266
    static let stripOffsets: UInt16 = 273
    static let samplesPerPixel: UInt16 = 277
    static let rowsPerStrip: UInt16 = 278
    static let stripByteCounts: UInt16 = 279
    static let planarConfiguration: UInt16 = 284
    static let pageNumber: UInt16 = 297
    static let software: UInt16 = 305
    static let predictor: UInt16 = 317
    static let tileWidth: UInt16 = 322
    static let tileLength: UInt16 = 323
    static let tileOffsets: UInt16 = 324
    static let tileByteCounts: UInt16 = 325
    static let sampleFormat: UInt16 = 339
    /// areaDetector's own (NDFileTIFF).
    static let timeStamp: UInt16 = 65000
    static let uniqueId: UInt16 = 65001
    static let epicsSeconds: UInt16 = 65002
    static let epicsNanoseconds: UInt16 = 65003
    /// Ours, in the gap that areaDetector leaves: `Provenance`.
    static let provenance: UInt16 = 65009
    /// The first of areaDetector's attribute tags, each the text "name:value".
    static let firstAttribute: UInt16 = 65010
    /// The last that is written. areaDetector may go up to 65535, but 65420 and 65426 are
    /// Hamamatsu's: tifffile takes a file that has them for a microscope slide and cannot open it.
    static let lastAttribute: UInt16 = 65419
    /// Attributes that get a tag of their own; all later ones are in the provenance only.
    static let maximumAttributeCount = Int(lastAttribute - firstAttribute) + 1
}

/// Types of values (TIFF 6.0 §2).
enum FieldType: UInt16 {
    case byte = 1
    case ascii = 2
    case short = 3
    case long = 4
    case rational = 5
    case signedByte = 6
    case undefined = 7
    case signedShort = 8
    case signedLong = 9
    case signedRational = 10
    case float = 11
    case double = 12
    case directory = 13
    case long8 = 16
    case signedLong8 = 17
    case directory8 = 18

    /// Bytes of one value.
    var byteCount: Int {
        switch self {
        case .byte, .ascii, .signedByte, .undefined: 1
        case .short, .signedShort: 2
        case .long, .signedLong, .float, .directory: 4
        case .rational, .signedRational, .double, .long8, .signedLong8, .directory8: 8
        }
    }
}

/// A tag that describes the picture and travels as an attribute.
///
/// areaDetector calls tag 270 `TIFFImageDescription`, 271 `Manufacturer` and 272 `Model`; the
/// others follow its pattern. An attribute that was read from such a tag has the source
/// `TIFF:<number>`.
struct DescribingTag {
    enum Kind { case text, rational, short }

    let code: UInt16
    let name: String
    let kind: Kind

    /// The source of attributes that come from this tag.
    var source: String { "TIFF:\(code)" }

    /// All of them, in the order of their numbers.
    static let all: [DescribingTag] = [
        .init(code: 269, name: "TIFFDocumentName", kind: .text),
        .init(code: 270, name: "TIFFImageDescription", kind: .text),
        .init(code: 271, name: "Manufacturer", kind: .text),
        .init(code: 272, name: "Model", kind: .text),
        .init(code: 282, name: "TIFFXResolution", kind: .rational),
        .init(code: 283, name: "TIFFYResolution", kind: .rational),
        .init(code: 285, name: "TIFFPageName", kind: .text),
        .init(code: 296, name: "TIFFResolutionUnit", kind: .short),
        .init(code: 305, name: "TIFFSoftware", kind: .text),
        .init(code: 306, name: "TIFFDateTime", kind: .text),
        .init(code: 315, name: "TIFFArtist", kind: .text),
        .init(code: 316, name: "TIFFHostComputer", kind: .text),
        .init(code: 33432, name: "TIFFCopyright", kind: .text),
    ]

    /// What NDFileTIFF writes for Make and Model without an attribute.
    static let unknown = "Unknown"
    /// What NDFileTIFF always writes for Software.
    static let areaDetectorSoftware = "EPICS areaDetector"
    /// Name and source of the attribute that keeps tag 65000 where it is not the frame's time
    /// stamp.
    static let timeStampName = "NDTimeStamp"
    static let timeStampSource = "TIFF:65000"

    /// Position in `all` of the tag for attributes called `name`, nil when there is none.
    static func position(name: String) -> Int? {
        switch name.utf8.first {
        case UInt8(ascii: "T"), UInt8(ascii: "M"): all.firstIndex { $0.name == name }
        default: nil
        }
    }
}
