internal import Glibc

/// The files of one journal: `journal.jsonl` is written to; `journal.1.jsonl`, `journal.2.jsonl` … are the
/// full ones, the oldest with the lowest number.
struct JournalSegments: Equatable {
    /// A full file.
    struct Archive: Equatable {
        let number: Int
        let path: String
    }

    /// The path of the file that is written to.
    let activePath: String
    /// The full files that are there, the oldest first.
    let archives: [Archive]

    /// Looks at the folder of the journal at `path`; no archives where the folder can't be read.
    init(path: String) {
        activePath = path
        let name = Name(path)
        var archives: [Archive] = []
        for file in Self.files(in: name.folder) {
            guard let number = name.number(of: file) else { continue }
            archives.append(Archive(number: number, path: name.path(number)))
        }
        self.archives = archives.sorted { $0.number < $1.number }
    }

    /// The path of the archive that the file that is written to becomes.
    var nextArchivePath: String { Name(activePath).path((archives.last?.number ?? 0) + 1) }

    // MARK: - Opening

    /// How often a file is looked for that was renamed or removed since the folder was read: a writer would
    /// have to fill as many files in that time.
    private static let maximumTryCount = 16

    /// The file that a reader begins with.
    static func openOldest(_ path: String) throws(JournalError) -> JournalFile {
        for _ in 0..<maximumTryCount {
            let oldest = JournalSegments(path: path).archives.first
            guard let file = try openIfThere(oldest?.path ?? path) else { continue }
            // A file that became full in the meantime would be passed over.
            if JournalSegments(path: path).archives.first == oldest { return file }
        }
        return try JournalFile.forReading(path: path)
    }

    /// The file with the last event.
    static func openNewest(_ path: String) throws(JournalError) -> JournalFile {
        for _ in 0..<maximumTryCount {
            if let file = try openIfThere(path) { return file }
            guard let archive = JournalSegments(path: path).archives.last else { break }
            if let file = try openIfThere(archive.path) { return file }
        }
        return try JournalFile.forReading(path: path)
    }

    /// The file that has the event after `seq`; the oldest where that was removed.
    static func open(_ path: String, after seq: UInt64) throws(JournalError) -> JournalFile {
        let segments = JournalSegments(path: path)
        for candidate in [path] + segments.archives.reversed().map(\.path) {
            guard let file = try openIfThere(candidate) else { continue }
            if let first = try JournalTail.firstSeq(of: file), first <= seq &+ 1 { return file }
        }
        return try openOldest(path)
    }

    /// The file after another one.
    struct NextFile: ~Copyable {
        let file: JournalFile
        /// Whether files between them were removed.
        let hasSkipped: Bool

        consuming func takeFile() -> JournalFile { file }
    }

    /// The file that follows the one given; nil when it is not there yet.
    static func openNext(
        _ path: String, after identity: FileIdentity
    ) throws(JournalError) -> NextFile? {
        for _ in 0..<maximumTryCount {
            let segments = JournalSegments(path: path)
            let place = segments.archives.firstIndex { FileIdentity(path: $0.path) == identity }
            // Without a place it was removed, and maybe some after it: the oldest comes next.
            let rest = segments.archives[(place.map { $0 + 1 } ?? 0)...]
            if let file = try openIfThere(rest.first?.path ?? path) {
                return NextFile(file: file, hasSkipped: place == nil)
            }
            if rest.isEmpty { return nil }
        }
        return nil
    }

    /// The last event of the newest file, whose end is given, or where that has none of the full ones.
    static func last(
        _ newest: JournalTail, _ path: String
    ) throws(JournalError) -> JournalEvent? {
        if let last = newest.last { return last }
        for archive in JournalSegments(path: path).archives.reversed() {
            guard let file = try openIfThere(archive.path) else { continue }
            if let last = try JournalTail(of: file).last { return last }
        }
        return nil
    }

    private static func openIfThere(_ path: String) throws(JournalError) -> JournalFile? {
        do throws(JournalError) {
            return try JournalFile.forReading(path: path)
        } catch {
            if case .system(_, _, ENOENT) = error { return nil }
            throw error
        }
    }

    private static func files(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }

    /// The parts of a path, `folder/stem.ending`.
    private struct Name {
        var folder = "."
        let stem: String
        var ending = ""

        init(_ path: String) {
            var name = path[...]
            if let slash = path.lastIndex(of: "/") {
                folder = slash == path.startIndex ? "/" : String(path[..<slash])
                name = path[path.index(after: slash)...]
            }
            if let dot = name.lastIndex(of: "."), dot != name.startIndex {
                ending = String(name[dot...])
                name = name[..<dot]
            }
            stem = String(name)
        }

        func path(_ number: Int) -> String {
            (folder == "." ? "" : folder == "/" ? "/" : folder + "/") + "\(stem).\(number)\(ending)"
        }

        /// The number in the name of an archive; nil for other files.
        func number(of file: String) -> Int? {
            guard file.hasPrefix(stem + "."), file.hasSuffix(ending),
                file.utf8.count > stem.utf8.count + 1 + ending.utf8.count
            else { return nil }
            let digits = file.dropFirst(stem.count + 1).dropLast(ending.count)
            guard let number = Int(digits), number > 0, String(number) == digits else { return nil }
            return number
        }
    }
}

/// Removes the full files of the journal that is written to at `path`; that one stays.
package func removeJournalArchives(of path: String) {
    for archive in JournalSegments(path: path).archives { unlink(archive.path) }
}
