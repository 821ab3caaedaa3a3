import Telemetry
import TestSupport

/// Results that look like anything, the same for the same seed.
struct SeededResults {
    var numbers: SeededNumbers

    init(seed: UInt64) { numbers = SeededNumbers(seed: seed) }

    /// Characters that one format or another gives a meaning, and some that it does not.
    static let characters: [Character] = Array(
        "abcXYZ019_-.,;:= \\\"'#~!^{}()[]*?/|<>&$%@+\t\n\r\u{0}\u{7F}\u{A0}\u{2028}éµß漢😀")

    mutating func text(_ counts: ClosedRange<Int>) -> String {
        let count = Int.random(in: counts, using: &numbers)
        return String(
            (0..<count).map { _ in Self.characters.randomElement(using: &numbers) ?? "a" })
    }

    mutating func value() -> MetricValue {
        switch UInt64.random(in: 0..<8, using: &numbers) {
        case 0: .int(Int64(bitPattern: numbers.next()))
        case 1: .int(Int64.random(in: -9...9, using: &numbers))
        // Any bits at all: NaN, infinity, subnormal numbers.
        case 2: .float(Double(bitPattern: numbers.next()))
        case 3: .float(Double.random(in: -1e6...1e6, using: &numbers))
        case 4: .float([.nan, .infinity, -.infinity, 0, -0.0].randomElement(using: &numbers) ?? 0)
        case 5: .string(text(0...12))
        default: .bool(Bool.random(using: &numbers))
        }
    }

    mutating func meta() -> Meta {
        var meta = Meta()
        for _ in 0..<Int.random(in: 0...4, using: &numbers) { meta[text(0...6)] = value() }
        return meta
    }

    mutating func field() -> MetricResult.Field {
        MetricResult.Field(
            text(0...10), value(), kind: Bool.random(using: &numbers) ? .counter : .gauge,
            unit: ["", "s", "ns", "B", "count", "MBps", "furlong"].randomElement(using: &numbers)
                ?? "", summary: text(0...10), isDerived: Bool.random(using: &numbers))
    }

    mutating func distribution() -> MetricDistribution {
        var distribution = MetricDistribution(
            text(1...8), unit: "s", summary: text(0...8), count: numbers.next() >> 1,
            sum: Double.random(in: 0...1e6, using: &numbers),
            isAlsoInFields: Bool.random(using: &numbers))
        if Bool.random(using: &numbers) { distribution.quantiles = [.init(0.5, 1), .init(1, 2)] }
        if Bool.random(using: &numbers) { distribution.buckets = [.init(upTo: 1, 3)] }
        return distribution
    }

    mutating func result() -> MetricResult {
        MetricResult(
            text(0...8), meta: meta(),
            fields: (0..<Int.random(in: 0...6, using: &numbers)).map { _ in field() },
            distributions: UInt64.random(in: 0..<4, using: &numbers) == 0 ? [distribution()] : [])
    }

    mutating func set() -> ResultSet {
        ResultSet(
            timestampNanoseconds: Int64.random(in: 0...2_000_000_000_000_000_000, using: &numbers),
            results: (0..<Int.random(in: 0...4, using: &numbers)).map { _ in result() })
    }
}

/// Lines as they are told to be: for the rule of chunks.
struct GivenLines: LineRender {
    func render(_ rset: ResultSet, meta: Meta, into lines: inout RenderedLines) {
        for result in rset.results {
            lines.append(result.name)
            lines.endLine()
        }
    }
}

extension ResultSet {
    /// Lines for `GivenLines`.
    static func lines(_ lines: [String]) -> ResultSet {
        ResultSet(timestampNanoseconds: 0, results: lines.map { MetricResult($0) })
    }

    /// Lines of that many bytes each, with their line feeds.
    static func lines(_ count: Int, byteCount: Int) -> ResultSet {
        .lines((0..<count).map { _ in String(repeating: "x", count: byteCount - 1) })
    }
}

extension Chunk {
    /// The lines as text.
    var text: String { String(decoding: bytes, as: UTF8.self) }
}
