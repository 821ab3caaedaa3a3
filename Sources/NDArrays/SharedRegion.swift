internal import CLinux
internal import Glibc

/// Memory that the controller shares with its workers: a sealed memory file, mapped once.
///
/// Pages come into being when they are first touched (man 2 memfd_create); the memory goes with the
/// last process that has it mapped or open.
package struct SharedRegion: ~Copyable, @unchecked Sendable {
    // Unchecked: base address and descriptor never change; who may write which bytes is the owner's
    // rule.
    /// First byte of the mapping.
    package let base: UnsafeMutableRawPointer
    /// Bytes of the mapping.
    package let byteCount: Int
    /// Descriptor with read and write access, close-on-exec.
    package let descriptor: Int32
    /// The same memory opened read-only, close-on-exec: what input pools hand to workers.
    package let readOnlyDescriptor: Int32

    /// Most bytes of one region, 64 TiB: more is a miscalculated pool.
    package static let maximumByteCount = 1 << 46

    /// A region of `byteCount` bytes (rounded up to whole pages) that can neither grow nor shrink.
    ///
    /// - Throws: `NDArrayError.memoryRefused` with the call that failed.
    package init(name: String, byteCount: Int) throws(NDArrayError) {
        guard (1...Self.maximumByteCount).contains(byteCount) else {
            throw .memoryRefused(
                operation: "creating shared memory", byteCount: byteCount, errno: EINVAL)
        }
        let rounded = Self.roundedToPages(byteCount)
        let descriptor = cl_memfd_create(name)
        guard descriptor >= 0 else { throw Self.refused("creating shared memory", rounded) }
        guard ftruncate(descriptor, rounded) == 0 else {
            throw Self.refused("sizing shared memory", rounded, closing: descriptor)
        }
        let seals = UInt32(cl_seal_shrink | cl_seal_grow | cl_seal_seal)
        guard cl_add_seals(descriptor, seals) == 0 else {
            throw Self.refused("sealing shared memory", rounded, closing: descriptor)
        }
        let readOnly = cl_reopen_read_only(descriptor)
        guard readOnly >= 0 else {
            throw Self.refused("opening shared memory read-only", rounded, closing: descriptor)
        }
        guard let base = cl_map_shared(descriptor, 0, rounded, 1) else {
            close(readOnly)
            throw Self.refused("mapping shared memory", rounded, closing: descriptor)
        }
        self.base = base
        self.byteCount = rounded
        self.descriptor = descriptor
        self.readOnlyDescriptor = readOnly
    }

    deinit {
        cl_unmap(base, byteCount)
        close(readOnlyDescriptor)
        close(descriptor)
    }

    /// `byteCount` rounded up to whole pages of 4096 bytes.
    package static func roundedToPages(_ byteCount: Int) -> Int { (byteCount + 4095) & ~4095 }

    private static func refused(
        _ operation: String, _ byteCount: Int, closing descriptor: Int32? = nil
    ) -> NDArrayError {
        let code = errno
        if let descriptor { close(descriptor) }
        return .memoryRefused(operation: operation, byteCount: byteCount, errno: code)
    }
}

/// A worker's view of memory that it inherited as a descriptor.
package struct MappedRegion: ~Copyable, @unchecked Sendable {
    // Unchecked: base address and size never change; slots say who may write which bytes.
    /// First byte of the mapping; writing to a read-only one ends the process with SIGSEGV.
    package let base: UnsafeMutableRawPointer
    /// Bytes of the mapping.
    package let byteCount: Int

    /// Maps `byteCount` bytes of `descriptor`, which stays the caller's.
    ///
    /// - Throws: `NDArrayError.memoryRefused`, also when writing is not allowed to this descriptor;
    ///   `byteCountMismatch` when its file is shorter: touching what is not there would end the
    ///   process with SIGBUS.
    package init(
        descriptor: Int32, byteCount: Int, isWritable: Bool
    ) throws(NDArrayError) {
        guard byteCount > 0 else {
            throw .memoryRefused(
                operation: "mapping descriptor \(descriptor)", byteCount: byteCount, errno: EINVAL)
        }
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_size < byteCount {
            throw .byteCountMismatch(needed: byteCount, had: Int(status.st_size))
        }
        guard let base = cl_map_shared(descriptor, 0, byteCount, isWritable ? 1 : 0) else {
            throw .memoryRefused(
                operation: "mapping descriptor \(descriptor)", byteCount: byteCount, errno: errno)
        }
        self.base = base
        self.byteCount = byteCount
    }

    deinit { cl_unmap(base, byteCount) }
}
