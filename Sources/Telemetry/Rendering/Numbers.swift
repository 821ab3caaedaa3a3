extension Double {
    /// The shortest decimal that is read back as the same number, without an exponent: at most some 330
    /// characters. `nan`, `inf` and `-inf` where it is not finite.
    var plainDecimal: String {
        let text = description
        guard isFinite, let mark = text.firstIndex(of: "e") else { return text }
        let exponent = Int(text[text.index(after: mark)...]) ?? 0
        let isNegative = text.hasPrefix("-")
        let digits = text[..<mark].filter { $0.isNumber }
        // Swift writes an exponent after one digit before the point.
        var plain = isNegative ? "-" : ""
        if exponent < 0 {
            plain += "0." + String(repeating: "0", count: -exponent - 1) + digits
        } else {
            let whole = digits.count - 1 <= exponent
            let point = digits.index(
                digits.startIndex, offsetBy: whole ? digits.count : exponent + 1)
            plain += digits[..<point]
            plain += String(repeating: "0", count: max(0, exponent + 1 - digits.count)) + "."
            plain += whole ? "0" : digits[point...]
        }
        return plain
    }
}

extension Int64 {
    /// Whole seconds of nanoseconds, rounded down.
    var wholeSeconds: Int64 {
        let (seconds, rest) = quotientAndRemainder(dividingBy: 1_000_000_000)
        return rest < 0 ? seconds - 1 : seconds
    }
}
