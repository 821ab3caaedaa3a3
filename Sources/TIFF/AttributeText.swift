import Glibc
import NDArrays

/// The texts of attribute values, as areaDetector writes them, and the way back.
///
/// Integers are decimal, booleans `true` and `false`. A floating-point number has six decimals, as
/// areaDetector writes it (`%f`), where that reads back as the same number, and else the shortest
/// form that does. The way back, for files without types: a text is an int64 (or uint64) or a
/// float64 exactly when the number is written as that very text again; everything else stays a
/// string.
enum AttributeText {
    /// Adds the text of `value`.
    static func append(_ value: ScalarValue, to buffer: inout ByteBuffer) {
        switch value {
        case .boolean(let value): buffer.append(value ? "true" as StaticString : "false")
        case .int8(let value): buffer.append(decimal: Int64(value))
        case .int16(let value): buffer.append(decimal: Int64(value))
        case .int32(let value): buffer.append(decimal: Int64(value))
        case .int64(let value): buffer.append(decimal: value)
        case .uint8(let value): buffer.append(decimal: UInt64(value))
        case .uint16(let value): buffer.append(decimal: UInt64(value))
        case .uint32(let value): buffer.append(decimal: UInt64(value))
        case .uint64(let value): buffer.append(decimal: value)
        case .float32(let value): append(value, to: &buffer)
        case .float64(let value): append(value, to: &buffer)
        case .string(let value): buffer.append(value)
        }
    }

    private static func append(_ value: Float, to buffer: inout ByteBuffer) {
        let start = buffer.count
        if appendFixed(Double(value), to: &buffer), let text = text(buffer, from: start),
            Float(text) == value
        {
            return
        }
        buffer.truncate(to: start)
        buffer.append(value.description)
    }

    private static func append(_ value: Double, to buffer: inout ByteBuffer) {
        let magnitude = value.magnitude
        let scaled = (magnitude * 1e6).rounded()
        // Below 2^52 millionths the nearest six decimals are `scaled`, and the division is rounded
        // as reading the text would be: no need to read it.
        if scaled < 4_503_599_627_370_496 {
            guard scaled / 1e6 == magnitude else {
                buffer.append(value.description)
                return
            }
            if value.sign == .minus { buffer.append(byte: UInt8(ascii: "-")) }
            let millionths = UInt64(scaled)
            buffer.append(decimal: millionths / 1_000_000)
            buffer.append(byte: UInt8(ascii: "."))
            buffer.append(decimal: millionths % 1_000_000, minimumDigits: 6)
            return
        }
        let start = buffer.count
        if appendFixed(value, to: &buffer), let text = text(buffer, from: start),
            Double(text) == value
        {
            return
        }
        buffer.truncate(to: start)
        buffer.append(value.description)
    }

    /// Adds the number with six decimals; false, with nothing added, for what is not finite.
    private static func appendFixed(_ value: Double, to buffer: inout ByteBuffer) -> Bool {
        guard value.isFinite else { return false }
        let magnitude = value.magnitude
        if value.sign == .minus { buffer.append(byte: UInt8(ascii: "-")) }
        if magnitude < 9_007_199_254_740_992 {
            // The fraction has few enough bits here that its millionths are exact before rounding.
            var whole = UInt64(magnitude)
            var millionths = UInt64(
                ((magnitude - Double(whole)) * 1e6).rounded(.toNearestOrEven))
            if millionths == 1_000_000 { (whole, millionths) = (whole + 1, 0) }
            buffer.append(decimal: whole)
            buffer.append(byte: UInt8(ascii: "."))
            buffer.append(decimal: millionths, minimumDigits: 6)
        } else {
            // A whole number of up to 309 digits: the C library knows them all, in every locale.
            var digits = [CChar](repeating: 0, count: 320)
            let length = withVaList([magnitude]) { vsnprintf(&digits, digits.count, "%.0f", $0) }
            for digit in digits[0..<Int(length)] { buffer.append(byte: UInt8(bitPattern: digit)) }
            buffer.append(".000000" as StaticString)
        }
        return true
    }

    private static func text(_ buffer: borrowing ByteBuffer, from start: Int) -> String? {
        String(validating: buffer.bytes[start...], as: UTF8.self)
    }

    /// The value of a text whose type is not known; see above.
    static func infer(_ text: Substring) -> ScalarValue {
        let utf8 = text.utf8
        // 309 digits, six decimals and a sign: no number is longer.
        guard let first = utf8.first, utf8.count <= 320 else { return .string(String(text)) }
        let isNumeric = utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "e")
                || byte == UInt8(ascii: "+")
        }
        guard isNumeric, first != UInt8(ascii: "e"), first != UInt8(ascii: "+") else {
            return .string(String(text))
        }
        let candidate: ScalarValue? =
            Int64(text).map { .int64($0) } ?? UInt64(text).map { .uint64($0) }
            ?? Double(text).map { .float64($0) }
        guard let candidate else { return .string(String(text)) }
        var written = ByteBuffer(capacity: 512)
        append(candidate, to: &written)
        return written.hasText(text, from: 0) ? candidate : .string(String(text))
    }

    /// The value of a text whose type is known, nil when the text is no such value.
    static func value(_ text: String, of typeName: String) -> ScalarValue? {
        switch typeName {
        case "string": .string(text)
        case "boolean": text == "true" ? .boolean(true) : text == "false" ? .boolean(false) : nil
        case "int8": Int8(text).map { .int8($0) }
        case "int16": Int16(text).map { .int16($0) }
        case "int32": Int32(text).map { .int32($0) }
        case "int64": Int64(text).map { .int64($0) }
        case "uint8": UInt8(text).map { .uint8($0) }
        case "uint16": UInt16(text).map { .uint16($0) }
        case "uint32": UInt32(text).map { .uint32($0) }
        case "uint64": UInt64(text).map { .uint64($0) }
        case "float32": Float(text).map { .float32($0) }
        case "float64": Double(text).map { .float64($0) }
        default: nil
        }
    }

    /// The name of a value's type in the provenance block.
    static func typeName(_ value: ScalarValue) -> String { value.elementType?.name ?? "string" }
}
