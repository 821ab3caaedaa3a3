/// The page of shared memory in which a worker says what it is doing, without a message.
///
/// All fields are 64-bit words in the machine's byte order, written by the worker alone with
/// release ordering and read by the controller with acquire ordering.
package enum StatusPage {
    /// Bytes of the page: one page of memory on x86-64 and most of arm64.
    package static let byteCount = 4096
    /// Request id of the frame that is being processed, 0 while none is.
    package static let requestIdOffset = 0
    /// When that began: nanoseconds of the monotonic clock of the machine.
    package static let startedOffset = 8
    /// Frames begun in this life of the worker.
    package static let begunOffset = 16
    /// Frames finished in this life of the worker.
    package static let finishedOffset = 24
}
