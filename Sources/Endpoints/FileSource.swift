public import ControllerRuntime
internal import NDArrays
internal import Synchronization

/// The formats of files that workers read themselves.
public enum FrameFileFormat: String, Sendable, Hashable, CaseIterable {
    /// TIFF and BigTIFF, one frame a page.
    case tiff
    /// NumPy's `.npy`, one or many frames.
    case npy

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
    public let format: FrameFileFormat
    /// Number of files.
    public var fileCount: Int { files.count }

    private let files: FileList
    private let name: String
    private let expectedCount: Mutex<Int?>
    private var index = 0
    private var current: (path: String, frame: Int, chain: FrameChain)?

    /// A source of the frames of `paths`: files, folders (their files with the format's extensions) and
    /// patterns with `*`, `?`, `[a-z]` and `**`, in natural order.
    ///
    /// - Throws: `SourceError` when nothing is found, or a folder can't be read.
    public init(_ format: FrameFileFormat, paths: [String]) throws(SourceError) {
        guard !paths.isEmpty else { throw .noPaths(kind: format.rawValue) }
        self.format = format
        files = try FileList(paths, extensions: format.extensions)
        name =
            "\(format.rawValue):"
            + (paths.count > 3 ? "\(paths[0]) …" : paths.joined(separator: " "))
        expectedCount = Mutex(Self.count(files, format: format))
    }

    /// Sends references only. The frame count is exact for up to 64 files; for more it is the number of
    /// files as long as no file with several frames was met, else nil.
    public var information: SourceInformation {
        SourceInformation(
            name: name, frameCount: expectedCount.withLock { $0 }, slotByteCount: 0)
    }

    /// The next frame of the current file, or the first of the next.
    public func next() -> FrameAnnouncement? {
        if let (path, frame, chain) = current, chain.hasFrame(after: frame) {
            if files.count > Self.maximumCountedFiles { expectedCount.withLock { $0 = nil } }
            current = (path, frame + 1, chain)
            return announcement(path, frame + 1)
        }
        current = nil
        guard index < files.count else { return nil }
        let path = files[index]
        index += 1
        current = (path, 0, FrameChain(format, path: path))
        return announcement(path, 0)
    }

    /// Never called: references need no slot.
    public func fill(_ destination: UnsafeMutableRawBufferPointer) {}

    private func announcement(_ path: String, _ frame: Int) -> FrameAnnouncement {
        FrameAnnouncement(
            .reference(format: format.rawValue, path: path, index: frame), sourceName: path)
    }

    /// What is known of the number of frames without opening many files.
    private static func count(_ files: FileList, format: FrameFileFormat) -> Int? {
        if files.count <= maximumCountedFiles {
            return (0..<files.count).reduce(0) {
                $0 + FrameChain(format, path: files[$1]).frameCount()
            }
        }
        let samples = [0, files.count / 2, files.count - 1]
        let areSingle = samples.allSatisfy { sample in
            !FrameChain(format, path: files[sample]).hasFrame(after: 0)
        }
        return areSingle ? files.count : nil
    }
}
