import NDArrays
import TestSupport
import Testing
import Wire
import WorkerProtocol

@Suite("The page Docs/WireProtocol.md")
struct PageTests {
    /// The session of section 11: who sends, and the message as Sluice writes it.
    private func session() throws -> [(isToWorker: Bool, name: String, bytes: [UInt8])] {
        let layout = try ArrayLayout(.uint8, width: 4, height: 2)
        let frame = FrameDescriptor(
            uniqueId: 1, payload: .image(layout),
            location: .inline(byteOffset: 0, byteCount: 8))
        let pixels: [UInt8] = [0, 20, 40, 60, 80, 100, 120, 140]
        let messages: [(Bool, String, UInt64, AnyMessage, [UInt8])] = [
            (
                true, "hello", 1,
                .hello(
                    Hello(
                        versions: 1...1, controllerProcessId: 4242, runId: "r1", stageName: "scale",
                        wantsOutputs: true)), []
            ),
            (
                false, "welcome", 1,
                .welcome(
                    Welcome(
                        version: 1, capabilities: [], processId: 4243,
                        software: "python_worker 1 (Python)")), []
            ),
            (
                true, "start", 2,
                .start(
                    StartCommand(
                        configurationVersion: 1,
                        processors: [
                            ProcessorSpecification(
                                name: "PyScale",
                                settings: Structure(["gain": .scalar(.string("2"))]))
                        ])), []
            ),
            (false, "reply", 2, .reply(.success), []),
            (
                true, "process", 3,
                .process(
                    ProcessCommand(
                        key: FrameKey(frameId: 0), configurationVersion: 1, frame: frame)), pixels
            ),
            (
                false, "result", 3,
                .result(
                    FrameResult(
                        outcome: .processed, uniqueId: 1, processingNanoseconds: 1000, bytesIn: 8,
                        bytesOut: 8, outputCount: 1, outputs: [frame])),
                pixels.map { UInt8(min(255, 2 * Int($0))) }
            ),
            (true, "stop", 4, .stop, []),
            (false, "reply", 4, .reply(.success), []),
        ]
        return try messages.map { isToWorker, name, requestId, message, payload in
            (isToWorker, name, try message.encoded(requestId: requestId, payload: payload))
        }
    }

    @Test("The session is written as the golden bytes")
    func goldenSession() throws {
        let session = try session()
        let toWorker = session.filter(\.isToWorker).flatMap(\.bytes)
        let fromWorker = session.filter { !$0.isToWorker }.flatMap(\.bytes)
        #expect(toWorker == (try bytesOfGolden("session-to-worker")))
        #expect(fromWorker == (try bytesOfGolden("session-from-worker")))
    }

    @Test("The page shows exactly these bytes")
    func dump() throws {
        var lines: [String] = []
        for (isToWorker, name, bytes) in try session() {
            lines.append("\(isToWorker ? ">" : "<") \(name), \(bytes.count) bytes")
            for start in stride(from: 0, to: bytes.count, by: 16) {
                let row = bytes[start..<min(start + 16, bytes.count)]
                let digits = row.map { hexadecimal(Int($0), digits: 2) }.joined(separator: " ")
                lines.append("  \(hexadecimal(start, digits: 4))  \(digits)")
            }
        }
        #expect(try page().contains("```\n\(lines.joined(separator: "\n"))\n```"))
    }

    @Test("The page has every message with its number", arguments: MessageType.allCases)
    func messages(type: MessageType) throws {
        #expect(try page().contains("| \(type.rawValue) | `\(type)` |"))
    }

    private func page() throws -> String {
        let path = Checkout.path + "/Docs/WireProtocol.md"
        return String(decoding: try contents(path), as: UTF8.self)
    }

    private func hexadecimal(_ value: Int, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
