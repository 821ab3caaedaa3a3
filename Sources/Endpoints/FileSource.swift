public import ControllerRuntime
public import FrameReaders
internal import NDArrays
internal import Synchronization

extension FileFormat {
    /// Extensions by which a folder's files are recognised, in lower case.
    var extensions: [String] {
        switch self {
        case .tiff: ["tif", "tiff"]
        case .npy: ["npy"]
        }
    }
}

/// The frames of files, in order, sent by reference: the worker that gets one reads it.
///
/// A file that can't be read is announced all the same and fails in its worker, with path and reason, so
/// that it is accounted for.
///
/// Unchecked: only the source's thread calls `next` (see `FrameSource`), which alone touches `index`
/// and `current`; `expectedCount` has its own lock.
public final class FileSource: FrameSource, @unchecked Sendable {
    /// Lists up to this long are opened at the start to count their frames.
    static let maximumCountedFiles = 64

    /// The format of all files.
    public let format: FileFormat
    /// Number of files.
    public var fileCount: Int { files.count }

    private let files: FileList
    private let name: String
    private let fingerprint: String
    private let expectedCount: Mutex<Int?>
    /// Pixels of the first frame; nil when it can't be read, which its worker then tells.
    private let frameElementCount: Int?
    private var index = 0
    /// The file whose frames are being announced, and the number of those that were.
    private var current: (path: String, count: FrameCount, announced: Int)?

    /// A source of the frames of `paths`: files, folders (their files with the format's extensions) and
    /// patterns with `*`, `?`, `[a-z]` and `**`, in natural order.
    ///
    /// - Throws: `SourceError` when nothing is found, or a folder can't be read.
    public init(_ format: FileFormat, paths: [String]) throws(SourceError) {
        guard !paths.isEmpty else { throw .noPaths(kind: format.rawValue) }
        self.format = format
        files = try FileList(paths, extensions: format.extensions)
        name =
            "\(format.rawValue):"
            + (paths.count > 3 ? "\(paths[0]) …" : paths.joined(separator: " "))
        fingerprint = "\(format.rawValue), \(files.fingerprint)"
        expectedCount = Mutex(Self.count(files, format: format))
        frameElementCount = Self.elementCount(files, format: format)
    }

    /// Sends references only. The frame count is exact for up to 64 files; for more it is the number of
    /// files as long as no file with several frames was met, else nil. The fingerprint is of the names
    /// of the files and their order, not of what is in them.
    public var information: SourceInformation {
        var information = SourceInformation(
            name: name, frameCount: expectedCount.withLock { $0 }, slotByteCount: 0)
        information.fingerprint = fingerprint
        information.frameElementCount = frameElementCount
        return information
    }

    /// The next frame of the current file, or the first of the next.
    public func next() -> FrameAnnouncement? {
        if current.map({ $0.announced >= $0.count.announcements }) ?? true {
            guard index < files.count else { return nil }
            let path = files[index]
            index += 1
            let count = FrameCount(of: path, format: format)
            if count.announcements > 1, files.count > Self.maximumCountedFiles {
                expectedCount.withLock { $0 = nil }
            }
            current = (path, count, 0)
        }
        guard let (path, count, announced) = current else { return nil }
        current?.announced += 1
        if announced >= count.references {
            return FrameAnnouncement(
                .unreadable(reason: count.damage ?? "no frame"), sourceName: path)
        }
        return FrameAnnouncement(
            .reference(format: format.rawValue, path: path, index: announced), sourceName: path)
    }

    /// Never called: references need no slot.
    public func fill(_ destination: UnsafeMutableRawBufferPointer) {}

    private static func elementCount(_ files: FileList, format: FileFormat) -> Int? {
        guard files.count > 0 else { return nil }
        let first = FrameReference(format: format, path: files[0])
        do throws(FrameReaderError) {
            return try FrameFileReader().readHeader(first).layout.elementCount
        } catch {
            return nil
        }
    }

    /// What is known of the number of frames without opening many files.
    private static func count(_ files: FileList, format: FileFormat) -> Int? {
        if files.count <= maximumCountedFiles {
            return (0..<files.count).reduce(0) {
                $0 + FrameCount(of: files[$1], format: format).announcements
            }
        }
        let samples = [0, files.count / 2, files.count - 1]
        let areSingle = samples.allSatisfy { sample in
            FrameCount(of: files[sample], format: format).announcements == 1
        }
        return areSingle ? files.count : nil
    }
}
