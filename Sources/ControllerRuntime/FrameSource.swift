public import NDArrays

/// Where frames come from: files, a simulator, a camera.
///
/// The controller calls `next` and `fill` from one thread of the source's own, one after the other.
/// `next` announces a frame: it is accepted, and its ledger entry opened, then. Only afterwards the
/// frame gets a slot and `fill` puts its bytes there in place.
public protocol FrameSource: AnyObject, Sendable {
    /// What is known before the first frame.
    var information: SourceInformation { get }

    /// The next frame's identity, nil after the last one. May block until there is one.
    ///
    /// - Throws: when the source as a whole can't go on; the run then ends with what it has.
    func next() throws -> FrameAnnouncement?

    /// Puts the bytes of the frame announced last into `destination`, which has exactly the announced
    /// number of bytes. Not called for references and structures.
    ///
    /// - Throws: when this one frame can't be read; it ends failed with that reason.
    func fill(_ destination: UnsafeMutableRawBufferPointer) throws

    /// Called from another thread to end a `next` that blocks; it then returns nil.
    func cancel()
}

extension FrameSource {
    /// Does nothing: right for sources whose `next` never blocks for long.
    public func cancel() {}
}

/// What is known of a source before its first frame.
public struct SourceInformation: Sendable, Hashable {
    /// Name for people and for `inputChannel`: `tiff:scan/*.tif`, `sim`.
    public var name: String
    /// Number of frames; nil when nobody knows.
    public var frameCount: Int?
    /// Most bytes of a frame that needs a slot; 0 when frames are only sent by reference. A frame with
    /// more bytes than a slot fails.
    public var slotByteCount: Int
    /// Whether frames come at their own pace (a camera), so that waiting loses them.
    public var isLive: Bool
    /// Pixels of the first frame, for the size of output slots; nil: nobody knows.
    public var frameElementCount: Int?
    /// Tells sources apart: the same for the same frames in the same order. Nil: frames do not come a
    /// second time, so a run over them can't be taken up again.
    public var fingerprint: String?

    /// A source with these properties.
    public init(name: String, frameCount: Int?, slotByteCount: Int, isLive: Bool = false) {
        self.name = name
        self.frameCount = frameCount
        self.slotByteCount = slotByteCount
        self.isLive = isLive
    }
}

/// The identity of a frame that a source has for the run, before its pixels.
public struct FrameAnnouncement: Sendable {
    /// What the frame is and where its bytes come from.
    public enum Content: Sendable {
        /// An image that `fill` will write, or `byteCount` bytes of it when it is compressed.
        case image(ArrayLayout, byteCount: Int)
        /// A frame in a file that the worker reads itself: format (`tiff`, `npy`), path, index from 0.
        case reference(format: String, path: String, index: Int)
        /// Bytes of a named type that `fill` will write.
        case bytes(byteCount: Int, typeName: String)
        /// Named values, complete here.
        case structure(Structure, typeName: String)
        /// A frame that exists but can't be read; it ends failed with this reason.
        case unreadable(reason: String)
    }

    /// The source's own id; nil: the 1-based position in the source. Workers replace the position of
    /// a reference by the id that its file holds.
    public var uniqueId: UInt64?
    /// When it was taken; zero: the source does not say.
    public var timeStamp: TimeStamp
    /// What it is.
    public var content: Content
    /// Attributes, without those that a referenced file holds itself.
    public var attributes: NDAttributes
    /// Name for output file names and messages: the path of a file.
    public var sourceName: String

    /// A frame with this content.
    public init(
        _ content: Content, uniqueId: UInt64? = nil, timeStamp: TimeStamp = TimeStamp(),
        attributes: NDAttributes = NDAttributes(), sourceName: String = ""
    ) {
        self.content = content
        self.uniqueId = uniqueId
        self.timeStamp = timeStamp
        self.attributes = attributes
        self.sourceName = sourceName
    }
}
