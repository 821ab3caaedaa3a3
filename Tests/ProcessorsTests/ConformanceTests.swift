import DataProcessing
import ProcessorTesting
import Processors
import TestSupport
import Testing

@Suite struct ConformanceTests {
    @Test func `our processors keep to the rules`() throws {
        let folder = try TemporaryFolder()
        try ProcessorConformance(PassThrough.self).verify()
        try ProcessorConformance(PixelSum.self).verify()
        try ProcessorConformance(PixelStatistics.self).verify()
        try ProcessorConformance(
            AdOutputFileProcessor.self, configuration: ["outputDirectory": folder.path]
        ).verify()
    }

    private func broken<Processor: UserDataProcessor>(
        _ type: Processor.Type
    ) throws -> [ConformanceError.Check] {
        do {
            try ProcessorConformance(type).verify()
            return []
        } catch let errors as ConformanceErrors {
            return errors.errors.map(\.check)
        }
    }

    @Test func `a processor that leaves pixels unwritten is found`() throws {
        final class Lazy: UserDataProcessor {
            override func process(_ frame: Frame) throws -> Frame? {
                try makeFrame(layout: frame.layout, of: UInt16.self) { $0[0] = 1 }
            }
        }
        #expect(try broken(Lazy.self) == [.determinism])
    }

    @Test func `a validate that has effects is found`() throws {
        final class Nosy: UserDataProcessor {
            var asked = 0
            override func validate(_ configuration: Configuration) { asked += 1 }
            override func process(_ frame: Frame) -> Frame? {
                frame.attributes.set("asked", .int64(Int64(asked)))
                return frame
            }
        }
        #expect(try broken(Nosy.self) == [.validation])
    }

    @Test func `statistics that are not declared, of another kind, or not reset are found`() throws
    {
        final class Sloppy: UserDataProcessor {
            var count: UInt64 = 0
            override func process(_ frame: Frame) -> Frame? {
                count += 1
                return frame
            }
            override func getStats() -> [String: StatisticValue] { ["count": .unsigned(count)] }
        }
        #expect(try broken(Sloppy.self) == [.statistics, .reset])
        final class Mistyped: UserDataProcessor {
            override func getStats() -> [String: StatisticValue] { ["count": .real(1)] }
            override func getStatsTypes() -> [StatisticDeclaration] {
                [StatisticDeclaration(key: "count", kind: .unsigned)]
            }
        }
        #expect(try broken(Mistyped.self) == [.statistics])
    }

    @Test func `a processor that writes through a raw pointer into its input is found`() throws {
        final class Vandal: UserDataProcessor {
            override func process(_ frame: Frame) -> Frame? {
                frame.withUnsafeBytes { bytes in
                    UnsafeMutableRawPointer(mutating: bytes.baseAddress)?
                        .storeBytes(of: 0x7B, as: UInt8.self)
                }
                return nil
            }
        }
        #expect(try broken(Vandal.self).contains(.input))
    }

    @Test func `a default that is out of range or a setting named twice is found`() throws {
        final class Wild: UserDataProcessor {
            override class var settings: [any SettingDeclaration] {
                [Setting("level", default: 11, in: 0...10, "Level")]
            }
        }
        // Nothing else can be checked of a processor whose own defaults are refused.
        #expect(throws: (any Error).self) { try ProcessorConformance(Wild.self).verifySettings() }
        final class Twice: UserDataProcessor {
            override class var settings: [any SettingDeclaration] {
                [Setting("a", default: 1, "A"), Setting("a", default: 2, "A")]
            }
        }
        #expect(try broken(Twice.self) == [.settings])
    }

    @Test func `results that depend on what came before in another run are found`() throws {
        final class Random: UserDataProcessor {
            let number = UInt64.random(in: 0...UInt64.max)
            override func process(_ frame: Frame) -> Frame? {
                frame.attributes.set("number", .uint64(number))
                return frame
            }
        }
        #expect(try broken(Random.self).contains(.determinism))
    }
}
