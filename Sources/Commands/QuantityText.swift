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
    static func duration(_ text: String) -> Duration? {
        number(text, units: durationUnits).map { .seconds($0) }
    }

    /// `64MiB`, `4GiB`, `100MB`; a number alone is bytes. Nil for anything else and below 0.
    static func byteCount(_ text: String) -> Int? {
        number(text, units: sizeUnits).flatMap { Int(exactly: $0.rounded()) }
    }

    /// The duration in a form that `duration` reads, to the attosecond where it came from there.
    static func text(of duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if attoseconds == 0 { return "\(seconds)s" }
        for (unit, size) in [("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)] {
            let count = (Double(seconds) / size + Double(attoseconds) * 1e-18 / size).rounded()
            let text = "\(Int64(count))\(unit)"
            if self.duration(text) == duration { return text }
        }
        // What was read went through a Double: one beside the nearest gives the same again.
        let digits = String(attoseconds)
        let exact = "\(seconds).\(String(repeating: "0", count: 18 - digits.count))\(digits)s"
        let nearest = Double(seconds) + Double(attoseconds) / 1e18
        let candidates = (-3...3).map { "\(nearest + Double($0) * nearest.ulp)s" }
        return ([exact] + candidates).first { self.duration($0) == duration } ?? exact
    }

    private static func number(_ text: String, units: [(String, Double)]) -> Double? {
        let text = text.trimmed
        let unit = units.first { text.hasSuffix($0.0) && text.count > $0.0.count }
        let digits = unit.map { String(text.dropLast($0.0.count)).trimmed } ?? text
        guard let value = Double(digits), value.isFinite, value >= 0 else { return nil }
        let product = value * (unit?.1 ?? 1)
        return product < 1e15 ? product : nil
    }
}
