internal import CLinux

/// How memory is given back that parts of frames took.
public enum PartMemory {
    /// From now on the allocator of this process keeps what it frees, up to 64 MiB.
    ///
    /// The cryptographic library gives every part of a frame in new memory. Blocks of that size go back to
    /// the system as soon as they are free and come as new pages the next time, which took twice as long as
    /// the cipher. For worker executables, at their start.
    public static func keep() {
        cl_keep_freed_memory(64 << 20, 4 << 20)
    }
}
