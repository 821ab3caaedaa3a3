internal import Journal
internal import Synchronization

/// What every record goes through before it is sent; nil is an error, as is what it throws.
public typealias ExportTransform = @Sendable (ExportData) throws -> ExportData?

/// An exporter that is not made of others, as a sender reaches it.
struct ExportLeaf: Sendable {
    /// Its name, with those of the pools that it is in before it.
    var path: String
    var exporter: any Exporter
    /// The one transform that holds for it, and whose it is; nil where there is none.
    var transform: (owner: String, apply: ExportTransform)?
    /// Where it saves on its own what the pool does not save.
    var own: ExportHub?
}

/// A record with those that get it as it is.
struct ExportPart: Sendable {
    var record: ExportRecord
    var leaves: [ExportLeaf]
}

/// What `ExporterPool` and `ResilientExporter` have in common: a spool and a thread for each destination.
final class ExportHub: Sendable {
    /// What `ExporterPool` and `ResilientExporter` are asked for, in their words.
    struct Settings: Sendable {
        var transform: ExportTransform?
        var numThreads = 1
        var waitForResult: Bool
        var useMemory: Bool
        var manualReexport: Bool
        var spoolDirectory: String?
        var spoolLimits: SpoolLimits
        var saveUnsentData: Bool
        var timeout: Duration
        var retry: RetryPolicy
        var deadLetters: DeadLetters?
        var source: String?
        var firstSeq: UInt64
        var clock: any ExportClock

        var rules: DestinationRules {
            DestinationRules(
                retry: retry, timeout: timeout, isBackground: !waitForResult,
                isManual: manualReexport, saves: saveUnsentData, clock: clock,
                deadLetters: deadLetters
                    ?? (useMemory ? nil : DeadLetters(inDirectory: spoolDirectory)))
        }
    }

    private struct State {
        var destinations: [String: Destination] = [:]
        var nextSeq: UInt64
        var isStopped = false
    }

    let name: String
    let settings: Settings
    let rules: DestinationRules
    let spool: Spool
    let source: String
    private let state: Mutex<State>

    init(name: String, settings: Settings) throws {
        try settings.retry.check()
        guard settings.timeout > .zero else {
            throw ExportError.invalidConfiguration("timeout of '\(name)' must be above zero")
        }
        guard settings.numThreads >= 1 else {
            throw ExportError.invalidConfiguration("numThreads of '\(name)' must be 1 or more")
        }
        guard name.utf8.count <= SpoolBody.maximumNameBytes, !name.isEmpty else {
            throw ExportError.invalidConfiguration("an exporter needs a name of 1 to 1024 bytes")
        }
        self.name = name
        self.settings = settings
        rules = settings.rules
        if settings.useMemory {
            spool = try Spool(limits: settings.spoolLimits, owner: name)
        } else {
            spool = try Spool(
                directory: try Self.needed(settings.spoolDirectory, name),
                limits: settings.spoolLimits, owner: name)
        }
        source = settings.source ?? Self.newSource(name)
        state = Mutex(State(nextSeq: settings.firstSeq))
    }

    deinit {
        for destination in state.withLock({ $0.destinations.values.map(\.self) }) {
            destination.beginStop(deadline: .zero)
            // One that has a thread is closed there, now or later; one without has nobody else.
            _ = destination.waitForEnd(until: .zero)
        }
    }

    private static func needed(_ directory: String?, _ name: String) throws -> String {
        guard let directory else {
            throw ExportError.invalidConfiguration(
                "'\(name)' is to spool on disk: give it a directory of its own")
        }
        return directory
    }

    /// No two lives of a sender have the same, so that (source, seq) is unique.
    private static func newSource(_ name: String) -> String {
        let number = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        return name + "-" + String(repeating: "0", count: 16 - number.utf8.count) + number
    }

    /// The next record of this sender.
    func record(_ data: ExportData, _ options: [JournalField]) -> ExportRecord {
        let seq = state.withLock { state in
            defer { state.nextSeq += 1 }
            return state.nextSeq
        }
        return ExportRecord(
            source: source, seq: seq, timestampNanoseconds: rules.clock.wallNanoseconds,
            data: data, options: options)
    }

    func checkRunning() throws(ExportError) {
        if state.withLock({ $0.isStopped }) { throw .stopped(exporter: name) }
    }

    /// The thread of a leaf, made when it is first needed.
    func destination(_ leaf: ExportLeaf) -> Destination {
        state.withLock { state in
            if let there = state.destinations[leaf.path] { return there }
            let made = Destination(
                name: leaf.path, exporter: leaf.exporter, spool: spool, rules: rules)
            // One that comes while all stop is stopped from the start.
            if state.isStopped { made.beginStop(deadline: .zero) }
            state.destinations[leaf.path] = made
            return made
        }
    }

    /// Makes destinations known and takes up what an earlier life left for them.
    func resume(_ leaves: [ExportLeaf]) {
        for leaf in leaves {
            let destination = destination(leaf)
            if spool.queued(leaf.path).records > 0 { destination.wake() }
        }
    }

    // MARK: Transforms

    /// Transforms the data once for each transform that holds; before anything is sent or stored.
    func parts(
        _ record: ExportRecord, _ leaves: [ExportLeaf]
    ) throws(ExportError) -> [ExportPart] {
        try record.data.check()
        var parts: [(owner: String?, part: ExportPart)] = []
        for leaf in leaves {
            let owner = leaf.transform?.owner
            if let place = parts.firstIndex(where: { $0.owner == owner }) {
                parts[place].part.leaves.append(leaf)
                continue
            }
            var copy = record
            if let transform = leaf.transform {
                copy.data = try Self.transformed(record.data, transform.apply, transform.owner)
            }
            parts.append((owner, ExportPart(record: copy, leaves: [leaf])))
        }
        return parts.map(\.part)
    }

    private static func transformed(
        _ data: ExportData, _ transform: ExportTransform, _ owner: String
    ) throws(ExportError) -> ExportData {
        let result: ExportData?
        do { result = try transform(data) } catch {
            throw .transformFailed(exporter: owner, reason: "\(error)")
        }
        guard let result else { throw .transformGaveNothing(exporter: owner) }
        try result.check()
        return result
    }

    // MARK: The spool

    /// Stores a record for destinations; its serial number, 0 where it was not taken, which is counted.
    /// Waits for room where the policy says so, for the time limit at most.
    @discardableResult
    func store(_ record: ExportRecord, owed: [String]) -> UInt64 {
        let clock = rules.clock
        let deadline = clock.now + rules.timeout
        var hasWaited = false
        while true {
            if let seq = spool.append(record, owed: owed) {
                // Another one may wait for the same room.
                if hasWaited { spool.room.ring() }
                return seq
            }
            let isStopped = state.withLock { $0.isStopped }
            if isStopped || clock.now >= deadline {
                for name in owed { spool.countDrop(name, .blockedTooLong) }
                return 0
            }
            hasWaited = true
            clock.wait(for: spool.room, until: deadline)
        }
    }

    /// Moves what is stored between memory and disk, while no destination reads it.
    func move(toMemory: Bool) throws {
        try checkRunning()
        let directory = toMemory ? nil : try Self.needed(settings.spoolDirectory, name)
        let all = state.withLock { $0.destinations.values.map(\.self) }
        let pauses = all.map { destination in
            let release = Doorbell()
            let job = ExportJob(.pause(release: release))
            destination.post(job)
            return (destination, job, release)
        }
        defer { for (_, _, release) in pauses { release.ring() } }
        for (destination, job, _) in pauses where waitOrInterrupt(job, destination) == nil {
            throw ExportError.invalidConfiguration(
                "'\(destination.name)' does not come back from its destination: "
                    + "what is stored can't be moved now")
        }
        try spool.move(toDirectory: directory)
        for destination in all { destination.restart() }
    }

    /// Waits for a job within the time limit; then interrupts, and gives up. nil where it is given up.
    func waitOrInterrupt(_ job: ExportJob, _ destination: Destination) -> [ExportOutcome]? {
        let clock = rules.clock
        if let outcomes = job.wait(clock, until: clock.now + rules.timeout) { return outcomes }
        destination.exporter.interrupt()
        let grace = DestinationRules.interruptGrace
        return job.wait(clock, until: clock.now + grace) ?? job.abandon()
    }

    // MARK: The end

    /// Stops all destinations: what is in flight goes out until the limit, what is not out then stays in
    /// the spool. Where everybody stands, just before the spool is closed.
    func stop(within limit: Duration) throws -> [ExporterStatus] {
        let all = state.withLock { state in
            state.isStopped = true
            return state.destinations.values.sorted { $0.name < $1.name }
        }
        let deadline = rules.clock.now + limit
        spool.room.ring()
        for destination in all { destination.beginStop(deadline: deadline) }
        let late = all.filter { !$0.waitForEnd(until: deadline) }
        for destination in late { destination.exporter.interrupt() }
        let last = rules.clock.now + DestinationRules.interruptGrace
        for destination in late { _ = destination.waitForEnd(until: last) }
        let statuses = all.map(\.status)
        try spool.close()
        return statuses.map { before in
            var status = before
            status.dropped = spool.dropped(before.name)
            return status
        }
    }

    /// Where all destinations stand, by name.
    var statuses: [ExporterStatus] {
        state.withLock { $0.destinations.values.map(\.self) }.map(\.status)
            .sorted { $0.name < $1.name }
    }
}
