/// What is wrong with bytes that came in or were to go out, and where.
package struct WireError: Error, Equatable, Sendable {
    /// What is wrong, with the facts.
    package var code: Code
    /// Where: bytes from the beginning of the stream (or of the buffer that was read on its own).
    package var byteOffset: UInt64

    /// An error of `code` at `byteOffset`.
    @inlinable
    package init(_ code: Code, byteOffset: UInt64) {
        self.code = code
        self.byteOffset = byteOffset
    }

    /// The ways in which bytes can be wrong.
    package enum Code: Equatable, Sendable {
        /// A message does not begin with the four bytes "SLCE".
        case badMagic(found: UInt32)
        /// The other side speaks a version of the protocol that this one does not.
        case unsupportedVersion(found: UInt16, supported: UInt16)
        /// The header announces, or the writer was given, a body over the limit (bytes).
        case bodyTooLarge(byteCount: UInt64, limit: UInt64)
        /// The header announces, or the writer was given, a payload over the limit (bytes).
        case payloadTooLarge(byteCount: UInt64, limit: UInt64)
        /// The header was damaged on its way.
        case headerChecksumMismatch(found: UInt32, computed: UInt32)
        /// The body was damaged on its way.
        case bodyChecksumMismatch(found: UInt32, computed: UInt32)
        /// The payload was damaged on its way.
        case payloadChecksumMismatch(found: UInt32, computed: UInt32)
        /// Bytes end before what they announce (bytes).
        case truncated(needed: UInt64, had: UInt64)
        /// A number is over what its field allows.
        case valueOutOfRange(field: FieldName, value: UInt64, maximum: UInt64)
        /// A number that stands for one of a few things stands for none of them.
        case unknownValue(field: FieldName, value: UInt64)
        /// A text is not UTF-8 (length of the text in bytes).
        case badText(byteCount: UInt64)
        /// Bytes are left after all fields were read.
        case trailingBytes(count: UInt64)
    }

    /// The name of a field: a literal, so that an error costs no allocation.
    package struct FieldName: Equatable, Sendable, ExpressibleByStringLiteral,
        CustomStringConvertible
    {
        private let literal: StaticString

        /// The name written in the source.
        package init(stringLiteral value: StaticString) { literal = value }

        /// The name as text.
        package var description: String { literal.description }

        /// Equal when the texts are.
        package static func == (left: FieldName, right: FieldName) -> Bool {
            left.description == right.description
        }
    }
}

extension WireError: CustomStringConvertible {
    /// One sentence: what, where, what to do.
    package var description: String { "\(sentence) (at byte \(byteOffset))" }

    private var sentence: String {
        switch code {
        case .badMagic(let found):
            "these are not Sluice messages: found \(Self.hexadecimal(found)) instead of \"SLCE\""
                + "; look for something else that writes on this pipe"
        case .unsupportedVersion(let found, let supported):
            "the other side speaks protocol version \(found), this one \(supported)"
                + "; build both from the same release"
        case .bodyTooLarge(let byteCount, let limit):
            "a message body of \(byteCount) bytes is over the limit of \(limit)"
                + "; send large data as payload"
        case .payloadTooLarge(let byteCount, let limit):
            "a payload of \(byteCount) bytes is over the limit of \(limit)"
                + "; use a shared pool or smaller frames"
        case .headerChecksumMismatch(let found, let computed):
            "a message header is damaged: checksum \(Self.hexadecimal(found)), computed "
                + "\(Self.hexadecimal(computed)); restart the other side"
        case .bodyChecksumMismatch(let found, let computed):
            "a message body is damaged: checksum \(Self.hexadecimal(found)), computed "
                + "\(Self.hexadecimal(computed)); restart the other side"
        case .payloadChecksumMismatch(let found, let computed):
            "a payload is damaged: checksum \(Self.hexadecimal(found)), computed "
                + "\(Self.hexadecimal(computed)); restart the other side"
        case .truncated(let needed, let had):
            "\(needed) bytes are needed and \(had) are there; the other side ended in the middle "
                + "or counts wrongly"
        case .valueOutOfRange(let field, let value, let maximum):
            "\(field) is \(value), the most allowed is \(maximum)"
        case .unknownValue(let field, let value):
            "\(value) is no known \(field)"
        case .badText(let byteCount):
            "a text of \(byteCount) bytes is not UTF-8"
        case .trailingBytes(let count):
            "\(count) bytes are left after the last field; the two sides disagree on the fields"
        }
    }

    private static func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
