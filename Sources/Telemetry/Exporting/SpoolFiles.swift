internal import CLinux
internal import Glibc

/// A file of a spool. Closed when nobody holds it any more.
protocol SpoolFile: AnyObject, Sendable {
    /// The present size.
    func byteCount() throws(SpoolError) -> Int
    /// Up to `count` bytes from an offset; fewer only at the end.
    func read(count: Int, at offset: Int) throws(SpoolError) -> [UInt8]
    /// Adds bytes at the end; when it throws some of them may be there.
    func append(_ bytes: [UInt8]) throws(SpoolError)
    /// Makes the file that short.
    func cut(to byteCount: Int) throws(SpoolError)
    /// Waits until everything written is on the disk.
    func sync() throws(SpoolError)
}

/// The directory of a spool: what the spool needs of the file system, so that tests can break it at any
/// point.
protocol SpoolFiles: Sendable {
    /// The path, for messages.
    var path: String { get }
    /// The names in it, in no order.
    func names() throws(SpoolError) -> [String]
    /// Opens a file; one that is to be made anew is emptied.
    func open(_ name: String, anew: Bool) throws(SpoolError) -> any SpoolFile
    /// Renames over what is there.
    func rename(_ name: String, to other: String) throws(SpoolError)
    /// Removes a file.
    func remove(_ name: String) throws(SpoolError)
    /// Brings names to the disk.
    func sync() throws(SpoolError)
}

/// A directory of the system.
struct SystemSpoolFiles: SpoolFiles {
    let path: String

    func names() throws(SpoolError) -> [String] {
        guard let directory = opendir(path) else { throw failure("opendir", path) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    func open(_ name: String, anew: Bool) throws(SpoolError) -> any SpoolFile {
        let flags = O_RDWR | O_APPEND | (anew ? O_CREAT | O_TRUNC : 0)
        return try SystemSpoolFile(path: "\(path)/\(name)", flags: flags)
    }

    func rename(_ name: String, to other: String) throws(SpoolError) {
        guard Glibc.rename("\(path)/\(name)", "\(path)/\(other)") == 0 else {
            throw failure("rename", "\(path)/\(name)")
        }
    }

    func remove(_ name: String) throws(SpoolError) {
        guard unlink("\(path)/\(name)") == 0 || errno == ENOENT else {
            throw failure("unlink", "\(path)/\(name)")
        }
    }

    func sync() throws(SpoolError) {
        let directory = try SystemSpoolFile(path: path, flags: O_RDONLY | O_DIRECTORY)
        try directory.sync()
    }

    /// Makes the directory with those around it.
    func make() throws(SpoolError) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            if mkdir(made, 0o755) != 0, errno != EEXIST {
                let error = errno
                // A directory that is there may be in one where nothing can be made.
                if access(made, F_OK) == 0 { continue }
                throw .system(operation: "mkdir", path: made, errno: error)
            }
        }
    }
}

/// A file of the system; closes its descriptor once.
final class SystemSpoolFile: SpoolFile {
    let path: String
    let descriptor: Int32

    init(path: String, flags: Int32) throws(SpoolError) {
        let descriptor = cl_open(path, flags, 0o644)
        guard descriptor >= 0 else { throw failure("open", path) }
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func byteCount() throws(SpoolError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("fstat", path) }
        return Int(status.st_size)
    }

    func read(count: Int, at offset: Int) throws(SpoolError) -> [UInt8] {
        var have = 0
        var error: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while have < count, let base = buffer.baseAddress {
                let got = pread(descriptor, base + have, count - have, offset + have)
                if got < 0, errno == EINTR { continue }
                if got < 0 { error = errno }
                if got <= 0 { break }
                have += got
            }
            initialized = have
        }
        guard error == 0 else { throw .system(operation: "pread", path: path, errno: error) }
        return bytes
    }

    func append(_ bytes: [UInt8]) throws(SpoolError) {
        var written = 0
        while written < bytes.count {
            let got = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw failure("write", path) }
            written += got
        }
    }

    func cut(to byteCount: Int) throws(SpoolError) {
        while ftruncate(descriptor, byteCount) != 0 {
            guard errno == EINTR else { throw failure("ftruncate", path) }
        }
    }

    func sync() throws(SpoolError) {
        while fsync(descriptor) != 0 {
            guard errno == EINTR else { throw failure("fsync", path) }
        }
    }
}

private func failure(_ operation: String, _ path: String) -> SpoolError {
    .system(operation: operation, path: path, errno: errno)
}

/// Keeps a directory for one spool, in this process and in others; given back when nobody holds it.
final class SpoolLock: Sendable {
    static let name = "lock"
    private let descriptor: Int32

    /// Takes the lock and writes who has it; throws with who has it where it is taken.
    init(directory: String, owner: String) throws(SpoolError) {
        let path = "\(directory)/\(Self.name)"
        let descriptor = cl_open(path, O_RDWR | O_CREAT, 0o644)
        guard descriptor >= 0 else { throw failure("open", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = errno
            close(descriptor)
            guard error == EWOULDBLOCK else {
                throw .system(operation: "flock", path: path, errno: error)
            }
            throw .inUse(path: directory, holder: Self.holder(directory) ?? "somebody")
        }
        self.descriptor = descriptor
        let text = Array("process \(getpid()) ('\(owner)')\n".utf8)
        // The text is for people; the lock holds without it, also on a full disk.
        _ = ftruncate(descriptor, 0)
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, text.count, 0) }
    }

    deinit {
        _ = ftruncate(descriptor, 0)
        // A child between fork and exec has a copy of the descriptor, and with it the lock.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    /// Who wrote into the lock last; nil where it is empty, because nobody has it.
    static func holder(_ directory: String) -> String? {
        guard let file = try? SystemSpoolFile(path: "\(directory)/\(name)", flags: O_RDONLY),
            let bytes = try? file.read(count: 256, at: 0), !bytes.isEmpty
        else { return nil }
        return String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
    }

    /// Whether somebody has the directory now.
    static func isTaken(_ directory: String) -> Bool {
        let descriptor = cl_open("\(directory)/\(name)", O_RDONLY, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return errno == EWOULDBLOCK }
        flock(descriptor, LOCK_UN)
        return false
    }
}
