/// A format that gives every output its file name, in the style of Python's `str.format`.
///
/// Placeholders: `frameId` (serial in the run), `uniqueId` (the source's id), `objectId` (the value
/// of the field that the run uses as id), `processorId` (place in the pipeline), `index` (which
/// output of its frame), `outputFileId` (number of the file, where the processor counts them),
/// `timestamp` (`20260131T235959.123456789Z`, UTC), `sourceName` (the file or channel without
/// folder and extension), and the name of any attribute. After a colon: width with leading zeros
/// (`:06`) or blanks (`:6`), digits after the point (`:.3f`), hexadecimal (`:04x`). `{{` and `}}`
/// are braces.
///
///     {sourceName}_{uniqueId:06}.tiff        scan7_000123.tiff
///     {uniqueId:06}_{Energy:.3f}keV.tiff     000123_8.979keV.tiff
public struct OutputNameFormat: Sendable, Hashable {
    /// The most bytes a name may have (`NAME_MAX` of Linux file systems).
    public static let maximumByteCount = 255
    /// The widest a number may be filled to: more is a slip.
    static let maximumWidth = 64

    /// The format as it was written.
    public let text: String
    let parts: [Part]

    /// Reads a format.
    ///
    /// - Throws: `ProcessingError.nameFormat` with the 1-based column.
    public init(_ text: String) throws(ProcessingError) {
        self.text = text
        var parser = NameFormatParser(text)
        parts = try parser.parse()
    }

    enum Part: Sendable, Hashable {
        case literal([UInt8])
        case placeholder(Field, NumberStyle)
    }

    enum Field: Sendable, Hashable {
        case frameId, uniqueId, objectId, processorId, index, outputFileId, timestamp, sourceName
        case attribute(String)

        static let names = [
            "frameId", "uniqueId", "objectId", "processorId", "index", "outputFileId", "timestamp",
            "sourceName",
        ]

        init(name: String) {
            switch name {
            case "frameId": self = .frameId
            case "uniqueId": self = .uniqueId
            case "objectId": self = .objectId
            case "processorId": self = .processorId
            case "index": self = .index
            case "outputFileId": self = .outputFileId
            case "timestamp": self = .timestamp
            case "sourceName": self = .sourceName
            default: self = .attribute(name)
            }
        }
    }

    /// The name for one output of `frame`.
    ///
    /// - Throws: `ProcessingError.noValue` for a placeholder without a value and `badName` when the
    ///   result can't be the name of a file.
    public func name(
        for frame: Frame, processorId: Int = 0, objectIdField: String = "uniqueId",
        outputFileId: UInt64? = nil
    ) throws(ProcessingError) -> String {
        var name: [UInt8] = []
        name.reserveCapacity(64)
        for part in parts {
            guard case .placeholder(let field, let style) = part else {
                if case .literal(let bytes) = part { name += bytes }
                continue
            }
            switch field {
            case .frameId: style.append(frame.frameId, to: &name)
            case .uniqueId: style.append(frame.uniqueId, to: &name)
            case .processorId: style.append(UInt64(clamping: processorId), to: &name)
            case .index: style.append(UInt64(frame.outputIndex), to: &name)
            case .timestamp: frame.timeStamp.appendText(to: &name)
            case .sourceName: name += frame.sourceName.fileStem
            case .outputFileId:
                guard let outputFileId else { throw missing("outputFileId", frame) }
                style.append(outputFileId, to: &name)
            case .objectId where objectIdField == "uniqueId":
                style.append(frame.uniqueId, to: &name)
            case .objectId: try append(objectIdField, style, frame, to: &name)
            case .attribute(let attribute): try append(attribute, style, frame, to: &name)
            }
        }
        return try Self.checked(name)
    }

    private func append(
        _ attribute: String, _ style: NumberStyle, _ frame: Frame, to name: inout [UInt8]
    ) throws(ProcessingError) {
        guard let value = frame.attributes[attribute]?.value else {
            throw missing(attribute, frame)
        }
        style.append(value, to: &name)
    }

    private func missing(_ name: String, _ frame: Frame) -> ProcessingError {
        let known = Field.names + frame.attributes.map(\.name)
        return .noValue(placeholder: name, format: text, nearest: nearestName(to: name, in: known))
    }

    private static func checked(_ name: [UInt8]) throws(ProcessingError) -> String {
        let text = String(decoding: name, as: UTF8.self)
        if name.isEmpty { throw .badName(text, reason: "it is empty") }
        if name == [UInt8(ascii: ".")] || name == Array("..".utf8) {
            throw .badName(text, reason: "it names a folder")
        }
        if name.contains(UInt8(ascii: "/")) { throw .badName(text, reason: "it holds a '/'") }
        if name.contains(0) { throw .badName(text, reason: "it holds a zero byte") }
        guard name.count <= maximumByteCount else {
            throw .badName(
                text, reason: "it has \(name.count) bytes, \(maximumByteCount) are allowed")
        }
        return text
    }
}

extension OutputNameFormat: CustomStringConvertible {
    /// The format as it was written.
    public var description: String { text }
}

/// Reads a name format from left to right.
struct NameFormatParser {
    private let text: String
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
    }

    mutating func parse() throws(ProcessingError) -> [OutputNameFormat.Part] {
        guard !bytes.isEmpty else { throw fault("it is empty", at: 0) }
        var parts: [OutputNameFormat.Part] = []
        var literal: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            let isDoubled = position + 1 < bytes.count && bytes[position + 1] == byte
            switch byte {
            case UInt8(ascii: "{") where !isDoubled:
                if !literal.isEmpty { parts.append(.literal(literal)) }
                literal = []
                parts.append(try placeholder())
            case UInt8(ascii: "}") where !isDoubled:
                throw fault("a single '}'; write '}}' for a brace", at: position)
            case UInt8(ascii: "{"), UInt8(ascii: "}"):
                literal.append(byte)
                position += 2
            case UInt8(ascii: "/"), 0:
                throw fault("a name can't hold '/' or a zero byte", at: position)
            default:
                literal.append(byte)
                position += 1
            }
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        return parts
    }

    private mutating func placeholder() throws(ProcessingError) -> OutputNameFormat.Part {
        let open = position
        guard let close = bytes[open...].firstIndex(of: UInt8(ascii: "}")) else {
            throw fault("'{' is never closed; write '{{' for a brace", at: open)
        }
        let inside = bytes[(open + 1)..<close]
        let colon = inside.firstIndex(of: UInt8(ascii: ":")) ?? close
        guard colon > open + 1 else { throw fault("a placeholder without a name", at: open + 1) }
        let name = String(decoding: bytes[(open + 1)..<colon], as: UTF8.self)
        if let brace = inside.firstIndex(of: UInt8(ascii: "{")) {
            throw fault("'{' within a placeholder", at: brace)
        }
        let style = colon < close ? try style(in: (colon + 1)..<close) : NumberStyle()
        position = close + 1
        return .placeholder(OutputNameFormat.Field(name: name), style)
    }

    /// `[0][width][.digits][d|f|x]`
    private func style(in range: Range<Int>) throws(ProcessingError) -> NumberStyle {
        var style = NumberStyle()
        var position = range.lowerBound
        if position < range.upperBound, bytes[position] == UInt8(ascii: "0") {
            style.isZeroFilled = true
            position += 1
        }
        style.width = try number(&position, in: range) ?? 0
        if position < range.upperBound, bytes[position] == UInt8(ascii: ".") {
            position += 1
            guard let digits = try number(&position, in: range) else {
                throw fault("digits are missing after '.'", at: position)
            }
            style.precision = digits
        }
        if position < range.upperBound {
            switch bytes[position] {
            case UInt8(ascii: "d") where style.precision == nil: break
            case UInt8(ascii: "f"): style.precision = style.precision ?? 6
            case UInt8(ascii: "x") where style.precision == nil: style.isHexadecimal = true
            default:
                throw fault("allowed are a width, '.digits', and d, f or x", at: position)
            }
            position += 1
        }
        guard position == range.upperBound else {
            throw fault("allowed are a width, '.digits', and d, f or x", at: position)
        }
        return style
    }

    private func number(
        _ position: inout Int, in range: Range<Int>
    ) throws(ProcessingError) -> Int? {
        let start = position
        var value = 0
        while position < range.upperBound, bytes[position] >= 48, bytes[position] <= 57 {
            value = value * 10 + Int(bytes[position] - 48)
            guard value <= OutputNameFormat.maximumWidth else {
                throw fault("more than \(OutputNameFormat.maximumWidth) places", at: start)
            }
            position += 1
        }
        return position > start ? value : nil
    }

    /// Columns count characters, positions bytes.
    private func fault(_ reason: String, at position: Int) -> ProcessingError {
        let column = String(decoding: bytes[..<position], as: UTF8.self).count + 1
        return .nameFormat(format: text, column: column, reason: reason)
    }
}
