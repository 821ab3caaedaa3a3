public import Journal

/// One exporter with a spool: what the destination did not take is kept and sent again.
///
/// It is an exporter itself and may be a member of one pool, which then looks through it: the pool's
/// transform and spool hold in place of its own.
public final class ResilientExporter: Exporter {
    /// What delivers.
    public let exporter: any Exporter
    let hub: ExportHub

    /// A sender around an exporter, whose name it has. The arguments are those of `ExporterPool`, but for
    /// `manualReexport`, which is on unless said otherwise.
    public init(
        _ exporter: any Exporter, transform: ExportTransform? = nil,
        timeout: Duration = .seconds(30), waitForResult: Bool = true, useMemory: Bool = true,
        manualReexport: Bool = true, spoolDirectory: String? = nil,
        spoolLimits: SpoolLimits = SpoolLimits(), saveUnsentData: Bool = true,
        retry: RetryPolicy = RetryPolicy(), deadLetters: DeadLetters? = nil, source: String? = nil,
        firstSeq: UInt64 = 1, clock: any ExportClock = SystemExportClock()
    ) throws {
        guard !(exporter is ExporterPool), !(exporter is ResilientExporter) else {
            throw ExportError.invalidConfiguration(
                "'\(exporter.name)' has a spool of its own: use it as it is")
        }
        self.exporter = exporter
        hub = try ExportHub(
            name: exporter.name,
            settings: .init(
                transform: transform, waitForResult: waitForResult, useMemory: useMemory,
                manualReexport: manualReexport, spoolDirectory: spoolDirectory,
                spoolLimits: spoolLimits, saveUnsentData: saveUnsentData, timeout: timeout,
                retry: retry, deadLetters: deadLetters, source: source, firstSeq: firstSeq,
                clock: clock))
        hub.resume([leaf])
    }

    private var leaf: ExportLeaf {
        ExportLeaf(
            path: name, exporter: exporter, transform: hub.settings.transform.map { (name, $0) })
    }

    /// The name of the exporter.
    public var name: String { exporter.name }

    /// Whether what the destination did not take is kept; being in a pool does not change it.
    public var savesUnsentData: Bool { hub.rules.saves }

    /// Sends a value: an object, text, a number or a truth value.
    ///
    /// Returns its result first, then those of records that were sent again; nothing where it does not wait.
    /// Throws `ExportError` for `null`, lists and a transform that fails; then nothing was sent or stored.
    @discardableResult
    public func send(
        _ value: JournalValue, options: [JournalField] = []
    ) throws(ExportError) -> [ExportResult] {
        try send(.value(value), options: options)
    }

    /// Sends a value or bytes, with what is asked of the destination.
    @discardableResult
    public func send(
        _ data: ExportData, options: [JournalField] = []
    ) throws(ExportError) -> [ExportResult] {
        try data.check()
        return try send(hub.record(data, options))
    }

    /// Sends a record that has its identity from elsewhere.
    @discardableResult
    public func send(_ record: ExportRecord) throws(ExportError) -> [ExportResult] {
        let sent = try hub.send(try hub.parts(record, [leaf]))
        return sent.outcomes.map { ExportResult($0.value, exporter: $0.key) } + sent.resent
    }

    /// Whether a record is owed.
    public var hasUnsentData: Bool { hub.spool.queued(name).records > 0 }

    /// Stores a record as if the destination had failed; the transform is not applied.
    public func saveUnsentData(
        _ data: ExportData, options: [JournalField] = []
    ) throws(ExportError) {
        try data.check()
        try hub.checkRunning()
        hub.store(hub.record(data, options), owed: [name])
    }

    /// Sends again what is stored at this moment, each record once, in order until the first failure.
    /// Returns what was tried.
    @discardableResult
    public func sendUnsentData() throws(ExportError) -> [ExportResult] {
        try hub.checkRunning()
        return hub.resend([leaf])
    }

    /// Whether what is unsent waits in memory.
    public var useMemory: Bool { hub.spool.directory == nil }

    /// Moves what is unsent between memory and disk. Throws where that can't be; then it is where it was.
    public func setUseMemory(_ useMemory: Bool) throws { try hub.move(toMemory: useMemory) }

    /// The spool, for its counts.
    public var spool: Spool { hub.spool }

    /// How it stands.
    public var status: ExporterStatus { hub.destination(leaf).status }

    /// Stops, as a pool does. Returns how it stood at the end.
    @discardableResult
    public func stop(within limit: Duration = .seconds(1)) throws -> ExporterStatus? {
        _ = hub.destination(leaf)
        return try hub.stop(within: limit).first
    }

    /// Delivers past the spool.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        exporter.deliver(records, within: limit)
    }

    /// Interrupts the exporter.
    public func interrupt() { exporter.interrupt() }

    /// Closes the exporter.
    public func close() { exporter.close() }
}
