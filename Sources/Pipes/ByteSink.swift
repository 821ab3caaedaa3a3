package import Glibc

/// Where bytes go out without waiting: a non-blocking descriptor, or what stands for one.
package protocol ByteSink: ~Copyable {
    /// Takes some of `bytes`, from their beginning.
    borrowing func write(from bytes: UnsafeRawBufferPointer) throws(PipeError) -> WriteResult

    /// Takes some of `parts`, in their order; there are at most 1024.
    borrowing func write(parts: UnsafeBufferPointer<iovec>) throws(PipeError) -> WriteResult
}

extension OwnedDescriptor: ByteSink {}
