import CTIFF
import NDArrays

/// How the pixels of a file are compressed.
public enum TIFFCompression: String, Sendable, Hashable, CaseIterable {
    case none
    case deflate
    case lzw
    case zstd

    /// The number in tag 259.
    var code: UInt16 {
        switch self {
        case .none: UInt16(COMPRESSION_NONE)
        case .deflate: UInt16(COMPRESSION_ADOBE_DEFLATE)
        case .lzw: UInt16(COMPRESSION_LZW)
        case .zstd: UInt16(COMPRESSION_ZSTD)
        }
    }

    /// Whether this machine's libtiff has it.
    public var isAvailable: Bool { TIFFIsCODECConfigured(code) != 0 }
}

/// How files are written. The bytes of a file depend on these settings and the frame only.
public struct TIFFSettings: Sendable, Hashable {
    /// How pixels are compressed.
    public var compression: TIFFCompression
    /// Level of deflate (1 to 9) and zstd (1 to 22); nil is the library's default. LZW has none.
    public var level: Int?
    /// Whether differences of neighbours are compressed (tag 317) where readers commonly know it:
    /// integers of 8 to 32 bits and floating point. No effect without compression.
    public var usesPredictor: Bool
    /// Whether the CRC32C of the bytes is computed along the way.
    public var computesChecksum: Bool
    /// Whether files are BigTIFF even where they need not be; larger than 4 GiB they always are.
    public var alwaysBigTIFF: Bool
    /// Tag 305. The default is what areaDetector writes; an attribute `TIFFSoftware` goes before
    /// it.
    public var software: String

    /// Settings; by default plain, uncompressed files.
    public init(
        compression: TIFFCompression = .none, level: Int? = nil, usesPredictor: Bool = true,
        computesChecksum: Bool = false, alwaysBigTIFF: Bool = false,
        software: String = "EPICS areaDetector"
    ) {
        self.compression = compression
        self.level = level
        self.usesPredictor = usesPredictor
        self.computesChecksum = computesChecksum
        self.alwaysBigTIFF = alwaysBigTIFF
        self.software = software
    }

    /// The number in tag 317 for pixels of this type: 2 differences, 3 those of floating point, 1
    /// none.
    func predictor(for type: ElementType) -> UInt16 {
        guard compression != .none, usesPredictor else { return 1 }
        switch type {
        case .boolean, .int64, .uint64: return 1
        case .int8, .int16, .int32, .uint8, .uint16, .uint32: return 2
        case .float32, .float64: return 3
        }
    }
}

/// What was written for a frame.
public struct TIFFWritten: Sendable, Hashable {
    /// Bytes added to the file.
    public let byteCount: Int
    /// CRC32C of these bytes, nil where the settings do not ask for it.
    public let checksum: UInt32?
}
