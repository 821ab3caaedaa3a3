/// What is said about declarations.
enum DocumentationRules {
    nonisolated(unsafe) private static let visible =
        /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:public|package|open)\s+(?!import\b|extension\b)/
    nonisolated(unsafe) private static let declaration =
        #/
        (?:^|\s)
        (?:func|var|let|init|subscript|struct|class|enum|actor|protocol|typealias|macro|case)\b\??
        \s*([\w<>=+\-*/]*\(?[\w]*)
        /#

    /// Members whose meaning is that of the protocol of the language that asks for them.
    private static let witnesses: Set = [
        "startIndex", "endIndex", "description", "debugDescription", "hash(into", "encode(to", "id",
        "==", "==(", "<", "<(", "init(rawValue", "init(from", "elementType", "allCases", "rawValue",
        "makeIterator(", "next(",
    ]

    /// Every declaration that others can see has a comment before it. One comment may speak for the
    /// lines right below it; what a protocol or an `open` member explains is not explained again by those
    /// that fulfil or override it.
    static func comments(_ repository: Repository) -> [Finding] {
        let files = repository.swift(in: "Sources").map { ($0, $0.code.lines) }
        let explained = files.reduce(into: witnesses) { $0.formUnion(contracts($1.0.lines, $1.1)) }
        return files.flatMap { file, code -> [Finding] in
            let lines = file.lines
            return code.indices.compactMap { index in
                guard code[index].contains(visible), let name = name(code[index]) else {
                    return nil
                }
                if code[index].contains(/\boverride\b/) || explained.contains(name) { return nil }
                if isCommented(lines, code, index) { return nil }
                return Finding(
                    path: file.path, line: index + 1,
                    message: "'\(name)' is visible to others and has no comment")
            }
        }
    }

    /// What is declared in a line, functions with the label of their first argument.
    private static func name(_ line: String) -> String? {
        guard let match = line.firstMatch(of: declaration) else { return nil }
        let isInitializer = line.contains(/\binit\b/)
        return (isInitializer ? "init" : "") + match.output.1
    }

    /// Names of commented members of protocols and of commented `open` members.
    private static func contracts(_ lines: [Substring], _ code: [String]) -> Set<String> {
        var names: Set<String> = []
        var depth = 0
        var protocolDepth: Int?
        for (index, line) in code.enumerated() {
            let isMember = protocolDepth == depth || line.contains(/^\s*open\s/)
            if isMember, let name = name(line), isCommented(lines, code, index) {
                names.insert(name)
            }
            if line.contains(/\bprotocol\s+\w/) { protocolDepth = depth + 1 }
            depth += line.count { $0 == "{" } - line.count { $0 == "}" }
            if let outer = protocolDepth, depth < outer { protocolDepth = nil }
        }
        return names
    }

    private static func isCommented(_ lines: [Substring], _ code: [String], _ index: Int) -> Bool {
        var above = index - 1
        while above >= 0 {
            let line = lines[above].drop { $0 == " " }
            if line.hasPrefix("///") || line.hasPrefix("*/") { return true }
            let isAttribute = line.hasPrefix("@") && name(code[above]) == nil
            let isNeighbour = code[above].contains(visible) && !code[above].contains("{")
            guard isAttribute || isNeighbour else { return false }
            above -= 1
        }
        return false
    }
}

/// Links between the pages of the documentation.
enum LinkRules {
    nonisolated(unsafe) private static let link = /\[[^\]]*\]\(([^)\s]+)[^)]*\)/

    /// Where the links of a page lead: path from the root, and the heading if one is named.
    private static func targets(
        _ page: Repository.File
    ) -> [(line: Int, path: String, heading: String?)] {
        var isCode = false
        return page.lines.enumerated().flatMap { index, line -> [(Int, String, String?)] in
            if line.hasPrefix("```") { isCode.toggle() }
            if isCode { return [] }
            return String(line).replacing(/`[^`]*`/, with: "").matches(of: link).compactMap {
                match in
                let target = match.output.1
                if target.contains("://") || target.hasPrefix("mailto:") { return nil }
                let parts = target.split(
                    separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let path = parts[0].isEmpty ? page.path : resolve(parts[0], from: page)
                return (index + 1, path, parts.count > 1 ? String(parts[1]) : nil)
            }
        }
    }

    private static func resolve(_ target: Substring, from page: Repository.File) -> String {
        var components = Array(page.components.dropLast())
        for part in target.split(separator: "/") {
            if part == ".." {
                _ = components.popLast()
            } else if part != "." {
                components.append(part)
            }
        }
        return components.joined(separator: "/")
    }

    /// The name that a heading has in a link, as GitHub makes it.
    private static func slug(_ heading: Substring) -> String {
        String(
            heading.lowercased().compactMap { character -> Character? in
                if character.isLetter || character.isNumber || "-_".contains(character) {
                    return character
                }
                return character == " " ? "-" : nil
            })
    }

    private static func headings(_ page: Repository.File) -> Set<String> {
        Set(
            page.lines.filter { $0.hasPrefix("#") }.map { line in
                slug(line.drop { $0 == "#" }.drop { $0 == " " })
            })
    }

    /// Every link leads to a file, folder or heading that is there.
    static func dangling(_ repository: Repository) -> [Finding] {
        repository.markdown.flatMap { page in
            targets(page).compactMap { line, path, heading in
                let isThere =
                    path == "LICENSE"
                    || repository.files.contains {
                        $0.path == path || $0.path.hasPrefix(path + "/")
                    }
                guard isThere else {
                    return Finding(path: page.path, line: line, message: "no file '\(path)'")
                }
                guard let heading, let target = repository.file(path) else { return nil }
                return headings(target).contains(heading)
                    ? nil
                    : Finding(
                        path: page.path, line: line,
                        message: "'\(path)' has no heading '#\(heading)'")
            }
        }
    }

    /// Every file under Docs is found from the README or from Docs/README.md.
    static func unreachable(_ repository: Repository) -> [Finding] {
        var found: Set<String> = ["README.md", "Docs/README.md"]
        var waiting = Array(found)
        while let path = waiting.popLast() {
            // A link to a folder shows its README.
            let page = repository.file(path) ?? repository.file(path + "/README.md")
            guard let page, page.path.hasSuffix(".md") else { continue }
            found.insert(page.path)
            for target in targets(page) where found.insert(target.path).inserted {
                waiting.append(target.path)
            }
        }
        return repository.files.filter { $0.path.hasPrefix("Docs/") && !found.contains($0.path) }
            .map {
                Finding(
                    path: $0.path, line: 1, message: "no page links to it; add it to Docs/README.md"
                )
            }
    }
}
