internal import Glibc

/// The directories that a run staged files in, so that what its lost workers left there can be removed.
struct StagingDirectories {
    /// The most directories remembered: a run writes into a handful. Leftovers in more than these stay
    /// under their hidden names, which carry the run's id.
    static let maximumCount = 1024

    private var known: Set<String> = []
    /// The one added last, with its slash: most frames come with the same.
    private var last = ""

    /// Remembers the directory of a file.
    mutating func add(directoryOf path: String) {
        let bytes = path.utf8
        if !last.isEmpty, bytes.starts(with: last.utf8),
            !bytes.dropFirst(last.utf8.count).contains(UInt8(ascii: "/"))
        {
            return
        }
        guard let slash = path.lastIndex(of: "/") else { return }
        last = String(path[...slash])
        if known.count < Self.maximumCount { known.insert(last) }
    }

    /// Removes the staged files of a run that nobody committed or discarded: those of workers that
    /// were killed before they could answer. A directory that can't be read keeps what it has.
    func removeLeftovers(ofRun runId: String) {
        for directory in known {
            guard let stream = opendir(directory) else { continue }
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
                }
                if Self.isStaged(name, byRun: runId) { unlinkat(dirfd(stream), name, 0) }
            }
        }
    }

    /// Whether a file has the hidden name under which workers stage: `.NAME.RUN.STAGE.KEY.ATTEMPT.part`.
    static func isStaged(_ name: String, byRun runId: String) -> Bool {
        guard name.hasPrefix("."), name.hasSuffix(".part") else { return false }
        return name.split(separator: ".").contains { $0 == runId }
    }
}
