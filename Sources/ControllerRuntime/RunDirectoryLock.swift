internal import CLinux
internal import Glibc
internal import Pipes

/// The lock of a run directory, held until this value goes.
struct RunDirectoryLock: ~Copyable, Sendable {
    // Linux, fcntl.h; Glibc hides them behind _GNU_SOURCE.
    private static let getLock: Int32 = 36  // F_OFD_GETLK
    private static let setLock: Int32 = 37  // F_OFD_SETLK
    private static let setLockAndWait: Int32 = 38  // F_OFD_SETLKW

    private let file: OwnedDescriptor

    /// Takes the lock of an open run directory.
    init(
        taking path: String, descriptor: borrowing OwnedDescriptor
    ) throws(ControllerError) {
        let name = RunDirectory.File.lock.rawValue
        let number = cl_open_at(descriptor.rawValue, name, O_RDWR | O_CREAT, 0o666)
        if number < 0 { throw RunDirectory.failure("make the lock of the run directory", path) }
        let file = OwnedDescriptor(owning: number)
        var request = Self.wholeFile
        if fcntl(file.rawValue, Self.setLock, &request) != 0 {
            guard errno == EAGAIN || errno == EACCES else {
                throw RunDirectory.failure("lock the run directory", path)
            }
            let holder = Self.holder(of: descriptor).map { " (process \($0))" } ?? ""
            throw ControllerError(
                .runDirectory,
                "the run directory \(path) is in use by another run\(holder): "
                    + "wait until it ends or give another --run-dir")
        }
        self.file = file
    }

    /// Replaces the text of the lock file.
    borrowing func write(_ text: String, path: String) throws(ControllerError) {
        let bytes = Array(text.utf8)
        if ftruncate(file.rawValue, 0) != 0
            || pwrite(file.rawValue, bytes, bytes.count, 0) != bytes.count
        {
            throw RunDirectory.failure("write the lock of the run directory", path)
        }
    }

    /// Whether a process holds the lock; nil when there is no lock file.
    static func isHeld(in descriptor: borrowing OwnedDescriptor) -> Bool? {
        let name = RunDirectory.File.lock.rawValue
        let number = cl_open_at(descriptor.rawValue, name, O_RDONLY, 0)
        if number < 0 { return nil }
        let file = OwnedDescriptor(owning: number)
        // A question about a writing lock is allowed on a file that is open for reading only.
        var request = wholeFile
        guard fcntl(file.rawValue, getLock, &request) == 0 else { return false }
        return request.l_type != Int16(F_UNLCK)
    }

    /// Waits until no process holds the lock.
    static func waitUntilFree(in descriptor: borrowing OwnedDescriptor) {
        let name = RunDirectory.File.lock.rawValue
        let number = cl_open_at(descriptor.rawValue, name, O_RDONLY, 0)
        if number < 0 { return }
        // A reading lock may be held on a file open for reading; it goes with the descriptor.
        let file = OwnedDescriptor(owning: number)
        var request = wholeFile
        request.l_type = Int16(F_RDLCK)
        while fcntl(file.rawValue, setLockAndWait, &request) != 0, errno == EINTR {}
    }

    /// The process that wrote the lock file, nil when it has not done so yet.
    static func holder(of descriptor: borrowing OwnedDescriptor) -> Int32? {
        let name = RunDirectory.File.lock.rawValue
        let number = cl_open_at(descriptor.rawValue, name, O_RDONLY, 0)
        if number < 0 { return nil }
        let file = OwnedDescriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = pread(file.rawValue, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        let line = bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }
        return Int32(String(decoding: line, as: UTF8.self))
    }

    /// The name of the run that the lock file holds, nil when there is none.
    static func runId(in descriptor: borrowing OwnedDescriptor) -> String? {
        let name = RunDirectory.File.lock.rawValue
        let number = cl_open_at(descriptor.rawValue, name, O_RDONLY, 0)
        if number < 0 { return nil }
        let file = OwnedDescriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = pread(file.rawValue, &bytes, bytes.count, 0)
        let lines = bytes.prefix(max(0, count)).split(separator: UInt8(ascii: "\n"))
        return lines.count < 2 ? nil : String(decoding: lines[1], as: UTF8.self)
    }

    private static var wholeFile: flock {
        flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
    }
}
