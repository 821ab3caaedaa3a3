package import Glibc

/// What a read gave.
package enum ReadResult: Equatable, Sendable {
    /// So many bytes came, at least one.
    case bytes(Int)
    /// Nothing is there now (non-blocking descriptors only).
    case wouldBlock
    /// Nothing will come any more.
    case endOfFile
}

/// What a write gave.
package enum WriteResult: Equatable, Sendable {
    /// So many bytes went out; they may be fewer than asked.
    case bytes(Int)
    /// There is no room now (non-blocking descriptors only).
    case wouldBlock
    /// Nobody reads any more.
    case closed
}

extension OwnedDescriptor {
    /// One read(2) into `buffer`, which must not be empty.
    package borrowing func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(PipeError) -> ReadResult {
        precondition(!buffer.isEmpty, "an empty buffer cannot be told from the end")
        while true {
            let count = Glibc.read(rawValue, buffer.baseAddress, buffer.count)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .endOfFile }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: throw .last(.read)
            }
        }
    }

    /// One write(2) of `bytes`. SIGPIPE must be ignored (`ProcessSignals.ignoreBrokenPipe`).
    package borrowing func write(
        from bytes: UnsafeRawBufferPointer
    ) throws(PipeError) -> WriteResult {
        if bytes.isEmpty { return .bytes(0) }
        while true {
            let count = Glibc.write(rawValue, bytes.baseAddress, bytes.count)
            if count >= 0 { return .bytes(count) }
            if let result = try Self.resultOfFailedWrite() { return result }
        }
    }

    /// One writev(2) of `parts`, at most 1024 (IOV_MAX).
    package borrowing func write(
        parts: UnsafeBufferPointer<iovec>
    ) throws(PipeError) -> WriteResult {
        if parts.isEmpty { return .bytes(0) }
        while true {
            let count = writev(rawValue, parts.baseAddress, Int32(parts.count))
            if count >= 0 { return .bytes(count) }
            if let result = try Self.resultOfFailedWrite() { return result }
        }
    }

    /// nil: interrupted, to be repeated.
    private static func resultOfFailedWrite() throws(PipeError) -> WriteResult? {
        switch errno {
        case EINTR: return nil
        case EAGAIN: return .wouldBlock
        case EPIPE, ECONNRESET: return .closed
        default: throw .last(.write)
        }
    }

    /// Writes all of `bytes`, waiting as long as it takes, on blocking and non-blocking
    /// descriptors. Throws EPIPE when nobody reads any more.
    package borrowing func writeAll(_ bytes: UnsafeRawBufferPointer) throws(PipeError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch try write(from: UnsafeRawBufferPointer(rebasing: rest)) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: _ = try waitUntil(.writable)
            case .closed: throw PipeError(.write, errorNumber: EPIPE)
            }
        }
    }

    /// Fills `buffer`, waiting as long as it takes; returns fewer bytes than it holds only at the
    /// end of the file.
    package borrowing func readAll(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(PipeError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            switch try read(into: rest) {
            case .bytes(let count): filled += count
            case .wouldBlock: _ = try waitUntil(.readable)
            case .endOfFile: return filled
            }
        }
        return filled
    }

    /// Waits until the descriptor is ready (an end or an error counts as ready); false when
    /// `timeoutMilliseconds` (-1: none) have passed before.
    package borrowing func waitUntil(
        _ interest: PollInterest, timeoutMilliseconds: Int32 = -1
    ) throws(PipeError) -> Bool {
        var request = pollfd(fd: rawValue, events: 0, revents: 0)
        if interest.contains(.readable) { request.events |= Int16(POLLIN) }
        if interest.contains(.writable) { request.events |= Int16(POLLOUT) }
        let deadline =
            timeoutMilliseconds < 0
            ? nil : ContinuousClock.now.advanced(by: .milliseconds(Int64(timeoutMilliseconds)))
        while true {
            let count = poll(&request, 1, Poller.timeoutMilliseconds(until: deadline))
            if count > 0 { return true }
            if count == 0 { return false }
            if errno != EINTR { throw .last(.wait) }
        }
    }
}
