/// Why an exporter cannot be made as it is configured.
public struct ExporterConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The exporter by its name.
    public let exporter: String
    /// What is wrong and what to do, without the values of secrets.
    public let reason: String

    /// One sentence with what to do.
    public var description: String { "Exporter '\(exporter)' cannot be made: \(reason)." }

    /// An error.
    init(_ exporter: String, _ reason: String) {
        self.exporter = exporter
        self.reason = reason
    }

    /// Refuses values of which an exporter can make nothing: no name, no records in a batch.
    static func check(name: String, maximumBatchCount: Int) throws(ExporterConfigurationError) {
        guard !name.isEmpty else {
            throw ExporterConfigurationError(name, "it has no name; give it one")
        }
        guard maximumBatchCount >= 1 else {
            throw ExporterConfigurationError(
                name, "a batch of \(maximumBatchCount) records is none; use 1 or more")
        }
    }
}
