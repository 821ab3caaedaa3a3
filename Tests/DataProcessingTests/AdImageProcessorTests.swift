import DataProcessing
import ProcessorTesting
import Testing

/// Does to an image what a closure says.
private final class ScriptedImages: AdImageProcessor {
    var script: (ScriptedImages, Frame) throws -> Frame? = { $1 }
    override func process(_ frame: Frame) throws -> Frame? { try script(self, frame) }
}

@Suite struct AdImageProcessorTests {
    private func run(
        _ image: NDArray, _ script: @escaping (ScriptedImages, Frame) throws -> Frame?
    ) throws -> HarnessResult {
        let harness = try ProcessorHarness(ScriptedImages.self)
        harness.processor.script = script
        let result = try harness.process(image)
        #expect(result.failure == nil)
        return result
    }

    @Test func `an image of each colour mode is generated, replaced and read back`() throws {
        let pixels = (0..<24).map { UInt8($0) }
        for mode in [ColorMode.rgb1, .rgb2, .rgb3] {
            let result = try run(try FrameFactory.image()) { processor, frame in
                let made = try processor.generateImage(
                    imageId: 99, pixels: pixels, nx: 4, ny: 2, nz: 3, colorMode: mode,
                    extraFields: Structure(["Note": .scalar(.string("x"))]))
                let image = try processor.reshape(made)
                #expect([image.nx, image.ny, image.nz] == [4, 2, 3])
                #expect(image.colorMode == mode && image.imageId == 99)
                #expect(image.fieldKey == "ubyteValue" && image.elementType == .uint8)
                let expected = try made.withPixels(of: UInt8.self) { $0[3, 1, plane: 2] }
                #expect(try image.withPixels(of: UInt8.self) { $0[3, 1, plane: 2] } == expected)
                try processor.replaceImage(
                    in: made, imageId: 100, pixels: pixels.map { $0 + 1 }, nx: 4, ny: 2, nz: 3,
                    colorMode: mode)
                return made
            }
            let output = try #require(result.outputs.first)
            #expect(output.uniqueId == 100)
            #expect(output.attributes["ColorMode"]?.value == .int32(Int32(mode.rawValue)))
            #expect(output.attributes["Note"]?.value == .string("x"))
            #expect(output.attributes["FrameNumber"] != nil)
            #expect(try output.image?.elements(of: UInt8.self) == pixels.map { $0 + 1 })
        }
    }

    @Test func `the ColorMode attribute counts where the dimensions fit it`() throws {
        let dimensions = try #require(NDDimensions([3, 4, 2].map { NDDimension(size: $0) }))
        let layout = try ArrayLayout(elementType: .uint16, dimensions: dimensions)
        for (code, mode) in [(Int32(2), ColorMode.rgb1), (4, .mono), (0, .mono), (77, .mono)] {
            var image = try FrameFactory.image(layout: layout)
            image.attributes.set("ColorMode", .int32(code))
            _ = try run(image) { processor, frame in
                let reshaped = try processor.reshape(frame)
                #expect(reshaped.colorMode == mode)
                #expect([reshaped.nx, reshaped.ny] == (mode == .rgb1 ? [4, 2] : [3, 4]))
                return frame
            }
        }
    }

    @Test func `a replaced image of the same shape keeps offset and binning`() throws {
        let layout = try ArrayLayout(
            elementType: .uint16,
            dimensions: NDDimensions(
                NDDimension(size: 2, offset: 10, fullSize: 100, binning: 2), NDDimension(size: 2)))
        let result = try run(try FrameFactory.image(layout: layout)) { processor, frame in
            let pixels: [Float] = [1, 2, 3, 4]
            try processor.replaceImage(in: frame, imageId: 5, pixels: pixels, nx: 2, ny: 2)
            return frame
        }
        let kept = try #require(result.image?.layout)
        #expect(kept.elementType == .float32 && kept.dimensions == layout.dimensions)
        #expect(result.outputs.first?.uniqueId == 5)
    }

    @Test func `the five operations know what they refuse`() throws {
        #expect(AdImageProcessor.dataFieldKey(of: UInt16.self) == "ushortValue")
        #expect(AdImageProcessor.dataFieldKey(of: Double.self) == "doubleValue")
        _ = try run(try FrameFactory.image()) { processor, frame in
            #expect(throws: NDArrayError.self) {
                try processor.generateImage(imageId: 1, pixels: [1, 2, 3] as [Int16], nx: 2, ny: 2)
            }
            let structure = try processor.makeFrame(structure: Structure())
            #expect(throws: NDArrayError.notAnImage(had: "a structure")) {
                try processor.reshape(structure)
            }
            #expect(try processor.reshape(frame).nz == nil)
            return frame
        }
    }

    @Test func `makeFrame and updateOutputChannel need a frame that is being processed`() throws {
        let processor = try ScriptedImages(configuration: Configuration(for: ScriptedImages.self))
        #expect(throws: ProcessingError.noPipeline(operation: "makeFrame")) {
            try processor.makeFrame(structure: Structure())
        }
        #expect(throws: ProcessingError.noPipeline(operation: "updateOutputChannel")) {
            try processor.updateOutputChannel(Frame())
        }
    }

    @Test func `a new frame of a layout holds zeros`() throws {
        let result = try run(try FrameFactory.image(uniqueId: 8)) { processor, _ in
            try processor.makeFrame(layout: try ArrayLayout(.int32, width: 3, height: 2))
        }
        #expect(try result.image?.elements(of: Int32.self) == Array(repeating: 0, count: 6))
        #expect(result.outputs.first?.uniqueId == 8)
    }
}
