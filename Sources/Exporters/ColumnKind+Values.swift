internal import Journal

extension ColumnKind {
    /// The value as a column of this kind takes it; throws when it can't. Nothing is bent to fit: text of
    /// digits is no number, a number is no text, and a number that would lose its fraction is refused.
    func value(of value: JournalValue) throws(UnfitRecord) -> SQLValue {
        switch (self, value) {
        case (_, .null): return .null
        case (.bool, .bool(let value)): return .bool(value)
        case (.integer(let bits), _): return try integer(value, bits: bits)
        case (.real, _): return try real(value)
        case (.numeric, _): return try numeric(value)
        case (.number, .double(let value)): return .real(value)
        case (.number, _): return try integer(value, bits: 64)
        case (.text(let maximumCount), .string(let text)):
            if let maximumCount, text.unicodeScalars.count > maximumCount {
                throw UnfitRecord(
                    "text of \(text.unicodeScalars.count) characters is longer than the "
                        + "\(maximumCount) of the column")
            }
            return .text(text)
        case (.json, _): return .text(String(decoding: try value.jsonBytes(), as: UTF8.self))
        case (.timestamp, _): return try timestamp(value)
        case (.bytes, .string(let text)): return .bytes(Array(text.utf8))
        case (.array(let element), .array(let values)):
            return .text(try element.arrayLiteral(values))
        case (.any, _): return try any(value)
        case (.other, .string(let text)): return .text(text)
        case (.bool, _), (.text, _), (.bytes, _), (.array, _), (.other, _): throw unfit(value)
        }
    }

    private func unfit(_ value: JournalValue) -> UnfitRecord {
        UnfitRecord("\(value.kindLabel) does not fit a column of type \(label)")
    }

    private func integer(_ value: JournalValue, bits: Int) throws(UnfitRecord) -> SQLValue {
        let whole: Int64?
        switch value {
        case .int(let value): whole = value
        case .uint(let value): whole = Int64(exactly: value)
        case .double(let value): whole = Int64(exactly: value)
        default: throw unfit(value)
        }
        // Bits above those that there are must all be copies of the sign.
        guard let whole, whole >> (bits - 1) == whole >> 63 else {
            throw UnfitRecord("the number does not fit a column of type \(label)")
        }
        return .integer(whole)
    }

    private func real(_ value: JournalValue) throws(UnfitRecord) -> SQLValue {
        switch value {
        case .int(let value): return .real(Double(value))
        case .uint(let value): return .real(Double(value))
        case .double(let value): return .real(value)
        // JSON has no such numbers, so they come as text from a spool.
        case .string("NaN"): return .real(.nan)
        case .string("Infinity"): return .real(.infinity)
        case .string("-Infinity"): return .real(-.infinity)
        default: throw unfit(value)
        }
    }

    private func numeric(_ value: JournalValue) throws(UnfitRecord) -> SQLValue {
        switch value {
        case .int(let value): return .text("\(value)")
        case .uint(let value): return .text("\(value)")
        case .double(let value): return .real(value)
        // JSON has no decimals of their own, so exact ones are text; the server reads them.
        case .string(let text): return .text(text)
        default: throw unfit(value)
        }
    }

    private func timestamp(_ value: JournalValue) throws(UnfitRecord) -> SQLValue {
        let seconds: Double
        switch value {
        case .string(let text): return .text(text)
        case .int(let value): seconds = Double(value)
        case .double(let value): seconds = value
        default: throw unfit(value)
        }
        guard let text = TimestampText.iso(seconds: seconds) else {
            throw UnfitRecord("\(seconds) seconds since 1970 are beyond the years 1 to 9999")
        }
        return .text(text)
    }

    private func any(_ value: JournalValue) throws(UnfitRecord) -> SQLValue {
        switch value {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .int, .uint: return try integer(value, bits: 64)
        case .double(let value): return .real(value)
        case .string(let text): return .text(text)
        case .array, .object:
            return .text(String(decoding: try value.jsonBytes(), as: UTF8.self))
        }
    }

    /// An array as PostgreSQL writes it (manual, "Array Value Input"), arrays within it as more dimensions.
    private func arrayLiteral(_ values: [JournalValue]) throws(UnfitRecord) -> String {
        var parts: [String] = []
        for value in values {
            if case .array(let inner) = value {
                parts.append(try arrayLiteral(inner))
            } else if let text = try self.value(of: value).postgreSQLText {
                let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                parts.append("\"\(escaped)\"")
            } else {
                parts.append("NULL")
            }
        }
        return "{" + parts.joined(separator: ",") + "}"
    }
}

extension SQLValue {
    /// The value as PostgreSQL reads it for any type; nil: NULL.
    var postgreSQLText: String? {
        switch self {
        case .null: nil
        case .bool(let value): value ? "t" : "f"
        case .integer(let value): "\(value)"
        case .real(let value):
            if value.isNaN {
                "NaN"
            } else if value.isInfinite {
                value < 0 ? "-Infinity" : "Infinity"
            } else {
                value.description
            }
        case .text(let text): text
        case .bytes(let bytes):
            "\\x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}

extension JournalValue {
    /// What kind of value it is, in messages.
    fileprivate var kindLabel: String {
        switch self {
        case .null: "null"
        case .bool: "a truth value"
        case .int, .uint: "a whole number"
        case .double: "a floating-point number"
        case .string: "text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}
