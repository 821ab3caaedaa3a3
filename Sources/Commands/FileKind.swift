internal import Foundation

/// What is at a path.
enum FileKind {
    /// Whether there is a folder.
    static func isFolder(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            && isDirectory.boolValue
    }

    /// Whether there is anything.
    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// The folder that a path is in.
    static func folder(of path: String) -> String {
        let folder = (path as NSString).deletingLastPathComponent
        return folder.isEmpty ? "." : folder
    }
}
