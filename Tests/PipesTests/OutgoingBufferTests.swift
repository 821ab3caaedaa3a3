import Glibc
import Pipes
import TestSupport
import Testing

@Suite("Outgoing buffer")
struct OutgoingBufferTests {
    init() { ProcessSignals.ignoreBrokenPipe() }

    @Test("Back-pressure: a full pipe fills the buffer, a full buffer takes nothing more")
    func backPressure() throws {
        let piece = [UInt8](repeating: 3, count: 1000)
        try makePipe(capacity: 4096).split { reader, writer throws in
            try writer.setNonblocking(true)
            var buffer = OutgoingBuffer(maximumByteCount: 5000)
            var sent = 0
            var isFull = false
            while !isFull {
                let result = try piece.withUnsafeBytes { area throws in
                    try buffer.send(area, to: writer)
                }
                isFull = result == nil
                if !isFull { sent += piece.count }
            }
            #expect(buffer.hasRoom(for: 1000) == false)
            #expect(buffer.pendingByteCount <= 5000 && buffer.pendingByteCount > 3000)
            // Writes up to PIPE_BUF are whole or not at all (man 7 pipe): 96 bytes stay free.
            #expect(sent == 4000 + buffer.pendingByteCount)
            #expect(try buffer.flush(to: writer) == .wouldBlock)
            var drain = [UInt8](repeating: 0, count: 8192)
            var received = 0
            while received < sent {
                try drain.withUnsafeMutableBytes { area throws in
                    if case .bytes(let count) = try reader.read(into: area) { received += count }
                }
                _ = try buffer.flush(to: writer)
            }
            #expect(buffer.isDrained == true)
            #expect(received == sent)
            try reader.close()
            try writer.waitForHangUp()
            #expect(
                try piece.withUnsafeBytes { area throws in try buffer.send(area, to: writer) }
                    == .closed)
        }
    }

    @Test("One piece over the maximum goes out when nothing waits")
    func largePiece() throws {
        var buffer = OutgoingBuffer(maximumByteCount: 10)
        let piece = [UInt8](repeating: 1, count: 11)
        #expect(piece.withUnsafeBytes { buffer.append($0) } == true)
        #expect(buffer.hasRoom() == false)
        #expect(piece.withUnsafeBytes { buffer.append($0) } == false)
        buffer.abandon()
        #expect(buffer.isDrained == true)
        #expect(buffer.hasRoom(for: 1000) == true)
    }

    @Test(
        "Messages and payloads come out in order through any partial writes",
        arguments: 1...20 as ClosedRange<UInt64>)
    func payloadsInOrder(seed: UInt64) throws {
        var random = SeededNumbers(seed: seed)
        let pixels = (0..<30_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
        try pixels.withUnsafeBytes { pixels throws in
            try makePipe(capacity: 4096).split { reader, writer throws in
                try writer.setNonblocking(true)
                try reader.setNonblocking(true)
                var expected: [UInt8] = []
                var received: [UInt8] = []
                var tokens: Set<UInt64> = []
                var buffer = OutgoingBuffer()
                for token in 0..<40 as Range<UInt64> {
                    let header = [UInt8](repeating: UInt8(token), count: Int(random.next() % 300))
                    #expect(header.withUnsafeBytes { buffer.append($0) } == true)
                    expected += header
                    if random.next() % 2 == 0 {
                        let count = Int(random.next() % 30_000)
                        let region = UnsafeRawBufferPointer(rebasing: pixels[..<count])
                        #expect(buffer.appendPayload(region, token: token) == true)
                        expected += region
                        tokens.insert(token)
                    }
                    if random.next() % 3 == 0 { _ = try buffer.flush(to: writer) }
                    try Self.readSome(reader, Int(random.next() % 5000) + 1, into: &received)
                    while let done = buffer.takeFinishedPayload() { tokens.remove(done) }
                }
                while try buffer.flush(to: writer) == .wouldBlock {
                    try Self.readSome(reader, Int(random.next() % 5000) + 1, into: &received)
                }
                while let done = buffer.takeFinishedPayload() { tokens.remove(done) }
                try Self.readSome(reader, 1 << 20, into: &received)
                #expect(tokens.isEmpty)
                #expect(received == expected)
            }
        }
    }

    @Test("An empty payload is finished too, and too many payloads are refused")
    func emptyAndTooMany() throws {
        try makePipe().split { reader, writer throws in
            var buffer = OutgoingBuffer()
            let empty = UnsafeRawBufferPointer(start: nil, count: 0)
            for token in 0..<UInt64(OutgoingBuffer.maximumPayloadCount) {
                #expect(buffer.appendPayload(empty, token: token) == true)
            }
            #expect(buffer.appendPayload(empty, token: 99) == false)
            #expect(buffer.hasRoom() == false)
            #expect(try buffer.flush(to: writer) == .drained)
            var count = 0
            while buffer.takeFinishedPayload() != nil { count += 1 }
            #expect(count == OutgoingBuffer.maximumPayloadCount)
            #expect(buffer.hasRoom() == true)
            try reader.close()
        }
    }

    private static func readSome(
        _ reader: borrowing OwnedDescriptor, _ count: Int, into received: inout [UInt8]
    ) throws {
        var area = [UInt8](repeating: 0, count: count)
        let result = try area.withUnsafeMutableBytes { area throws in
            try reader.read(into: area)
        }
        if case .bytes(let count) = result { received += area[..<count] }
    }
}
