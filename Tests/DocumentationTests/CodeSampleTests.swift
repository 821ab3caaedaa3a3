import DataProcessing
import NDArrays
import ProcessorTesting
import Testing

@testable import ExampleWorker

/// A block of Swift code on a page, and the file that it was taken from.
struct CodeSample: CustomTestStringConvertible {
    let page: String
    let line: Int
    /// Path from the root; nil when the page does not say.
    let file: String?
    let code: [Substring]

    var testDescription: String { "\(page):\(line)" }

    /// The Swift blocks of a page. The line before a block names its file: `<!-- file: PATH -->`.
    static func all(of page: String) throws -> [CodeSample] {
        var samples: [CodeSample] = []
        var start: Int?
        var isSwift = false
        let lines = try Pages.text(page).split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.hasPrefix("```") {
            guard let first = start else {
                start = index
                isSwift = line == "```swift"
                continue
            }
            start = nil
            guard isSwift else { continue }
            let above = first > 0 ? lines[first - 1] : ""
            samples.append(
                CodeSample(
                    page: page, line: first + 1, file: file(in: above),
                    code: Array(lines[(first + 1)..<index])))
        }
        return samples
    }

    private static func file(in line: Substring) -> String? {
        line.firstMatch(of: /^<!-- file: (.+) -->$/).map { String($0.output.1) }
    }
}

@Suite("Code in the documentation")
struct CodeSampleTests {
    static var samples: [CodeSample] {
        get throws { try Pages.all.flatMap(CodeSample.all) }
    }

    @Test("is part of a file that is compiled", arguments: try samples)
    func isCompiled(sample: CodeSample) throws {
        let path = try #require(
            sample.file, "\(sample.page):\(sample.line) has no <!-- file: PATH --> before it")
        let lines = try Pages.text(path).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(
            Self.contains(lines, sample.code), "\(sample.page):\(sample.line) is not in \(path)")
    }

    @Test("keeps the rules for processors")
    func keepsTheRules() throws {
        try ProcessorConformance(HotPixels.self).verify()
        try ProcessorConformance(BrightFrames.self).verify()
        try ProcessorConformance(BinByTwo.self).verify()
        try ProcessorConformance(SplitProcessor.self).verify()
    }

    private static func indentation(_ line: Substring) -> Int { line.prefix { $0 == " " }.count }

    /// Whether `part` stands in `whole`, whatever its indentation there.
    private static func contains(_ whole: [Substring], _ part: [Substring]) -> Bool {
        guard let first = part.first(where: { !$0.isEmpty }) else { return false }
        let last = whole.count - part.count
        guard last >= 0 else { return false }
        return (0...last).contains { start in
            let indentation = Self.indentation(whole[start]) - Self.indentation(first)
            guard indentation >= 0 else { return false }
            let blanks = String(repeating: " ", count: indentation)
            return zip(whole[start...], part).allSatisfy { line, sample in
                line == sample || line == blanks + sample
            }
        }
    }
}
