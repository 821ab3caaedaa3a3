import NDArrays
import ProcessorTesting
import Processors
import Statistics
import TIFF
import TestSupport
import Testing

extension ImageStatistics {
    init(_ image: NDArray) throws {
        self = try image.withUnsafeBytes { try ImageStatistics($0, layout: image.layout) }
    }
}

@Suite struct PixelStatisticsTests {
    @Test func `minimum and maximum have the place where they are first met`() throws {
        let image = try NDArray([5, 1, 9, 9, 1, 5] as [UInt16], width: 3, height: 2)
        let statistics = try ImageStatistics(image)
        #expect(statistics.minimum?.value == .uint16(1))
        #expect(statistics.minimum.map { [$0.x, $0.y] } == [1, 0])
        #expect(statistics.maximum.map { [$0.x, $0.y] } == [2, 0])
        #expect(statistics.sum == .int64(30))
        #expect(statistics.mean == 5)
        #expect(abs(statistics.sigma - 3.265986323710904) < 1e-15)
    }

    @Test func `places in colour images are column, row and plane`() throws {
        for (mode, sizes) in [
            (ColorMode.rgb1, [3, 5, 4]), (.rgb2, [5, 3, 4]), (.rgb3, [5, 4, 3]),
            (.mono, [5, 4, 3]),
        ] {
            let dimensions = try #require(NDDimensions(sizes.map { NDDimension(size: $0) }))
            let layout = try ArrayLayout(
                elementType: .uint8, dimensions: dimensions, colorMode: mode)
            var image = NDArray(layout: layout)
            try image.withMutablePixels(of: UInt8.self) { $0[3, 2, plane: 1] = 200 }
            let maximum = try #require(try ImageStatistics(image).maximum)
            #expect([maximum.x, maximum.y, maximum.plane] == [3, 2, 1], "\(mode)")
        }
    }

    @Test func `extremes in a late block are found`() throws {
        var pixels = [Int32](repeating: 7, count: 300 * 200)
        pixels[299 + 150 * 300] = -4
        pixels[17 + 199 * 300] = 9
        let statistics = try ImageStatistics(NDArray(pixels, width: 300, height: 200))
        #expect(statistics.minimum.map { [$0.x, $0.y] } == [299, 150])
        #expect(statistics.maximum.map { [$0.x, $0.y] } == [17, 199])
    }

    @Test func `NaN is left out and counted, and only NaN gives nothing`() throws {
        let some = try ImageStatistics(NDArray([.nan, 2, .nan, 4] as [Float], width: 2, height: 2))
        #expect(some.nanCount == 2 && some.count == 4 && some.mean == 3 && some.sigma == 1)
        #expect(some.minimum?.value == .float32(2) && some.minimum?.x == 1)
        let none = try ImageStatistics(
            NDArray([Double](repeating: .nan, count: 9), width: 3, height: 3))
        #expect(none.minimum == nil && none.maximum == nil && none.nanCount == 9)
        #expect(none.mean.isNaN && none.sigma.isNaN && none.sum == .float64(0))
    }

    @Test func `large offsets do not cancel`() throws {
        let doubles = (0..<100_000).map { 1e9 + Double($0 % 3) }
        let statistics = try ImageStatistics(NDArray(doubles, width: 1000, height: 100))
        let expected = (0..<100_000).reduce(0.0) { $0 + Double($1 % 3) } / 100_000
        let variance =
            (0..<100_000).reduce(0.0) {
                let distance = Double($1 % 3) - expected
                return $0 + distance * distance
            } / 100_000
        #expect(abs(statistics.sigma - variance.squareRoot()) < 1e-9)
        let integers = [UInt16](repeating: 65_535, count: 1 << 20)
        let flat = try ImageStatistics(NDArray(integers, width: 1024, height: 1024))
        #expect(flat.sigma == 0 && flat.sum == .int64(65_535 << 20) && flat.mean == 65_535)
    }

    @Test func `sums that leave 64 bits become float64`() throws {
        let most = try ImageStatistics(NDArray([UInt64.max, 0], width: 2, height: 1))
        #expect(most.sum == .uint64(.max))
        let more = try ImageStatistics(NDArray([UInt64.max, .max], width: 2, height: 1))
        #expect(more.sum == .float64(0x1p65))
        let least = try ImageStatistics(NDArray([Int64.min, .min], width: 2, height: 1))
        #expect(least.sum == .float64(-0x1p64) && least.sigma == 0)
    }

    @Test(
        .enabled(if: Python.isThere, Python.hint),
        .timeLimit(.minutes(1)))
    func `every type and shape gives numpy's numbers`() throws {
        let folder = try TemporaryFolder()
        var images: [NDArray] = []
        for type in ElementType.allCases {
            for (index, size) in [(1, 1), (7, 5), (64, 33), (128, 129), (613, 401)].enumerated() {
                images.append(
                    try FrameFactory.image(
                        type, width: size.0, height: size.1,
                        pattern: .noise(seed: UInt64(index)), uniqueId: UInt64(images.count)))
            }
            guard type != .float32, type != .float64 else { continue }
            images.append(try FrameFactory.image(type, width: 300, height: 200, pattern: .extremes))
        }
        var cases: [String] = []
        for (index, image) in images.enumerated() {
            try folder.write(image.bytes, to: "\(index).raw")
            let type =
                image.layout.elementType == .boolean ? "uint8" : image.layout.elementType.name
            cases.append("\(folder.file("\(index).raw")):\(type)")
        }
        let script = """
            import sys, numpy as np
            for case in sys.argv[1:]:
                path, dtype = case.rsplit(':', 1)
                a = np.fromfile(path, dtype=dtype)
                whole = a.dtype.kind in 'iu'
                total = int(a.sum(dtype=object)) if whole else float(a.sum(dtype='f8'))
                print(a.argmin(), a.argmax(), total, repr(float(a.mean(dtype='f8'))),
                      repr(float(a.std(dtype='f8'))))
            """
        let lines = try Python.lines(script, cases)
        try #require(lines.count == images.count)
        for (image, line) in zip(images, lines) { try compare(image, with: line) }
    }

    @Test(
        .enabled(if: Python.isThere, Python.hint),
        .enabled(if: TestData.isThere, TestData.hint),
        .timeLimit(.minutes(1)))
    func `real frames give numpy's numbers`() throws {
        let script = """
            import sys, numpy as np, tifffile
            for path in sys.argv[1:]:
                a = tifffile.imread(path)
                print(a.argmin(), a.argmax(), int(a.sum(dtype=object)),
                      repr(float(a.mean(dtype='f8'))), repr(float(a.std(dtype='f8'))))
            """
        let lines = try Python.lines(script, TestData.diffraction)
        try #require(lines.count == TestData.diffraction.count)
        for (path, line) in zip(TestData.diffraction, lines) {
            try compare(try TIFFReader(path: path).readArray(), with: line)
        }
    }

    /// `line`: first minimum, first maximum, sum, mean, standard deviation.
    private func compare(_ image: NDArray, with line: String) throws {
        let numbers = line.split(separator: " ").map(String.init)
        try #require(numbers.count == 5)
        let statistics = try ImageStatistics(image)
        let width = image.layout.width
        let comment = Comment(rawValue: image.layout.text)
        #expect(statistics.minimum.map { $0.x + $0.y * width } == Int(numbers[0]), comment)
        #expect(statistics.maximum.map { $0.x + $0.y * width } == Int(numbers[1]), comment)
        if case .float64(let sum) = statistics.sum {
            let expected = try #require(Double(numbers[2]))
            // Of both signs: what rounding may leave is relative to the sum of magnitudes.
            #expect(
                abs(sum - expected) <= 1e-12 * Double(image.layout.elementCount) * 1000 + abs(
                    expected) * 1e-12, comment)
        } else {
            #expect("\(statistics.sum)" == numbers[2], comment)
        }
        let (mean, sigma) = (try #require(Double(numbers[3])), try #require(Double(numbers[4])))
        #expect(abs(statistics.mean - mean) <= max(sigma, abs(mean)) * 1e-12, comment)
        #expect(abs(statistics.sigma - sigma) <= max(sigma, abs(mean) * 1e-6) * 1e-12, comment)
    }

    @Test func `the processor sets attributes and counts over images`() throws {
        let harness = try ProcessorHarness(
            PixelStatistics.self, configuration: ["attributePrefix": "A_"])
        let first = try NDArray([1, 2, 3, 4] as [Int16], width: 2, height: 2, uniqueId: 1)
        let result = try harness.process(first)
        let attributes = try #require(result.outputs.first).attributes
        #expect(attributes["A_MinValue"]?.value == .int16(1))
        #expect(attributes["A_MaxX"]?.value == .int64(1))
        #expect(attributes["A_Total"]?.value == .int64(10))
        #expect(attributes["A_MeanValue"]?.value == .float64(2.5))
        #expect(result.image?.bytes == first.bytes)
        try harness.process(try NDArray([-7, 0] as [Int16], width: 2, height: 1, uniqueId: 2))
        let stats = harness.statistics
        #expect(stats.userValue("nPixels") == .unsigned(6))
        #expect(stats.userValue("minimum") == .real(-7) && stats.userValue("maximum") == .real(4))
        #expect(stats.userValue("MinValue") == .real(-7) && stats.userValue("Total") == .real(-7))
        #expect(stats.counters.processed == 2 && stats.counters.bytesIn == 12)
    }

    @Test func `PixelSum reads every pixel of every type`() throws {
        for type in ElementType.allCases {
            let image = try FrameFactory.image(
                type, width: 211, height: 97, pattern: .noise(seed: 3))
            let harness = try ProcessorHarness(PixelSum.self)
            try harness.process(image)
            let sum = try #require(harness.statistics.userValue("lastSum")?.doubleValue)
            let expected = try #require(try ImageStatistics(image).sum.doubleValue)
            #expect(abs(sum - expected) <= abs(expected) * 1e-12, "\(type)")
        }
    }
}
