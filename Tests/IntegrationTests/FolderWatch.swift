import Foundation
import TestSupport

/// Waits for files to come into a folder.
struct FolderWatch {
    /// The files did not come.
    struct Failure: Error {
        let description: String
    }

    /// No test waits longer for the next file.
    static let timeoutMilliseconds: Int32 = 30_000

    private let folder: String
    private let descriptor: Int32

    /// Makes the folder, and from now on sees what comes into it.
    init(making folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        self.folder = folder
        descriptor = inotify_init1(Int32(IN_CLOEXEC))
        let events = UInt32(IN_CREATE) | UInt32(IN_MOVED_TO)
        guard descriptor >= 0, inotify_add_watch(descriptor, folder, events) >= 0 else {
            throw Failure(description: "\(folder) can't be watched: error \(errno)")
        }
    }

    /// Returns when there are so many files whose names end like that.
    func wait(for count: Int, suffix: String) throws {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        while try FileManager.default.contentsOfDirectory(atPath: folder)
            .count(where: { $0.hasSuffix(suffix) }) < count
        {
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&request, 1, Self.timeoutMilliseconds) > 0 else {
                throw Failure(description: "no \(count) files came into \(folder)")
            }
            _ = read(descriptor, &bytes, bytes.count)
        }
    }

    /// Gives the descriptor back.
    func close() { Foundation.close(descriptor) }
}
