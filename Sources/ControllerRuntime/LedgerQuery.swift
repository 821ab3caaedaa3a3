package import NDArrays
internal import WorkerProtocol

/// A file that a frame left.
package struct LedgerFileRow: Sendable, Hashable {
    /// Its path, relative ones from where the run was started.
    package var path: String
    /// Bytes of it.
    package var byteCount: UInt64
    /// CRC32C of it; nil where the worker did not compute it.
    package var checksum: UInt32?
}

/// What became of one frame in one stage.
package struct LedgerRow: Sendable, Hashable {
    /// The frame.
    package var frame: FrameKey
    /// The source's own id.
    package var uniqueId: UInt64
    /// Name of the stage.
    package var stage: String
    /// What became of it.
    package var outcome: FrameReport.Outcome
    /// Seconds since the POSIX epoch, exact to some 20 ms.
    package var closedAt: Double
    /// The worker that had it last, nil when none did.
    package var worker: Int?
    /// How many workers had died of it.
    package var attempt: UInt32
    /// The configuration it was dispatched with; 0: it never was.
    package var configurationVersion: UInt64
    /// Why; empty for a frame that went through.
    package var reason: String
    /// Where it came from, the path of a file; empty for a frame that went through.
    package var source: String
    /// The files it left.
    package var files: [LedgerFileRow]
}

/// What a ledger says of the run as a whole.
package struct LedgerNotes: Sendable, Hashable {
    /// Name of the run.
    package var runId: String
    /// Lives of the run: 1 for one that was never taken up again.
    package var lives: Int
    /// Bytes at the end that belong to a record that was not written to its end; 0 after an orderly run.
    package var tornByteCount: Int
    /// The account of the run in one line; nil when it goes on or did not end in order.
    package var account: String?
}

/// Questions to the ledger of a run, which may still go on.
package enum LedgerQuery {
    /// Gives what became of every frame in every stage, in the order in which they were closed. Of a
    /// frame that was done again (resume, retry) only the last is given, and none while it is not
    /// closed.
    ///
    /// - Throws: `ControllerError` when there is no ledger or it is damaged, and what `body` throws.
    @discardableResult
    package static func forEachRow(
        runDirectory: String, _ body: (LedgerRow) throws -> Void
    ) throws -> LedgerNotes {
        let path = RunDirectory.path(of: .ledger, in: runDirectory)
        var rows = LedgerRows(reopened: try reopenedFates(path))
        var reader = try LedgerReader(path: path)
        while let record = try reader.next() { try rows.take(record, body) }
        return LedgerNotes(
            runId: rows.run?.runId ?? "", lives: rows.life,
            tornByteCount: Int(clamping: reader.tornByteCount), account: rows.account)
    }

    /// The source frames that ended with one of these outcomes. `isForRetry`: without those that an
    /// overload policy let go, which the same run never does again.
    ///
    /// - Throws: `ControllerError` when there is no ledger or it is damaged.
    package static func frameIds(
        runDirectory: String, outcomes: Set<FrameReport.Outcome>, isForRetry: Bool = false
    ) throws(ControllerError) -> FrameIdRanges {
        let path = RunDirectory.path(of: .ledger, in: runDirectory)
        let (replay, _) = try LedgerReplay.read(path: path, keepsOutcomes: true)
        return replay.frameIds(Set(outcomes.map(FrameFate.init)), isForRetry: isForRetry)
    }

    /// The number of source frames that keep their outcome when the run is taken up: all that are closed,
    /// but not those that were dropped when it was stopped.
    ///
    /// - Throws: `ControllerError` when there is no ledger or it is damaged.
    package static func doneCount(runDirectory: String) throws(ControllerError) -> UInt64 {
        let path = RunDirectory.path(of: .ledger, in: runDirectory)
        var (replay, end) = try LedgerReplay.read(path: path)
        replay.take(
            .resumed(
                LedgerResumption(
                    life: replay.lives &+ 1, time: 0, tornByteCount: end.tornByteCount,
                    reopened: [.dropped])))
        return replay.closed.count
    }

    /// The outcomes that every further life did again.
    private static func reopenedFates(
        _ path: String
    ) throws(ControllerError) -> [Set<FrameFate>] {
        var result: [Set<FrameFate>] = []
        var reader = try LedgerReader(path: path)
        while let record = try reader.next() {
            if case .resumed(let resumption) = record { result.append(resumption.reopened) }
        }
        return result
    }
}

/// Makes rows of records.
private struct LedgerRows {
    private(set) var run: LedgerRun?
    private(set) var life = 1
    private(set) var account: String?
    /// The outcomes that each of the lives to come did again.
    private var reopened: [Set<FrameFate>]
    private var reasons: [EntryId: FrameReason] = [:]
    private var files: [EntryId: [StagedFile]] = [:]

    init(reopened: [Set<FrameFate>]) { self.reopened = reopened }

    mutating func take(_ record: LedgerRecord, _ body: (LedgerRow) throws -> Void) throws {
        switch record {
        case .run(let run): self.run = run
        case .resumed:
            life += 1
            account = nil
            // A run that goes on may be taken up between the two readings.
            if !reopened.isEmpty { reopened.removeFirst() }
        case .reason(let reason):
            reasons[EntryId(key: reason.key, stage: reason.stage)] = reason
        case .intent(let closing, let staged): files[closing.id] = staged
        case .undone(let key, let stage): files[EntryId(key: key, stage: stage)] = nil
        case .closings(let batch):
            for closing in batch.closings {
                let row = row(closing, time: batch.time)
                // What policies let go is never done again.
                let isDoneAgain =
                    closing.overload == nil
                    && reopened.contains(where: { $0.contains(closing.fate) })
                if !isDoneAgain { try body(row) }
            }
        case .account(let account):
            if account.stage.isEmpty { self.account = account.line }
        case .directory, .change, .changeTakenBack, .claims: break
        }
    }

    private mutating func row(_ closing: Closing, time: UInt64) -> LedgerRow {
        let reason = reasons.removeValue(forKey: closing.id)
        let staged = files.removeValue(forKey: closing.id) ?? []
        let stages = run?.stages ?? []
        return LedgerRow(
            frame: closing.key, uniqueId: closing.uniqueId,
            stage: stages[safely: Int(closing.stage)]?.name ?? "\(closing.stage)",
            outcome: closing.fate.outcome, closedAt: Double(time) / 1e9,
            worker: closing.worker == Closing.noWorker ? nil : Int(closing.worker),
            attempt: closing.attempt, configurationVersion: closing.configurationVersion,
            reason: reason?.reason ?? closing.overload?.rawValue ?? "",
            source: reason?.source ?? "",
            files: closing.fileCount == 0
                ? []
                : staged.map {
                    LedgerFileRow(
                        path: $0.finalPath, byteCount: $0.byteCount, checksum: $0.checksum)
                })
    }
}

extension FrameFate {
    /// The fate that programs outside call `outcome`.
    init(_ outcome: FrameReport.Outcome) {
        switch outcome {
        case .processed: self = .processed
        case .filtered: self = .filtered
        case .failed: self = .failed
        case .quarantined: self = .quarantined
        case .dropped: self = .dropped
        }
    }

    /// What programs outside call it.
    var outcome: FrameReport.Outcome {
        switch self {
        case .processed: .processed
        case .filtered: .filtered
        case .failed: .failed
        case .quarantined: .quarantined
        case .dropped: .dropped
        }
    }
}
