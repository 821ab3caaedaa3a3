internal import CLinux
internal import Glibc

/// A descriptor with one owner, which closes it exactly once: when it ends, or before by `close`.
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// The number, for system calls; valid as long as this value lives.
    package let rawValue: Int32

    /// Takes over `rawValue`, which nobody else may close from now on.
    package init(owning rawValue: Int32) {
        precondition(rawValue >= 0, "a descriptor is not negative")
        self.rawValue = rawValue
    }

    deinit { _ = Glibc.close(rawValue) }

    /// Closes now and tells of an error, which the end of the value would swallow. The descriptor
    /// is gone in either case (man 2 close: never repeated on Linux, not even after EINTR).
    package consuming func close() throws(PipeError) {
        let number = rawValue
        discard self
        if Glibc.close(number) != 0 && errno != EINTR { throw .last(.close) }
    }

    /// Gives the number away without closing it.
    package consuming func release() -> Int32 {
        let number = rawValue
        discard self
        return number
    }

    /// Another descriptor of the same open file, close-on-exec, with a number of at least
    /// `minimum`.
    package borrowing func duplicate(atLeast minimum: Int32 = 3) throws(PipeError)
        -> OwnedDescriptor
    {
        try Self.duplicate(rawValue, atLeast: minimum)
    }

    /// Another descriptor of the open file of `rawValue`, close-on-exec, numbered from `minimum`
    /// up.
    package static func duplicate(_ rawValue: Int32, atLeast minimum: Int32 = 3) throws(PipeError)
        -> OwnedDescriptor
    {
        let number = cl_duplicate(rawValue, minimum)
        if number < 0 { throw .last(.duplicate) }
        return OwnedDescriptor(owning: number)
    }

    /// Makes reads and writes return `wouldBlock` instead of waiting. The mode belongs to the open
    /// file: every duplicate, in other processes too, has it.
    package borrowing func setNonblocking(_ on: Bool) throws(PipeError) {
        if cl_set_nonblocking(rawValue, on ? 1 : 0) != 0 { throw .last(.configure) }
    }
}

/// The two ends of a pipe.
package struct PipeEnds: ~Copyable, Sendable {
    /// The end to read from.
    package var reader: OwnedDescriptor
    /// The end to write to.
    package var writer: OwnedDescriptor

    /// Hands both ends on to `body` and returns what it returns.
    package consuming func split<Value: ~Copyable, Failure: Error>(
        _ body: (_ reader: consuming OwnedDescriptor, _ writer: consuming OwnedDescriptor)
            throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try body(reader, writer)
    }
}

/// A pipe, both ends close-on-exec. The capacity (bytes) is a wish: the system rounds it up to
/// pages and refuses more than /proc/sys/fs/pipe-max-size, in which case the pipe keeps its 64
/// KiB.
package func makePipe(capacity: Int? = nil) throws(PipeError) -> PipeEnds {
    var ends: (Int32, Int32) = (-1, -1)
    let result = withUnsafeMutablePointer(to: &ends) { pointer in
        pointer.withMemoryRebound(to: Int32.self, capacity: 2) { cl_pipe($0) }
    }
    if result != 0 { throw .last(.makePipe) }
    if let capacity {
        _ = cl_set_pipe_capacity(ends.1, Int32(clamping: capacity))
    }
    return PipeEnds(
        reader: OwnedDescriptor(owning: ends.0), writer: OwnedDescriptor(owning: ends.1))
}
