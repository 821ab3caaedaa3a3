/// A checksum over texts, to tell whether a source still gives the same frames: FNV-1a, 64 bits
/// (draft-eastlake-fnv). It guards against slips, not against malice.
struct TextFingerprint {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Takes a text in; `["ab", "c"]` and `["a", "bc"]` differ.
    mutating func add(_ text: some Collection<UInt8>) {
        for byte in text { mix(byte) }
        // No path and no name has a byte 0.
        mix(0)
    }

    /// Takes a number in.
    mutating func add(_ number: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) {
            mix(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    /// Sixteen hexadecimal digits.
    var text: String {
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private mutating func mix(_ byte: UInt8) {
        state = (state ^ UInt64(byte)) &* 0x100_0000_01B3
    }
}
