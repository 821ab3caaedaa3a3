internal import Foundation

/// The folder that relative paths are taken from.
enum WorkingFolder {
    /// The present folder, absolute.
    static var current: String { FileManager.default.currentDirectoryPath }

    /// Goes to a folder; workers that are started afterwards begin there, too.
    static func enter(_ folder: String) throws(CommandError) {
        guard FileManager.default.changeCurrentDirectoryPath(folder) else {
            throw CommandError("can't go to the folder \(folder): check that it may be entered")
        }
    }

    /// `path` as it is where it is absolute or `folder` is nil, else below `folder`.
    static func path(_ path: String, in folder: String?) -> String {
        guard let folder, !path.hasPrefix("/") else { return path }
        return folder.hasSuffix("/") ? folder + path : "\(folder)/\(path)"
    }

    /// As `path`, but a name without a slash is one that is looked for in PATH.
    static func program(_ name: String, in folder: String?) -> String {
        name.contains("/") ? path(name, in: folder) : name
    }

    /// The path from the root, without following links: two names of one file mostly become one.
    static func standardized(_ path: String, in folder: String) -> String {
        URL(fileURLWithPath: self.path(path, in: folder)).standardizedFileURL.path
    }
}
