internal import NDArrays

/// Writes the pixels of simulated frames. What is the same in all frames is worked out once.
struct FramePainter: Sendable {
    private let simulation: Simulation
    private let rings: PoissonImage?

    init(_ simulation: Simulation) {
        self.simulation = simulation
        let layout = simulation.layout
        rings =
            simulation.pattern == .rings
            ? PoissonImage(PowderPattern(layout).means(in: layout)) : nil
    }

    /// Writes frame `position` (from 1) into `bytes`, which has room for the layout.
    func paint(_ position: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count >= simulation.layout.byteCount, "too little room for a frame")
        guard let start = bytes.baseAddress else { return }
        let generator = CounterGenerator(seed: simulation.seed, frame: position)
        switch simulation.pattern {
        case .rings: paintRings(generator, start)
        case .ramp: paintRamp(position, start)
        case .noise: paintNoise(generator, start)
        case .flat: paintFlat(start)
        case .zero: break
        }
    }

    // MARK: - Rings

    private func paintRings(_ generator: CounterGenerator, _ start: UnsafeMutableRawPointer) {
        guard let rings else { return }
        switch simulation.layout.elementType {
        case .boolean: rings.draw(generator) { start.store($1 >= 4 ? 1 as UInt8 : 0, at: $0) }
        case .int8:
            rings.draw(generator, maximum: 127) {
                start.store(Int8(truncatingIfNeeded: $1), at: $0)
            }
        case .uint8:
            rings.draw(generator, maximum: 255) {
                start.store(UInt8(truncatingIfNeeded: $1), at: $0)
            }
        case .int16:
            rings.draw(generator, maximum: 32767) {
                start.store(Int16(truncatingIfNeeded: $1), at: $0)
            }
        case .uint16:
            rings.draw(generator, maximum: 65535) {
                start.store(UInt16(truncatingIfNeeded: $1), at: $0)
            }
        case .int32: rings.draw(generator) { start.store(Int32(truncatingIfNeeded: $1), at: $0) }
        case .uint32: rings.draw(generator) { start.store($1, at: $0) }
        case .int64: rings.draw(generator) { start.store(Int64($1), at: $0) }
        case .uint64: rings.draw(generator) { start.store(UInt64($1), at: $0) }
        case .float32: rings.draw(generator) { start.store(Float($1), at: $0) }
        case .float64: rings.draw(generator) { start.store(Double($1), at: $0) }
        }
    }

    // MARK: - The plain patterns

    private func paintRamp(_ position: UInt64, _ start: UnsafeMutableRawPointer) {
        let count = simulation.layout.elementCount
        let first = UInt64(truncatingIfNeeded: position)
        func wrapped<Element: FixedWidthInteger & BitwiseCopyable>(_ type: Element.Type) {
            for index in 0..<count {
                start.store(Element(truncatingIfNeeded: first &+ UInt64(index)), at: index)
            }
        }
        switch simulation.layout.elementType {
        case .boolean:
            for index in 0..<count { start.store(UInt8((first &+ UInt64(index)) & 1), at: index) }
        case .int8: wrapped(Int8.self)
        case .uint8: wrapped(UInt8.self)
        case .int16: wrapped(Int16.self)
        case .uint16: wrapped(UInt16.self)
        case .int32: wrapped(Int32.self)
        case .uint32: wrapped(UInt32.self)
        case .int64: wrapped(Int64.self)
        case .uint64: wrapped(UInt64.self)
        case .float32:
            for index in 0..<count { start.store(Float(first &+ UInt64(index)), at: index) }
        case .float64:
            for index in 0..<count { start.store(Double(first &+ UInt64(index)), at: index) }
        }
    }

    private func paintNoise(_ generator: CounterGenerator, _ start: UnsafeMutableRawPointer) {
        let count = simulation.layout.elementCount
        switch simulation.layout.elementType {
        case .boolean:
            for index in 0..<count { start.store(UInt8(generator[index] >> 63), at: index) }
        // 24 and 53 bits are what the significands hold.
        case .float32:
            for index in 0..<count {
                start.store(Float(generator[index] >> 40) * 0x1p-24, at: index)
            }
        case .float64:
            for index in 0..<count {
                start.store(Double(generator[index] >> 11) * 0x1p-53, at: index)
            }
        case .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64:
            let byteCount = simulation.layout.byteCount
            for word in 0..<byteCount / 8 { start.store(generator[word].littleEndian, at: word) }
            var rest = generator[byteCount / 8].littleEndian
            for byte in byteCount / 8 * 8..<byteCount {
                start.store(UInt8(truncatingIfNeeded: rest), at: byte)
                rest >>= 8
            }
        }
    }

    private func paintFlat(_ start: UnsafeMutableRawPointer) {
        let count = simulation.layout.elementCount
        let level = simulation.level
        func filled(_ value: some BitwiseCopyable) {
            for index in 0..<count { start.store(value, at: index) }
        }
        switch simulation.layout.elementType {
        case .boolean: filled(UInt8(level == 0 ? 0 : 1))
        case .int8: filled(Int8(nearest: level))
        case .uint8: filled(UInt8(nearest: level))
        case .int16: filled(Int16(nearest: level))
        case .uint16: filled(UInt16(nearest: level))
        case .int32: filled(Int32(nearest: level))
        case .uint32: filled(UInt32(nearest: level))
        case .int64: filled(Int64(nearest: level))
        case .uint64: filled(UInt64(nearest: level))
        case .float32: filled(Float(level))
        case .float64: filled(level)
        }
    }
}

extension UnsafeMutableRawPointer {
    /// Writes element `index` of an array of `Value`s; a slot inside a message need not be aligned.
    @inline(__always)
    fileprivate func store<Value: BitwiseCopyable>(_ value: Value, at index: Int) {
        storeBytes(of: value, toByteOffset: index &* MemoryLayout<Value>.stride, as: Value.self)
    }
}
