/// What is wrong with a TIFF file or with a request to it: the fact, and where it was found.
public struct TIFFError: Error, Equatable, Sendable {
    /// The kind of fault with its facts.
    public enum Code: Equatable, Sendable {
        /// A system call failed with this `errno`.
        case systemCall(name: String, errno: Int32)
        /// The file is a folder, a pipe or a device.
        case notARegularFile
        /// The file does not begin like a TIFF; `found` shows its first bytes.
        case notATIFF(found: String)
        /// Bytes that have to be there are beyond the end of the file.
        case truncated(needed: UInt64, had: UInt64)
        /// The image has no pixels.
        case emptyImage(width: UInt64, height: UInt64)
        /// Something is larger than can be true, or than is allowed.
        case tooLarge(what: String, claimed: UInt64, limit: UInt64)
        /// The file contradicts itself or the format.
        case damaged(String)
        /// A tag without which the image can't be read is missing.
        case missingTag
        /// The file is right, but not of a kind that is read or written here.
        case unsupported(String)
        /// The file has fewer pages.
        case noSuchPage(had: Int)
        /// A buffer of pixels does not have the size of the image.
        case byteCountMismatch(needed: Int, had: Int)
        /// libtiff could not decode or encode the pixels; its own words.
        case library(String)
    }

    /// What is wrong.
    public let code: Code
    /// The file; empty where only a descriptor was given.
    public let path: String
    /// The page, 0 the first; nil where the fault is not in a page.
    public let page: Int?
    /// The tag, nil where the fault is not in a tag.
    public let tag: UInt16?
    /// Where in the file, nil where that says nothing.
    public let byteOffset: UInt64?

    /// A fault; nil for what is not known.
    public init(
        _ code: Code, path: String, page: Int? = nil, tag: UInt16? = nil, byteOffset: UInt64? = nil
    ) {
        self.code = code
        self.path = path
        self.page = page
        self.tag = tag
        self.byteOffset = byteOffset
    }
}

extension TIFFError: CustomStringConvertible {
    /// One sentence: the file, the place, what is wrong and what to do.
    public var description: String {
        var place = path.isEmpty ? "TIFF file" : path
        if let page, page > 0 { place += ", page \(page)" }
        if let tag { place += ", tag \(tag)" }
        if let byteOffset { place += ", byte \(byteOffset)" }
        return "\(place): \(reason)"
    }

    private var reason: String {
        switch code {
        case .systemCall(let name, let errno):
            "\(name) failed: \(systemErrorText(errno)) (errno \(errno)); "
                + "check that the path exists, may be used and has room"
        case .notARegularFile:
            "this is not a regular file; name a TIFF file"
        case .notATIFF(let found):
            "not a TIFF file, it begins with \(found); "
                + "take it out of the input or choose another source kind"
        case .truncated(let needed, let had):
            "the file ends too early: \(needed) bytes are needed and it has \(had); "
                + "it was cut off or is still being written"
        case .emptyImage(let width, let height):
            "the image is \(height)×\(width), without pixels; the program that wrote it failed"
        case .tooLarge(let what, let claimed, let limit):
            "\(what) would be \(claimed), the limit is \(limit); "
                + "the file is damaged, or the limit has to be raised"
        case .damaged(let fact):
            "damaged: \(fact); get the file again from where it was written"
        case .missingTag:
            "this tag is missing and the image can't be read without it; the file is damaged"
        case .unsupported(let fact):
            "not supported: \(fact); convert the file first"
        case .noSuchPage(let had):
            "there is no such page, the file has \(had)"
        case .byteCountMismatch(let needed, let had):
            "the image has \(needed) bytes, the buffer \(had); give a buffer of exactly its size"
        case .library(let message):
            "libtiff: \(message); the compressed pixels are damaged or of an unknown kind"
        }
    }
}
