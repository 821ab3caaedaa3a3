import Foundation
import TestSupport

/// The files of the repository, as text.
enum Pages {
    /// The folder that holds `Package.swift`.
    static let root = URL(filePath: Checkout.path)

    /// The text of the file at `path`, from the root.
    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The paths of all files with this extension below `folder`, sorted.
    static func paths(below folder: String, fileExtension: String) -> [String] {
        let start = root.appending(path: folder)
        let files = FileManager.default.enumerator(atPath: start.path)
        return (files?.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix("." + fileExtension) }.map { folder + "/" + $0 }.sorted()
    }

    /// All Swift code that ships, as one text.
    static func sources() throws -> String {
        try paths(below: "Sources", fileExtension: "swift").map(text).joined(separator: "\n")
    }

    /// The pages for readers.
    static var all: [String] { ["README.md"] + paths(below: "Docs", fileExtension: "md") }

    /// The rows of the tables of a page whose header row is `header`, as cells without blanks around.
    static func rows(of page: String, header: [String]) throws -> [[String]] {
        var rows: [[String]] = []
        var isInside = false
        for line in try text(page).split(separator: "\n", omittingEmptySubsequences: false) {
            guard line.hasPrefix("|") else {
                isInside = false
                continue
            }
            let cells = cells(of: line)
            if cells == header {
                isInside = true
            } else if isInside, !cells.allSatisfy({ $0.allSatisfy { "-:".contains($0) } }) {
                rows.append(cells)
            }
        }
        return rows
    }

    /// Cells of a table row; `\|` is a bar within a cell.
    private static func cells(of line: Substring) -> [String] {
        let bar = "\u{1}"
        return line.replacing("\\|", with: bar).split(
            separator: "|", omittingEmptySubsequences: false
        )
        .dropFirst().dropLast()
        .map { $0.trimmingCharacters(in: .whitespaces).replacing(bar, with: "|") }
    }

    /// What stands in backticks in a cell.
    static func quoted(_ cell: String) -> [String] {
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}
