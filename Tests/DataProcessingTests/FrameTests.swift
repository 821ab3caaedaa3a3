import DataProcessing
import ProcessorTesting
import Testing

@Suite struct FrameTests {
    private func withFrame(_ body: (Frame, PrivateFrameMemory) throws -> Void) throws {
        let memory = PrivateFrameMemory(garbage: 0xEE)
        var pixels = (0..<12).map { UInt16($0) }
        try pixels.withUnsafeMutableBytes { bytes in
            let base = try #require(bytes.baseAddress)
            let frame = Frame()
            frame.reset(
                key: FrameKey(frameId: 1), uniqueId: 9,
                content: .image(try ArrayLayout(.uint16, width: 4, height: 3)),
                region: FrameRegion(base: base, byteCount: 24, origin: .input(pool: 1, slot: 2)),
                byteCount: 24, memory: memory)
            try body(frame, memory)
            frame.releaseRegion()
            #expect(memory.takenCount == 0)
        }
        #expect(pixels == (0..<12).map { UInt16($0) })
    }

    @Test func `pixels are read by column and row`() throws {
        try withFrame { (frame, _) throws in
            #expect(try frame.withPixels(of: UInt16.self) { $0[3, 2] } == 11)
            #expect(frame.withUnsafeBytes { $0.count } == 24)
            #expect(frame.typeName == "" && frame.structure == nil && frame.payloadKind == .image)
            #expect(try frame.layout.text == "3×4 uint16")
        }
    }

    @Test func `pixels of another type are refused`() throws {
        try withFrame { (frame, memory) throws in
            #expect(throws: NDArrayError.elementTypeMismatch(had: .uint16, asked: .int16)) {
                try frame.withPixels(of: Int16.self) { _ in }
            }
            #expect(throws: NDArrayError.elementTypeMismatch(had: .uint16, asked: .float64)) {
                try frame.modifyPixels(of: Double.self) { _ in }
            }
            #expect(memory.takenCount == 0)
        }
    }

    @Test func `new pixels are computed from the old ones without a copy`() throws {
        try withFrame { (frame, memory) throws in
            let half = try ArrayLayout(.float32, width: 2, height: 3)
            try frame.replacePixels(layout: half, from: UInt16.self, to: Float.self) { old, new in
                for y in 0..<3 {
                    for x in 0..<2 { new[x, y] = Float(old[2 * x, y]) + Float(old[2 * x + 1, y]) }
                }
            }
            #expect(memory.takenCount == 1)
            #expect(try frame.copiedImage().elements(of: Float.self) == [1, 5, 9, 13, 17, 21])
            struct Stop: Error {}
            #expect(throws: Stop.self) {
                try frame.replacePixels(layout: half) { _, _ in throw Stop() }
            }
            #expect(memory.takenCount == 1)
            #expect(try frame.copiedImage().elements(of: Float.self) == [1, 5, 9, 13, 17, 21])
        }
    }

    @Test func `a map goes from the input to the output and then in place`() throws {
        try withFrame { (frame, memory) throws in
            try frame.mapPixels(of: UInt16.self) { index, pixel in pixel * 2 + UInt16(index) }
            let base = frame.withUnsafeBytes { $0.baseAddress }
            try frame.mapPixels(of: UInt16.self) { _, pixel in pixel + 1 }
            #expect(frame.withUnsafeBytes { $0.baseAddress } == base)
            #expect(memory.takenCount == 1)
            #expect(
                try frame.copiedImage().elements(of: UInt16.self)
                    == (0..<12).map { UInt16($0 * 3 + 1) })
        }
    }

    @Test func `payloads can change their kind`() throws {
        try withFrame { (frame, memory) throws in
            try frame.setBytes([1, 2, 3], typeName: "secret")
            #expect(frame.payloadKind == .bytes && frame.byteCount == 3)
            #expect(frame.typeName == "secret")
            #expect(frame.withUnsafeBytes { Array($0) } == [1, 2, 3])
            #expect(throws: NDArrayError.notAnImage(had: "bytes")) { try frame.layout }
            frame.setStructure(Structure(["a": .scalar(.int8(1))]), typeName: "t")
            #expect(frame.byteCount == 0 && memory.takenCount == 0)
            #expect(frame.structure?["a"] == .scalar(.int8(1)))
            try frame.setPixels(try FrameFactory.image(.float64, width: 5, height: 5))
            #expect(frame.byteCount == 200)
        }
    }

    @Test func `a copied image may be kept and has all that the frame had`() throws {
        try withFrame { (frame, _) throws in
            frame.attributes.set("A", .int8(4))
            let image = try frame.copiedImage()
            frame.attributes.set("A", .int8(5))
            #expect(image.uniqueId == 9 && image.attributes["A"]?.value == .int8(4))
            #expect(try image.elements(of: UInt16.self) == (0..<12).map { UInt16($0) })
        }
    }

    @Test func `memory is used again by frames of about that size`() throws {
        let memory = PrivateFrameMemory()
        let first = try memory.take(byteCount: 1 << 20)
        memory.release(first)
        #expect(try memory.take(byteCount: 1000).base != first.base)
        #expect(try memory.take(byteCount: 1 << 20).base == first.base)
    }

    @Test func `using a frame after process ends the program with a sentence`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            final class Keeper: UserDataProcessor {
                var kept: Frame?
                override func process(_ frame: Frame) -> Frame? {
                    kept = frame
                    return frame
                }
            }
            let harness = try ProcessorHarness(Keeper.self)
            try harness.process(try FrameFactory.image())
            _ = try harness.processor.kept?.copiedImage()
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("A Frame was used after `process` returned"))
    }

    @Test func `a queue of metadata refuses what is too much and counts it`() {
        let queue = MetadataQueue(capacity: 2)
        let updates = (0..<3).map {
            MetadataQueue.Update(Structure(), timeStamp: TimeStamp(secondsPastEpoch: Int64($0)))
        }
        #expect(updates.map { queue.put($0) } == [true, true, false])
        #expect(queue.next == updates[0])
        #expect(queue.get() == updates[0])
        #expect(queue.put(updates[2]))
        #expect([queue.get(), queue.get(), queue.get()] == [updates[1], updates[2], nil])
        #expect(
            queue.counters
                == MetadataQueue.Counters(nReceived: 4, nRejected: 1, nDelivered: 3, nQueued: 0))
        queue.resetCounters()
        #expect(queue.counters == MetadataQueue.Counters())
    }
}
