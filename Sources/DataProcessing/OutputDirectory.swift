import CLinux
import Glibc

/// A directory for output files, kept open so that a file costs no walk along its path.
public final class OutputDirectory {
    /// The absolute path, without symbolic links.
    public let path: String
    let descriptor: Int32

    /// Opens the directory at `path`, which may be relative, and makes it and those above it where
    /// they are missing.
    ///
    /// - Throws: `ProcessingError.refused` when it can't be made, opened or written into.
    public init(path: String) throws(ProcessingError) {
        let wanted = path.isEmpty ? "." : path
        try Self.make(wanted)
        descriptor = cl_open(wanted, O_RDONLY | O_DIRECTORY, 0)
        guard descriptor >= 0 else {
            throw .refused(operation: "opening output directory", path: wanted, errno: errno)
        }
        guard faccessat(descriptor, ".", W_OK | X_OK, 0) == 0, let real = realpath(wanted, nil)
        else {
            let code = errno
            close(descriptor)
            throw .refused(operation: "writing into output directory", path: wanted, errno: code)
        }
        self.path = String(cString: real)
        free(real)
    }

    deinit { close(descriptor) }

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

    /// Opens a new file for writing; one that an earlier try of the same attempt left is replaced.
    func create(_ name: String) throws(ProcessingError) -> Int32 {
        let flags = O_WRONLY | O_CREAT | O_EXCL
        var file = cl_open_at(descriptor, name, flags, 0o666)
        if file < 0, errno == EEXIST {
            unlinkat(descriptor, name, 0)
            file = cl_open_at(descriptor, name, flags, 0o666)
        }
        guard file >= 0 else {
            throw .refused(operation: "creating", path: path + "/" + name, errno: errno)
        }
        return file
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
