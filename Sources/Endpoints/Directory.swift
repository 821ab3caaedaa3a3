internal import Glibc

/// What a path leads to, symbolic links followed.
enum FileKind: Equatable {
    case file
    case folder
    case other

    /// Throws the system's error number when the path can't be followed.
    init(path: String) throws(SystemFailure) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SystemFailure(errorNumber: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: self = .file
        case S_IFDIR: self = .folder
        default: self = .other
        }
    }
}

/// A system call that failed, with its error number.
struct SystemFailure: Error {
    let errorNumber: Int32

    /// Whether it says that there is nothing of that name.
    var isAbsence: Bool { errorNumber == ENOENT || errorNumber == ENOTDIR }
}

/// Reads a folder, entry by entry.
enum Directory {
    /// Calls `body` with the name and kind of every entry of the folder but `.` and `..`, in the order
    /// of the file system. Where `follows` is false, a symbolic link to a folder counts as `other`; one
    /// that leads nowhere counts as a file.
    static func forEach(
        _ path: String, follows: Bool = true, _ body: (String, FileKind) throws(SourceError) -> Void
    ) throws(SourceError) {
        guard let stream = opendir(path.isEmpty ? "." : path) else {
            let failure = SystemFailure(errorNumber: errno)
            if failure.isAbsence { return }
            throw .unreadable(path: path, errorNumber: failure.errorNumber)
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno == 0 { return }
                throw .unreadable(path: path, errorNumber: errno)
            }
            let name = Self.name(entry)
            if name == "." || name == ".." { continue }
            try body(name, kind(entry, path: join(path, name), follows: follows))
        }
    }

    /// `folder` and `name` as one path.
    static func join(_ folder: String, _ name: String) -> String {
        folder.isEmpty ? name : folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    }

    /// The entry's name; bytes that are not UTF-8 are replaced, and such a file can then not be opened,
    /// which is the reason that its frame fails with.
    private static func name(_ entry: UnsafeMutablePointer<dirent>) -> String {
        // The name is read in place: copying the 256-byte array of the structure costs more.
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return "" }
        let start = UnsafeRawPointer(entry) + offset
        return String(cString: start.assumingMemoryBound(to: CChar.self))
    }

    private static func kind(
        _ entry: UnsafeMutablePointer<dirent>, path: String, follows: Bool
    ) -> FileKind {
        // The codes of man 3 readdir; file systems that do not know say 0.
        let (unknown, folder, regular, link): (UInt8, UInt8, UInt8, UInt8) = (0, 4, 8, 10)
        switch entry.pointee.d_type {
        case regular: return .file
        case folder: return .folder
        case unknown, link:
            // A link that leads nowhere is taken for a file: its frame fails, and says why.
            guard let target = try? FileKind(path: path) else { return .file }
            return target == .folder && !follows && entry.pointee.d_type == link ? .other : target
        default: return .other
        }
    }
}
