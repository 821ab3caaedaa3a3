import Glibc

/// The bytes of `Tests/Fixtures/wire/<name>.bin`; nil when it cannot be read.
func goldenBytes(_ name: String) -> [UInt8]? {
    let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    let descriptor = open("/\(folder)/Fixtures/wire/\(name).bin", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(descriptor, &bytes, bytes.count)
    return count < 0 ? nil : Array(bytes[..<count])
}

/// SplitMix64: a seed gives the same numbers everywhere (Steele, Lea and Flood, OOPSLA 2014).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
