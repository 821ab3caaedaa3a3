internal import DataProcessing
internal import Keys
internal import NDArrays
internal import WorkerProtocol

/// Which frames have been decrypted, by key, run of the sender and id: an empty name is refused twice.
///
/// Every frame has a file of a few bytes, `KEY-RUN/FRAME.seen`, which is staged and committed like any
/// output: under the controller's ledger, exactly once, never replacing another, after a crash or on
/// resuming as well. A frame that comes again, to whatever worker in whatever run, finds its name taken and
/// fails.
final class ReplayRegister {
    /// Folders that are kept open: one for each run of each sender at a time.
    private static let maximumFolderCount = 16

    private let folder: String
    private let run: String
    private var directories: [(name: String, directory: OutputDirectory)] = []

    /// A register in `folder`, used by the run and stage called `run`.
    init(folder: String, run: String) {
        self.folder = folder
        self.run = run
    }

    /// Enters a frame that was decrypted, whose sender said `header` of it.
    func enter(
        _ header: SealedHeader, _ frame: Frame, _ files: any OutputFileStager
    ) throws {
        let name = header.claim.scope
        let fileName =
            header.key.path.reduce("\(header.key.frameId)") { "\($0)-\($1)" }
            + ReplayEntry.suffix
        // A run that is resumed does the same frame again and finds its own entry: that is no replay.
        let contents = Array("\(run) \(frame.key)\n".utf8)
        try files.stage(
            in: try directory(name), name: fileName, frame: frame, overwrite: false
        ) { descriptor in
            try WrittenFile(writing: contents, to: descriptor, name: fileName)
        }
    }

    private func directory(_ name: String) throws(ProcessingError) -> OutputDirectory {
        if let known = directories.first(where: { $0.name == name }) { return known.directory }
        if directories.count == Self.maximumFolderCount { directories.removeFirst() }
        let directory = try OutputDirectory(path: folder + "/" + name)
        directories.append((name, directory))
        return directory
    }
}
