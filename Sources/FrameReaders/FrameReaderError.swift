public import TIFF

/// Why a frame could not be read: the file, the frame in it, and the reason.
public struct FrameReaderError: Error, Equatable, Sendable {
    /// The reason with its facts.
    public enum Reason: Equatable, Sendable {
        /// The TIFF reader's own error.
        case tiff(TIFFError)
        /// A system call failed with this `errno`.
        case systemCall(name: String, errno: Int32)
        /// The file is a folder, a pipe or a device.
        case notARegularFile
        /// The name does not end like that of a known format.
        case unknownFormat
        /// The file does not begin like an `.npy` file.
        case notNumPy
        /// Bytes that have to be there are beyond the end of the file.
        case truncated(needed: UInt64, had: UInt64)
        /// The file contradicts itself or its format; where in the file, if known.
        case damaged(String, byteOffset: UInt64?)
        /// The file is right, but not of a kind that is read here.
        case unsupported(String)
        /// The file has fewer frames.
        case noSuchFrame(had: Int)
        /// The buffer for the pixels does not have the size of the frame.
        case byteCountMismatch(needed: Int, had: Int)
    }

    /// The file.
    public let path: String
    /// Which frame of the file, 0 the first.
    public let index: Int
    /// Why.
    public let reason: Reason

    /// An error.
    public init(path: String, index: Int = 0, _ reason: Reason) {
        self.path = path
        self.index = index
        self.reason = reason
    }
}

extension FrameReaderError: CustomStringConvertible {
    /// One sentence: the file, the frame, what is wrong and what to do.
    public var description: String {
        if case .tiff(let error) = reason { return error.description }
        return (index > 0 ? "\(path), frame \(index): " : "\(path): ") + text
    }

    private var text: String {
        switch reason {
        case .tiff(let error):
            error.description
        case .systemCall(let name, let errno):
            "\(name) failed: \(systemErrorText(errno)) (errno \(errno)); "
                + "check that the path exists, may be used and has room"
        case .notARegularFile:
            "this is not a regular file; name a TIFF or NumPy file"
        case .unknownFormat:
            "the name ends neither in .tif, .tiff nor .npy; rename the file or leave it out"
        case .notNumPy:
            "not a NumPy file, it does not begin with \\x93NUMPY; "
                + "write it with numpy.save, or choose another source kind"
        case .truncated(let needed, let had):
            "the file ends too early: \(needed) bytes are needed and it has \(had); "
                + "it was cut off or is still being written"
        case .damaged(let fact, let byteOffset):
            "damaged\(byteOffset.map { " at byte \($0)" } ?? ""): \(fact); write it again"
        case .unsupported(let fact):
            "not supported: \(fact); convert the file first"
        case .noSuchFrame(let had):
            "there is no such frame, the file has \(had)"
        case .byteCountMismatch(let needed, let had):
            "the frame has \(needed) bytes, the buffer \(had); give a buffer of exactly its size"
        }
    }
}
