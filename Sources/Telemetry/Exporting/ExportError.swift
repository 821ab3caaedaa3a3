public import Journal

/// Why something was not taken for export, or an exporter can't be made.
public enum ExportError: Error, Equatable {
    /// `null` was given: there is nothing to send.
    case noData
    /// A list was given: records are values of their own, to be sent one by one.
    case listNotAllowed
    /// A transform threw; nothing was sent and nothing stored.
    case transformFailed(exporter: String, reason: String)
    /// A transform gave nothing; nothing was sent and nothing stored.
    case transformGaveNothing(exporter: String)
    /// Settings that can't work: what, and what to do.
    case invalidConfiguration(String)
    /// It was stopped: nothing can be sent any more.
    case stopped(exporter: String)
}

extension ExportError: CustomStringConvertible {
    /// One sentence with what to do.
    public var description: String {
        switch self {
        case .noData: "null can't be exported: send an object, text, a number or bytes"
        case .listNotAllowed: "a list can't be exported: send its elements one by one"
        case .transformFailed(let exporter, let reason):
            "the transform of '\(exporter)' failed: \(reason); the record was not sent"
        case .transformGaveNothing(let exporter):
            "the transform of '\(exporter)' gave nothing; drop records before the exporter instead"
        case .invalidConfiguration(let what): what
        case .stopped(let exporter): "'\(exporter)' was stopped and takes no records any more"
        }
    }
}

/// What became of one record at one exporter, as the caller sees it.
public struct ExportResult: Sendable, Equatable {
    /// What the destination answered, such as an id; `null` where it answers nothing, a list for a pool.
    public var returned: JournalValue
    /// Whether the destination has the record.
    public var successful: Bool
    /// The name of the exporter.
    public var exporter: String
    /// Why it failed; nil where it was successful.
    public var reason: String?

    /// A result.
    public init(
        returned: JournalValue, successful: Bool, exporter: String = "", reason: String? = nil
    ) {
        self.returned = returned
        self.successful = successful
        self.exporter = exporter
        self.reason = reason
    }

    /// The result that an outcome stands for.
    init(_ outcome: ExportOutcome, exporter: String) {
        switch outcome {
        case .delivered(let receipt):
            self.init(returned: receipt, successful: true, exporter: exporter)
        case .retryable(let reason, _), .permanent(let reason):
            self.init(returned: .null, successful: false, exporter: exporter, reason: reason)
        }
    }
}

extension ExportData {
    /// Refuses what is no record: null and lists. Objects, also empty ones, text, numbers, truth values
    /// and bytes are taken.
    func check() throws(ExportError) {
        switch self {
        case .value(.null): throw .noData
        case .value(.array): throw .listNotAllowed
        case .value, .bytes: break
        }
    }
}
