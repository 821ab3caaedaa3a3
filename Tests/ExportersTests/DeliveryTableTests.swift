import Foundation
import TestSupport
import Testing

/// The table of promises in the documentation against the tests that are there.
@Suite(.timeLimit(.minutes(1))) struct DeliveryTableTests {
    @Test func `each line of the delivery table names a test that is there`() throws {
        let page = String(
            decoding: try contents(Checkout.path + "/Docs/Reference/Delivery.md"), as: UTF8.self)
        let table = try #require(
            page.components(separatedBy: "\n\n").first { $0.contains("Proven by") })
        let rows = table.split(separator: "\n").dropFirst(2)
        #expect(rows.count >= 12)
        let tests = try testNames()
        #expect(tests.count > 100)
        for row in rows {
            let cell = row.split(separator: "|").last ?? ""
            let names = cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset % 2 == 1 }.map { String($0.element) }
            #expect(!names.isEmpty, "no test proves: \(row)")
            #expect(names.filter { !tests.contains($0) } == [], "tests that are not there")
        }
    }

    /// The names of all tests with raw identifiers.
    private func testNames() throws -> Set<String> {
        var names: Set<String> = []
        let folder = Checkout.path + "/Tests"
        let files = FileManager.default.enumerator(atPath: folder)
        for case let file as String in files ?? FileManager.DirectoryEnumerator()
        where file.hasSuffix(".swift") {
            let text = String(decoding: try contents(folder + "/" + file), as: UTF8.self)
            for match in text.matches(of: #/func\s+`([^`]+)`/#) {
                names.insert(String(match.output.1))
            }
        }
        return names
    }
}
