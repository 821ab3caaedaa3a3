import NDArrays
import Statistics
import TestSupport
import Testing
import WorkerProtocol
import WorkerRuntime

/// An image of uint16 that goes inline, and its bytes.
func inlineFrame(
    _ id: UInt64, _ pixels: [UInt16] = [1, 2, 3, 4, 5, 6], version: UInt64 = 1
) throws -> (ProcessCommand, [UInt8]) {
    let bytes = pixels.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    let layout = try ArrayLayout(.uint16, width: pixels.count / 2, height: 2)
    let frame = FrameDescriptor(
        uniqueId: 1000 + id, payload: .image(layout),
        location: .inline(byteOffset: 0, byteCount: UInt64(bytes.count)))
    return (
        ProcessCommand(key: FrameKey(frameId: id), configurationVersion: version, frame: frame),
        bytes
    )
}

@Suite("The life of a worker", .timeLimit(.minutes(1)))
struct LifeTests {
    @Test
    func `A worker is greeted, describes itself, starts, processes, counts, and stops with 0`()
        throws
    {
        let worker = try InProcessWorker()
        let client = worker.client
        let welcome = try client.greet(
            Hello(capabilities: Capabilities(rawValue: .max), workerId: 3, incarnation: 2))
        #expect(welcome.version == ProtocolVersion.current)
        #expect(welcome.capabilities == [.sharedPools, .stagedFiles, .references, .syncedFiles])

        let described = try client.answer(to: try client.send(.describe))
        guard case .description(let processors) = described else {
            Issue.record("no description: \(described)")
            return
        }
        #expect(processors.map(\.name).contains("AddAmount"))
        let amount = processors.first { $0.name == "AddAmount" }?.settings.first
        #expect(amount?.kind == "integer")
        #expect(amount?.defaultValue == "1")

        #expect(try client.start([.init(name: "Untouched")]) == .success)
        for id in UInt64(1)...20 {
            let (command, bytes) = try inlineFrame(id)
            let (result, payload) = try client.result(of: client.process(command, payload: bytes))
            #expect(result.outcome == .processed)
            #expect(result.uniqueId == 1000 + id)
            #expect(result.outputCount == 1)
            #expect(result.bytesIn == 12)
            #expect(result.outputs.isEmpty)
            #expect(payload.isEmpty)
        }
        let snapshot = try client.statistics()
        #expect(snapshot.workerId == 3)
        #expect(snapshot.incarnation == 2)
        #expect(snapshot.processors.first?.counters.processed == 20)
        #expect(try client.command(.resetStats) == .success)
        #expect(try client.statistics().processors.first?.counters.received == 0)
        #expect(try client.command(.ping) == .success)
        #expect(try client.command(.stop) == .success)
        #expect(worker.join() == .stopped)
    }

    @Test func `Commands in the wrong order are refused, and nothing has changed`() throws {
        let worker = try InProcessWorker()
        let client = worker.client
        func code(_ reply: Reply) -> CommandFailure.Code? {
            guard case .failure(let failure) = reply else { return nil }
            return failure.code
        }
        #expect(code(try client.command(.describe)) == .wrongState)
        #expect(code(try client.start([.init(name: "Untouched")])) == .wrongState)
        _ = try client.greet()
        let (command, bytes) = try inlineFrame(1)
        let early = try client.process(command, payload: bytes)
        #expect(code(try client.reply(to: early)) == .wrongState)
        #expect(code(try client.command(.getStats)) == .wrongState)
        let unknown = try client.start([.init(name: "Untuched")])
        #expect(code(unknown) == .unknownProcessor)
        guard case .failure(let failure) = unknown else { return }
        #expect(failure.reason.contains("did you mean Untouched"))
        let wrong = Structure(["amount": .scalar(.string("many"))])
        #expect(
            code(try client.start([.init(name: "AddAmount", settings: wrong)])) == .configuration)
        #expect(try client.start([.init(name: "Untouched")]) == .success)
        #expect(code(try client.start([.init(name: "Untouched")])) == .wrongState)
        let again = try client.send(.hello) { Hello().write(to: &$0) }
        #expect(code(try client.reply(to: again)) == .wrongState)
        #expect(try client.command(.stop) == .success)
        #expect(worker.join() == .stopped)
    }

    @Test func `A message that is no command is answered, and the worker goes on`() throws {
        let worker = try InProcessWorker()
        let client = worker.client
        _ = try client.greet()
        let reply = try client.reply(to: try client.send(.result))
        guard case .failure(let failure) = reply else {
            Issue.record("\(reply)")
            return
        }
        #expect(failure.code == .unsupported)
        #expect(try client.command(.ping) == .success)
        #expect(try client.command(.stop) == .success)
        #expect(worker.join() == .stopped)
    }

    @Test func `A controller of other versions gets version 0 and the worker leaves with 2`() throws
    {
        let worker = try InProcessWorker()
        let welcome = try worker.client.greet(Hello(versions: 7...9))
        #expect(welcome.version == 0)
        #expect(worker.join() == .unusable)
    }

    @Test func `Bytes that are not the protocol end the worker with 4`() throws {
        let worker = try InProcessWorker()
        try worker.client.sendBytes(Array("GET / HTTP/1.1\r\n".utf8))
        #expect(worker.join() == .damagedInput)
    }

    @Test func `A pool that can't be mapped is refused, and the worker leaves with 2`() throws {
        let worker = try InProcessWorker()
        let client = worker.client
        let pool = PoolDescription(
            poolId: 0, descriptor: 12_345, isWritable: false, slotByteCount: 4096, slotCount: 1)
        let id = try client.send(.hello) { Hello(pools: [pool]).write(to: &$0) }
        guard case .failure(let failure) = try client.reply(to: id) else {
            Issue.record("mapped")
            return
        }
        #expect(failure.code == .resources)
        #expect(worker.join() == .unusable)
    }

    @Test func `Input that ends without stop makes the worker leave with 3`() throws {
        let worker = try InProcessWorker()
        _ = try worker.client.greet()
        worker.client.hangUp()
        #expect(worker.join() == .orphaned)
    }
}
