internal import Journal
internal import NDArrays
internal import WorkerProtocol

/// How closings get into the ledger: the engine gathers them, the committer writes many at once.
extension Engine {
    /// The longest time that a closing waits before it is handed over, in nanoseconds: so a run whose
    /// frames leave no files wakes the committer at most 50 times a second.
    private static let closingPeriod: UInt64 = 20_000_000

    /// Notes that an entry is closed, unless the committer has written so.
    func recordClosing(of place: Int, _ fate: FrameFate, _ overload: OverloadReason? = nil) {
        guard keepsLedger, !entries[place].isRecorded else { return }
        var closing = closing(of: place, fate)
        closing.overload = overload
        add(closing)
    }

    /// Notes a closing for the ledger.
    func add(_ closing: Closing) {
        if closings.isEmpty {
            closingsDueAt = now + Self.closingPeriod
            wake(at: closingsDueAt)
        }
        closings.append(closing)
    }

    /// What the ledger will say of a frame when its files have their names.
    func commitClosing(_ place: Int, _ result: FrameResult) -> Closing {
        var closing = closing(of: place, result.outcome == .filtered ? .filtered : .processed)
        closing.fileCount = UInt32(result.files.count)
        return closing
    }

    private func closing(of place: Int, _ fate: FrameFate) -> Closing {
        // Field by field: a copy of the entry would count references up and down.
        Closing(
            key: entries[place].key, uniqueId: entries[place].frame.uniqueId,
            configurationVersion: entries[place].configurationVersion ?? 0,
            bytesIn: entries[place].bytesIn, bytesOut: entries[place].bytesOut,
            worker: entries[place].lastWorker, attempt: entries[place].attempt,
            outputCount: fate <= .processed ? entries[place].outputCount : 0,
            stage: UInt16(entries[place].stage), fate: fate)
    }

    /// Hands jobs over, and closings with them where that costs no waking of its own.
    func submitJobs() {
        if isBehind { isBehind = committer.isBehind }
        if !closings.isEmpty && (!jobs.isEmpty || closings.count >= ClosingBatch.maximumCount) {
            submitClosings()
        }
        if !newClaims.isEmpty && !jobs.isEmpty { submitClaims() }
        committer.submit(&jobs)
    }

    /// Hands claims over before everything that waits: in the ledger they stand before the intents and
    /// closings of their frames.
    private func submitClaims() {
        jobs.insert(contentsOf: newClaims.map { .record($0) }, at: 0)
        newClaims.removeAll(keepingCapacity: true)
    }

    /// Hands the closings over behind the jobs that wait.
    func submitClosings() {
        closingsDueAt = .max
        if !newClaims.isEmpty { submitClaims() }
        guard !closings.isEmpty else { return }
        let count = closings.count
        jobs.append(.closings(closings, highestFrameId: highestFrameId))
        closings = []
        closings.reserveCapacity(count)
        isBehind = committer.isBehind
    }

    /// Ends a run whose ledger can't be written any more.
    func checkLedger() {
        guard let surrender = committer.surrender else { return }
        decide(.stageFailed, reason: Self.reason(of: surrender), isImmediate: true)
    }

    /// Why a run ended whose ledger could not be written, with what to do.
    static func reason(of surrender: String) -> String {
        "\(surrender); make room, then go on with sluice run --resume"
    }
}
