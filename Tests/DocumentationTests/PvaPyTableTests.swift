import Statistics
import Testing

@Suite("The table of PvaPy's members")
struct PvaPyTableTests {
    static let page = "Docs/Reference/PvaPy.md"

    @Test("names every member of the ancestor once, and no others")
    func isComplete() throws {
        let rows = try Pages.rows(of: Self.page, header: ["class", "member", "ours", "remarks"])
        let wanted = Ancestor.members.flatMap { group in group.value.map { [group.key, $0] } }
        #expect(rows.map { Array($0.prefix(2)).map(Self.bare) } == wanted)
        #expect(rows.allSatisfy { !$0[2].isEmpty || !$0[3].isEmpty })
    }

    @Test("names every key of the ancestor once, and no others")
    func hasEveryKey() throws {
        let rows = try Pages.rows(of: Self.page, header: ["group", "key", "ours", "remarks"])
        let wanted = Ancestor.keys.flatMap { group in group.value.map { [group.key, $0] } }
        #expect(rows.map { Array($0.prefix(2)).map(Self.bare) } == wanted)
        #expect(rows.allSatisfy { !$0[2].isEmpty || !$0[3].isEmpty })
    }

    @Test("names only declarations and commands that there are")
    func namesWhatThereIs() throws {
        let code = try DeclaredNames()
        let rows = try Pages.rows(of: Self.page, header: ["class", "member", "ours", "remarks"])
        for row in rows {
            for name in Pages.quoted(row[2]) {
                #expect(Self.exists(name, in: code), "\(row[0]) \(row[1]): there is no \(name)")
            }
        }
    }

    @Test("names only statistics that there are")
    func namesStatisticsThatThereAre() throws {
        let code = try DeclaredNames()
        let rows = try Pages.rows(of: Self.page, header: ["group", "key", "ours", "remarks"])
        for row in rows {
            for key in Pages.quoted(row[2]) {
                let isThere =
                    StatisticKey(rawValue: key) != nil || code.text.contains("key: \"\(key)\"")
                    || Self.exists(key, in: code)
                #expect(isThere, "\(row[0]) \(row[1]): there is no statistic \(key)")
            }
        }
    }

    private static func bare(_ cell: String) -> String { cell.filter { $0 != "`" } }

    /// Whether `name` is declared: `sluice VERB`, `Type`, `Type.member` or `Type.member(label:)`. Of a member the
    /// type and the last name have to be declared somewhere.
    private static func exists(_ name: String, in code: DeclaredNames) -> Bool {
        if name.hasPrefix("sluice ") {
            return code.text.contains("commandName: \"\(name.split(separator: " ")[1])\"")
        }
        let path = name.prefix { $0 != "(" }.split(separator: ".")
        return !path.isEmpty && path.allSatisfy { $0 == "init" || code.names.contains($0) }
    }
}

/// The names that the Swift code that ships declares.
struct DeclaredNames {
    let text: String
    let names: Set<Substring>

    init() throws {
        text = try Pages.sources()
        let kinds: Set<Substring> = [
            "class", "struct", "enum", "protocol", "func", "var", "let", "case", "typealias",
        ]
        var names: Set<Substring> = []
        for line in text.split(separator: "\n") {
            let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
            guard let place = words.firstIndex(where: kinds.contains) else { continue }
            // A line of cases has several names; of `class var` the second word counts.
            names.formUnion(
                words[place] == "case" ? words[(place + 1)...] : words[(place + 1)...].prefix(2))
        }
        self.names = names
    }
}
