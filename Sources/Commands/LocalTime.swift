internal import Foundation

/// Moments in the time of this place.
enum LocalTime {
    /// ISO 8601 with microseconds and the distance from UTC: `2026-11-21T14:05:09.250000+01:00`.
    /// `seconds` are since the POSIX epoch.
    static func text(of seconds: Double) -> String {
        // Beyond the years that have four digits it is no time of a run.
        guard seconds.isFinite, (0..<253_402_300_800).contains(seconds) else { return "\(seconds)" }
        let microseconds = Int64((seconds * 1e6).rounded())
        var whole = time_t(microseconds / 1_000_000)
        var parts = tm()
        localtime_r(&whole, &parts)
        let offset = parts.tm_gmtoff / 60
        let date = [
            padded(Int(parts.tm_year) + 1900, 4), padded(Int(parts.tm_mon) + 1, 2),
            padded(Int(parts.tm_mday), 2),
        ].joined(separator: "-")
        let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded(Int($0), 2) }
            .joined(separator: ":")
        let zone = "\(padded(abs(offset) / 60, 2)):\(padded(abs(offset) % 60, 2))"
        return "\(date)T\(time).\(padded(Int(microseconds % 1_000_000), 6))"
            + (offset < 0 ? "-" : "+") + zone
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
