import Foundation

/// The files of the checkout, as text.
struct Repository {
    /// A text file with its path from the root of the checkout.
    struct File {
        let path: String
        let text: String
        let lines: [Substring]
        /// The lines of a Swift file without comments and texts.
        let code: SwiftText

        init(path: String, text: String) {
            self.path = path
            self.text = text
            lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            code = SwiftText(path.hasSuffix(".swift") ? text : "")
        }

        /// Path components.
        var components: [Substring] { path.split(separator: "/") }
    }

    let files: [File]

    /// The folders that belong to the project, and the files beside them.
    private static let folders = ["Sources", "Tests", "Workers", "Docs", "scripts", ".ci"]
    private static let topLevelFiles = ["Package.swift", "README.md"]
    private static let extensions: Set = [
        "swift", "c", "h", "md", "sh", "py", "yaml", "yml", "json", "txt", "modulemap", "",
    ]

    init(files: [File]) { self.files = files }

    /// Reads the checkout that this file was compiled from.
    static func checkout() throws -> Repository {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        var paths = topLevelFiles
        for folder in folders {
            let entries = FileManager.default.enumerator(atPath: root.appending(path: folder).path)
            for case let name as String in entries ?? FileManager.DirectoryEnumerator() {
                let url = URL(filePath: name)
                // `new-processor` packages and the like that someone made inside are not the project.
                if name.split(separator: "/").contains(where: { $0.hasPrefix(".build") }) {
                    continue
                }
                if extensions.contains(url.pathExtension) { paths.append("\(folder)/\(name)") }
            }
        }
        return Repository(
            files: paths.sorted().compactMap { path in
                guard
                    let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8)
                else { return nil }
                return File(path: path, text: text)
            })
    }

    /// Swift files below one of `folders`.
    func swift(in folders: String...) -> [File] {
        files.filter { file in
            file.path.hasSuffix(".swift") && folders.contains { file.path.hasPrefix($0 + "/") }
        }
    }

    /// Markdown files.
    var markdown: [File] { files.filter { $0.path.hasSuffix(".md") } }

    /// The file at `path`, nil when there is none.
    func file(_ path: String) -> File? { files.first { $0.path == path } }
}

/// Something that is not as it should be, at a place.
struct Finding: CustomStringConvertible, Hashable {
    let path: String
    /// From 1.
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}
