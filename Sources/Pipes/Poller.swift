internal import CLinux
internal import Glibc

/// What one wants to know of a descriptor.
package struct PollInterest: OptionSet, Sendable {
    /// The bits of epoll.
    package let rawValue: UInt32

    /// Bits of epoll.
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bytes, or the end, can be read.
    package static let readable = PollInterest(rawValue: 0x001)
    /// Bytes can be written.
    package static let writable = PollInterest(rawValue: 0x004)
}

/// What happened to one descriptor.
package struct PollEvent: Equatable, Sendable {
    /// What was given with the descriptor.
    package let token: UInt64
    private let bits: UInt32

    init(token: UInt64, bits: UInt32) {
        self.token = token
        self.bits = bits
    }

    /// A read will not block: bytes, the end, or an error are there.
    package var isReadable: Bool {
        bits & UInt32(cl_epoll_in | cl_epoll_hang_up | cl_epoll_error) != 0
    }
    /// A write will not block: there is room, or nobody reads any more.
    package var isWritable: Bool {
        bits & UInt32(cl_epoll_out | cl_epoll_error | cl_epoll_hang_up) != 0
    }
    /// The other side is gone: of a pipe's reading end all writers, of a writing end all readers.
    /// Bytes may still be there to be read.
    package var isHungUp: Bool { bits & UInt32(cl_epoll_hang_up | cl_epoll_error) != 0 }
}

/// Waits for many descriptors at once (man 7 epoll), level-triggered; used by one thread. No wait
/// allocates.
package struct Poller: ~Copyable {
    private let descriptor: OwnedDescriptor
    private let events: UnsafeMutablePointer<cl_epoll_event>
    private let capacity: Int
    private var count = 0

    /// A poller that reports at most `maximumEventCount` events a wait (1 to 64; the others come
    /// with the next one).
    package init(maximumEventCount: Int = 64) throws(PipeError) {
        let number = cl_epoll_create()
        if number < 0 { throw .last(.watch) }
        descriptor = OwnedDescriptor(owning: number)
        capacity = min(64, max(1, maximumEventCount))
        events = .allocate(capacity: capacity)
        events.initialize(repeating: cl_epoll_event(), count: capacity)
    }

    deinit { events.deallocate() }

    /// Begins to watch a descriptor, which must be removed before it is closed. `token` comes back
    /// with its events. With an empty interest only the hang-up is told.
    package func add(
        _ rawValue: Int32, token: UInt64, interest: PollInterest
    ) throws(PipeError) {
        if cl_epoll_add(descriptor.rawValue, rawValue, interest.rawValue, token) != 0 {
            throw .last(.watch)
        }
    }

    /// Changes token and interest of a watched descriptor.
    package func modify(
        _ rawValue: Int32, token: UInt64, interest: PollInterest
    ) throws(PipeError) {
        if cl_epoll_modify(descriptor.rawValue, rawValue, interest.rawValue, token) != 0 {
            throw .last(.watch)
        }
    }

    /// Ends watching a descriptor.
    package func remove(_ rawValue: Int32) throws(PipeError) {
        if cl_epoll_remove(descriptor.rawValue, rawValue) != 0 { throw .last(.watch) }
    }

    /// Waits until something happens or `timeoutMilliseconds` have passed (0: not at all, -1:
    /// without end) and returns the number of events, which the subscript gives until the next
    /// wait. A signal ends the wait with none.
    package mutating func wait(timeoutMilliseconds: Int32 = -1) throws(PipeError) -> Int {
        let result = cl_epoll_wait(
            descriptor.rawValue, events, Int32(capacity), timeoutMilliseconds)
        if result < 0 && errno != EINTR { throw .last(.wait) }
        count = max(0, Int(result))
        return count
    }

    /// Event `index` of the last wait.
    package subscript(index: Int) -> PollEvent {
        precondition(0 <= index && index < count, "an event of the last wait")
        return PollEvent(token: events[index].token, bits: events[index].events)
    }

    /// Milliseconds from now to `deadline` as a timeout for `wait`: rounded up, so that the
    /// deadline has passed when it runs out; 0 when it has, -1 for none.
    package static func timeoutMilliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let (seconds, attoseconds) = ContinuousClock.now.duration(to: deadline).components
        if seconds < 0 || attoseconds < 0 || seconds == 0 && attoseconds == 0 { return 0 }
        let attosecondsPerMillisecond: Int64 = 1_000_000_000_000_000
        let part = (attoseconds + attosecondsPerMillisecond - 1) / attosecondsPerMillisecond
        let longest = Int64(Int32.max) / 1000 - 1
        return Int32(min(seconds, longest) * 1000 + part)
    }
}

// The event memory has one owner, this value, which cannot be copied.
extension Poller: @unchecked Sendable {}

/// Wakes a poller from any thread: readable between `signal` and `drain` (man 2 eventfd).
package final class EventFlag: Sendable {
    private let descriptor: OwnedDescriptor

    /// A flag that is down.
    package init() throws(PipeError) {
        let number = cl_eventfd()
        if number < 0 { throw .last(.makeEvent) }
        descriptor = OwnedDescriptor(owning: number)
    }

    /// The number to give to a poller; valid as long as the flag lives.
    package var rawValue: Int32 { descriptor.rawValue }

    /// Puts the flag up. It stays up until drained, however often it is put up.
    package func signal() {
        var one: UInt64 = 1
        // EAGAIN means that the counter is at its end, and so the flag is up; no other error can
        // be.
        while Glibc.write(descriptor.rawValue, &one, 8) < 0 && errno == EINTR {}
    }

    /// Puts the flag down; true when it was up.
    @discardableResult
    package func drain() -> Bool {
        var count: UInt64 = 0
        while true {
            let result = Glibc.read(descriptor.rawValue, &count, 8)
            if result < 0 && errno == EINTR { continue }
            return result == 8
        }
    }

    /// Waits until the flag is up, then puts it down; false after `timeoutMilliseconds` (-1: none).
    package func wait(timeoutMilliseconds: Int32 = -1) throws(PipeError) -> Bool {
        guard
            try descriptor.waitUntil(.readable, timeoutMilliseconds: timeoutMilliseconds)
        else { return false }
        return drain()
    }
}
