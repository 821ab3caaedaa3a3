import Glibc

/// How a number is written in a name: width, fill, digits after the point.
struct NumberStyle: Sendable, Hashable {
    var width = 0
    var isZeroFilled = false
    var isHexadecimal = false
    /// Digits after the point; nil writes whole numbers whole and others in their shortest form.
    var precision: Int?

    func append(_ value: UInt64, to text: inout [UInt8]) {
        if let precision {
            fill(Self.fixed(Double(value), precision), isNegative: false, to: &text)
        } else {
            fill(
                Array(String(value, radix: isHexadecimal ? 16 : 10).utf8), isNegative: false,
                to: &text)
        }
    }

    func append(_ value: ScalarValue, to text: inout [UInt8]) {
        switch value {
        case .string(let string):
            text += string.utf8
            // Python aligns text to the left.
            let missing = width - string.count
            if missing > 0 { text += repeatElement(UInt8(ascii: " "), count: missing) }
        case .boolean: text += value.description.utf8
        case .uint64(let value): append(value, to: &text)
        case .float32, .float64:
            let number = value.doubleValue ?? 0
            let digits =
                precision.map { Self.fixed(abs(number), $0) }
                ?? Array(value.description.utf8.drop { $0 == UInt8(ascii: "-") })
            fill(digits, isNegative: number.sign == .minus && !number.isNaN, to: &text)
        case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32:
            let number = value.int64Value ?? 0
            let digits =
                precision.map { Self.fixed(Double(number.magnitude), $0) }
                ?? Array(String(number.magnitude, radix: isHexadecimal ? 16 : 10).utf8)
            fill(digits, isNegative: number < 0, to: &text)
        }
    }

    private func fill(_ digits: [UInt8], isNegative: Bool, to text: inout [UInt8]) {
        let missing = max(0, width - digits.count - (isNegative ? 1 : 0))
        if !isZeroFilled { text += repeatElement(UInt8(ascii: " "), count: missing) }
        if isNegative { text.append(UInt8(ascii: "-")) }
        if isZeroFilled { text += repeatElement(UInt8(ascii: "0"), count: missing) }
        text += digits
    }

    /// printf's `%.*f`, for values that are not negative.
    private static func fixed(_ value: Double, _ precision: Int) -> [UInt8] {
        // The largest float64 has 309 digits before the point.
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 320 + 64) { buffer in
            guard let start = buffer.baseAddress else { return [] }
            let count = withVaList([Int32(precision), value]) {
                vsnprintf(start, buffer.count, "%.*f", $0)
            }
            return buffer.prefix(Int(max(0, count))).map { UInt8(bitPattern: $0) }
        }
    }
}

extension TimeStamp {
    /// Appends `20260131T235959.123456789Z` (ISO 8601, basic form, UTC).
    ///
    /// The date of a day number: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms",
    /// civil_from_days.
    func appendText(to text: inout [UInt8]) {
        let days = secondsPastEpoch.flooredQuotient(86_400)
        // Not the difference to that many days: of the first day there is they are no number.
        let rest = secondsPastEpoch % 86_400
        let seconds = rest < 0 ? rest + 86_400 : rest
        let shifted = days + 719_468
        let era = shifted.flooredQuotient(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func put(_ value: Int64, _ width: Int) {
            let style = NumberStyle(width: width, isZeroFilled: true)
            style.append(.int64(value), to: &text)
        }
        put(year, 4)
        put(month, 2)
        put(day, 2)
        text.append(UInt8(ascii: "T"))
        put(seconds / 3600, 2)
        put(seconds / 60 % 60, 2)
        put(seconds % 60, 2)
        text.append(UInt8(ascii: "."))
        put(Int64(nanoseconds), 9)
        text.append(UInt8(ascii: "Z"))
    }
}

extension Int64 {
    /// The quotient rounded down; `divisor` is positive.
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

extension String {
    /// The last part of a path without its extension; a leading point is no extension.
    var fileStem: [UInt8] {
        let name = utf8.suffix(
            from: utf8.lastIndex(of: UInt8(ascii: "/")).map(utf8.index(after:)) ?? startIndex)
        guard let point = name.lastIndex(of: UInt8(ascii: ".")), point != name.startIndex else {
            return Array(name)
        }
        return Array(name[..<point])
    }
}
