public import Journal
internal import Synchronization

/// Several exporters that get the same records, and one spool for what any of them did not take.
///
/// A pool is an exporter itself, so pools nest: the outermost one looks through to the exporters at the
/// end, and keeps account of each of them. An exporter belongs to one pool, and is used through it alone.
public final class ExporterPool: Exporter {
    private static let madeCount = Atomic<Int>(0)

    /// The name, unique among pools without a given one: `exporterpool_0` and so on.
    public let name: String
    let hub: ExportHub
    private let members: Mutex<[any Exporter]>

    /// A pool.
    ///
    /// - `transform` is applied once to each record, before it is sent or stored; those of members are off then.
    /// - `numThreads`: how many members `send` serves at the same time when it waits; 1 or more. With 1 a member
    ///   that keeps its time limit (`Exporter.keepsTimeLimit`) is called on the sender's thread. When it does not
    ///   wait each member works on its own.
    /// - `waitForResult`: false makes `send` return at once with nothing: the record is put into the spool, and
    ///   each member's thread delivers what it owes in order, with back-off when that fails.
    /// - `useMemory`: whether what is unsent waits in memory, or on disk in `spoolDirectory`, which is needed then.
    /// - `manualReexport`: whether failed records are sent again only by `sendUnsentData`. Else that is done by
    ///   the next `send` that reaches the destination, or without waiting by back-off alone.
    /// - `saveUnsentData`: false lets go what a member did not take; a `ResilientExporter` in the pool keeps it
    ///   itself if it is set to.
    /// - `timeout`: how long one delivery may take; above zero.
    /// - `deadLetters`: where records go that can never succeed; nil: into the spool's directory, and in memory
    ///   they are only counted.
    /// - `source`: who makes the records, for their identity; nil: a new one for this pool. `firstSeq`: the serial
    ///   number of its first one.
    ///
    /// Throws `ExportError` where a name occurs twice or a number can't be, `SpoolError` where the spool can't be
    /// opened.
    public init(
        _ exporters: [any Exporter] = [], transform: ExportTransform? = nil, numThreads: Int = 1,
        waitForResult: Bool = true, useMemory: Bool = true, manualReexport: Bool = false,
        spoolDirectory: String? = nil, spoolLimits: SpoolLimits = SpoolLimits(),
        saveUnsentData: Bool = true, name: String? = nil, timeout: Duration = .seconds(30),
        retry: RetryPolicy = RetryPolicy(), deadLetters: DeadLetters? = nil, source: String? = nil,
        firstSeq: UInt64 = 1, clock: any ExportClock = SystemExportClock()
    ) throws {
        self.name =
            name
            ?? "exporterpool_\(Self.madeCount.wrappingAdd(1, ordering: .relaxed).oldValue)"
        hub = try ExportHub(
            name: self.name,
            settings: .init(
                transform: transform, numThreads: numThreads, waitForResult: waitForResult,
                useMemory: useMemory, manualReexport: manualReexport,
                spoolDirectory: spoolDirectory, spoolLimits: spoolLimits,
                saveUnsentData: saveUnsentData, timeout: timeout, retry: retry,
                deadLetters: deadLetters, source: source, firstSeq: firstSeq, clock: clock))
        members = Mutex([])
        for exporter in exporters { try addExporter(exporter) }
    }

    /// The members, in order.
    public var exporters: [any Exporter] { members.withLock { $0 } }

    /// Lets one more exporter take part from now on; what an earlier life left for its name is its own.
    /// Throws where its name is taken, or it is this pool or holds it.
    public func addExporter(_ exporter: any Exporter) throws(ExportError) {
        let isSelf = exporter === self || (exporter as? ExporterPool)?.holds(self) == true
        guard !isSelf else {
            throw .invalidConfiguration("the pool '\(name)' can't be in itself")
        }
        guard !exporter.name.isEmpty, exporter.name.utf8.count <= 256 else {
            throw .invalidConfiguration("an exporter in '\(name)' needs a name of 1 to 256 bytes")
        }
        let isNew = members.withLock { members in
            guard !members.contains(where: { $0.name == exporter.name }) else { return false }
            members.append(exporter)
            return true
        }
        guard isNew else {
            throw .invalidConfiguration(
                "two exporters named '\(exporter.name)' in the pool '\(name)': "
                    + "give each a name of its own")
        }
        hub.resume(leaves)
    }

    private func holds(_ pool: ExporterPool) -> Bool {
        exporters.contains { $0 === pool || ($0 as? ExporterPool)?.holds(pool) == true }
    }

    // MARK: Members of members

    /// All exporters at the end.
    var leaves: [ExportLeaf] { leaves(prefix: "", transform: nil) }

    private func leaves(
        prefix: String, transform: (owner: String, apply: ExportTransform)?
    ) -> [ExportLeaf] {
        let outer = transform ?? hub.settings.transform.map { (prefix + name, $0) }
        return exporters.flatMap { member -> [ExportLeaf] in
            if let pool = member as? ExporterPool {
                return pool.leaves(prefix: "\(prefix)\(pool.name)/", transform: outer)
            }
            let path = prefix + member.name
            guard let single = member as? ResilientExporter else {
                return [ExportLeaf(path: path, exporter: member, transform: outer)]
            }
            let own = single.hub.settings.transform.map { (path, $0) }
            return [
                ExportLeaf(
                    path: path, exporter: single.exporter, transform: outer ?? own,
                    own: single.hub)
            ]
        }
    }

    /// The results of the members in order; that of a pool is made of its own.
    private func results(
        _ outcomes: [String: ExportOutcome], prefix: String
    ) -> [ExportResult] {
        exporters.compactMap { member in
            let path = prefix + member.name
            guard let pool = member as? ExporterPool else {
                return outcomes[path].map { ExportResult($0, exporter: path) }
            }
            let inner = pool.results(outcomes, prefix: "\(path)/")
            let reasons = inner.compactMap(\.reason)
            return ExportResult(
                returned: .array(inner.map(\.returned)), successful: inner.allSuccessful,
                exporter: path, reason: reasons.isEmpty ? nil : reasons.joined(separator: "; "))
        }
    }

    // MARK: Sending

    /// Sends a value to all members: an object, text, a number or a truth value.
    ///
    /// Returns the results in the order of the members, then those of records that were sent again; an empty
    /// list without members, or where the pool does not wait. Throws `ExportError` for `null`, lists and
    /// transforms that fail; then nothing was sent or stored.
    @discardableResult
    public func send(
        _ value: JournalValue, options: [JournalField] = []
    ) throws(ExportError) -> [ExportResult] {
        try send(.value(value), options: options)
    }

    /// Sends a value or bytes, with what is asked of the destinations.
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
        let sent = try hub.send(try hub.parts(record, leaves))
        return results(sent.outcomes, prefix: "") + sent.resent
    }

    // MARK: What is unsent

    /// Whether any member owes a record.
    public var hasUnsentData: Bool { leaves.contains { hub.spool.queued($0.path).records > 0 } }

    /// Stores a record as if the exporter of that name, with those of the pools around it within this one,
    /// had failed; nil or the name of this pool: as if all had. The transform is not applied. Throws where
    /// nobody has the name.
    public func saveUnsentData(
        _ data: ExportData, options: [JournalField] = [], exporterName: String? = nil
    ) throws(ExportError) {
        try data.check()
        try hub.checkRunning()
        let all = leaves.map(\.path)
        let owed =
            exporterName == nil || exporterName == name
            ? all : all.filter { $0 == exporterName || $0.hasPrefix("\(exporterName ?? "")/") }
        guard !owed.isEmpty else {
            throw .invalidConfiguration(
                "no exporter named '\(exporterName ?? name)' in the pool '\(name)'")
        }
        hub.store(hub.record(data, options), owed: owed)
    }

    /// Sends again what is stored at this moment: each record once, each member in order until its first
    /// failure, and only members that have not got it. Returns what was tried.
    @discardableResult
    public func sendUnsentData() throws(ExportError) -> [ExportResult] {
        try hub.checkRunning()
        return hub.resend(leaves)
    }

    /// What is stored, oldest first: the record, who owes it, and the name it is kept under, which is that of
    /// the pool where all members owe it.
    public func unsentData() throws(SpoolError) -> [UnsentRecord] {
        let count = leaves.count
        var unsent: [UnsentRecord] = []
        try hub.spool.forEachOwed { [name] record, owed in
            let kept = owed.count == count ? name : owed.joined(separator: ",")
            unsent.append(UnsentRecord(record: record, owed: owed, exporterName: kept))
        }
        return unsent
    }

    /// Whether what is unsent waits in memory.
    public var useMemory: Bool { hub.spool.directory == nil }

    /// Moves what is unsent between memory and disk. Throws where that can't be; then it is where it was.
    public func setUseMemory(_ useMemory: Bool) throws { try hub.move(toMemory: useMemory) }

    /// The spool, for its counts.
    public var spool: Spool { hub.spool }

    /// How each exporter stands.
    public var statuses: [ExporterStatus] {
        for leaf in leaves { _ = hub.destination(leaf) }
        return hub.statuses
    }

    /// Stops: members go on with what they owe until the limit, unless they fail; then they are interrupted,
    /// which takes a second at most. What is not out stays on disk for the next life; in memory it is lost
    /// and counted. Returns how each exporter stood at the end.
    @discardableResult
    public func stop(within limit: Duration = .seconds(1)) throws -> [ExporterStatus] {
        for leaf in leaves { _ = hub.destination(leaf) }
        return try hub.stop(within: limit)
    }

    // MARK: As an exporter

    /// Delivers each record to all members, past the spool, for a caller that is no pool. A record counts
    /// as delivered when all have it, so one that is sent again may come to some twice.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        var outcomes: [ExportOutcome] = []
        for record in records {
            if case .retryable? = outcomes.last {
                outcomes.append(.retryable(reason: "an earlier record failed", after: nil))
            } else {
                outcomes.append(deliver(record, within: limit))
            }
        }
        return outcomes
    }

    private func deliver(_ record: ExportRecord, within limit: Duration) -> ExportOutcome {
        let parts: [ExportPart]
        do { parts = try hub.parts(record, leaves) } catch {
            return .permanent(reason: error.description)
        }
        var receipts: [JournalValue] = []
        var permanent: ExportOutcome?
        for part in parts {
            for leaf in part.leaves {
                switch leaf.exporter.deliver([part.record], within: limit).first {
                case .delivered(let receipt)?: receipts.append(receipt)
                case .retryable(let reason, let delay)?:
                    return .retryable(reason: "\(leaf.path): \(reason)", after: delay)
                case .permanent(let reason)?:
                    permanent = .permanent(reason: "\(leaf.path): \(reason)")
                case nil: return .retryable(reason: "\(leaf.path) said nothing", after: nil)
                }
            }
        }
        return permanent ?? .delivered(.array(receipts))
    }

    /// Interrupts all exporters.
    public func interrupt() { for leaf in leaves { leaf.exporter.interrupt() } }

    /// Closes all exporters.
    public func close() { for leaf in leaves { leaf.exporter.close() } }
}

/// A record that waits in a pool.
public struct UnsentRecord: Sendable, Equatable {
    /// The record, after all transforms.
    public var record: ExportRecord
    /// The exporters that owe it.
    public var owed: [String]
    /// The name that it is kept under: that of the pool, or of the exporters that owe it.
    public var exporterName: String
}

extension [ExportResult] {
    /// Whether all were successful; an empty list is.
    public var allSuccessful: Bool { allSatisfy(\.successful) }
}
