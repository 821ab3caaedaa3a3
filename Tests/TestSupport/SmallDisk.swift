import Foundation
public import Testing

/// A file system of a few megabytes in memory, mounted at a folder for as long as somebody holds it.
public final class SmallDisk: Sendable {
    /// Where it is mounted.
    public let path: String

    /// What to say where tests are skipped.
    public static let hint: Comment = "needs the right to mount a tmpfs: run as root"

    /// Whether this process may mount file systems.
    public static let isPermitted: Bool = {
        guard let folder = try? TemporaryFolder(), let disk = try? SmallDisk(at: folder.file("d"))
        else { return false }
        return !disk.path.isEmpty
    }()

    /// A mount that was refused.
    struct Refusal: Error {
        let status: Int32
    }

    /// Mounts it; throws where that is refused.
    public init(at path: String, megabytes: Int = 2) throws {
        self.path = path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        let status = try Self.run("mount", "-t", "tmpfs", "-o", "size=\(megabytes)m", "small", path)
        guard status == 0 else { throw Refusal(status: status) }
    }

    deinit { _ = try? Self.run("umount", "-l", path) }

    /// Makes it read-only or writable; false while a file is open for writing.
    public func remount(_ option: String) throws -> Bool {
        try Self.run("mount", "-o", "remount,\(option)", path) == 0
    }

    /// Takes all room but `byteCount` bytes with a hidden file, as another program would.
    public func fill(leaving byteCount: Int) throws {
        let free = try FileManager.default.attributesOfFileSystem(forPath: path)[.systemFreeSize]
        guard let room = (free as? NSNumber)?.intValue else { throw Refusal(status: 0) }
        try store(Array(repeating: UInt8(1), count: max(0, room - byteCount)), ballast)
    }

    /// Takes all room, also while others write.
    public func fillUp() throws {
        let file = open(ballast, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw Refusal(status: errno) }
        defer { close(file) }
        let page = [UInt8](repeating: 1, count: 4096)
        while write(file, page, page.count) > 0 {}
        guard errno == ENOSPC else { throw Refusal(status: errno) }
    }

    /// Gives the room back.
    public func clear() throws { try FileManager.default.removeItem(atPath: ballast) }

    /// The names of all files in it but the one that fills it.
    public func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted().filter {
            $0 != Self.ballastName
        }
    }

    private static let ballastName = ".ballast"
    private var ballast: String { "\(path)/\(Self.ballastName)" }

    private static func run(_ command: String...) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
