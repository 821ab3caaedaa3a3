import CLinux
import Glibc

/// A directory for output files, kept open so that a file costs no walk along its path.
///
/// When the path leads to another directory than before (it was moved away and made again, or a file
/// system was mounted there), that one is used; one that vanished is waited for and never made again,
/// for its file system may just not be mounted.
public final class OutputDirectory {
    /// The absolute path, without symbolic links where it could be resolved.
    public let path: String
    private(set) var descriptor: Int32
    private var identity = Identity()
    /// When the path was last seen to lead here, in nanoseconds of the monotonic clock.
    private var checkedNanoseconds: UInt64 = 0

    /// Time after which a new file looks whether the path still leads here: a system call for a few
    /// of ten files a second and for none of ten thousand.
    private static let checkPeriodNanoseconds: UInt64 = 100_000_000

    /// Whether directories are expected to be there: set while the chain of a worker starts that
    /// replaces another. They are then neither made nor is their absence an error before a file is.
    @TaskLocal package static var areExpected = false

    /// Which directory it is, whatever its path.
    private struct Identity: Equatable {
        var device: UInt = 0
        var inode: UInt = 0

        init() {}
        init(_ status: stat) {
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
        }
    }

    /// Opens the directory at `path`, which may be relative, and makes it and those above it where
    /// they are missing.
    ///
    /// - Throws: `ProcessingError.refused` when it can't be made, opened or written into.
    public init(path: String) throws(ProcessingError) {
        let wanted = path.isEmpty ? "." : path
        let isExpected = Self.areExpected
        if !isExpected { try Self.make(wanted) }
        descriptor = cl_open(wanted, O_RDONLY | O_DIRECTORY, 0)
        let code = errno
        if descriptor < 0 {
            guard isExpected, PlaceTrouble.isOfFolder(code) else {
                throw .refused(operation: "opening output directory", path: wanted, errno: code)
            }
            self.path = Self.absolute(wanted)
            return
        }
        guard isExpected || faccessat(descriptor, ".", W_OK | X_OK, 0) == 0,
            let real = realpath(wanted, nil)
        else {
            let code = errno
            close(descriptor)
            throw .refused(operation: "writing into output directory", path: wanted, errno: code)
        }
        self.path = String(cString: real)
        free(real)
        var status = stat()
        if fstat(descriptor, &status) == 0 { identity = Identity(status) }
        checkedNanoseconds = monotonicNanoseconds()
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    private static func make(_ path: String) throws(ProcessingError) {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            prefix += part
            if mkdir(prefix, 0o777) != 0, errno != EEXIST, access(prefix, F_OK) != 0 {
                throw .refused(operation: "making output directory", path: path, errno: errno)
            }
            prefix += "/"
        }
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        return String(cString: current) + "/" + path
    }

    /// Opens a new file for writing; one that an earlier try of the same attempt left is replaced.
    func create(_ name: String) throws(ProcessingError) -> Int32 {
        let now = monotonicNanoseconds()
        if now &- checkedNanoseconds > Self.checkPeriodNanoseconds {
            try followPath()
            checkedNanoseconds = now
        }
        var file = open(name)
        if file < 0, PlaceTrouble.isOfFolder(errno) {
            let code = errno
            checkedNanoseconds = 0
            guard try followPath() else {
                throw .refused(operation: "creating", path: path + "/" + name, errno: code)
            }
            file = open(name)
        }
        guard file >= 0 else {
            throw .refused(operation: "creating", path: path + "/" + name, errno: errno)
        }
        return file
    }

    private func open(_ name: String) -> Int32 {
        let flags = O_WRONLY | O_CREAT | O_EXCL
        let file = cl_open_at(descriptor, name, flags, 0o666)
        guard file < 0, errno == EEXIST else { return file }
        // On a disk that is read-only now the old file stays, and that is what is told.
        guard unlinkat(descriptor, name, 0) == 0 || errno == ENOENT else { return -1 }
        return cl_open_at(descriptor, name, flags, 0o666)
    }

    /// Opens the directory that has the path now, unless it is the one that is open; true when it is
    /// another. Errors come again with every file until the path leads somewhere.
    @discardableResult
    private func followPath() throws(ProcessingError) -> Bool {
        var status = stat()
        if descriptor >= 0, stat(path, &status) == 0, Identity(status) == identity { return false }
        let found = cl_open(path, O_RDONLY | O_DIRECTORY, 0)
        guard found >= 0 else {
            throw .refused(operation: "opening output directory", path: path, errno: errno)
        }
        guard fstat(found, &status) == 0 else {
            let code = errno
            close(found)
            throw .refused(operation: "opening output directory", path: path, errno: code)
        }
        if descriptor >= 0 { close(descriptor) }
        descriptor = found
        identity = Identity(status)
        return true
    }

    /// Removes a file; nothing when there is none.
    func remove(_ name: String) { unlinkat(descriptor, name, 0) }

    /// Gives a finished file its final name, replacing only with `overwrite`.
    func publish(_ staged: String, as name: String, overwrite: Bool) throws(ProcessingError) {
        let result =
            overwrite
            ? renameat(descriptor, staged, descriptor, name)
            : cl_rename_no_replace_at(descriptor, staged, name)
        guard result == 0 else {
            let code = errno
            let target = path + "/" + name
            throw code == EEXIST
                ? .nameTaken(path: target)
                : .refused(operation: "naming the file", path: target, errno: code)
        }
    }
}

/// The system's text for an errno, with the number.
package func errorText(_ code: Int32) -> String {
    "\(strerror(code).map { String(cString: $0) } ?? "unknown error") (errno \(code))"
}
