import Glibc

/// What a writer says of the file that it has written.
public struct WrittenFile: Sendable, Hashable {
    /// Bytes in the file.
    public let byteCount: Int
    /// CRC32C of all bytes, nil when the writer does not know it.
    public let checksum: UInt32?

    /// A file of `byteCount` bytes.
    public init(byteCount: Int, checksum: UInt32? = nil) {
        self.byteCount = byteCount
        self.checksum = checksum
    }

    /// Writes all of `bytes` at the descriptor's position, as a whole file; `name` is for errors.
    ///
    /// - Throws: `ProcessingError.refused` with the errno, for example of a full disk.
    public init(writing bytes: [UInt8], to descriptor: Int32, name: String) throws(ProcessingError)
    {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress! + done, $0.count - done)
            }
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                throw .refused(operation: "writing", path: name, errno: count == 0 ? EIO : errno)
            }
        }
        self.init(byteCount: bytes.count)
    }
}

/// Where processors write files: a file has its final name only when it is whole, and never
/// replaces another one unless it was asked to.
public protocol OutputFileStager: AnyObject {
    /// Whether writers should compute the CRC32C of what they write: it is checked later.
    var needsChecksum: Bool { get }

    /// Lets `write` fill the file `name` in `directory`, an output of `frame`, through a descriptor
    /// that is closed afterwards. When `write` throws, nothing is left.
    ///
    /// Let what is thrown go on: where the place is to blame (a full disk, a vanished folder), the
    /// pipeline gives the frame out again when there is room. For that an error of `write` has to
    /// be an `OperatingSystemError`, as `ProcessingError` is.
    ///
    /// - Throws: `ProcessingError` when the file can't be made or named, and what `write` throws.
    @discardableResult
    func stage(
        in directory: OutputDirectory, name: String, frame: Frame, overwrite: Bool,
        _ write: (Int32) throws -> WrittenFile
    ) throws -> WrittenFile
}

/// A file that is written and waits for its final name.
package struct StagedFile: Sendable, Hashable {
    /// Absolute path where it lies now.
    package let stagedPath: String
    /// Absolute path that it is to have.
    package let finalPath: String
    /// Bytes in the file.
    package let byteCount: Int
    /// CRC32C of all bytes, nil when the writer does not know it.
    package let checksum: UInt32?
    /// Whether it may replace a file of that name.
    package let overwrite: Bool

    /// A staged file.
    package init(
        stagedPath: String, finalPath: String, byteCount: Int, checksum: UInt32?, overwrite: Bool
    ) {
        self.stagedPath = stagedPath
        self.finalPath = finalPath
        self.byteCount = byteCount
        self.checksum = checksum
        self.overwrite = overwrite
    }
}

/// Output files of a worker: they are left under hidden names for the controller to commit.
package final class StagedOutputFiles: OutputFileStager {
    private struct Entry {
        let directory: OutputDirectory
        let stagedName: String
        let file: StagedFile
    }

    /// The controller records it before it gives the file its name.
    package let needsChecksum = true
    /// Why the place of a file of this frame could not take it; nil when none was refused so.
    package private(set) var trouble: String?
    private let runName: String
    private let syncsFiles: Bool
    private let announce: ((_ folder: String) -> Void)?
    /// The folders that were announced, and the one that came last: most files come with the same.
    private var announced: Set<String> = []
    private var lastAnnounced = ""
    private var attempt = 0
    private var entries: [Entry] = []

    /// `runName` has to be different for every stage and run that writes into the same directories;
    /// with `syncsFiles` each file is on the disk before `stage` returns. `announce` is called with the
    /// path of a folder before the first file in it is made.
    package init(
        runName: String, syncsFiles: Bool = false, announce: ((_ folder: String) -> Void)? = nil
    ) {
        self.runName = runName
        self.syncsFiles = syncsFiles
        self.announce = announce
    }

    /// The most folders remembered as announced; with more, they are announced again.
    private static let maximumAnnouncedCount = 1024

    /// Begins a frame of the given attempt; files of the frame before must have been taken.
    package func begin(attempt: Int) {
        self.attempt = attempt
        trouble = nil
        entries.removeAll(keepingCapacity: true)
    }

    /// The files that were staged for this frame, in order; from now on they are the caller's.
    package func take() -> [StagedFile] {
        guard !entries.isEmpty else { return [] }
        defer { entries.removeAll(keepingCapacity: true) }
        return entries.map(\.file)
    }

    /// Removes what was staged for this frame.
    package func discard() {
        for entry in entries { entry.directory.remove(entry.stagedName) }
        entries.removeAll(keepingCapacity: true)
    }

    /// Stages a file; see the protocol.
    @discardableResult
    package func stage(
        in directory: OutputDirectory, name: String, frame: Frame, overwrite: Bool,
        _ write: (Int32) throws -> WrittenFile
    ) throws -> WrittenFile {
        frame.checkOpen()
        let stagedName = stagedFileName(
            name, run: runName, key: frame.key, serial: entries.count, attempt: attempt)
        if let announce, directory.path != lastAnnounced { enter(directory.path, announce) }
        // Making the file asks its folder; what a writer throws may be of other files, which it
        // reads, so that only an errno of the disk counts there.
        let descriptor = try noting(directory, PlaceTrouble.isOfFolder) {
            try directory.create(stagedName)
        }
        let written = try noting(directory, PlaceTrouble.isOfDisk) {
            try writeStaged(stagedName, descriptor, in: directory, syncs: syncsFiles, write)
        }
        let file = StagedFile(
            stagedPath: directory.path + "/" + stagedName, finalPath: directory.path + "/" + name,
            byteCount: written.byteCount, checksum: written.checksum, overwrite: overwrite)
        entries.append(Entry(directory: directory, stagedName: stagedName, file: file))
        return written
    }

    private func enter(_ folder: String, _ announce: (String) -> Void) {
        if announced.count >= Self.maximumAnnouncedCount { announced.removeAll() }
        if announced.insert(folder).inserted { announce(folder) }
        lastAnnounced = folder
    }

    /// Notes an error that speaks of the place and not of the frame, and throws it on.
    private func noting<Result>(
        _ directory: OutputDirectory, _ isOfPlace: (Int32) -> Bool, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch {
            if let code = (error as? any OperatingSystemError)?.errorNumber, isOfPlace(code) {
                trouble = "files can't be written into \(directory.path): \(errorText(code))"
            }
            throw error
        }
    }
}

/// Output files without a controller: each has its final name as soon as it is written.
public final class ImmediateOutputFiles: OutputFileStager {
    /// Nobody asks for it later.
    public let needsChecksum = false
    private let runName = "\(getpid())"

    /// Output files of this process.
    public init() {}

    /// Stages a file; see the protocol.
    @discardableResult
    public func stage(
        in directory: OutputDirectory, name: String, frame: Frame, overwrite: Bool,
        _ write: (Int32) throws -> WrittenFile
    ) throws -> WrittenFile {
        frame.checkOpen()
        let stagedName = stagedFileName(name, run: runName, key: frame.key, serial: 0, attempt: 0)
        let written = try writeStaged(
            stagedName, try directory.create(stagedName), in: directory, syncs: false, write)
        do {
            try directory.publish(stagedName, as: name, overwrite: overwrite)
        } catch {
            directory.remove(stagedName)
            throw error
        }
        return written
    }
}

/// `.NAME.RUN.KEY.ATTEMPT.part`, with the name cut where 255 bytes would not hold it, and the
/// number of the file where a frame has several. It is the rest that makes it unique.
func stagedFileName(
    _ name: String, run: String, key: FrameKey, serial: Int, attempt: Int
) -> String {
    var tail = ".\(run).\(key.frameId)"
    for step in key.path { tail += "-\(step)" }
    if serial > 0 { tail += "_\(serial)" }
    tail += ".\(attempt).part"
    let room = max(0, 254 - tail.utf8.count)
    if name.utf8.count <= room { return "." + name + tail }
    var cut = name.utf8.prefix(room)
    // A UTF-8 sequence goes whole or not at all.
    while let last = cut.last, last & 0xC0 == 0x80 { cut = cut.dropLast() }
    if let last = cut.last, last & 0x80 != 0 { cut = cut.dropLast() }
    return "." + String(decoding: cut, as: UTF8.self) + tail
}

private func writeStaged(
    _ stagedName: String, _ file: Int32, in directory: OutputDirectory, syncs: Bool,
    _ write: (Int32) throws -> WrittenFile
) throws -> WrittenFile {
    let result = Result {
        let written = try write(file)
        guard !syncs || fdatasync(file) == 0 else {
            throw ProcessingError.refused(
                operation: "syncing", path: directory.path + "/" + stagedName, errno: errno)
        }
        return written
    }
    // NFS reports a full disk at close, so its answer counts.
    let closed = close(file) == 0
    let code = errno
    do {
        let written = try result.get()
        guard closed else {
            throw ProcessingError.refused(
                operation: "closing", path: directory.path + "/" + stagedName, errno: code)
        }
        return written
    } catch {
        directory.remove(stagedName)
        throw error
    }
}
