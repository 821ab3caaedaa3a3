extension Aggregation {
    /// The one value that stands for several; nil for none.
    ///
    /// Numbers are booleans (true is 1) and the three number kinds together. NaN is left out, and
    /// text is left out where there are numbers; if nothing else is left, the last value stands.
    /// - `sum`: exact for whole numbers, clamped to 64 bits; unsigned unless one value is signed,
    ///   real if one value is real. Booleans are counted.
    /// - `minimum`, `maximum`: the value itself, with its kind; text is compared by Unicode
    ///   scalars.
    /// - `mean`: real, every value weighing the same.
    /// - `last`: the last of the list, which the caller orders by time.
    public func combine(_ values: [StatisticValue]) -> StatisticValue? {
        guard let last = values.last else { return nil }
        if self == .last { return last }
        let numbers = values.filter { $0.doubleValue.map { !$0.isNaN } ?? false }
        guard !numbers.isEmpty else { return combine(texts: values) }
        switch self {
        case .sum: return Self.sum(numbers)
        case .minimum: return numbers.min(by: Self.isLess)
        case .maximum: return numbers.max(by: Self.isLess)
        case .mean:
            let total = numbers.reduce(0) { $0 + ($1.doubleValue ?? 0) }
            return .real(total / Double(numbers.count))
        case .last: return last
        }
    }

    private func combine(texts values: [StatisticValue]) -> StatisticValue? {
        let texts = values.compactMap { value in
            if case .text(let text) = value { text } else { nil as String? }
        }
        switch self {
        case .minimum:
            return texts.min { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
                .map { .text($0) } ?? values.last
        case .maximum:
            return texts.max { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
                .map { .text($0) } ?? values.last
        case .sum, .mean, .last: return values.last
        }
    }

    private static func sum(_ numbers: [StatisticValue]) -> StatisticValue {
        var whole: Int128 = 0
        var (hasSigned, hasReal) = (false, false)
        for number in numbers {
            switch number {
            case .unsigned(let value): whole += Int128(value)
            case .signed(let value):
                whole += Int128(value)
                hasSigned = true
            case .boolean(let value): whole += value ? 1 : 0
            case .real: hasReal = true
            case .text: break
            }
        }
        if hasReal { return .real(numbers.reduce(0) { $0 + ($1.doubleValue ?? 0) }) }
        return hasSigned ? .signed(Int64(clamping: whole)) : .unsigned(UInt64(clamping: whole))
    }

    private static func isLess(_ left: StatisticValue, _ right: StatisticValue) -> Bool {
        if let a = left.wholeValue, let b = right.wholeValue { return a < b }
        return (left.doubleValue ?? 0) < (right.doubleValue ?? 0)
    }
}

extension StatisticValue {
    /// The value where it is a whole number by kind, without rounding.
    var wholeValue: Int128? {
        switch self {
        case .unsigned(let value): Int128(value)
        case .signed(let value): Int128(value)
        case .boolean(let value): value ? 1 : 0
        case .real, .text: nil
        }
    }
}
