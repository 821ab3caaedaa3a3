/// Why statistics and events can't go where they should.
public struct TelemetryError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One sentence with what to do.
    public let description: String

    init(_ description: String) { self.description = description }
}
