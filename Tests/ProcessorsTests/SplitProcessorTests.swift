import NDArrays
import ProcessorTesting
import Testing

@testable import ExampleWorker

@Suite struct SplitProcessorTests {
    @Test func `an image becomes four quarters that know where they were`() throws {
        let pixels = (0..<20).map { UInt16($0) }
        let image = try NDArray(pixels, width: 5, height: 4, uniqueId: 3)
        let outputs = try ProcessorHarness(SplitProcessor.self).process(image).outputs
        #expect(outputs.map(\.uniqueId) == [12, 13, 14, 15])
        #expect(outputs.map { "\($0.key)" } == ["1/0", "1/1", "1/2", "1/3"])
        let tiles = try outputs.map { try #require($0.image) }
        #expect(
            tiles.map { [$0.layout.width, $0.layout.height] } == [
                [2, 2], [3, 2], [2, 2], [3, 2],
            ])
        #expect(tiles.map { $0.layout.dimensions[0].offset } == [0, 2, 0, 2])
        #expect(tiles.map { $0.layout.dimensions[1].offset } == [0, 0, 2, 2])
        #expect(tiles.allSatisfy { $0.layout.dimensions.map(\.fullSize) == [5, 4] })
        #expect(
            try tiles.map { try $0.elements(of: UInt16.self) } == [
                [0, 1, 5, 6], [2, 3, 4, 7, 8, 9], [10, 11, 15, 16], [12, 13, 14, 17, 18, 19],
            ])
    }

    @Test func `it keeps to the rules of processors`() throws {
        try ProcessorConformance(SplitProcessor.self).verify()
    }
}
