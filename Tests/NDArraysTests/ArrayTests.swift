import NDArrays
import Testing

@Suite("Arrays and views")
struct ArrayTests {
    @Test("A view addresses pixels by column and row")
    func view() throws {
        let image = try NDArray([1, 2, 3, 4, 5, 6] as [UInt16], width: 3, height: 2)
        try image.withPixels(of: UInt16.self) { view in
            #expect(view.width == 3)
            #expect(view.height == 2)
            #expect(view.count == 6)
            #expect(view[0, 0] == 1)
            #expect(view[2, 0] == 3)
            #expect(view[0, 1] == 4)
            #expect(view[2, 1] == 6)
            let row = view.row(1)
            #expect(row.count == 3)
            #expect(row[1] == 5)
        }
    }

    @Test("Colour planes are addressed in every colour mode", arguments: ColorMode.allCases)
    func planes(mode: ColorMode) throws {
        let sizes = mode == .rgb1 ? [3, 2, 5] : mode == .rgb2 ? [2, 3, 5] : [2, 5, 3]
        let dimensions = try #require(NDDimensions(sizes.map { NDDimension(size: $0) }))
        let layout = try ArrayLayout(
            elementType: .int32, dimensions: dimensions, colorMode: mode)
        var image = NDArray(layout: layout)
        try image.withMutablePixels(of: Int32.self) { view in
            for plane in 0..<3 {
                for y in 0..<5 {
                    for x in 0..<2 { view[x, y, plane: plane] = Int32(100 * plane + 10 * y + x) }
                }
            }
        }
        let elements = try image.elements(of: Int32.self)
        #expect(Set(elements).count == 30)
        #expect(elements[1] == (mode == .rgb1 ? 100 : 1))
        try image.withPixels(of: Int32.self) { view in #expect(view[1, 4, plane: 2] == 241) }
    }

    @Test("Copies share pixels until one is written")
    func copies() throws {
        let first = try NDArray([1, 2] as [UInt8], width: 2, height: 1)
        var second = first
        try second.withMutablePixels(of: UInt8.self) { $0[0] = 9 }
        #expect(try first.elements(of: UInt8.self) == [1, 2])
        #expect(try second.elements(of: UInt8.self) == [9, 2])
    }

    @Test("Pixels are read only as what they are")
    func types() throws {
        let image = try NDArray([1, 2] as [UInt8], width: 2, height: 1)
        #expect(throws: NDArrayError.elementTypeMismatch(had: .uint8, asked: .int8)) {
            try image.elements(of: Int8.self)
        }
        let dimensions = NDDimensions(NDDimension(size: 2))
        let boolean = NDArray(
            layout: try ArrayLayout(elementType: .boolean, dimensions: dimensions))
        #expect(try boolean.elements(of: UInt8.self) == [0, 0])
        let compressed = NDArray(
            layout: try ArrayLayout(
                elementType: .uint8, dimensions: dimensions, codecName: "lz4"), byteCount: 1)
        #expect(throws: NDArrayError.compressed(codecName: "lz4")) {
            try compressed.elements(of: UInt8.self)
        }
        #expect(throws: NDArrayError.byteCountMismatch(needed: 6, had: 2)) {
            try NDArray([1, 2] as [UInt8], width: 3, height: 2)
        }
    }

    @Test("The nearest value rounds half away from zero and stays in range")
    func conversions() {
        #expect(UInt8(nearest: 2.5) == 3)
        #expect(Int8(nearest: -2.5) == -3)
        #expect(UInt8(nearest: 256) == 255)
        #expect(UInt8(nearest: -0.4) == 0)
        #expect(UInt8(nearest: -1) == 0)
        #expect(UInt16(nearest: .infinity) == .max)
        #expect(Int16(nearest: -.infinity) == .min)
        #expect(Int32(nearest: .nan) == 0)
        #expect(Int64(nearest: 0x1p63) == .max)
        #expect(Int64(nearest: -0x1p63) == .min)
        #expect(UInt64(nearest: 0x1p64) == .max)
        #expect(UInt64(nearest: 0x1p63) == 1 << 63)
        #expect(Float(nearest: 0.1) == 0.1)
        #expect(UInt64.max.asDouble == 0x1p64)
    }

    @Test(
        "Every element type is visited with a Swift type of its size",
        arguments: ElementType.allCases)
    func visitors(type: ElementType) throws {
        struct Size: ElementVisitor {
            mutating func visit<Element: ArrayElement>(_ type: Element.Type) -> Int {
                MemoryLayout<Element>.size
            }
        }
        var visitor = Size()
        #expect(try type.accept(&visitor) == type.byteCount)
        #expect(ElementType(name: type.name) == type)
        #expect(type.fieldKey.hasSuffix("Value"))
    }

    @Test("A row of pixels that do not lie together traps, and a view of too few elements")
    func traps() async {
        await #expect(processExitsWith: .failure) {
            let dimensions = NDDimensions(
                NDDimension(size: 3), NDDimension(size: 2), NDDimension(size: 2))
            let image = NDArray(
                layout: try ArrayLayout(
                    elementType: .uint8, dimensions: dimensions, colorMode: .rgb1))
            try image.withPixels(of: UInt8.self) { _ = $0.row(0).count }
        }
        await #expect(processExitsWith: .failure) {
            let image = NDArray(layout: try ArrayLayout(.uint8, width: 2, height: 2), byteCount: 3)
            try image.withPixels(of: UInt8.self) { _ = $0.count }
        }
    }
}
