internal import CLinux
internal import Glibc
internal import Pipes
internal import WorkerProtocol

/// Compares files with what the ledger says of them.
enum FileCheck {
    /// What is wrong with the file at `path`; nil when it is the one described.
    static func problem(_ path: String, _ file: StagedFile) -> String? {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else {
            return errno == ENOENT ? "is missing" : "can't be read: \(SystemText.ofError(errno))"
        }
        let descriptor = OwnedDescriptor(owning: number)
        var checksum: UInt32 = 0
        var byteCount: UInt64 = 0
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { chunk.deallocate() }
        do throws(PipeError) {
            while case .bytes(let count) = try descriptor.read(into: chunk) {
                checksum = cl_crc32c(checksum, chunk.baseAddress, count)
                byteCount += UInt64(count)
            }
        } catch {
            return "can't be read: \(error)"
        }
        if byteCount != file.byteCount {
            return "has \(byteCount) bytes, the ledger says \(file.byteCount)"
        }
        if let expected = file.checksum, expected != checksum {
            return "has changed: its checksum is \(checksum), the ledger says \(expected)"
        }
        return nil
    }

    /// Device and number of the file at `path`, nil when there is none.
    static func identity(_ path: String) -> FileIdentity? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return FileIdentity(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
    }
}

/// Which file a name stands for.
struct FileIdentity: Equatable {
    var device: UInt64
    var number: UInt64
}
