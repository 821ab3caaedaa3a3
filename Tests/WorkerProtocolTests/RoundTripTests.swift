import TestSupport
import Testing
import Wire
import WorkerProtocol

@Suite("Messages of any contents")
struct RoundTripTests {
    @Test("What is written is read as the same", arguments: MessageType.allCases, [1, 2, 3, 4])
    func roundTrip(type: MessageType, seed: UInt64) throws {
        var messages = RandomMessages(seed: seed)
        for _ in 0..<100 {
            let message = try messages.message(type)
            #expect(AnyMessage.decode(type, try message.body()) == .success(message))
        }
    }

    @Test("A body cut anywhere is a typed error within it", arguments: goldenMessages)
    func truncation(golden: GoldenMessage) throws {
        let message = try golden.message()
        let body = try message.body()
        // Without the checksum of its payload a message is one of version 1.
        let oldCount = golden.name.hasSuffix("-checksum") ? body.count - 4 : nil
        for count in 0..<body.count where count != oldCount {
            switch AnyMessage.decode(message.type, Array(body[..<count])) {
            case .success: Issue.record("\(count) of \(body.count) bytes were taken for a message")
            case .failure(let error): #expect(error.byteOffset <= UInt64(count))
            }
        }
    }

    @Test(
        "Bytes behind the last field are refused, but for those of the handshake",
        arguments: goldenMessages)
    func trailing(golden: GoldenMessage) throws {
        let message = try golden.message()
        let body = try message.body()
        if body.isEmpty { return }
        let longer = AnyMessage.decode(message.type, body + [0])
        switch message.type {
        case .hello, .welcome: #expect(longer == .success(message))
        default:
            #expect(
                longer
                    == .failure(
                        WireError(
                            .trailingBytes(count: 1), byteOffset: UInt64(body.count))))
        }
    }

    @Test(
        "Damaged bodies give a message or an error, and a message can be written again",
        arguments: MessageType.allCases, [11, 12])
    func damage(type: MessageType, seed: UInt64) throws {
        var messages = RandomMessages(seed: seed)
        for _ in 0..<300 {
            var body = try messages.message(type).body()
            if body.isEmpty { continue }
            for _ in 0...Int.random(in: 0..<3, using: &messages.random) {
                let place = Int.random(in: body.indices, using: &messages.random)
                body[place] = UInt8.random(in: 0...255, using: &messages.random)
            }
            if case .success(let message) = AnyMessage.decode(type, body) {
                _ = try message.body()
            }
        }
    }

    @Test("Noise gives errors", arguments: MessageType.allCases)
    func noise(type: MessageType) throws {
        var random = SeededNumbers(seed: 99)
        for _ in 0..<2000 {
            let count = Int.random(in: 0..<200, using: &random)
            let body = (0..<count).map { _ in
                Bool.random(using: &random) ? 0 : UInt8.random(in: 0...255, using: &random)
            }
            if case .success(let message) = AnyMessage.decode(type, body) {
                _ = try message.body()
            }
        }
    }
}
