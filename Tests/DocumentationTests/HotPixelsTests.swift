import NDArrays
import ProcessorTesting
import Testing

@testable import ExampleWorker

@Suite("Hot pixels")
struct HotPixelsTests {
    @Test("become zero, the others stay")
    func becomeZero() throws {
        let harness = try ProcessorHarness(HotPixels.self, configuration: ["threshold": 100])
        let image = try FrameFactory.image(.uint16, width: 16, height: 12, pattern: .ramp)
        let result = try #require(try harness.process(image).image)
        #expect(try result.withPixels(of: UInt16.self) { $0[4, 6] } == 100)
        #expect(try result.withPixels(of: UInt16.self) { $0[5, 6] } == 0)
    }

    @Test("are a processor that keeps the rules")
    func conform() throws {
        try ProcessorConformance(HotPixels.self, configuration: ["threshold": 100]).verify()
    }
}
