import NDArrays
import TIFF
import TestSupport
import Testing

/// Layouts of every kind, with sides that are no multiples of anything.
func layouts(_ type: ElementType) throws -> [ArrayLayout] {
    func size(_ count: Int) -> NDDimension { NDDimension(size: count) }
    return [
        try ArrayLayout(type, width: 13, height: 7),
        try ArrayLayout(elementType: type, dimensions: NDDimensions(size(11))),
        try ArrayLayout(
            elementType: type, dimensions: NDDimensions(size(3), size(5), size(4)),
            colorMode: .rgb1),
        try ArrayLayout(
            elementType: type, dimensions: NDDimensions(size(5), size(3), size(4)),
            colorMode: .rgb2),
        try ArrayLayout(
            elementType: type, dimensions: NDDimensions(size(5), size(4), size(3)),
            colorMode: .rgb3),
    ]
}

@Suite struct RoundTripTests {
    @Test(
        "every element type and colour mode is read back as it was", arguments: ElementType.allCases
    )
    func everyType(_ type: ElementType) throws {
        let folder = try TemporaryFolder()
        for compression in TIFFCompression.allCases where compression.isAvailable {
            let writer = TIFFWriter(TIFFSettings(compression: compression))
            for (index, layout) in try layouts(type).enumerated() {
                var array = ramp(layout)
                array.timeStamp = TimeStamp(secondsPastEpoch: 1_700_000_000, nanoseconds: 5)
                let path = folder.file("\(compression)-\(index).tiff")
                let written = try withDescriptor(path) { try writer.write(array, to: $0) }
                #expect(written.byteCount == (try contents(path)).count)
                let read = try TIFFReader(path: path).readArray()
                #expect(read.layout == layout, "\(compression) \(layout.text)")
                #expect(read.bytes == array.bytes, "\(compression) \(layout.text)")
                #expect(read.uniqueId == 7)
                #expect(read.timeStamp == array.timeStamp)
            }
        }
    }
}
