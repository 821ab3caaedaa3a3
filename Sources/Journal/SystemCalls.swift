import Glibc

/// The wall clock: seconds since the Unix epoch.
@Sendable func secondsSinceEpoch() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec / 1000) / 1e6
}

/// The nearest time with whole microseconds, clamped to the years 1970 to 9999; NaN becomes 0.
func wholeMicroseconds(_ seconds: Double) -> Double {
    guard seconds > 0 else { return 0 }
    return (min(seconds, 253_402_300_799) * 1e6).rounded() / 1e6
}

/// The errno of a name that leads to nothing.
let noSuchFile = ENOENT

/// The system's text for an errno.
func systemErrorText(_ errno: Int32) -> String {
    strerror(errno).map { String(cString: $0) } ?? "unknown error"
}

/// Refuses names that are not short, lower case and hyphenated.
func checkEventName(_ name: String) throws(JournalError) {
    let isGood = name.utf8.enumerated().allSatisfy { place, byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): place > 0
        default: false
        }
    }
    guard isGood, (1...64).contains(name.utf8.count) else { throw .invalidName(name) }
}
