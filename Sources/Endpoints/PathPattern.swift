/// A path with wild cards in its components; the component `**` stands for any number of folders.
struct PathPattern {
    private enum Component {
        case name(String)
        case pattern(NamePattern)
        case anyDepth
    }

    private let components: [Component]
    private let root: String
    /// Whether a component is `**`.
    let hasAnyDepth: Bool

    /// Reads a pattern; see `NamePattern` for the components.
    init(_ text: String) {
        var components: [Component] = []
        for part in text.split(separator: "/") {
            if part == "**" {
                // Two in a row are no more than one.
                if case .anyDepth = components.last { continue }
                components.append(.anyDepth)
            } else {
                let pattern = NamePattern(String(part))
                components.append(pattern.literal.map { .name($0) } ?? .pattern(pattern))
            }
        }
        hasAnyDepth = components.contains { if case .anyDepth = $0 { true } else { false } }
        // `scan/**` is every file under scan.
        if case .anyDepth = components.last { components.append(.pattern(NamePattern("*"))) }
        self.components = components
        root = text.hasPrefix("/") ? "/" : ""
    }

    /// Whether there are no wild cards.
    var isLiteral: Bool {
        components.allSatisfy { if case .name = $0 { true } else { false } }
    }

    /// Calls `body` with every path that matches and its kind, in no particular order; one that
    /// matches in two ways comes twice.
    ///
    /// - Throws: `SourceError.unreadable` for a folder that has to be searched and can't be.
    func forEachMatch(
        _ body: (String, FileKind) throws(SourceError) -> Void
    ) throws(SourceError) {
        try expand(root, components[...], body)
    }

    private func expand(
        _ base: String, _ rest: ArraySlice<Component>,
        _ body: (String, FileKind) throws(SourceError) -> Void
    ) throws(SourceError) {
        guard let component = rest.first else { return }
        let next = rest.dropFirst()
        switch component {
        case .name(let name):
            let path = Directory.join(base, name)
            if !next.isEmpty { return try expand(path, next, body) }
            if let kind = try? FileKind(path: path) { try body(path, kind) }
        case .pattern(let pattern):
            try Directory.forEach(base) { name, kind throws(SourceError) in
                guard pattern.matches(name) else { return }
                let path = Directory.join(base, name)
                if next.isEmpty {
                    try body(path, kind)
                } else if kind == .folder {
                    try expand(path, next, body)
                }
            }
        case .anyDepth:
            try expand(base, next, body)
            // Links to folders are not followed: they may lead in a circle.
            try Directory.forEach(base, follows: false) { name, kind throws(SourceError) in
                if kind == .folder, !name.hasPrefix(".") {
                    try expand(Directory.join(base, name), rest, body)
                }
            }
        }
    }
}
