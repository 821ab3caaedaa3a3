import NDArrays
import Testing

@Suite("Layouts")
struct LayoutTests {
    /// Sizes of the dimensions, fastest first, of an image of 4 columns, 3 rows and 3 planes.
    private static let sizes: [(mode: ColorMode, sizes: [Int])] = [
        (.mono, [4, 3, 3]), (.rgb1, [3, 4, 3]), (.rgb2, [4, 3, 3]), (.rgb3, [4, 3, 3]),
    ]

    private func dimensions(_ sizes: [Int]) throws -> NDDimensions {
        try #require(NDDimensions(sizes.map { NDDimension(size: $0) }))
    }

    @Test("The index of a pixel is the one of an array with these dimensions", arguments: sizes)
    func geometry(mode: ColorMode, sizes: [Int]) throws {
        let layout = try ArrayLayout(
            elementType: .uint16, dimensions: try dimensions(sizes), colorMode: mode)
        #expect(layout.width == 4)
        #expect(layout.height == 3)
        #expect(layout.planeCount == 3)
        #expect(layout.elementCount == 36)
        #expect(layout.byteCount == 72)
        let geometry = layout.geometry
        var seen: Set<Int> = []
        for plane in 0..<3 {
            for y in 0..<3 {
                for x in 0..<4 {
                    // areaDetector: RGB1 [color, x, y], RGB2 [x, color, y], RGB3 [x, y, color].
                    let place =
                        switch mode {
                        case .rgb1: [plane, x, y]
                        case .rgb2: [x, plane, y]
                        case .mono, .rgb3: [x, y, plane]
                        }
                    let expected = place[0] + sizes[0] * (place[1] + sizes[1] * place[2])
                    #expect(geometry.index(x: x, y: y, plane: plane) == expected)
                    seen.insert(expected)
                }
            }
        }
        #expect(seen == Set(0..<36))
    }

    @Test("One and two dimensions have one row and one plane where they say no more")
    func fewDimensions() throws {
        let line = try ArrayLayout(elementType: .int8, dimensions: try dimensions([7]))
        #expect([line.width, line.height, line.planeCount] == [7, 1, 1])
        let plane = try ArrayLayout(.float64, width: 7, height: 2)
        #expect([plane.width, plane.height, plane.planeCount, plane.byteCount] == [7, 2, 1, 112])
        #expect(plane.text == "2×7 float64")
        #expect(line.text == "1×7 int8")
    }

    @Test(
        "Sizes that are empty, negative or too large are refused",
        arguments: [
            [0], [-1], [.min], [3, 0], [.max], [.max, .max], [.max, 2, .max], [1 << 36, 2],
            [1 << 32, 1 << 32, 1],
        ] as [[Int]])
    func badSizes(sizes: [Int]) throws {
        let dimensions = try dimensions(sizes)
        #expect(throws: NDArrayError.self) {
            try ArrayLayout(elementType: .uint8, dimensions: dimensions)
        }
    }

    @Test("The largest array is allowed, one element more is not", arguments: ElementType.allCases)
    func largest(type: ElementType) throws {
        let count = ArrayLayout.maximumByteCount / type.byteCount
        let layout = try ArrayLayout(elementType: type, dimensions: try dimensions([count]))
        #expect(layout.byteCount == ArrayLayout.maximumByteCount)
        #expect(throws: NDArrayError.tooLarge(limit: ArrayLayout.maximumByteCount)) {
            try ArrayLayout(elementType: type, dimensions: try dimensions([count + 1]))
        }
    }

    @Test("Regions with which arithmetic could overflow are refused")
    func regions() throws {
        func layout(_ dimension: NDDimension) throws -> ArrayLayout {
            try ArrayLayout(elementType: .uint8, dimensions: NDDimensions(dimension))
        }
        let most = ArrayLayout.maximumOffset
        #expect(throws: Never.self) {
            try layout(NDDimension(size: 1, offset: -most, fullSize: most, binning: 1 << 20))
        }
        for dimension in [
            NDDimension(size: 1, offset: most + 1), NDDimension(size: 1, offset: .min),
            NDDimension(size: 1, fullSize: -1), NDDimension(size: 1, fullSize: .max),
            NDDimension(size: 1, binning: 0), NDDimension(size: 1, binning: -1),
            NDDimension(size: 1, binning: .max),
        ] {
            #expect(throws: NDArrayError.self, "\(dimension)") { try layout(dimension) }
        }
    }

    @Test("Colours need three dimensions with 3 at their place")
    func colours() throws {
        for (mode, sizes) in [
            (.rgb1, [4, 3, 3]), (.rgb2, [3, 4, 3]), (.rgb3, [3, 3, 4]), (.rgb1, [3, 4]),
            (.rgb3, [3]),
        ] as [(ColorMode, [Int])] {
            let dimensions = try dimensions(sizes)
            #expect(throws: NDArrayError.colorModeMismatch(mode, sizes: sizes)) {
                try ArrayLayout(elementType: .uint8, dimensions: dimensions, colorMode: mode)
            }
        }
    }

    @Test("Lists of none or more than three dimensions give none")
    func counts() {
        #expect(NDDimensions([]) == nil)
        #expect(NDDimensions((0..<4).map { _ in NDDimension(size: 1) }) == nil)
        #expect(NDDimensions((1..<4).map { NDDimension(size: $0) })?.map(\.size) == [1, 2, 3])
    }

    @Test("Strides that reach beyond the image trap, and so do pixels outside it")
    func traps() async {
        await #expect(processExitsWith: .failure) {
            _ = PixelGeometry(
                width: 2, height: 2, planeCount: 1, xStride: 1, yStride: 3, planeStride: 4)
        }
        await #expect(processExitsWith: .failure) {
            _ = PixelGeometry(
                width: 2, height: 2, planeCount: 1, xStride: -1, yStride: 2, planeStride: 4)
        }
        await #expect(processExitsWith: .failure) {
            let layout = try ArrayLayout(.uint8, width: 2, height: 2)
            _ = layout.geometry.index(x: 2, y: 0, plane: 0)
        }
    }
}
