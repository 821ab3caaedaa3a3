import DataProcessing
import NDArrays
import ProcessorTesting
import TestSupport
import Testing

@testable import ExampleWorker

@Suite("The processors of the guide")
struct ExampleProcessorTests {
    @Test("BrightFrames filters by the mean and counts what goes on")
    func brightFrames() throws {
        let harness = try ProcessorHarness(BrightFrames.self, configuration: ["lowest": 10.0])
        let dark = try FrameFactory.image(.uint16, pattern: .constant(9))
        let bright = try FrameFactory.image(.uint16, pattern: .constant(11))
        #expect(try harness.process(dark).isFiltered)
        #expect(try harness.process(bright).outputs.count == 1)
        #expect(harness.processor.getStats()["nBright"] == .unsigned(1))
        #expect(throws: ConfigurationError.self) { try harness.configure(["lowest": 2e6]) }
        try harness.configure(["lowest": 12.0])
        #expect(try harness.process(bright).isFiltered)
    }

    @Test("BinByTwo adds up four pixels and notes the binning")
    func binByTwo() throws {
        let harness = try ProcessorHarness(BinByTwo.self)
        let image = try FrameFactory.image(.uint16, width: 5, height: 4, pattern: .ramp)
        let result = try #require(try harness.process(image).image)
        #expect(result.layout.width == 2 && result.layout.height == 2)
        #expect(result.layout.dimensions[0].binning == 2)
        #expect(try result.withPixels(of: UInt32.self) { $0[0, 0] } == 0 + 1 + 5 + 6)
        #expect(try result.withPixels(of: UInt32.self) { $0[1, 1] } == 12 + 13 + 17 + 18)
    }

    @Test("RowSums writes one number a row")
    func rowSums() throws {
        let folder = try TemporaryFolder()
        let harness = try ProcessorHarness(
            RowSums.self, configuration: ["outputDirectory": folder.path])
        let image = try FrameFactory.image(.uint16, width: 3, height: 2, pattern: .ramp)
        let result = try harness.process(image)
        #expect(result.files["000001.txt"] == Array("3\n12\n".utf8))
    }

    @Test("SplitProcessor gives four frames with ids of their own")
    func split() throws {
        let harness = try ProcessorHarness(SplitProcessor.self)
        let image = try FrameFactory.image(.uint16, width: 4, height: 4, uniqueId: 7)
        #expect(try harness.process(image).outputs.map(\.uniqueId) == [28, 29, 30, 31])
    }
}
