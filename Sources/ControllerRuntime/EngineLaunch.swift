internal import Journal
internal import Pipes

/// Everything that the engine's thread needs to make and run the engine.
struct EngineLaunch: Sendable {
    var configuration: RunConfiguration
    var source: any FrameSource
    var mailbox: EngineMailbox
    var journal: any JournalSink
    var runId: String
    var paths: RecordPaths?
    /// What earlier lives of the run have left; nil in the first.
    var resumption: Resumption?
    /// Removes the summary of the life before.
    var removeSummary: @Sendable () throws(ControllerError) -> Void
    var observer: (any RunObserver)?
    var frameHandler: (@Sendable (FrameReport) -> Void)?

    /// A name for a run without a run directory.
    static func makeRunId() -> String {
        String(UInt64.random(in: 1 << 32...UInt64.max), radix: 36)
    }

    /// The body of the engine's thread: the run, then the end of the threads that served it.
    func run() -> Result<RunSummary, any Error> {
        var result: Result<RunSummary, any Error>
        do {
            result = .success(try runWithCommitter())
        } catch {
            result = .failure(error)
        }
        for request in mailbox.close() { refuse(request) }
        return result
    }

    private func runWithCommitter() throws -> RunSummary {
        let flag = mailbox.flag
        if let paths, resumption == nil { try beginLedger(paths.ledger) }
        let committer = try Committer(wakeEngine: { flag.signal() })
        let launch = committerLaunch
        let thread = try NamedThread(name: "committer") { committer.run(launch) }
        defer {
            committer.close()
            thread.join()
        }
        let keeper = configuration.runDirectory.map {
            QuarantineKeeper(runDirectory: $0, runId: runId, wakeEngine: { flag.signal() })
        }
        let engine = try Engine(
            configuration: configuration, source: source, mailbox: mailbox, journal: journal,
            committer: committer, system: try ProcessSystem(flag: flag), runId: runId,
            deliversReports: frameHandler != nil, keeper: keeper, resumption: resumption,
            removeSummary: removeSummary)
        var summary = try engine.run()
        committer.close()
        thread.join()
        // The committer may have waited for room on the same disk.
        engine.journal.retry(at: .max)
        if let surrender = committer.surrender, summary.end != .stageFailed {
            summary.end = .stageFailed
            summary.reason = Engine.reason(of: surrender)
        }
        summary.problems = [committer.problem, engine.journal.problem].compactMap { $0 }
        return summary
    }

    /// Makes the ledger with its first record: a run that has no room for it does not begin.
    private func beginLedger(_ path: String) throws(ControllerError) {
        let file = RecordFile(path: path)
        var code = LedgerRun(runId: runId, configuration, source.information).begin(file)
        if code == 0, configuration.durability == .file { code = file.sync() }
        guard code != 0 else { return }
        throw ControllerError(
            .runDirectory,
            "the ledger \(path) can't be made: \(SystemText.ofError(code)); make room, or choose another "
                + "place with --run-dir")
    }

    private var committerLaunch: CommitterLaunch {
        CommitterLaunch(
            runId: runId, paths: paths,
            directories: resumption?.directories ?? [], durability: configuration.durability,
            acceptsIdenticalOutputs: configuration.acceptsIdenticalOutputs,
            stallTimeLimit: configuration.stallTimeLimit, observer: observer,
            frameHandler: frameHandler)
    }

    private func refuse(_ request: EngineRequest) {
        let over = ControllerError(.state, "the run is over")
        switch request {
        case .stop: break
        case .started(let completion): completion(.failure(over))
        case .status(let completion): completion(nil)
        case .statistics(let completion): completion(.failure(over))
        case .configure(let request): request.completion(.failure(over))
        case .resetStatistics(let completion): completion(.failure(over))
        }
    }
}
