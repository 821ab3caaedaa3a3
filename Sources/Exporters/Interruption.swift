internal import CLinux
internal import Glibc
internal import Synchronization

/// What `interrupt` of an exporter sets and every wait of its `deliver` looks at.
///
/// It stays set until the call of `deliver` that sees it returns: an interruption that comes a moment
/// before the call begins is not lost, at the cost of a call that is to be repeated.
final class Interruption: Sendable {
    /// How a wait ended.
    enum Wake {
        /// The descriptor can be used, or has an error that using it will tell.
        case ready
        case timeUp
        case interrupted
    }

    /// Readable as long as the interruption is set, for those who wait by means of their own.
    let descriptor: Int32
    private let isSet = Mutex(false)

    /// Throws when the process has no descriptor left.
    init(exporter: String) throws(ExporterConfigurationError) {
        descriptor = cl_eventfd()
        guard descriptor >= 0 else {
            throw ExporterConfigurationError(
                exporter, "the process has too many open files; raise its limit (ulimit -n)")
        }
    }

    deinit { close(descriptor) }

    var isRequested: Bool { isSet.withLock { $0 } }

    func request() {
        isSet.withLock { isSet in
            guard !isSet else { return }
            isSet = true
            var one: UInt64 = 1
            // It can't fail: the counter is 0, and the descriptor is ours.
            write(descriptor, &one, 8)
        }
    }

    /// The call that was to be interrupted is over.
    func clear() {
        isSet.withLock { isSet in
            guard isSet else { return }
            isSet = false
            var count: UInt64 = 0
            read(descriptor, &count, 8)
        }
    }

    /// Waits until a descriptor can be read (`POLLIN`) or written (`POLLOUT`); without one, for the time.
    func wait(
        for events: Int32, on other: Int32 = -1, until deadline: ContinuousClock.Instant
    ) -> Wake {
        var descriptors = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other, events: Int16(events), revents: 0),
        ]
        while true {
            if isRequested { return .interrupted }
            let milliseconds = deadline.millisecondsFromNow
            // A signal ends the wait early; it begins again with what is left of the time.
            let count = poll(&descriptors, 2, Int32(clamping: milliseconds))
            if count > 0, descriptors[0].revents != 0 { return .interrupted }
            if count > 0 { return .ready }
            if milliseconds == 0 { return .timeUp }
        }
    }
}

extension ContinuousClock.Instant {
    /// Whole milliseconds until this moment, rounded up; 0 when it has passed.
    var millisecondsFromNow: Int {
        max(.zero, ContinuousClock.now.duration(to: self)).milliseconds
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, at most a day: no wait is longer.
    var milliseconds: Int {
        if self >= .seconds(86_400) { return 86_400_000 }
        let (seconds, attoseconds) = components
        return Int(seconds) * 1000
            + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
