import Foundation
import TestSupport
import Testing

/// The rules of the fuzzers on inputs that were interesting once: those that reach code that others do not,
/// and those that broke a rule.
@Suite struct CorpusTests {
    static var targets: [any FuzzTarget.Type] {
        [
            CommandTexts.self, EncryptedFrames.self, JournalFiles.self, LedgerFiles.self,
            NameFormats.self, NumPyFiles.self, PipelineFiles.self, PvaPyPickles.self,
            TIFFFiles.self, WireStream.self, WorkerMessages.self,
        ]
    }

    /// The inputs of a target, by name.
    private static func corpus(_ target: any FuzzTarget.Type) throws -> [(String, [UInt8])] {
        let folder = "\(Checkout.fixtures)/fuzz/\(target)"
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
            ($0, try contents("\(folder)/\($0)"))
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: targets.indices)
    func `every input of the corpus keeps the rules`(index: Int) throws {
        let target = Self.targets[index]
        let corpus = try Self.corpus(target)
        #expect(corpus.count >= 5, "\(target) has a corpus")
        for (name, bytes) in corpus {
            #expect(throws: Never.self, "\(target)/\(name)") {
                try bytes.withUnsafeBytes { try target.check($0) }
            }
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: targets.indices)
    func `so does every beginning of an input, and every input with a byte changed`(
        index: Int
    ) throws {
        let target = Self.targets[index]
        var numbers = SeededNumbers(seed: UInt64(index))
        for (name, bytes) in try Self.corpus(target) where !bytes.isEmpty {
            for _ in 0..<4 {
                var damaged = bytes.prefix(Int.random(in: 1...bytes.count, using: &numbers))
                damaged[Int.random(in: damaged.indices, using: &numbers)] = UInt8.random(
                    in: 0...255, using: &numbers)
                #expect(throws: Never.self, "\(target)/\(name): \(Array(damaged))") {
                    try damaged.withUnsafeBytes { try target.check($0) }
                }
            }
        }
    }

    @Test func `every folder of inputs belongs to a target, and every target is fuzzed`() throws {
        let names = Self.targets.map { "\($0)" }.sorted()
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: "\(Checkout.fixtures)/fuzz")
        #expect(folders.filter { $0 != "README.md" }.sorted() == names)
        let sources = try FileManager.default.contentsOfDirectory(
            atPath: "\(Checkout.path)/Tests/Fuzzing/Targets")
        #expect(sources.sorted() == names.map { "\($0).swift" })
    }
}
