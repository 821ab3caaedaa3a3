/// A table for people: columns as wide as they need, numbers to the right, two blanks between.
struct TextTable {
    /// On which side of its column a text stands.
    enum Side { case left, right }

    private let header: [String]
    private let sides: [Side]
    private var rows: [[String]] = []

    /// A table with these columns.
    init(_ columns: [(String, Side)]) {
        header = columns.map(\.0)
        sides = columns.map(\.1)
    }

    /// Whether it has no rows.
    var isEmpty: Bool { rows.isEmpty }

    /// Adds a row; missing cells at its end are empty.
    mutating func add(_ cells: [String]) {
        rows.append(cells + Array(repeating: "", count: max(0, header.count - cells.count)))
    }

    /// The lines, each after `indent` blanks, with no blanks at their ends. Columns in which every
    /// cell is empty are left out.
    func lines(indent: Int = 0, hasHeader: Bool = true) -> [String] {
        let used = header.indices.filter { column in rows.contains { !$0[column].isEmpty } }
        let shown = (hasHeader ? [header] : []) + rows
        let widths = used.map { column in shown.map { $0[column].count }.max() ?? 0 }
        return shown.map { row in
            let cells = zip(used, widths).map { column, width in
                let fill = String(repeating: " ", count: width - row[column].count)
                return sides[column] == .left ? row[column] + fill : fill + row[column]
            }
            let line = String(repeating: " ", count: indent) + cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}

/// A table of any length: its first rows tell how wide the columns are, the others follow at once.
struct FlowingTable {
    private let header: [String]
    private let sides: [TextTable.Side]
    private let sampleCount: Int
    private let width: Int?
    private var sample: [[String]] = []
    private var widths: [Int]?

    /// A table whose columns are as wide as the first `sampleCount` rows need. Lines that are longer
    /// than `width` are cut, with nil none is.
    init(_ columns: [(String, TextTable.Side)], sampleCount: Int, width: Int?) {
        header = columns.map(\.0)
        sides = columns.map(\.1)
        self.sampleCount = sampleCount
        self.width = width
    }

    /// Takes a row with a cell for every column; the lines that can be shown now.
    mutating func add(_ cells: [String]) -> [String] {
        if let widths { return [line(cells, widths)] }
        sample.append(cells)
        return sample.count < sampleCount ? [] : end()
    }

    /// The lines that were not shown yet.
    mutating func end() -> [String] {
        guard widths == nil, !sample.isEmpty else { return [] }
        let shown = [header] + sample
        sample = []
        let widths = header.indices.map { column in shown.map { $0[column].count }.max() ?? 0 }
        self.widths = widths
        return shown.map { line($0, widths) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = cells.indices.map { column in
            let fill = String(
                repeating: " ", count: max(0, widths[column] - cells[column].count))
            return sides[column] == .left ? cells[column] + fill : fill + cells[column]
        }
        var line = padded.joined(separator: "  ")[...]
        while line.last == " " { line.removeLast() }
        guard let width, line.count > width else { return String(line) }
        return line.prefix(max(width - 1, 0)) + "…"
    }
}

/// Numbers for people.
enum NumberText {
    /// A number with three to four significant digits and no exponent where it can be helped.
    static func plain(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "-" : value < 0 ? "-inf" : "inf" }
        let size = abs(value)
        if value == value.rounded(), size < 1e15 { return "\(Int64(value))" }
        if size >= 1e7 || size < 1e-3 { return significant(value, 4) }
        return fixed(value, decimals: size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 4)
    }

    /// A time in the unit that suits it: `850 ns`, `1.25 ms`, `3.2 s`, `5 min 12 s`, `2 h 5 min`.
    static func duration(seconds: Double) -> String {
        guard seconds.isFinite else { return "-" }
        let size = abs(seconds)
        if size == 0 { return "0 s" }
        if size < 1e-6 { return "\(short(seconds * 1e9)) ns" }
        if size < 1e-3 { return "\(short(seconds * 1e6)) µs" }
        if size < 1 { return "\(short(seconds * 1e3)) ms" }
        if size < 60 { return "\(short(seconds)) s" }
        let whole = Int64(min(seconds, 1e12).rounded())
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    /// Bytes in the decimal unit that suits them: `512 B`, `2.10 MB`.
    static func bytes(_ count: Double) -> String {
        var value = count
        for unit in ["B", "kB", "MB", "GB", "TB"] {
            if abs(value) < 1000 || unit == "TB" {
                return unit == "B" ? "\(Int64(value)) B" : "\(short(value)) \(unit)"
            }
            value /= 1000
        }
        return "\(count) B"
    }

    /// One decimal: rates.
    static func rate(_ value: Double) -> String {
        value.isFinite ? fixed(value, decimals: 1) : "-"
    }

    /// With so many decimals.
    static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        var factor = 1.0
        for _ in 0..<decimals { factor *= 10 }
        let scaled = (abs(value) * factor).rounded()
        let whole = Int64(scaled / factor)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        if decimals == 0 { return "\(sign)\(Int64(scaled))" }
        let part = "\(Int64(scaled) - whole * Int64(factor))"
        return "\(sign)\(whole)." + String(repeating: "0", count: decimals - part.count) + part
    }

    private static func short(_ value: Double) -> String {
        let size = abs(value)
        return fixed(value, decimals: size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)
    }

    private static func significant(_ value: Double, _ digits: Int) -> String {
        var mantissa = value
        var exponent = 0
        while abs(mantissa) >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
        while abs(mantissa) < 1, mantissa != 0 {
            (mantissa, exponent) = (mantissa * 10, exponent - 1)
        }
        return "\(fixed(mantissa, decimals: digits - 1))e\(exponent)"
    }
}
