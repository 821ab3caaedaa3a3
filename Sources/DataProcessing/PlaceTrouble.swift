import Glibc

/// An error that knows which errno of the operating system is behind it.
///
/// What a writer throws out of `OutputFileStager.stage` should conform: a full disk then holds the
/// frame up instead of failing it.
public protocol OperatingSystemError: Error {
    /// The errno; nil when no system call failed.
    var errorNumber: Int32? { get }
}

extension ProcessingError: OperatingSystemError {
    /// The errno of a refusal, nil for all else.
    public var errorNumber: Int32? {
        if case .refused(_, _, let errno) = self { return errno }
        return nil
    }
}

/// Tells the trouble of a place from that of a frame: a full disk says nothing of the frame that was
/// to be written, which can be tried again when there is room.
enum PlaceTrouble {
    /// Whether an errno of writing, syncing or closing a file speaks of the disk behind it.
    static func isOfDisk(_ code: Int32) -> Bool {
        switch code {
        // Full, over the quota, read-only, broken, or the server of a network file system is away.
        case ENOSPC, EDQUOT, EROFS, EIO, ESTALE, ENOTCONN, ENODEV, ENXIO, ETIMEDOUT: true
        default: false
        }
    }

    /// Whether an errno of making a file speaks of its folder: gone, locked, or as above. The name
    /// of the file holds no slash, so a missing or wrong component is the folder.
    static func isOfFolder(_ code: Int32) -> Bool {
        switch code {
        case ENOENT, ENOTDIR, EACCES, EPERM: true
        default: isOfDisk(code)
        }
    }
}
