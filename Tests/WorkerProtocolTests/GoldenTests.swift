import TestSupport
import Testing
import Wire
import WorkerProtocol

@Suite("Golden messages of the protocol")
struct GoldenTests {
    @Test("A message is written as the golden bytes", arguments: goldenMessages)
    func writes(golden: GoldenMessage) throws {
        let bytes = try golden.message().encoded(
            requestId: golden.requestId, payload: golden.payload)
        let expected = try bytesOfGolden(golden.name)
        #expect(bytes == expected)
    }

    @Test("The golden bytes are read as the message", arguments: goldenMessages)
    func reads(golden: GoldenMessage) throws {
        let bytes = try bytesOfGolden(golden.name)
        var decoder = MessageDecoder()
        let taken = bytes.withUnsafeBytes { decoder.append($0) }
        #expect(taken == bytes.count)
        guard let message = try decoder.next() else {
            Issue.record("there is no whole message")
            return
        }
        let expected = try golden.message()
        #expect(message.header.requestId == golden.requestId)
        #expect(message.header.messageType == expected.type.rawValue)
        var reader = message.reader
        #expect(try AnyMessage(expected.type, from: &reader) == expected)
        #expect(Int(message.header.payloadByteCount) == golden.payload.count)
        var payload = [UInt8](repeating: 0, count: golden.payload.count)
        _ = payload.withUnsafeMutableBytes { decoder.takeBufferedPayload(into: $0) }
        #expect(payload == golden.payload)
        let isAtEnd = try decoder.next() == nil
        #expect(isAtEnd)
    }

    @Test("Every type of message has golden bytes")
    func covers() throws {
        let types = Set(try goldenMessages.map { try $0.message().type })
        #expect(types == Set(MessageType.allCases))
    }
}

/// The bytes of a golden message.
func bytesOfGolden(_ name: String) throws -> [UInt8] {
    try Checkout.fixture("protocol/\(name).bin")
}
