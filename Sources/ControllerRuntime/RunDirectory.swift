internal import CLinux
internal import Glibc
internal import Journal
internal import Pipes

/// The folder that a run leaves behind, held by a lock as long as this object lives.
///
/// The lock is one of the open file description (man 2 F_OFD_SETLK): it goes with the process that
/// holds it, however that ends, workers do not inherit it, and others can look at it without taking
/// it.
package final class RunDirectory: Sendable {
    /// The files of a run directory.
    package enum File: String, CaseIterable, Sendable {
        /// Held as long as the run lives; holds the process id and the run's name.
        case lock
        /// The configuration as it was given.
        case configuration = "configuration.yaml"
        /// Events, one a line.
        case journal = "journal.jsonl"
        /// Statistics, one gathering a line.
        case statistics = "stats.jsonl"
        /// What became of every frame.
        case ledger
        /// How the run ended.
        case summary = "summary.json"
        /// What workers write to standard error, each line with the worker's id before it.
        case log = "log.txt"
        /// Where `sluice stats`, `configure` and `stop` ask.
        case controlSocket = "control.sock"
    }

    /// The path as it was given, without slashes at its end.
    package let path: String
    /// Name of the run: eight letters and digits, usable in file names, different for every run.
    package let runId: String
    /// The open folder, for paths relative to it.
    let descriptor: OwnedDescriptor
    private let lock: RunDirectoryLock
    private let wasCreated: Bool
    /// Whether a run that was killed before it began is begun anew in it, under its name.
    private let wasUnbegun: Bool
    /// Whether an earlier run is taken up in it.
    let isResumed: Bool

    /// Makes the folder with its parents, or takes one that is empty, and locks it. With
    /// `replacesUnbegun` a run is begun anew that was killed before it had begun: it keeps its name, and its
    /// configuration until the new one is written.
    ///
    /// - Throws: `ControllerError(.runDirectory)` when it is in use, holds something else or can't
    ///   be made; what is in it stays as it is then.
    package init(
        creating path: String, replacesUnbegun: Bool = false
    ) throws(ControllerError) {
        let path = Self.withoutSlashAtEnd(path)
        wasCreated = try Self.makeFolders(path)
        descriptor = try Self.open(path)
        let isOurs = Self.isRunDirectory(descriptor)
        // Looked at before the lock file is made: a folder with other things stays as it is.
        if !isOurs { try Self.refuseUsed(path, descriptor: descriptor, isOurs: false) }
        lock = try RunDirectoryLock(taking: path, descriptor: descriptor)
        if isOurs { AtomicFile.removeLeftovers(in: descriptor) }
        wasUnbegun = isOurs && replacesUnbegun ? try Self.start(of: path) == .unbegun : false
        if wasUnbegun {
            for file in File.allCases where !Self.keptOfUnbegun.contains(file) {
                unlinkat(descriptor.rawValue, file.rawValue, 0)
            }
        } else if isOurs {
            try Self.refuseUsed(path, descriptor: descriptor, isOurs: true)
        }
        // Under the same name what its workers have staged is found at the end.
        let earlier = wasUnbegun ? RunDirectoryLock.runId(in: descriptor) : nil
        runId = earlier ?? Self.makeRunId()
        try lock.write("\(getpid())\n\(runId)\n", path: path)
        self.path = path
        isResumed = false
    }

    /// What stays of a run that had not begun, until it has.
    private static let keptOfUnbegun: [File] = [.lock, .configuration]

    /// Takes the run up that is in the folder, and locks it.
    ///
    /// - Throws: `ControllerError(.runDirectory)` when it is in use or holds no run that can be taken up.
    package init(resuming path: String) throws(ControllerError) {
        let path = Self.withoutSlashAtEnd(path)
        guard access(path, F_OK) == 0 else {
            throw ControllerError(
                .runDirectory, "there is no run directory \(path): nothing can be taken up")
        }
        descriptor = try Self.open(path)
        guard Self.isRunDirectory(descriptor) else {
            throw ControllerError(
                .runDirectory, "\(path) is no run directory: nothing can be taken up")
        }
        lock = try RunDirectoryLock(taking: path, descriptor: descriptor)
        runId = try Self.runId(ofLedgerIn: path)
        if let other = RunDirectoryLock.runId(in: descriptor), other != runId {
            throw ControllerError(
                .runDirectory,
                "\(path) holds the lock of run \(other) and the ledger of run \(runId): one of them "
                    + "was copied there, and can't be taken up")
        }
        try lock.write("\(getpid())\n\(runId)\n", path: path)
        AtomicFile.removeLeftovers(in: descriptor)
        Self.removeLeftoversOfQuarantine(in: descriptor)
        self.path = path
        wasCreated = false
        wasUnbegun = false
        isResumed = true
    }

    /// Removes what a quarantine writer had staged when its controller was killed: nobody else writes there.
    private static func removeLeftoversOfQuarantine(in folder: borrowing OwnedDescriptor) {
        let number = cl_open_at(folder.rawValue, "quarantine", O_RDONLY | O_DIRECTORY, 0)
        if number < 0 { return }
        let quarantine = OwnedDescriptor(owning: number)
        for name in FolderListing.names(of: quarantine) ?? []
        where name.hasSuffix(".part") {
            unlinkat(quarantine.rawValue, name, 0)
        }
    }

    /// How far the run of a folder came.
    package enum Start: Sendable, Equatable {
        /// It was killed before it was made whole: no frame has an outcome, so it is begun anew.
        case unbegun
        /// It has a ledger, or is no run.
        case begun
    }

    /// How far the run in the folder at `path` came. One whose ledger has no record is unbegun where the lock
    /// names it, nothing but the files of a run is there, and its journal does not say that it began.
    ///
    /// - Throws: `ControllerError(.runDirectory)` when the journal says that it began and the ledger is empty
    ///   or gone: what became of its frames is not known.
    package static func start(of path: String) throws(ControllerError) -> Start {
        let number = cl_open(withoutSlashAtEnd(path), O_RDONLY | O_DIRECTORY, 0)
        if number < 0 { return .begun }
        let descriptor = OwnedDescriptor(owning: number)
        guard RunDirectoryLock.runId(in: descriptor) != nil, holdsNoRecord(path),
            let names = FolderListing.names(of: descriptor),
            !names.contains(File.summary.rawValue), names.contains(File.configuration.rawValue),
            names.allSatisfy({ File(rawValue: $0) != nil || AtomicFile.isTemporary($0) })
        else { return .begun }
        guard try journalSaysBegun(path) else { return .unbegun }
        throw ControllerError(
            .runDirectory,
            "the journal in \(path) says that the run began, and its ledger is empty or gone: what "
                + "became of its frames is not known, so it can't be taken up; look at its outputs, remove "
                + "the folder and run it anew")
    }

    /// Whether the ledger is missing, or ends before its first record.
    private static func holdsNoRecord(_ path: String) -> Bool {
        let ledger = Self.path(of: .ledger, in: path)
        guard access(ledger, F_OK) == 0 else { return true }
        do throws(ControllerError) {
            var reader = try LedgerReader(path: ledger)
            return try reader.next() == nil
        } catch {
            return false
        }
    }

    private static func journalSaysBegun(_ path: String) throws(ControllerError) -> Bool {
        let journal = Self.path(of: .journal, in: path)
        guard access(journal, F_OK) == 0 else { return false }
        do throws(JournalError) {
            return try JournalReader.events(path: journal).contains { $0.name == "run-start" }
        } catch {
            throw ControllerError(.runDirectory, "the journal in \(path) can't be read: \(error)")
        }
    }

    /// Name of the run whose ledger lies in the folder at `path`.
    ///
    /// - Throws: `ControllerError(.runDirectory)` when there is no ledger, or nothing in it.
    package static func runId(ofLedgerIn path: String) throws(ControllerError) -> String {
        let ledger = Self.path(of: .ledger, in: path)
        guard access(ledger, F_OK) == 0 else {
            throw ControllerError(
                .runDirectory, "\(path) has no ledger: the run in it can't be taken up")
        }
        var reader = try LedgerReader(path: ledger)
        guard case .run(let run) = try reader.next() else {
            throw ControllerError(
                .runDirectory,
                "the ledger in \(path) is empty, for the run was killed before it began: remove the "
                    + "folder and run it anew")
        }
        return run.runId
    }

    /// Path of one of the run's files.
    package func path(of file: File) -> String { Self.path(of: file, in: path) }

    /// Path of a file of the run directory at `path`.
    package static func path(of file: File, in path: String) -> String {
        "\(withoutSlashAtEnd(path))/\(file.rawValue)"
    }

    /// Removes what this run has made, for a run that failed before it accepted a frame: the same
    /// folder can be given again. Nothing else in it is touched, and nothing of a run that was taken up.
    package func discard() {
        if isResumed { return }
        for file in File.allCases where !(wasUnbegun && Self.keptOfUnbegun.contains(file)) {
            if file == .journal { removeJournalArchives(of: path(of: file)) }
            unlinkat(descriptor.rawValue, file.rawValue, 0)
        }
        if wasCreated { rmdir(path) }
    }

    // MARK: - Opening

    private static func refuseUsed(
        _ path: String, descriptor: borrowing OwnedDescriptor, isOurs: Bool
    ) throws(ControllerError) {
        guard let names = FolderListing.names(of: descriptor) else {
            throw failure("read the run directory", path)
        }
        let used = names.filter { $0 != File.lock.rawValue }
        if used.isEmpty { return }
        throw ControllerError(
            .runDirectory,
            isOurs
                ? "the run directory \(path) holds an earlier run: give another, or remove it"
                : "\(path) holds other files (\(used[0]) …) and can't be a run directory: give another"
        )
    }

    /// Makes the folder and its parents; true when the folder itself was not there.
    private static func makeFolders(_ path: String) throws(ControllerError) -> Bool {
        if path.isEmpty {
            throw ControllerError(.runDirectory, "the path of the run directory is empty: give one")
        }
        var place = path.utf8.startIndex
        while place < path.utf8.endIndex {
            let next = path.utf8[path.utf8.index(after: place)...].firstIndex(of: UInt8(ascii: "/"))
            guard let next else { break }
            let parent = String(path[..<next])
            if mkdir(parent, 0o777) != 0, errno != EEXIST {
                let number = errno
                if access(parent, F_OK) != 0 {
                    throw failure("make the run directory's parent \(parent)", path, number)
                }
            }
            place = next
        }
        if mkdir(path, 0o777) == 0 { return true }
        if errno != EEXIST { throw failure("make the run directory", path) }
        return false
    }

    private static func open(_ path: String) throws(ControllerError) -> OwnedDescriptor {
        let number = cl_open(path, O_RDONLY | O_DIRECTORY, 0)
        if number < 0 { throw failure("open the run directory", path) }
        return OwnedDescriptor(owning: number)
    }

    static func failure(
        _ doing: String, _ path: String, _ number: Int32 = errno
    ) -> ControllerError {
        let text = cl_error_text(number).map { String(cString: $0) } ?? "error \(number)"
        return ControllerError(
            .runDirectory,
            "can't \(doing) (\(path)): \(text); make it writable, or choose another place with "
                + "--run-dir")
    }

    static func withoutSlashAtEnd(_ path: String) -> String {
        var path = path[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        return String(path)
    }

    private static func makeRunId() -> String {
        let letters = Array("abcdefghjkmnpqrstuvwxyz23456789")
        return String((0..<8).map { _ in letters.randomElement() ?? "x" })
    }
}
