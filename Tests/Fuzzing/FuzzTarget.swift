/// What is read from outside, and the rules that hold for any bytes of it.
///
/// `scripts/fuzz` runs each target under libFuzzer with the address sanitizer; `CorpusTests` runs it on the
/// inputs in `Tests/Fixtures/fuzz`. Both see the same rules.
protocol FuzzTarget {
    /// Reads `bytes` in every way that matters and compares.
    ///
    /// - Throws: `Finding` when a rule does not hold, or an error that should not have come out. A trap, a
    ///   hang and an allocation that the bytes do not justify are findings too, which the caller sees.
    static func check(_ bytes: UnsafeRawBufferPointer) throws
}

/// A rule that does not hold.
struct Finding: Error, CustomStringConvertible {
    let description: String

    init(_ rule: String, _ facts: [Any] = []) {
        description = ([rule] + facts.map { "  \($0)" }).joined(separator: "\n")
    }
}

/// Throws a finding unless the rule holds; the facts are only made when it does not.
func expect(
    _ holds: Bool, _ rule: String, _ facts: @autoclosure () -> [Any] = []
) throws {
    if !holds { throw Finding(rule, facts()) }
}

/// Takes control bytes from the front of an input; what is left is the data.
struct FuzzInput {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    /// The next byte, 0 when there is none.
    mutating func byte() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return first
    }

    /// The next eight bytes as a number, short of bytes with zeros.
    mutating func word() -> UInt64 { (0..<8).reduce(0) { word, _ in word << 8 | UInt64(byte()) } }

    /// What is left as text, with U+FFFD for what is no UTF-8.
    var text: String { String(decoding: rest, as: UTF8.self) }
}
