public import NDArrays

/// The file formats that frames are read from.
public enum FileFormat: String, Sendable, Hashable, CaseIterable {
    case tiff
    case npy

    /// The format that a name's ending stands for (`.tif`, `.tiff`, `.npy`, in any case); nil for
    /// others.
    public init?(path: String) {
        let lower = path.lowercased()
        if lower.hasSuffix(".tif") || lower.hasSuffix(".tiff") {
            self = .tiff
        } else if lower.hasSuffix(".npy") {
            self = .npy
        } else {
            return nil
        }
    }
}

/// Where a frame is: what is sent in place of its pixels.
public struct FrameReference: Sendable, Hashable {
    /// The file's format.
    public let format: FileFormat
    /// The file.
    public let path: String
    /// Which frame of the file, 0 the first: the page of a TIFF, the first axis of an array.
    public let index: Int

    /// A reference to a frame.
    public init(format: FileFormat, path: String, index: Int = 0) {
        self.format = format
        self.path = path
        self.index = index
    }
}

/// What a frame is, besides its pixels.
public struct FrameHeader: Sendable, Hashable {
    /// Element type, dimensions and colour mode.
    public let layout: ArrayLayout
    /// The source's own id, nil where the file has none.
    public let uniqueId: UInt64?
    /// When the frame was taken; zero in both parts where the file does not say.
    public let timeStamp: TimeStamp
    /// The attributes that travel with the frame.
    public let attributes: NDAttributes

    /// A header.
    public init(
        layout: ArrayLayout, uniqueId: UInt64? = nil, timeStamp: TimeStamp = TimeStamp(),
        attributes: NDAttributes = NDAttributes()
    ) {
        self.layout = layout
        self.uniqueId = uniqueId
        self.timeStamp = timeStamp
        self.attributes = attributes
    }
}
