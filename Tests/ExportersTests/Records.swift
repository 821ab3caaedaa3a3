import Foundation
import Journal
import Synchronization
import Telemetry
import TestSupport

/// 2026-11-21 16:00:00.25 UTC.
let sampleTime: Int64 = 1_795_276_800_250_000_000

/// A record of a value.
func record(
    _ seq: UInt64, _ value: JournalValue, _ options: [JournalField] = [], source: String = "run"
) -> ExportRecord {
    ExportRecord(
        source: source, seq: seq, timestampNanoseconds: sampleTime, data: .value(value),
        options: options)
}

/// A record of bytes.
func record(_ seq: UInt64, bytes: String) -> ExportRecord {
    ExportRecord(
        source: "run", seq: seq, timestampNanoseconds: sampleTime, data: .bytes(Array(bytes.utf8)))
}

extension ExportOutcome {
    var isDelivered: Bool { if case .delivered = self { true } else { false } }
    var isRetryable: Bool { if case .retryable = self { true } else { false } }
    var isPermanent: Bool { if case .permanent = self { true } else { false } }

    /// Why not; empty where it was delivered.
    var reason: String {
        switch self {
        case .delivered: ""
        case .retryable(let reason, _), .permanent(let reason): reason
        }
    }

    /// How long to wait, where the destination or its configuration asks for it.
    var pause: Duration? { if case .retryable(_, let after) = self { after } else { nil } }
}

extension Exporter {
    /// Delivers one record and returns what became of it.
    func deliver(_ record: ExportRecord, within limit: Duration = .seconds(20)) -> ExportOutcome {
        deliver([record], within: limit).first ?? .permanent(reason: "no outcome")
    }

    /// Delivers records one after the other until the destination has them all, as a sender does, at most for
    /// a minute.
    func deliverStubbornly(_ record: ExportRecord) -> ExportOutcome {
        var outcome = ExportOutcome.permanent(reason: "not tried")
        _ = Deadline(milliseconds: 50_000).wait {
            outcome = deliver(record)
            return !outcome.isRetryable
        }
        return outcome
    }
}

/// Something that is computed on a thread of its own.
final class Later<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    init(_ body: @escaping @Sendable () -> Value) {
        Thread.detachNewThread { [self] in
            let result = body()
            value.withLock { $0 = result }
        }
    }

    /// The value, when it comes before the patience is over.
    func wait() -> Value? {
        _ = Deadline(milliseconds: 30_000).wait { value.withLock { $0 != nil } }
        return value.withLock { $0 }
    }
}
