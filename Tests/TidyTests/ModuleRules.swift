/// The table of modules in Docs/Architecture.md, which is the rule for imports.
struct ModuleTable {
    struct Row {
        let line: Int
        let name: String
        /// nil for what stands beside the layers.
        let layer: Int?
        let mayImport: Set<String>
    }

    static let path = "Docs/Architecture.md"

    let rows: [Row]

    /// Reads the rows `| layer | module | holds | may import |`; names are in backticks.
    init(_ page: Repository.File) {
        rows = page.lines.enumerated().compactMap { index, line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
            guard line.hasPrefix("|"), cells.count == 6 else { return nil }
            let names = Self.names(cells[2])
            guard names.count == 1, let name = names.first else { return nil }
            return Row(
                line: index + 1, name: name,
                layer: Int(cells[1].filter { $0 != " " }), mayImport: Set(Self.names(cells[4])))
        }
    }

    private static func names(_ cell: Substring) -> [String] {
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}

/// Imports against the table.
enum ModuleRules {
    nonisolated(unsafe) private static let importLine =
        #/
        ^\s*(?:@\w+(?:\([^)]*\))?\s+)*
        (?:(?:public|package|internal|fileprivate|private)\s+)?import\s+
        (?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)
        /#

    static func imports(_ repository: Repository) -> [Finding] {
        guard let page = repository.file(ModuleTable.path) else {
            return [
                Finding(path: ModuleTable.path, line: 1, message: "the module table is missing")
            ]
        }
        let table = ModuleTable(page)
        return check(table)
            + repository.swift(in: "Sources", "Workers").flatMap { file in
                let components = file.components
                let module = components[0] == "Workers" ? "Workers" : String(components[1])
                guard let row = table.rows.first(where: { $0.name == module }) else {
                    return [
                        Finding(
                            path: file.path, line: 1,
                            message: "module '\(module)' is not in the table of \(ModuleTable.path)"
                        )
                    ]
                }
                return file.code.lines.enumerated().compactMap { index, line in
                    guard let match = line.firstMatch(of: importLine) else { return nil }
                    let name = String(match.output.1)
                    if row.mayImport.contains(name) { return nil }
                    return Finding(
                        path: file.path, line: index + 1,
                        message: "\(module) may not import \(name) (table in \(ModuleTable.path))")
                }
            }
    }

    /// The table itself: a module imports from its own layer or below, and stands in it once.
    private static func check(_ table: ModuleTable) -> [Finding] {
        var findings: [Finding] = []
        for (index, row) in table.rows.enumerated() {
            func report(_ message: String) {
                findings.append(Finding(path: ModuleTable.path, line: row.line, message: message))
            }
            if table.rows[..<index].contains(where: { $0.name == row.name }) {
                report("module '\(row.name)' stands in the table twice")
            }
            guard let layer = row.layer else { continue }
            for other in table.rows where row.mayImport.contains(other.name) {
                if other.layer.map({ $0 > layer }) ?? true {
                    report("\(row.name) of layer \(layer) may not import \(other.name) from above")
                }
            }
        }
        if table.rows.count < 10 {
            findings.append(
                Finding(path: ModuleTable.path, line: 1, message: "the module table can't be read"))
        }
        return findings
    }
}
