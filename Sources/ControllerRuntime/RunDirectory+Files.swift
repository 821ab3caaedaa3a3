internal import CLinux
internal import FoundationEssentials
internal import Glibc
internal import Pipes

/// What a folder is to those who ask from outside.
package enum RunDirectoryState: Sendable, Equatable {
    /// There is nothing, or no folder.
    case missing
    /// A folder that no run has made.
    case foreign
    /// A run holds it; the process id is nil for the moment in which it is not written yet.
    case running(processId: Int32?)
    /// The run is over.
    case ended
}

extension RunDirectory {
    /// What the folder at `path` is now.
    package static func state(of path: String) -> RunDirectoryState {
        let number = cl_open(withoutSlashAtEnd(path), O_RDONLY | O_DIRECTORY, 0)
        if number < 0 { return .missing }
        let descriptor = OwnedDescriptor(owning: number)
        guard let isHeld = RunDirectoryLock.isHeld(in: descriptor) else { return .foreign }
        return isHeld ? .running(processId: RunDirectoryLock.holder(of: descriptor)) : .ended
    }

    static func isRunDirectory(_ descriptor: borrowing OwnedDescriptor) -> Bool {
        faccessat(descriptor.rawValue, File.lock.rawValue, F_OK, 0) == 0
    }

    /// Stores the configuration of the run; where it holds secrets only its owner can read it.
    package func write(
        configuration text: String, isPrivate: Bool = false
    ) throws(ControllerError) {
        try replace(.configuration, with: Array(text.utf8), isPrivate: isPrivate)
    }

    /// Stores the summary: whole or not at all, and on disk when this returns.
    package func write(_ summary: RunSummary) throws(ControllerError) {
        try replace(.summary, with: summary.jsonText())
    }

    /// The summary that a run has left at `path`, nil when there is none (it goes on, or its
    /// controller was killed).
    package static func summary(at path: String) throws(ControllerError) -> RunSummary? {
        let file = Self.path(of: .summary, in: path)
        guard access(file, F_OK) == 0 else { return nil }
        do {
            return try JSONDecoder().decode(
                RunSummary.self, from: Data(contentsOf: URL(filePath: file)))
        } catch {
            throw ControllerError(
                .runDirectory, "\(file) is no summary of this version of Sluice: remove it")
        }
    }

    /// Removes the summary of a run that goes on.
    func removeSummary() throws(ControllerError) {
        if unlinkat(descriptor.rawValue, File.summary.rawValue, 0) != 0, errno != ENOENT {
            throw Self.failure("remove the summary of the run", path)
        }
    }

    private func replace(
        _ file: File, with bytes: [UInt8], isPrivate: Bool = false
    ) throws(ControllerError) {
        try AtomicFile.write(
            bytes, to: file.rawValue, in: descriptor, shownAs: path(of: file),
            isPrivate: isPrivate)
    }
}

extension RunSummary {
    /// The text of `summary.json`: JSON for people and programs, with sorted keys and a line end.
    package func jsonText() throws(ControllerError) -> [UInt8] {
        do {
            return try JSON.encode(self, isPretty: true) + [UInt8(ascii: "\n")]
        } catch {
            throw ControllerError(.runDirectory, "the summary can't be written as JSON: \(error)")
        }
    }
}

/// A file that is replaced whole or not at all.
package enum AtomicFile {
    /// Writes `bytes` under a temporary name beside `path`, brings them to disk and renames. A private file has
    /// the mode 0600.
    package static func write(
        _ bytes: [UInt8], to path: String, isPrivate: Bool = false
    ) throws(ControllerError) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let number = cl_open(folder, O_RDONLY | O_DIRECTORY, 0)
        if number < 0 { throw failure("open the folder of", path) }
        try write(
            bytes, to: name, in: OwnedDescriptor(owning: number), shownAs: path,
            isPrivate: isPrivate)
    }

    static func write(
        _ bytes: [UInt8], to name: String, in folder: borrowing OwnedDescriptor,
        shownAs path: String, isPrivate: Bool = false
    ) throws(ControllerError) {
        let temporary = ".\(name).\(getpid()).part"
        let number = cl_open_at(
            folder.rawValue, temporary, O_WRONLY | O_CREAT | O_TRUNC, isPrivate ? 0o600 : 0o666)
        if number < 0 { throw failure("write", path) }
        let file = OwnedDescriptor(owning: number)
        do {
            try file.writeAll(bytes)
        } catch {
            unlinkat(folder.rawValue, temporary, 0)
            throw failure("write", path, error.errorNumber)
        }
        if fdatasync(file.rawValue) != 0
            || renameat(folder.rawValue, temporary, folder.rawValue, name) != 0
        {
            let number = errno
            unlinkat(folder.rawValue, temporary, 0)
            throw failure("write", path, number)
        }
    }

    /// Removes what a controller has left that was killed while it replaced a file of its run directory.
    static func removeLeftovers(in folder: borrowing OwnedDescriptor) {
        for name in FolderListing.names(of: folder) ?? [] where isTemporary(name) {
            unlinkat(folder.rawValue, name, 0)
        }
    }

    /// Whether a name is one that `write` gives for the time being: `.summary.json.4711.part`.
    static func isTemporary(_ name: String) -> Bool {
        guard name.hasPrefix("."), name.hasSuffix(".part") else { return false }
        let parts = name.dropFirst().dropLast(5).split(separator: ".")
        guard let process = parts.last, process.allSatisfy(\.isNumber), parts.count > 1 else {
            return false
        }
        return parts[0] == "summary" || parts[0].hasPrefix("configuration")
    }

    private static func failure(
        _ doing: String, _ path: String, _ number: Int32 = errno
    ) -> ControllerError {
        let text = cl_error_text(number).map { String(cString: $0) } ?? "error \(number)"
        return ControllerError(.runDirectory, "can't \(doing) \(path): \(text)")
    }
}

/// Names in a folder.
enum FolderListing {
    /// The names without `.` and `..`, sorted; nil when it can't be read (errno tells why).
    static func names(of folder: borrowing OwnedDescriptor) -> [String]? {
        // fdopendir takes the descriptor over, so it gets one of its own.
        let number = cl_open_at(folder.rawValue, ".", O_RDONLY | O_DIRECTORY, 0)
        if number < 0 { return nil }
        guard let stream = fdopendir(number) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

extension OwnedDescriptor {
    /// Writes all of `bytes`, waiting as long as it takes.
    borrowing func writeAll(_ bytes: [UInt8]) throws(PipeError) {
        let rawValue = rawValue
        var failure: PipeError?
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty, failure == nil {
                let count = Glibc.write(
                    rawValue, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno != EINTR {
                    failure = PipeError(.write, errorNumber: errno)
                }
            }
        }
        if let failure { throw failure }
    }
}
