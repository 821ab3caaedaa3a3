public import Journal

/// An exporter of one's own in a closure, which gives what the destination answered. What it throws means
/// that the record may succeed later, unless it is a `PermanentExportFailure`.
public final class ClosureExporter: Exporter {
    /// The name.
    public let name: String
    private let body: @Sendable (ExportRecord) throws -> JournalValue

    /// An exporter that calls `body` for each record, one at a time.
    public init(name: String, _ body: @escaping @Sendable (ExportRecord) throws -> JournalValue) {
        self.name = name
        self.body = body
    }

    /// Calls the closure.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        deliverInOrder(records) { record in
            do {
                return .delivered(try body(record))
            } catch let failure as PermanentExportFailure {
                return .permanent(reason: failure.reason)
            } catch {
                return .retryable(reason: "\(error)", after: nil)
            }
        }
    }
}

/// Says from a closure that the record can never succeed.
public struct PermanentExportFailure: Error, Sendable {
    /// Why.
    public var reason: String

    /// A failure for good.
    public init(_ reason: String) { self.reason = reason }
}
