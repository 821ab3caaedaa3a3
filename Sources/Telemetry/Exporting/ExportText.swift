internal import Journal

extension ExportData {
    /// As a line: text as it is, anything else as compact JSON, with a newline after it. Bytes are taken as
    /// they are, because a renderer has put newlines into them. Throws what JSON has no words for.
    func line() throws(JournalError) -> [UInt8] {
        switch self {
        case .bytes(let bytes): return bytes
        case .value(.string(let text)): return Array(text.utf8) + [0x0A]
        case .value(let value): return try value.jsonLine()
        }
    }
}

/// Lines of records, up to the first that has none.
struct ExportLines {
    var lines: [[UInt8]] = []
    /// Why the record after them can never be written; nil where all have lines.
    var flaw: String?

    init(_ records: some Sequence<ExportRecord>) {
        for record in records {
            do throws(JournalError) {
                lines.append(try record.data.line())
            } catch {
                flaw = "\(error)"
                return
            }
        }
    }
}

/// Delivers records one after the other until one may only succeed later: the others of the call follow it.
func deliverInOrder(
    _ records: [ExportRecord], _ deliver: (ExportRecord) -> ExportOutcome
) -> [ExportOutcome] {
    var outcomes: [ExportOutcome] = []
    for record in records {
        if case .retryable(_, let delay)? = outcomes.last {
            outcomes.append(.retryable(reason: "an earlier record failed", after: delay))
        } else {
            outcomes.append(deliver(record))
        }
    }
    return outcomes
}
