internal import Glibc

/// How far a flush came.
package enum FlushResult: Equatable, Sendable {
    /// Everything is with the other side.
    case drained
    /// The pipe is full: flush again when it is writable.
    case wouldBlock
    /// Nobody reads any more; what was pending stays and can only be abandoned.
    case closed
}

/// Bytes on their way to a non-blocking pipe. It keeps what the pipe has no room for, up to a
/// maximum; payloads (pixels inline) are only pointed at, and go out in their place between the
/// bytes without being copied here.
///
/// The owner asks `hasRoom` before it makes more: that is the back-pressure.
package struct OutgoingBuffer: ~Copyable {
    private struct Payload {
        var region: UnsafeRawBufferPointer
        var token: UInt64
        /// The number of the first byte of `bytes` that comes after it, counted from the beginning.
        var position: UInt64
    }

    /// Most payloads on their way at once: twice the 1024 frames that a worker may have credit for.
    package static let maximumPayloadCount = 2048
    /// Payloads for which there is room from the beginning.
    private static let usualPayloadCount = 64

    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private var head = 0
    private var tail = 0
    /// The number of the byte at `head`, counted from the beginning.
    private var headPosition: UInt64 = 0
    private var payloads: [Payload] = []
    private var finished: [UInt64] = []
    private let parts: UnsafeMutablePointer<iovec>
    private let maximumByteCount: Int

    /// Most parts of one writev(2): enough for several messages with payloads.
    private static let maximumPartCount = 16

    /// An empty buffer that keeps at most `maximumByteCount` bytes (payloads not counted: they lie
    /// elsewhere). Standard 256 KiB: four pipes full, so that a batch is never torn apart by it.
    package init(maximumByteCount: Int = 256 << 10) {
        self.maximumByteCount = maximumByteCount
        capacity = 4096
        base = .allocate(byteCount: capacity, alignment: 16)
        parts = .allocate(capacity: Self.maximumPartCount)
        payloads.reserveCapacity(Self.usualPayloadCount)
        finished.reserveCapacity(Self.usualPayloadCount)
    }

    deinit {
        base.deallocate()
        parts.deallocate()
    }

    /// Bytes that wait here, payloads not counted.
    package var pendingByteCount: Int { tail - head }

    /// Whether nothing waits.
    package var isDrained: Bool { head == tail && payloads.isEmpty }

    /// Whether `append` would take `byteCount` bytes. When nothing waits, one piece of any size has
    /// room, so that a message over the maximum can go out at all.
    package func hasRoom(for byteCount: Int = 1) -> Bool {
        payloads.count + finished.count < Self.maximumPayloadCount
            && (isDrained || tail - head + byteCount <= maximumByteCount)
    }

    /// Copies `bytes` behind what waits; false, and nothing taken, where there is no room.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard hasRoom(for: bytes.count) else { return false }
        keep(bytes)
        return true
    }

    private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
        reserve(bytes.count)
        (base + tail).copyMemory(from: source, byteCount: bytes.count)
        tail += bytes.count
    }

    /// Puts a payload behind what waits without copying it: `region` must stay valid and
    /// unchanged until `takeFinishedPayload` gives `token` back, or `abandon` was called. False,
    /// and nothing taken, where too many are on their way; never so when it follows the header
    /// that `append` took and `hasRoom` was asked before.
    package mutating func appendPayload(_ region: UnsafeRawBufferPointer, token: UInt64) -> Bool {
        guard payloads.count + finished.count < Self.maximumPayloadCount else { return false }
        let position = headPosition + UInt64(tail - head)
        payloads.append(Payload(region: region, token: token, position: position))
        return true
    }

    /// Writes `bytes` at once where nothing waits, and keeps what the pipe did not take: the usual
    /// way, without a copy. nil, and nothing taken, where there is no room to keep it.
    package mutating func send<Sink: ByteSink & ~Copyable>(
        _ bytes: UnsafeRawBufferPointer, to sink: borrowing Sink
    ) throws(PipeError) -> FlushResult? {
        guard hasRoom(for: bytes.count) else { return nil }
        guard isDrained else {
            keep(bytes)
            return try flush(to: sink)
        }
        var rest = bytes
        while !rest.isEmpty {
            switch try sink.write(from: rest) {
            case .bytes(let count): rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            case .closed: return .closed
            case .wouldBlock:
                keep(rest)
                return .wouldBlock
            }
        }
        return .drained
    }

    /// Writes as much as the pipe takes.
    package mutating func flush<Sink: ByteSink & ~Copyable>(
        to sink: borrowing Sink
    ) throws(PipeError) -> FlushResult {
        while !isDrained {
            finishEmptyPayloads()
            let count = gatherParts()
            if count == 0 { break }
            switch try sink.write(parts: UnsafeBufferPointer(start: parts, count: count)) {
            case .bytes(let byteCount): consume(byteCount)
            case .wouldBlock: return .wouldBlock
            case .closed: return .closed
            }
        }
        return .drained
    }

    /// The token of a payload that is wholly out and whose memory is free again; nil when there is
    /// none. Ask after every flush, until nil.
    package mutating func takeFinishedPayload() -> UInt64? { finished.popLast() }

    /// Forgets everything that waits; all payload regions are free again, their tokens are not
    /// told.
    package mutating func abandon() {
        headPosition += UInt64(tail - head)
        head = 0
        tail = 0
        payloads.removeAll(keepingCapacity: true)
        finished.removeAll(keepingCapacity: true)
    }

    // MARK: Parts

    private mutating func gatherParts() -> Int {
        var count = 0
        var place = head
        for payload in payloads where count < Self.maximumPartCount {
            let before = head + Int(payload.position - headPosition)
            if before > place {
                parts[count] = iovec(iov_base: base + place, iov_len: before - place)
                place = before
                count += 1
            }
            if count < Self.maximumPartCount {
                let start = UnsafeMutableRawPointer(mutating: payload.region.baseAddress)
                parts[count] = iovec(iov_base: start, iov_len: payload.region.count)
                count += 1
            }
        }
        if count < Self.maximumPartCount && tail > place {
            parts[count] = iovec(iov_base: base + place, iov_len: tail - place)
            count += 1
        }
        return count
    }

    private mutating func consume(_ byteCount: Int) {
        var rest = byteCount
        while rest > 0 {
            let untilPayload = payloads.first.map { Int($0.position - headPosition) }
            let plain = min(rest, untilPayload ?? (tail - head))
            head += plain
            headPosition += UInt64(plain)
            rest -= plain
            if rest > 0, let payload = payloads.first {
                let part = min(rest, payload.region.count)
                payloads[0].region = UnsafeRawBufferPointer(rebasing: payload.region[part...])
                rest -= part
            }
            finishEmptyPayloads()
        }
        if head == tail {
            head = 0
            tail = 0
        }
    }

    private mutating func finishEmptyPayloads() {
        while let payload = payloads.first, payload.region.isEmpty,
            payload.position == headPosition
        {
            finished.append(payload.token)
            payloads.removeFirst()
        }
    }

    private mutating func reserve(_ more: Int) {
        if capacity - tail >= more { return }
        let pending = tail - head
        if pending + more <= capacity {
            base.copyMemory(from: base + head, byteCount: pending)
        } else {
            let larger = max(capacity * 2, pending + more)
            let memory = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
            memory.copyMemory(from: base + head, byteCount: pending)
            base.deallocate()
            base = memory
            capacity = larger
        }
        head = 0
        tail = pending
    }
}

// The memory has one owner, this value; payload regions are kept valid by who appended them.
extension OutgoingBuffer: @unchecked Sendable {}
