/// Random numbers by position: number `n` of a frame is a function of seed, frame and `n` alone.
///
/// The mixing function is SplitMix64's (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014), applied to a key plus multiples of the golden ratio.
struct CounterGenerator: Sendable {
    private let key: UInt64

    init(seed: UInt64, frame: UInt64) {
        key = Self.mix(Self.mix(seed &+ Self.step) &+ frame &* Self.step)
    }

    /// 2^64 over the golden ratio, odd.
    private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// Number `position` of the frame: 64 independent bits.
    @inline(__always)
    subscript(position: Int) -> UInt64 {
        Self.mix(key &+ UInt64(truncatingIfNeeded: position) &* Self.step)
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        var bits = value
        bits = (bits ^ (bits &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits &>> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits &>> 31)
    }
}
