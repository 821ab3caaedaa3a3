import CLinux
import Glibc

/// A file without a disk, for readers that open one by its path.
final class MemoryFile {
    let descriptor: Int32
    /// Opens anew on every open(2), so that readers have positions of their own (man 5 proc).
    let path: String

    init() {
        descriptor = cl_memfd_create("fuzz")
        precondition(descriptor >= 0, "the system gives no file in memory")
        path = "/proc/self/fd/\(descriptor)"
    }

    deinit { close(descriptor) }

    /// Makes these its bytes.
    func store(_ bytes: UnsafeRawBufferPointer) {
        precondition(ftruncate(descriptor, 0) == 0, "a file in memory can be cut")
        append(bytes)
    }

    /// Adds bytes at the end.
    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        let end = lseek(descriptor, 0, SEEK_END)
        precondition(
            pwrite(descriptor, start, bytes.count, end) == bytes.count, "memory takes all of it")
    }

    /// Empties it for a writer that begins at its position.
    func rewind() {
        precondition(ftruncate(descriptor, 0) == 0, "a file in memory can be cut")
        precondition(lseek(descriptor, 0, SEEK_SET) == 0, "a file in memory can be rewound")
    }

    /// What is in it.
    var bytes: [UInt8] {
        let count = Int(lseek(descriptor, 0, SEEK_END))
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            used = max(0, pread(descriptor, buffer.baseAddress, count, 0))
        }
    }
}
