internal import CLinux
internal import Glibc
internal import Pipes

/// The directories that a run staged files in, so that what its lost workers left there can be removed.
struct StagingDirectories {
    /// The most directories remembered: a run writes into a handful. Leftovers in more than these stay
    /// under their hidden names, which carry the run's id.
    static let maximumCount = 1024

    private var known: Set<String> = []
    /// The one added last, with its slash: most frames come with the same.
    private var last = ""

    /// Remembers the directory of a file; returns it, with a slash at its end, when it is new.
    @discardableResult
    mutating func add(directoryOf path: String) -> String? {
        let bytes = path.utf8
        if !last.isEmpty, bytes.starts(with: last.utf8),
            !bytes.dropFirst(last.utf8.count).contains(UInt8(ascii: "/"))
        {
            return nil
        }
        guard let slash = path.lastIndex(of: "/") else { return nil }
        last = String(path[...slash])
        guard known.count < Self.maximumCount, known.insert(last).inserted else { return nil }
        return last
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

    /// Brings the names in the directories to the disk (man 2 fsync).
    func sync(_ note: (String) -> Void) { forEach(note) { fsync($0) } }

    /// Brings everything on their file systems to the disk, once for each file system.
    func syncFileSystems(_ note: (String) -> Void) {
        var done: Set<UInt64> = []
        forEach(note) { descriptor in
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { return -1 }
            guard done.insert(UInt64(status.st_dev)).inserted else { return 0 }
            return cl_sync_file_system(descriptor)
        }
    }

    private func forEach(_ note: (String) -> Void, _ bring: (Int32) -> Int32) {
        for directory in known.sorted() {
            let number = cl_open(directory, O_RDONLY | O_DIRECTORY, 0)
            guard number >= 0 else {
                note("\(directory) could not be brought to the disk: \(SystemText.ofError(errno))")
                continue
            }
            let descriptor = OwnedDescriptor(owning: number)
            if bring(descriptor.rawValue) != 0 {
                note("\(directory) could not be brought to the disk: \(SystemText.ofError(errno))")
            }
        }
    }

    /// Whether a file has the hidden name under which workers stage: `.NAME.RUN.STAGE.KEY.ATTEMPT.part`.
    static func isStaged(_ name: String, byRun runId: String) -> Bool {
        guard name.hasPrefix("."), name.hasSuffix(".part") else { return false }
        return name.split(separator: ".").contains { $0 == runId }
    }
}
