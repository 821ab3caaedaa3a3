internal import Foundation

/// Moments as people write them on a command line.
enum MomentText {
    /// What it has to be, for errors.
    static let expected =
        "seconds since 1970, a time as 2026-11-21T14:05:09 (here, or with Z or +01:00), or how long ago, as 10min"

    /// Seconds since 1970 of the text of an option.
    static func seconds(_ text: String, option: String) throws(CommandError) -> Double {
        guard let seconds = seconds(text, now: Date().timeIntervalSince1970) else {
            throw CommandError("\(option) is '\(text)': it must be \(expected)")
        }
        return seconds
    }

    /// Seconds since 1970; `now` is the present in the same. A time without a zone is one of this place, a date
    /// alone its midnight. Nil for other texts, and before 1970.
    static func seconds(_ text: String, now: Double) -> Double? {
        let text = text.trimmed
        if let seconds = QuantityText.real(text) { return seconds >= 0 ? seconds : nil }
        if let ago = QuantityText.duration(text) {
            let (seconds, attoseconds) = ago.components
            return max(0, now - Double(seconds) - Double(attoseconds) * 1e-18)
        }
        return calendar(text)
    }

    private static func calendar(_ text: String) -> Double? {
        let form =
            #/(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?/#
        guard let match = text.wholeMatch(of: form)?.output else { return nil }
        func number(_ part: Substring?) -> Int32 { part.flatMap { Int32($0) } ?? 0 }
        var parts = tm()
        parts.tm_year = number(match.1) - 1900
        parts.tm_mon = number(match.2) - 1
        parts.tm_mday = number(match.3)
        parts.tm_hour = number(match.4)
        parts.tm_min = number(match.5)
        parts.tm_sec = number(match.6)
        parts.tm_isdst = -1
        let asked = parts
        let whole = match.8 == nil ? mktime(&parts) : timegm(&parts)
        // The 31st of April becomes the 1st of May: that was not meant.
        guard parts.tm_mday == asked.tm_mday, parts.tm_mon == asked.tm_mon, asked.tm_hour < 24,
            asked.tm_min < 60, asked.tm_sec < 61
        else { return nil }
        let fraction = match.7.flatMap { Double("0\($0)") } ?? 0
        let seconds = Double(whole) + fraction - Double(zoneSeconds(match.8))
        return seconds >= 0 ? seconds : nil
    }

    private static func zoneSeconds(_ zone: Substring?) -> Int {
        guard let zone, zone != "Z" else { return 0 }
        let digits = zone.dropFirst().filter(\.isNumber)
        let seconds = (Int(digits.prefix(2)) ?? 0) * 3600 + (Int(digits.suffix(2)) ?? 0) * 60
        return zone.hasPrefix("-") ? -seconds : seconds
    }
}
