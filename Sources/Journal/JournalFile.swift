import Glibc

/// The descriptor of a journal; closes it once.
struct JournalFile: ~Copyable {
    let descriptor: Int32
    let path: String

    /// Opens or makes a journal for one writer; others are kept out by a lock on the file.
    ///
    /// With `isNew` a file that is there already belongs to another writer.
    static func forWriting(
        path: String, isNew: Bool = false
    ) throws(JournalError) -> JournalFile {
        let file: JournalFile
        do {
            file = try JournalFile(
                path: path,
                flags: O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (isNew ? O_EXCL : 0))
        } catch {
            if isNew, case .system(_, _, EEXIST) = error { throw .inUse(path: path) }
            throw error
        }
        // A device such as /dev/null has any number of writers.
        guard try file.isRegular() else { return file }
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            if errno == EWOULDBLOCK { throw .inUse(path: path) }
            throw file.failed("flock")
        }
        return file
    }

    /// Opens a journal for reading; it must exist.
    static func forReading(path: String) throws(JournalError) -> JournalFile {
        try JournalFile(path: path, flags: O_RDONLY | O_CLOEXEC)
    }

    private init(path: String, flags: Int32) throws(JournalError) {
        let descriptor = retrying { open(path, flags, 0o644) }
        guard descriptor >= 0 else {
            throw .system(operation: "open", path: path, errno: errno)
        }
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        // Closing is not enough: a child between fork and exec has a copy of the descriptor, and with it
        // the lock.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    func failed(_ operation: String) -> JournalError {
        .system(operation: operation, path: path, errno: errno)
    }

    /// The present size in bytes.
    func byteCount() throws(JournalError) -> Int { Int(try status().st_size) }

    /// Which file it is, whatever its name.
    func identity() throws(JournalError) -> FileIdentity { FileIdentity(try status()) }

    private func isRegular() throws(JournalError) -> Bool {
        try status().st_mode & S_IFMT == S_IFREG
    }

    private func status() throws(JournalError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failed("fstat") }
        return status
    }

    /// Up to `count` bytes from an offset; fewer only at the end of the file.
    func read(count: Int, at offset: Int) throws(JournalError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                retrying {
                    pread(
                        descriptor, buffer.baseAddress?.advanced(by: have), count - have,
                        offset + have)
                }
            }
            guard got >= 0 else { throw failed("pread") }
            if got == 0 { break }
            have += got
        }
        bytes.removeLast(count - have)
        return bytes
    }

    /// Appends bytes, with one write(2) but where the system takes them in parts.
    func append(_ bytes: [UInt8]) throws(JournalError) {
        var written = 0
        while written < bytes.count {
            let got = bytes.withUnsafeBytes { buffer in
                retrying {
                    write(
                        descriptor, buffer.baseAddress?.advanced(by: written),
                        bytes.count - written)
                }
            }
            guard got >= 0 else { throw failed("write") }
            written += got
        }
    }

    /// Cuts the file to that size; does nothing to what is no regular file.
    func cut(to byteCount: Int) throws(JournalError) {
        guard try isRegular() else { return }
        guard retrying({ ftruncate(descriptor, byteCount) }) == 0 else {
            throw failed("ftruncate")
        }
    }

    /// Waits until the name of a new file is on the disk.
    static func syncFolder(of path: String) throws(JournalError) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let file = try JournalFile(path: folder, flags: O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard retrying({ fsync(file.descriptor) }) == 0 else { throw file.failed("fsync") }
    }

    /// Waits until everything written is on the disk.
    func sync() throws(JournalError) {
        guard retrying({ fdatasync(descriptor) }) == 0 else { throw failed("fdatasync") }
    }
}

/// A file of the machine, whatever its name: device and inode.
struct FileIdentity: Equatable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    /// The file at `path`; nil when there is none that can be looked at.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }
}

/// Calls again as long as a signal interrupts.
func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
