/// How a measurement with a field becomes the name of a family of metrics by Prometheus's rules, with the
/// unit that it is given in.
struct PrometheusName: Equatable {
    /// The kind of a family.
    enum Kind: String {
        case gauge
        case counter
        case histogram
        case summary
    }

    /// The name, for a counter without `_total`.
    var base: String
    /// The unit that the name ends in; empty where there is none.
    var unit: String
    /// What values are multiplied with to be in that unit.
    var factor: Double

    /// The name of a field. Words of camel case are divided by underscores; a field that begins with `n` for
    /// a number of things loses it; a word for the unit moves to the end, in the base unit.
    init(namespace: String, measurement: String, field: String, unit: String, kind: Kind) {
        var words = Self.words(field)
        let base = PrometheusUnit(unit)
        if words.count > 1, words.first == "n" { words.removeFirst() }
        if kind == .counter, words.count > 1, words.last == "total" { words.removeLast() }
        // dataInRateMBps says its unit, too.
        let spelling = Self.words(unit)
        if words.count > spelling.count, Array(words.suffix(spelling.count)) == spelling {
            words.removeLast(spelling.count)
        }
        if words.count > 1 { words.removeAll { $0 == base.name } }
        let all = [namespace, measurement].flatMap(Self.words) + words
        var name = all.joined(separator: "_")
        if name.isEmpty { name = "_" }
        if name.utf8.first.map({ (0x30...0x39).contains($0) }) ?? false { name = "_" + name }
        if base.name.isEmpty { name = Self.withoutReservedEnd(name) }
        self.base = base.name.isEmpty ? name : "\(name)_\(base.name)"
        self.unit = base.name
        factor = base.factor
    }

    /// Endings that mean something to a reader get `_value` behind them.
    private static func withoutReservedEnd(_ name: String) -> String {
        let reserved = ["_total", "_count", "_sum", "_bucket", "_created", "_info"]
        return reserved.contains { name.hasSuffix($0) } ? name + "_value" : name
    }

    /// The words of a name, in small letters of ASCII and digits.
    static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var previous: UInt8 = 0
        let bytes = Self.withNaNAsWord(text)
        for (place, byte) in bytes.enumerated() {
            let isUpper = (0x41...0x5A).contains(byte)
            let isLower = (0x61...0x7A).contains(byte)
            let isDigit = (0x30...0x39).contains(byte)
            let next = place + 1 < bytes.count ? bytes[place + 1] : 0
            let begins =
                isUpper
                && (!(0x41...0x5A).contains(previous)
                    || ((0x61...0x7A).contains(next) && word.count > 0))
            if !(isUpper || isLower || isDigit) || begins {
                if !word.isEmpty { words.append(word) }
                word = ""
            }
            if isUpper || isLower || isDigit {
                word.unicodeScalars.append(Unicode.Scalar(isUpper ? byte + 32 : byte))
            }
            previous = byte
        }
        if !word.isEmpty { words.append(word) }
        return words
    }

    /// The bytes of a name, in which "NaN" (not "NaNo") is spelled "Nan": it is one word, whatever its letters.
    private static func withNaNAsWord(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        for place in bytes.indices.dropLast(2)
        where bytes[place..<place + 3].elementsEqual("NaN".utf8) {
            let next = place + 3 < bytes.count ? bytes[place + 3] : 0
            if !(0x61...0x7A).contains(next) { bytes[place + 2] = UInt8(ascii: "n") }
        }
        return bytes
    }

    /// The name of a label: words with underscores, never one that Prometheus has for itself.
    static func label(_ key: String) -> String {
        var name = words(key).joined(separator: "_")
        if name.isEmpty || name.utf8.first.map({ (0x30...0x39).contains($0) }) ?? false {
            name = "_" + name
        }
        return ["le", "quantile"].contains(name) ? name + "_" : name
    }
}

/// A unit as Prometheus names it: the base unit, in words.
struct PrometheusUnit: Equatable {
    /// The word; empty where there is no unit, or none that is known here.
    var name: String
    /// How many of it one of the given unit is.
    var factor: Double

    private init(_ name: String, _ factor: Double) {
        self.name = name
        self.factor = factor
    }

    /// The unit of a spelling as `StatisticUnit` has it, and others that are common at detectors.
    init(_ spelling: String) {
        self = Self.known[spelling] ?? PrometheusUnit("", 1)
    }

    private static let known: [String: PrometheusUnit] = [
        "s": .init("seconds", 1), "ms": .init("seconds", 1e-3), "us": .init("seconds", 1e-6),
        "µs": .init("seconds", 1e-6), "ns": .init("seconds", 1e-9),
        "min": .init("seconds", 60), "h": .init("seconds", 3600),
        "B": .init("bytes", 1), "kB": .init("bytes", 1e3), "MB": .init("bytes", 1e6),
        "GB": .init("bytes", 1e9), "KiB": .init("bytes", 1024),
        "MiB": .init("bytes", 1_048_576), "GiB": .init("bytes", 1_073_741_824),
        "Hz": .init("per_second", 1), "fps": .init("frames_per_second", 1),
        "B/s": .init("bytes_per_second", 1), "MBps": .init("bytes_per_second", 1e6),
        "MB/s": .init("bytes_per_second", 1e6),
        "%": .init("ratio", 0.01), "°C": .init("celsius", 1), "K": .init("kelvin", 1),
        "V": .init("volts", 1), "A": .init("amperes", 1), "W": .init("watts", 1),
        "J": .init("joules", 1), "m": .init("meters", 1), "mm": .init("meters", 1e-3),
        "eV": .init("electronvolts", 1), "keV": .init("electronvolts", 1e3),
        "Pa": .init("pascals", 1), "mbar": .init("pascals", 100),
    ]
}
