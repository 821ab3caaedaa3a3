import Foundation

/// A folder of its own for one test, removed with everything in it when nobody holds it any more.
public final class TemporaryFolder: Sendable {
    /// Where it lies, absolute and without a slash at the end.
    public let path: String

    /// Makes an empty folder in `TMPDIR`, else in `/tmp`; throws when it cannot be made.
    public init() throws {
        path = FileManager.default.temporaryDirectory.path + "/sluice-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file in it, whether there or not.
    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// The names of the files in it or in a folder of it, hidden ones too, in order; throws when
    /// there is no such folder.
    public func files(in folder: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: file(folder)).sorted()
    }

    /// Makes a file anew with the folders that it needs, and returns its path.
    @discardableResult
    public func write(_ bytes: some Collection<UInt8>, to name: String) throws -> String {
        let path = file(name)
        try FileManager.default.createDirectory(
            at: URL(filePath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
        try store(bytes, path)
        return path
    }

    /// Makes a file of text anew with the folders that it needs, and returns its path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        try write(Array(text.utf8), to: name)
    }

    /// Adds text to the end of a file that is there.
    public func append(_ text: String, to name: String) throws {
        let handle = try FileHandle(forWritingTo: URL(filePath: file(name)))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }

    /// Everything in a file; throws when it cannot be read.
    public func bytes(of name: String) throws -> [UInt8] { try contents(file(name)) }

    /// Everything in a file as text, with U+FFFD for what is no UTF-8; throws when it cannot be read.
    public func text(of name: String) throws -> String {
        String(decoding: try bytes(of: name), as: UTF8.self)
    }
}
