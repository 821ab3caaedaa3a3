internal import CLinux

/// Keeps what a process holds out of files: keys and plain pixels are in its memory.
public enum ProcessMemory {
    /// From now on the process leaves no core dump, and no other process of this user can read its memory.
    /// Call it first of all.
    ///
    /// - Returns: False where the system refused; then the process should not go on.
    public static func protect() -> Bool { cl_forbid_dumps() == 0 }
}
