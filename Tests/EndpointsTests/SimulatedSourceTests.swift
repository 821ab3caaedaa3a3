import ControllerRuntime
import NDArrays
import TIFF
import TestSupport
import Testing

@testable import Endpoints

@Suite struct SimulatedSourceTests {
    private func frame(_ simulation: Simulation, _ position: UInt64) -> NDArray {
        var array = NDArray(layout: simulation.layout)
        array.withUnsafeMutableBytes { FramePainter(simulation).paint(position, into: $0) }
        return array
    }

    /// FNV-1a, 64 bits (draft-eastlake-fnv).
    private func checksum(_ array: NDArray) -> UInt64 {
        array.withUnsafeBytes { bytes in
            bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        }
    }

    @Test(arguments: ElementType.allCases, SimulatedPattern.allCases)
    func `Pixels are the same on every machine and in every version`(
        _ type: ElementType, _ pattern: SimulatedPattern
    ) throws {
        let layout = try ArrayLayout(type, width: 37, height: 29)
        let simulation = Simulation(layout, pattern: pattern, seed: 11)
        let found = checksum(frame(simulation, 3))
        let key = "\(type) \(pattern)"
        #expect(GoldenChecksums.values[key] == found, "\"\(key)\": \(found),")
    }

    @Test func `A frame depends on seed and position, not on what was drawn before`() throws {
        let layout = try ArrayLayout(.uint16, width: 64, height: 48)
        let simulation = Simulation(layout, count: 5)
        let source = SimulatedSource(simulation)
        var frames: [NDArray] = []
        while let announcement = source.next() {
            var array = NDArray(layout: layout, uniqueId: announcement.uniqueId ?? 0)
            array.withUnsafeMutableBytes { source.fill($0) }
            frames.append(array)
        }
        #expect(frames.map(\.uniqueId) == [1, 2, 3, 4, 5])
        for array in frames.reversed() {
            #expect(checksum(array) == checksum(frame(simulation, array.uniqueId)))
        }
        #expect(Set(frames.map(checksum)).count == 5)
        var other = simulation
        other.seed = 2
        #expect(checksum(frame(other, 1)) != checksum(frames[0]))
    }

    @Test func `Time stamps are an epoch plus position over rate`() throws {
        var simulation = Simulation(try ArrayLayout(.uint8, width: 1, height: 1))
        let unpaced = TimeStamp(secondsPastEpoch: 1_767_225_601, nanoseconds: 500_000_000)
        #expect(simulation.timeStamp(of: 1500) == unpaced)
        simulation.rate = 400
        let paced = TimeStamp(secondsPastEpoch: 1_767_225_600, nanoseconds: 2_500_000)
        #expect(simulation.timeStamp(of: 1) == paced)
    }

    @Test func `A ramp counts on from pixel to pixel and frame to frame, and wraps`() throws {
        let layout = try ArrayLayout(.uint8, width: 20, height: 20)
        let pixels = try frame(Simulation(layout, pattern: .ramp), 250).elements(of: UInt8.self)
        #expect(pixels.prefix(8) == [250, 251, 252, 253, 254, 255, 0, 1])
    }

    @Test func `A level that does not fit is held at the ends of the type`() throws {
        let layout = try ArrayLayout(.uint8, width: 2, height: 1)
        let simulation = Simulation(layout, pattern: .flat, level: 1000)
        #expect(try frame(simulation, 1).elements(of: UInt8.self) == [255, 255])
    }

    @Test func `Without a count there is no end, and none is announced`() throws {
        let shape = StructureValue.list([.scalar(.int64(2)), .scalar(.int64(3))])
        let source = try SourceFactory.makeSource(
            kind: "sim", settings: Structure(["count": .scalar(.int64(0)), "shape": shape]))
        #expect(source.information.frameCount == nil)
        #expect(source.information.slotByteCount == 12)
        for _ in 0..<1000 { #expect(try source.next() != nil) }
    }

    @Test func `A rate holds frames back, and cancelling ends the wait`() throws {
        let layout = try ArrayLayout(.uint8, width: 1, height: 1)
        let paced = SimulatedSource(Simulation(layout, count: 21, rate: 200))
        let time = ContinuousClock().measure { while paced.next() != nil {} }
        #expect(time >= .milliseconds(99))
        let slow = SimulatedSource(Simulation(layout, rate: 0.001))
        #expect(slow.next() != nil)
        slow.cancel()
        #expect(slow.next() == nil)
    }

    @Test(arguments: [1e-20, 1.0842021725e-19, Double.leastNonzeroMagnitude])
    func `A rate so low that no clock has the time of the next frame ends nothing`(
        rate: Double
    ) throws {
        let layout = try ArrayLayout(.uint8, width: 1, height: 1)
        let slow = SimulatedSource(Simulation(layout, rate: rate))
        #expect(slow.next() != nil)
        slow.cancel()
        #expect(slow.next() == nil)
    }

    @Test func `A live source is behind by all that it was not asked for, and gives it`() throws {
        let layout = try ArrayLayout(.uint8, width: 1, height: 1)
        var simulation = Simulation(layout, count: 1000, rate: 1e6)
        simulation.isLive = true
        let source = SimulatedSource(simulation)
        #expect(source.information.isLive)
        var ids: [UInt64?] = []
        while let frame = source.next() { ids.append(frame.uniqueId) }
        #expect(ids == (1...1000).map { UInt64($0) })
        let settings = Structure(["live": .scalar(.string("true"))])
        #expect(throws: SourceError.liveWithoutRate) {
            try SourceFactory.makeSource(kind: "sim", settings: settings)
        }
    }

    @Test func `Written frames read back as they were drawn, and nothing is overwritten`() throws {
        let folder = try TemporaryFolder()
        let simulation = Simulation(try ArrayLayout(.uint16, width: 40, height: 30), count: 3)
        let out = "\(folder.path)/new/folder"
        var told: [Int] = []
        #expect(try simulation.write(to: out) { told.append($0) } == 3 * 2400)
        #expect(told == [1, 2, 3])
        let array = try TIFFReader(path: "\(out)/frame_000002.tif").readArray()
        #expect(array.uniqueId == 2)
        #expect(array.timeStamp == simulation.timeStamp(of: 2))
        #expect(checksum(array) == checksum(frame(simulation, 2)))
        #expect(throws: SourceError.fileExists(path: "\(out)/frame_000001.tif")) {
            try simulation.write(to: out)
        }
    }
}

@Suite struct PoissonTests {
    @Test(arguments: [4, 6, 10, 25, 100, 1000, 15_000] as [Float])
    func `Counts have the mean and the variance of Poisson's law`(_ mean: Float) throws {
        let count = 200_000
        let image = PoissonImage([Float](repeating: mean, count: count))
        var (sum, squares) = (0.0, 0.0)
        image.draw(CounterGenerator(seed: 5, frame: 9)) { _, value in
            sum += Double(value)
            squares += Double(value) * Double(value)
        }
        let found = sum / Double(count)
        let variance = squares / Double(count) - found * found
        // Five standard errors of the mean and of the variance, and a hundredth for the approximation.
        let error = 5 * (Double(mean) / Double(count)).squareRoot()
        #expect(abs(found - Double(mean)) < error + 0.002 * Double(mean))
        #expect(abs(variance / Double(mean) - 1) < 5 * (2 / Double(count)).squareRoot() + 0.01)
    }

    @Test(arguments: [4, 8, 20])
    func `The share of each count is that of Poisson's law`(_ mean: Int) {
        let count = 400_000
        let image = PoissonImage([Float](repeating: Float(mean), count: count))
        var shares = [Double](repeating: 0, count: 4 * mean + 20)
        image.draw(CounterGenerator(seed: 1, frame: 1)) { _, value in
            shares[min(Int(value), shares.count - 1)] += 1 / Double(count)
        }
        var expected = 1.0
        for _ in 0..<mean { expected /= 2.718281828459045 }
        for value in 0..<2 * mean {
            #expect(abs(shares[value] - expected) < 0.006, "\(value) of mean \(mean)")
            expected *= Double(mean) / Double(value + 1)
        }
    }

    @Test func `Counts above the largest value of the type are held there`() {
        let image = PoissonImage([Float](repeating: 300, count: 1000))
        image.draw(CounterGenerator(seed: 1, frame: 1), maximum: 255) { _, value in
            #expect(value <= 255)
        }
    }

    @Test func `Neighbours and frames are not correlated`() {
        let count = 100_000
        let image = PoissonImage([Float](repeating: 50, count: count))
        func draw(_ frame: UInt64) -> [Double] {
            var values = [Double](repeating: 0, count: count)
            image.draw(CounterGenerator(seed: 1, frame: frame)) { values[$0] = Double($1) - 50 }
            return values
        }
        let (first, second) = (draw(1), draw(2))
        func correlation(_ left: some Sequence<Double>, _ right: some Sequence<Double>) -> Double {
            zip(left, right).reduce(0) { $0 + $1.0 * $1.1 } / Double(count) / 50
        }
        // Five standard errors of 1/√n.
        #expect(abs(correlation(first, second)) < 0.016)
        for distance in [1, 2, 3, 4, 5, 64] {
            #expect(abs(correlation(first, first.dropFirst(distance))) < 0.016)
        }
    }
}

@Suite struct PowderPatternTests {
    private func means(_ type: ElementType, width: Int, height: Int) throws -> [Float] {
        let layout = try ArrayLayout(type, width: width, height: height)
        return PowderPattern(layout).means(in: layout)
    }

    @Test func `Rings stand out of the background at the radii of silicon`() throws {
        let side = 512
        let means = try means(.uint16, width: side, height: side)
        // Straight up from the beam centre; radii are 0.866 tan 2θ of the side, sin θ = √(0.0011 N).
        let (x, y) = (Int(0.521 * Double(side)), Int(0.466 * Double(side)))
        func at(_ radius: Double) -> Float { means[(y - Int(radius * Double(side))) * side + x] }
        for (radius, gap) in [(0.100, 0.13), (0.1651, 0.18), (0.1949, 0.215)] {
            let near = (-2...2).map { at(radius + Double($0) / Double(side)) }.max() ?? 0
            #expect(near > 3 * at(gap), "ring at \(radius)")
        }
    }

    @Test(arguments: [ElementType.uint8, .int8, .uint16])
    func `The brightest mean leaves room for its noise, and the rings stay visible`(
        _ type: ElementType
    ) throws {
        let means = try means(type, width: 300, height: 200)
        let largest: Float = type == .int8 ? 127 : type == .uint8 ? 255 : 65_535
        #expect(means.allSatisfy { $0 > 0 && $0 < 0.95 * largest })
        #expect((means.max() ?? 0) > (type == .uint16 ? 500 : 0.4 * largest))
    }

    @Test(arguments: [(1, 1), (1, 50), (50, 1), (3, 2)])
    func `The smallest shapes have a picture too`(_ width: Int, _ height: Int) throws {
        #expect(try means(.uint16, width: width, height: height).count == width * height)
    }
}
