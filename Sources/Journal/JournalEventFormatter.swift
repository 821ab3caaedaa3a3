internal import Glibc

/// Events as lines of text: `time name key=value …`, with values as compact JSON; or as JSON lines.
public struct JournalEventFormatter: Sendable {
    /// What a line is.
    public enum Form: String, Sendable, Hashable, CaseIterable {
        /// For people.
        case text
        /// The event as a line of a journal has it.
        case json
    }

    /// How a time is written in a line for people.
    public enum Time: String, Sendable, Hashable, CaseIterable {
        /// Seconds since 1970 with six decimals.
        case raw
        /// ISO 8601 in the time of this place, with microseconds (cut, not rounded) and the distance from UTC,
        /// `Z` where that is nothing.
        case iso
        /// Seconds since the first event, with six decimals.
        case offset
        /// `[Nov21 17:45]`, then `[  +0.012345]`, seconds since that line; a minute after it the next of the
        /// first kind.
        case human
    }

    /// What a line is.
    public let form: Form
    /// How times are written.
    public let time: Time
    private let hasColour: Bool
    private let secondsFromUTC: @Sendable (Int) -> Int
    /// The time that offsets are from.
    private var origin: Double?

    /// A formatter for lines that follow one another. `secondsFromUTC` gives the distance of the place from UTC
    /// at a moment (seconds since 1970), positive to the east; nil means the system's time zone.
    public init(
        form: Form = .text, time: Time = .human, hasColour: Bool = false,
        secondsFromUTC: (@Sendable (Int) -> Int)? = nil
    ) {
        self.form = form
        self.time = time
        self.hasColour = hasColour
        self.secondsFromUTC = secondsFromUTC ?? Self.localSecondsFromUTC
    }

    /// The line of the next event, without its end.
    ///
    /// - Throws: `JournalError` where its context can't be written as JSON.
    public mutating func line(_ event: JournalEvent) throws(JournalError) -> String {
        if form == .json {
            return String(decoding: try event.line().dropLast(), as: UTF8.self)
        }
        let (stamp, isAbsolute) = stamp(event.timestamp)
        var line = painted(stamp, isAbsolute && time == .human ? .boldGreen : .green)
        line += " " + painted(event.name, event.isTrouble ? .boldRed : .yellow)
        for field in event.context {
            line += " " + painted(Self.key(field.key), .blue) + "=" + (try field.value.json())
        }
        return line
    }

    /// A key as it is where it is a plain word, else as JSON text, so that a line never drives a terminal.
    private static func key(_ key: String) -> String {
        let isPlain = key.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "=") && byte != UInt8(ascii: "\"")
        }
        if isPlain, !key.isEmpty { return key }
        var encoding = JSONEncoding()
        encoding.append(key)
        return String(decoding: encoding.bytes, as: UTF8.self)
    }

    // MARK: - Times

    private mutating func stamp(_ timestamp: Double) -> (String, isAbsolute: Bool) {
        let microseconds = Self.microseconds(timestamp)
        let from = origin ?? timestamp
        let offset = microseconds - Self.microseconds(from)
        switch time {
        case .raw: return (Self.decimal(microseconds), true)
        case .iso: return (iso(microseconds), true)
        case .offset:
            origin = from
            return (Self.decimal(offset), false)
        case .human:
            if origin != nil, abs(offset) < 60_000_000 {
                let text = (offset < 0 ? "" : "+") + Self.decimal(offset)
                let room = String(repeating: " ", count: max(0, 11 - text.utf8.count))
                return ("[\(room)\(text)]", false)
            }
            origin = timestamp
            let date = date(microseconds)
            let month = Self.months[date.month - 1]
            return (
                "[\(month)\(Self.two(date.day)) \(Self.two(date.hour)):\(Self.two(date.minute))]",
                true
            )
        }
    }

    private func iso(_ microseconds: Int64) -> String {
        let date = date(microseconds)
        let day =
            "\(JSONEncoding.padded(UInt64(date.year), 4))-\(Self.two(date.month))-\(Self.two(date.day))"
        let clock = "\(Self.two(date.hour)):\(Self.two(date.minute)):\(Self.two(date.second))"
        let fraction = JSONEncoding.padded(UInt64(microseconds % 1_000_000), 6)
        let minutes = abs(date.secondsFromUTC) / 60
        let zone =
            minutes == 0
            ? "Z"
            : (date.secondsFromUTC < 0 ? "-" : "+") + Self.two(minutes / 60) + ":"
                + Self.two(minutes % 60)
        return "\(day)T\(clock).\(fraction)\(zone)"
    }

    private struct Date {
        var year, month, day, hour, minute, second, secondsFromUTC: Int
    }

    private func date(_ microseconds: Int64) -> Date {
        let seconds = Int(microseconds / 1_000_000)
        let distance = secondsFromUTC(seconds)
        var moment = max(0, seconds + distance)
        var parts = tm()
        gmtime_r(&moment, &parts)
        return Date(
            year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday),
            hour: Int(parts.tm_hour), minute: Int(parts.tm_min), second: Int(parts.tm_sec),
            secondsFromUTC: distance)
    }

    @Sendable private static func localSecondsFromUTC(_ seconds: Int) -> Int {
        var moment = seconds
        var parts = tm()
        localtime_r(&moment, &parts)
        return Int(parts.tm_gmtoff)
    }

    /// Whole microseconds, cut; but what a 64-bit float can't tell from the next whole one is that one. Times
    /// before 1970 and after 9999 are taken for those.
    private static func microseconds(_ seconds: Double) -> Int64 {
        guard seconds > 0 else { return 0 }
        let exact = min(seconds, 253_402_300_799) * 1e6
        let nearest = exact.rounded()
        // Half the distance of two floats of this size, in microseconds.
        return Int64(
            abs(exact - nearest) <= seconds.ulp * 0.5e6 + 1e-3 ? nearest : exact.rounded(.down))
    }

    /// Seconds with six decimals.
    private static func decimal(_ microseconds: Int64) -> String {
        let (whole, fraction) = microseconds.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
        return (microseconds < 0 ? "-" : "") + "\(whole)." + JSONEncoding.padded(fraction, 6)
    }

    private static func two(_ number: Int) -> String { JSONEncoding.padded(UInt64(number), 2) }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    // MARK: - Colours

    /// Colours of ECMA-48, which every terminal knows.
    private enum Colour: String {
        case green = "32"
        case boldGreen = "1;32"
        case yellow = "33"
        case blue = "34"
        case boldRed = "1;31"
    }

    private func painted(_ text: String, _ colour: Colour) -> String {
        hasColour ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }
}

extension JournalEvent {
    /// Whether it tells of something that went wrong.
    fileprivate var isTrouble: Bool {
        switch name {
        case "worker-stop", "stage-held", "frame-failed", "frame-dropped", "frames-dropped",
            "journal-gap":
            true
        case "worker-gone": self["cause"].map { $0 != .null } ?? false
        default: false
        }
    }
}
