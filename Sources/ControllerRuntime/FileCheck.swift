internal import CLinux
internal import Glibc
internal import Pipes
internal import WorkerProtocol

/// Compares files with what the ledger says of them.
enum FileCheck {
    /// What is wrong with the file at `path`; nil when it is the one described.
    static func problem(_ path: String, _ file: StagedFile) -> String? {
        // Without waiting: somebody may have put a pipe there.
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else {
            return errno == ENOENT ? "is missing" : "can't be read: \(SystemText.ofError(errno))"
        }
        let descriptor = OwnedDescriptor(owning: number)
        var status = stat()
        guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return "is no file any more"
        }
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

    /// Whether two files can be read and have the same bytes.
    static func areSame(_ first: String, _ second: String) -> Bool {
        var numbers: [Int32] = []
        defer { for number in numbers { close(number) } }
        for path in [first, second] {
            let number = open(path, O_RDONLY | O_CLOEXEC)
            guard number >= 0 else { return false }
            numbers.append(number)
        }
        let chunkByteCount = 1 << 20
        let chunks = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 2 * chunkByteCount, alignment: 64)
        defer { chunks.deallocate() }
        let left = UnsafeMutableRawBufferPointer(rebasing: chunks[..<chunkByteCount])
        let right = UnsafeMutableRawBufferPointer(rebasing: chunks[chunkByteCount...])
        while true {
            guard let count = read(numbers[0], into: left),
                let other = read(numbers[1], into: right), count == other,
                count == 0 || memcmp(left.baseAddress!, right.baseAddress!, count) == 0
            else { return false }
            if count < chunkByteCount { return true }
        }
    }

    /// Fills the chunk unless the file ends before; the bytes read, nil when it can't be read.
    private static func read(_ file: Int32, into chunk: UnsafeMutableRawBufferPointer) -> Int? {
        var filled = 0
        while filled < chunk.count {
            let count = Glibc.read(file, chunk.baseAddress! + filled, chunk.count - filled)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            filled += count
        }
        return filled
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
