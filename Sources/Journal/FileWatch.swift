internal import Glibc

/// Waits until a file that is being read was written to, by inotify; where that is not to be had (its number is
/// limited per user, other machines' writes are not seen), by looking again after a while.
struct FileWatch: ~Copyable {
    /// How long a wait takes at most, in milliseconds: after it the file is looked at anyhow, and whether its
    /// writer still lives.
    static let maximumMilliseconds: Int32 = 250
    /// The same without inotify.
    static let pollingMilliseconds: Int32 = 50

    private let notifier: Int32
    private let wakeReader: Int32
    private let wakeWriter: Int32
    private var watch: Int32 = -1
    private var watched: FileIdentity?

    /// A watch on no file yet.
    init() throws(JournalError) {
        var ends: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutablePointer(to: &ends) { pointer in
            pointer.withMemoryRebound(to: Int32.self, capacity: 2) { pipe($0) }
        }
        guard result == 0 else {
            throw .system(operation: "pipe", path: "of the reader", errno: errno)
        }
        (wakeReader, wakeWriter) = ends
        for end in [wakeReader, wakeWriter] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        notifier = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    }

    deinit {
        for descriptor in [notifier, wakeReader, wakeWriter] where descriptor >= 0 {
            close(descriptor)
        }
    }

    /// The descriptor that `wake` writes to; valid as long as this is.
    var wakeDescriptor: Int32 { wakeWriter }

    /// Ends the present wait and all later ones at once; from any thread, with the descriptor of a watch that
    /// is held.
    static func wake(_ descriptor: Int32) {
        var byte: UInt8 = 1
        // A full pipe wakes, too.
        _ = write(descriptor, &byte, 1)
    }

    /// Waits for a change of the file, at most the time above. Returns at once for a file that was not watched
    /// before: it may have changed since it was read.
    mutating func wait(for file: (identity: FileIdentity, descriptor: Int32)?) {
        if let file, notifier >= 0, watched != file.identity {
            if watch >= 0 { inotify_rm_watch(notifier, watch) }
            watch = inotify_add_watch(
                notifier, "/proc/self/fd/\(file.descriptor)",
                UInt32(IN_MODIFY) | UInt32(IN_MOVE_SELF) | UInt32(IN_ATTRIB))
            watched = file.identity
            return
        }
        let isWatched = file != nil && watch >= 0
        var ends = [
            pollfd(fd: wakeReader, events: Int16(POLLIN), revents: 0),
            pollfd(fd: isWatched ? notifier : -1, events: Int16(POLLIN), revents: 0),
        ]
        poll(&ends, 2, isWatched ? Self.maximumMilliseconds : Self.pollingMilliseconds)
        guard ends[1].revents != 0 else { return }
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            while read(notifier, buffer.baseAddress, buffer.count) > 0 {}
        }
    }
}
