/// How large the parts of a message may be. A message over a limit is refused with a typed error,
/// before anything of its announced size is allocated.
package struct WireLimits: Equatable, Sendable {
    /// Most bytes of a body. Standard 1 MiB: bodies are commands, descriptors and statistics; the
    /// largest real one (the settings and counters of hundreds of processors) is some 100 KiB,
    /// and a decoder per worker must stay small.
    package var maximumBodyByteCount: Int
    /// Most bytes of a payload that follows a body. Standard 1 GiB: room for a 16k × 16k detector
    /// with 32 bits per pixel, and a damaged count is still seen as such.
    package var maximumPayloadByteCount: Int

    /// Limits for bodies and payloads in bytes; both must fit the header's 32-bit fields.
    package init(
        maximumBodyByteCount: Int = 1 << 20, maximumPayloadByteCount: Int = 1 << 30
    ) {
        let field = 0...Int(UInt32.max)
        precondition(field.contains(maximumBodyByteCount), "a body limit fits in 32 bits")
        precondition(field.contains(maximumPayloadByteCount), "a payload limit fits in 32 bits")
        self.maximumBodyByteCount = maximumBodyByteCount
        self.maximumPayloadByteCount = maximumPayloadByteCount
    }

    /// What both sides use unless told otherwise.
    package static let standard = WireLimits()

    /// Most bytes that one read(2) is asked for beyond the message at hand: the standard capacity
    /// of a Linux pipe (man 7 pipe), so that a larger one would not be filled anyway.
    package static let readChunkByteCount = 64 << 10
}
