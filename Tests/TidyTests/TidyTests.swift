import Testing

@Suite struct TidyTests {
    private static let repository = Result { try Repository.checkout() }

    /// Fails with one list, a line for each finding.
    private func expectNone(_ rule: (Repository) -> [Finding]) throws {
        let findings = rule(try Self.repository.get())
        if !findings.isEmpty {
            let list = findings.map(\.description).joined(separator: "\n")
            Issue.record("\(findings.count) findings\n\(list)")
        }
    }

    @Test func `The checkout is found`() throws {
        let repository = try Self.repository.get()
        #expect(repository.swift(in: "Sources").count > 50)
        #expect(repository.file("Package.swift") != nil)
    }

    @Test func `Modules import only what the table in the architecture page allows`() throws {
        try expectNone(ModuleRules.imports)
    }

    @Test func `Lines, functions and files are short`() throws {
        try expectNone(ShapeRules.lengths)
    }

    @Test func `No banned words`() throws {
        try expectNone(ShapeRules.bannedWords)
    }

    @Test func `No commented-out code`() throws {
        try expectNone(ShapeRules.commentedOutCode)
    }

    @Test func `No paths of one machine`() throws {
        try expectNone(ShapeRules.machinePaths)
    }

    @Test func `What others can see has a comment`() throws {
        try expectNone(DocumentationRules.comments)
    }

    @Test func `Links in the documentation lead somewhere`() throws {
        try expectNone(LinkRules.dangling)
    }

    @Test func `Every page of the documentation is found from its map`() throws {
        try expectNone(LinkRules.unreachable)
    }
}

/// The rules themselves, on texts that break them.
@Suite struct RuleTests {
    private func repository(_ path: String, _ text: String, table: String = "") -> Repository {
        Repository(files: [
            .init(path: path, text: text), .init(path: ModuleTable.path, text: table),
        ])
    }

    @Test func `Comments and strings are not code, interpolations included`() {
        let text = #"""
            let a = "try! \(b("x") + "fatalError(") } {" // try!
            /* { /* nested */ } */ let c = #"\" try!"# + "\\"
            let d = """
                { fatalError( "quoted"
                """
            """#
        let code = SwiftText(text).lines
        #expect(code.count == 5)
        #expect(code.allSatisfy { !$0.contains("try!") && !$0.contains("{") && !$0.contains("}") })
        #expect(code[1].contains("let c = "))
        #expect(code[4].hasSuffix("\"  "))
    }

    @Test func `A function is measured from its declaration to its brace`() {
        let text = """
            protocol P {
                func none() -> Int
                init(a: Int)
            }
            struct S: P {
                init(a: Int) { self.a = a }
                func long(
                    b: [Int]
                ) throws -> Int where A: B
                {
                    if b { c() }
                }
            }
            """
        let functions = SwiftText(text).functions
        #expect(functions.map(\.line) == [6, 7])
        #expect(functions.map(\.lineCount) == [1, 6])
    }

    @Test func `A long function and a long line are found`() {
        let body = String(repeating: "    a()\n", count: 70)
        let text =
            "func f() {\n\(body)}\n" + String(repeating: "x", count: 121) + "\n// "
            + String(repeating: "x", count: 117) + "\n"
        let findings = ShapeRules.lengths(repository("Sources/A/A.swift", text))
        #expect(findings.map(\.line).sorted() == [1, 73])
    }

    @Test(arguments: [
        ("let a = try! b()", 1), ("let a = \"try!\"", 0), ("// " + "TO" + "DO later", 1),
        ("fatalError(\"x\")", 1), ("thread.sleep(1)", 0), ("sleep(1)", 1),
        ("try await Task.sleep(for: a)", 1),
    ])
    func `Banned words are found in code only`(_ line: String, _ count: Int) {
        #expect(ShapeRules.bannedWords(repository("Tests/A/A.swift", line)).count == count)
    }

    @Test(arguments: [
        ("// let a = b", true), ("// return foo(1)", true), ("// }", true), ("// foo(bar)", true),
        ("// import Glibc", true), ("// if a == b {", true), ("// A sentence about (x).", false),
        ("/// let a = b", false), ("// let it be", false), ("// TIFF 6.0 §8", false),
        ("// for each of them", false),
    ])
    func `Code that is commented out is told from sentences`(_ line: String, _ isCode: Bool) {
        let findings = ShapeRules.commentedOutCode(repository("Sources/A/A.swift", line))
        #expect(findings.isEmpty != isCode)
    }

    @Test(arguments: [
        ("public func f() {}", 1), ("/// Says it.\npublic func f() {}", 0), ("func f() {}", 0),
        ("/// Says it.\n@inlinable\npublic func f() {}", 0), ("public import Glibc", 0),
        ("package static let a = 1", 1), ("open class A {}", 1), ("public var startIndex: Int", 0),
        ("public private(set) var a = 1", 1), ("/// Both.\npublic let a: A\npublic let b: B", 0),
        ("/// A.\nprotocol P {\n/// A.\nfunc a(b: B)\n}\npublic func a(b: B) {}", 0),
        ("public override func f() {}", 0), ("/// A.\nopen func a() {}\npublic func a() {}", 0),
    ])
    func `A declaration without a comment is found`(_ text: String, _ count: Int) {
        #expect(DocumentationRules.comments(repository("Sources/A/A.swift", text)).count == count)
    }

    private static let table =
        (["| 1 | `Upper` | | `Lower`, `Glibc` |", "| 0 | `Lower` | | – |"]
        + (0..<9).map { "| 0 | `M\($0)` | | – |" }).joined(separator: "\n")

    @Test(arguments: [
        ("Sources/Upper/A.swift", "public import Lower", 0),
        ("Sources/Upper/A.swift", "import func Glibc.open", 0),
        ("Sources/Lower/A.swift", "@testable import Upper", 1),
        ("Sources/Lower/A.swift", "internal import Foundation", 1),
        ("Sources/Lower/A.swift", "// import Upper", 0), ("Sources/Other/A.swift", "", 1),
    ])
    func `An import outside the table is found`(_ path: String, _ text: String, _ count: Int) {
        let findings = ModuleRules.imports(repository(path, text, table: Self.table))
        #expect(findings.count == count, "\(findings)")
    }

    @Test func `A table that lets a lower layer import a higher one is refused`() {
        let table = Self.table + "\n| 0 | `Bad` | | `Upper` |"
        #expect(ModuleRules.imports(repository("Package.swift", "", table: table)).count == 1)
    }

    @Test func `Links that lead nowhere and pages that nobody links are found`() {
        let repository = Repository(files: [
            .init(
                path: "README.md",
                text: "[a](Docs/A.md#one-two) [b](Docs/B.md) [web](https://x.y)"),
            .init(
                path: "Docs/A.md",
                text: "# One `two`\n`[not](a link)`\n[up](../README.md#nothing)"),
            .init(path: "Docs/C.md", text: ""),
        ])
        let expected = ["no file 'Docs/B.md'", "'README.md' has no heading '#nothing'"]
        #expect(LinkRules.dangling(repository).map(\.message) == expected)
        #expect(LinkRules.unreachable(repository).map(\.path) == ["Docs/C.md"])
    }
}
