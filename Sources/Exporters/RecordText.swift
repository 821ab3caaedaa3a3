internal import Journal
internal import Telemetry

extension JournalValue {
    /// The value as compact JSON; refuses what nests too deep.
    func jsonBytes() throws(UnfitRecord) -> [UInt8] {
        do {
            return Array(try json().utf8)
        } catch {
            throw UnfitRecord(error.description)
        }
    }
}

extension ExportRecord {
    /// What the record is called at a destination that knows a record again, unique as `source` is.
    var identity: String { "\(source)-\(seq)" }

    /// An option as text; nil where it is not there. Throws where it is something else.
    func textOption(_ key: String) throws(UnfitRecord) -> String? {
        guard let value = options.first(where: { $0.key == key })?.value else { return nil }
        guard case .string(let text) = value else {
            throw UnfitRecord("the option '\(key)' of the record is no text; give a name")
        }
        return text
    }
}

/// Times as text.
enum TimestampText {
    /// ISO 8601 in UTC with six decimals (`2026-11-21T16:00:00.250000Z`); what is finer is cut off.
    static func iso(nanoseconds: Int64) -> String {
        let (seconds, rest) = floorDivided(nanoseconds, 1_000_000_000)
        return iso(seconds: seconds, microseconds: rest / 1000)
    }

    /// Quotient and remainder that is not negative.
    private static func floorDivided(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? (quotient - 1, rest + divisor) : (quotient, rest)
    }

    /// The same of seconds since the Unix epoch; nil beyond the years 1 to 9999 and for what is no number.
    static func iso(seconds: Double) -> String? {
        let microseconds = (seconds * 1e6).rounded()
        guard microseconds >= -62_135_596_800e6, microseconds < 253_402_300_800e6 else {
            return nil
        }
        let (whole, rest) = floorDivided(Int64(microseconds), 1_000_000)
        return iso(seconds: whole, microseconds: rest)
    }

    private static func iso(seconds: Int64, microseconds: Int64) -> String {
        let (day, time) = floorDivided(seconds, 86_400)
        let (year, month, date) = civil(day)
        func digits(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return digits(year, 4) + "-" + digits(month, 2) + "-" + digits(date, 2) + "T"
            + digits(time / 3600, 2) + ":" + digits(time / 60 % 60, 2) + ":" + digits(time % 60, 2)
            + "." + digits(microseconds, 6) + "Z"
    }

    /// Year, month and day of a day since 1970-01-01 (Hinnant, "chrono-Compatible Low-Level Date
    /// Algorithms", civil_from_days).
    private static func civil(_ day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
            dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        )
    }
}
