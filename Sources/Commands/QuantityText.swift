/// Durations and sizes as people write them.
enum QuantityText {
    private static let durationUnits: [(String, Double)] = [
        ("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("min", 60), ("s", 1), ("m", 60),
        ("h", 3600),
    ]
    private static let sizeUnits: [(String, Double)] = [
        ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("TiB", 0x1p40), ("kB", 1e3),
        ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1),
    ]

    /// `1s`, `500ms`, `2min`, `1h`; a number alone is seconds. Nil for anything else and below 0.
    /// To the nanosecond, from 10⁶ seconds on to the second, so that it can be written exactly.
    static func duration(_ text: String) -> Duration? {
        number(text, units: durationUnits).map { seconds in
            seconds < 1e6
                ? .nanoseconds(Int64((seconds * 1e9).rounded()))
                : .seconds(Int64(seconds.rounded()))
        }
    }

    /// `64MiB`, `4GiB`, `100MB`; a number alone is bytes. Nil for anything else and below 0.
    static func byteCount(_ text: String) -> Int? {
        number(text, units: sizeUnits).flatMap { Int(exactly: $0.rounded()) }
    }

    /// The duration in a form that `duration` reads, exactly where it came from there.
    static func text(of duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = attoseconds / 1_000_000_000
        if nanoseconds == 0 || seconds >= 1_000_000 { return "\(seconds)s" }
        let total = seconds * 1_000_000_000 + nanoseconds
        for (unit, count) in [("ms", Int64(1_000_000)), ("us", 1000)] where total % count == 0 {
            return "\(total / count)\(unit)"
        }
        return "\(total)ns"
    }

    /// A number that is finite. `Double` alone stops at a zero byte and takes what is before it for the
    /// whole.
    static func real(_ text: String) -> Double? {
        guard !text.utf8.contains(0), let value = Double(text), value.isFinite else { return nil }
        return value
    }

    private static func number(_ text: String, units: [(String, Double)]) -> Double? {
        let text = text.trimmed
        let unit = units.first { text.hasSuffix($0.0) && text.count > $0.0.count }
        let digits = unit.map { String(text.dropLast($0.0.count)).trimmed } ?? text
        guard let value = real(digits), value >= 0 else { return nil }
        let product = value * (unit?.1 ?? 1)
        return product < 1e15 ? product : nil
    }
}
